"""``ctl eval``: sts and retrieval; transfer is in a file of its own."""

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cli import eval_transfer
from cli.options import add_command
from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from cli.results import results_object
from cli.search import open_index
from retriever.config.evaluation import EvalRetrievalConfig, EvalStsConfig
from retriever.errors import InputError

if TYPE_CHECKING:
    from retriever.encoding.encoder import Encoder
    from retriever.evaluation.retrieval import RetrievalResult
    from retriever.index.layout import Manifest
    from retriever.records import Ranking

logger = logging.getLogger(__name__)

HELP = "Evaluate a model on similarity or labelled data, or an index on questions."
app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)

INTERVALS = "95 %, percentile bootstrap"
STS_METRICS = ("spearman_all", "spearman_mean", "spearman_wmean", "pearson_all", "pairs")
COUNTS = ("pairs", "nan_similarities")


def sts(config: EvalStsConfig, as_json: bool = False) -> None:
    """Compare a model's similarities with people's on STS data: Spearman and Pearson correlation, times 100."""
    from retriever.encoding.encoder import Encoder

    model = Encoder.load(
        config.model,
        pooling=config.pooling,
        max_length=config.max_length,
        device=config.device,
        precision=config.precision,
    )
    logger.info("%s", model.describe())
    tasks = sts_tasks(config, model)
    if as_json:
        print_json(sts_results(config, model, tasks))
        return
    rows: list[list[Cell]] = [
        [name, *(metrics[each] for each in STS_METRICS)] for name, metrics in tasks.items()
    ]
    print_table("STS", ["task", *STS_METRICS], rows)


def sts_tasks(config: EvalStsConfig, model: "Encoder") -> dict[str, dict[str, float]]:
    """Task → metric → value, in the order of the command line."""
    from retriever.data.sts import read_sts_task
    from retriever.evaluation.sts import evaluate_sts

    progress = make_progress()
    results: dict[str, dict[str, float]] = {}
    for path in config.data:
        task = read_sts_task(path)
        if task.name in results:
            raise InputError(
                f"two of the data sets are called '{task.name}'; evaluate them one by one", path=path
            )
        metrics = evaluate_sts(
            lambda texts: model.encode(texts, progress=progress),
            task,
            similarity=model.settings.similarity,
        )
        results[task.name] = metrics | {name: int(metrics[name]) for name in COUNTS}
    return results


def sts_results(
    config: EvalStsConfig, model: "Encoder", tasks: dict[str, dict[str, float]]
) -> dict[str, object]:
    """The JSON of results."""
    return results_object(
        "sts",
        tasks,
        policy={
            "intervals": INTERVALS,
            "correlations": "times 100; all: over the pairs of all subsets; mean, wmean: over the subsets' own values",
            "similarity": model.settings.similarity,
        },
        model=model.describe(),
        data=dict(zip(tasks, map(str, config.data), strict=True)),
    )


def retrieval(config: EvalRetrievalConfig, as_json: bool = False) -> None:
    """Ask an index questions and measure how far up it ranks the passages that answer them."""
    require_rankings_can_be_written(config)
    result, rankings, index = evaluate(config)
    show_retrieval(config, result, index, as_json=as_json)
    if (
        config.rankings is not None
    ):  # after the results are shown: an id that TREC cannot hold costs nothing but the file
        from retriever.data.rankings import write_rankings

        write_rankings(config.rankings, rankings, config.mode)


def require_rankings_can_be_written(config: EvalRetrievalConfig) -> None:
    """Before an evaluation of hours, not after it."""
    from retriever.data.files import require_writable

    if config.rankings is not None:
        if config.rankings.resolve() in {
            each.resolve() for each in (config.questions, config.qrels) if each is not None
        }:
            raise InputError("the output is one of the inputs", path=config.rankings)
        require_writable(config.rankings)


def show_retrieval(
    config: EvalRetrievalConfig, result: "RetrievalResult", index: "Manifest", *, as_json: bool
) -> None:
    """The metrics with their intervals."""
    if as_json:
        print_json(retrieval_results(config, result, index))
        return
    rows: list[list[Cell]] = [
        [name, value, *result.intervals[name]] for name, value in result.metrics.items()
    ]
    print_table(f"retrieval, judged by {result.judged_by}", ["metric", "value", "95 % from", "to"], rows)


def evaluate(
    config: EvalRetrievalConfig,
) -> "tuple[RetrievalResult, list[tuple[str, Ranking]], Manifest]":
    """Open what the command names, and evaluate; the rankings are kept where they are wanted. With the manifest of the index."""
    from retriever.data.dpr import read_questions
    from retriever.data.rankings import read_qrels
    from retriever.evaluation.retrieval import evaluate_retrieval

    questions = list(read_questions(config.questions))
    qrels = None if config.qrels is None else read_qrels(config.qrels)
    searcher, passages = open_index(config)
    rankings: list[tuple[str, Ranking]] = []
    result = evaluate_retrieval(
        searcher,
        questions,
        qrels=qrels,
        passages=passages,
        k=config.k,
        on_ranking=None
        if config.rankings is None
        else lambda query_id, ranking: rankings.append((query_id, ranking)),
        progress=make_progress(),
    )
    return result, rankings, passages.manifest


def retrieval_results(
    config: EvalRetrievalConfig, result: "RetrievalResult", index: "Manifest"
) -> dict[str, object]:
    """The JSON of results; each metric stands beside the ends of its interval, as for STS."""
    values: dict[str, float] = {"questions": len(result.question_ids), **result.metrics}
    for name, (low, high) in result.intervals.items():
        values |= {f"{name}_low": low, f"{name}_high": high}
    return results_object(
        "retrieval",
        {config.questions.stem: values},
        policy={
            "judged_by": result.judged_by,
            "k": result.k,
            "intervals": INTERVALS,
            "approximate": None if config.mode == "bm25" else index.recall,
        },
        model={"mode": config.mode, **asdict(index.model)},
        data={
            "index": str(config.index),
            "questions": str(config.questions),
            "qrels": None if config.qrels is None else str(config.qrels),
        },
    )


add_command(app, "sts", sts)
add_command(app, "transfer", eval_transfer.transfer)
add_command(app, "retrieval", retrieval)
