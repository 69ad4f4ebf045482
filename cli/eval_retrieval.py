"""``ctl eval retrieval``."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cli.eval_kept import keep_retrieval, metrics_of, show_kept
from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from cli.results import INTERVALS, results_object
from cli.search import about_of, open_index
from retriever.config.evaluation import EvalRetrievalConfig
from retriever.errors import InputError

if TYPE_CHECKING:
    from retriever.evaluation.retrieval import RetrievalResult
    from retriever.records import Ranking


def retrieval(config: EvalRetrievalConfig, as_json: bool = False) -> None:
    """Ask an index questions and measure how far up it ranks the passages that answer them."""
    require_rankings_can_be_written(config)
    if show_kept(config, as_json=as_json):
        return
    result, rankings, about = evaluate(config)
    keep_retrieval(config, result)
    show_retrieval(config, result, about, as_json=as_json)
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
    config: EvalRetrievalConfig, result: "RetrievalResult", about: Mapping[str, Any], *, as_json: bool
) -> None:
    """The metrics with their intervals."""
    if as_json:
        print_json(retrieval_results(config, result, about))
        return
    rows: list[list[Cell]] = [
        [name, value, *result.intervals[name]] for name, value in result.metrics.items()
    ]
    print_table(f"retrieval, judged by {result.judged_by}", ["metric", "value", "95 % from", "to"], rows)


def evaluate(
    config: EvalRetrievalConfig,
) -> "tuple[RetrievalResult, list[tuple[str, Ranking]], dict[str, Any]]":
    """Open what the command names, and evaluate; the rankings are kept where they are wanted. With what was searched, and how."""
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
    about = {"model": asdict(passages.manifest.model), **about_of(config, searcher, passages)}
    return result, rankings, about


def retrieval_results(
    config: EvalRetrievalConfig, result: "RetrievalResult", about: Mapping[str, Any]
) -> dict[str, object]:
    """The JSON of results; each metric stands beside the ends of its interval, as for STS."""
    return results_object(
        "retrieval",
        {config.questions.stem: metrics_of(result)},
        policy={
            "judged_by": result.judged_by,
            "k": result.k,
            "intervals": INTERVALS,
            "approximate": about.get("approximate"),
            "fusion": about.get("fusion"),
        },
        model={"mode": config.mode, **about["model"]},
        data={
            "index": str(config.index),
            "questions": str(config.questions),
            "qrels": None if config.qrels is None else str(config.qrels),
        },
    )
