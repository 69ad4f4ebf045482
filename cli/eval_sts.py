"""``ctl eval sts``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.encoders import about, load_encoder
from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from cli.results import results_object
from retriever.config.evaluation import EvalStsConfig

if TYPE_CHECKING:
    from retriever.encoding.encoder import Encoder
    from retriever.evaluation.results import Evaluation
    from retriever.evaluation.suite import ByTask
    from retriever.records import StsTask

COLUMNS = (
    "spearman_all",
    "spearman_all_low",
    "spearman_all_high",
    "spearman_mean",
    "spearman_wmean",
    "pearson_all",
    "pairs",
)
HEADINGS = ("task", "spearman_all", "95 % from", "to", *COLUMNS[3:])


def sts(config: EvalStsConfig, as_json: bool = False) -> None:
    """Compare a model's similarities with people's on STS data: Spearman and Pearson correlation, times 100."""
    tasks = read_tasks(config.data)
    model = load_encoder(config, config.model)
    evaluations = sts_evaluations(config, model, tasks)
    metrics = sts_metrics(config, model, tasks, evaluations)
    show_sts(config, metrics, evaluations, as_json=as_json)


def read_tasks(data: Sequence[Path]) -> "dict[Path, StsTask]":
    """The tasks, each such that its correlations exist: before a model is loaded and anything encoded."""
    from retriever.data.sts import read_sts_suite
    from retriever.evaluation.sts import require_scorable

    tasks = read_sts_suite(data)
    for path, task in tasks.items():
        require_scorable(task, path)
    return tasks


def sts_evaluations(
    config: EvalStsConfig, model: "Encoder", tasks: "Mapping[Path, StsTask]"
) -> "dict[str, Evaluation]":
    """Task → what is evaluated, and how."""
    from retriever.evaluation.sts import sts_evaluation

    facts = about(model)
    return {
        task.name: sts_evaluation(
            task,
            path,
            config.similarity,
            precision=model.precision,
            max_length=model.settings.max_length,
            model=facts,
        )
        for path, task in tasks.items()
    }


def show_sts(
    config: EvalStsConfig, metrics: "ByTask", evaluations: "Mapping[str, Evaluation]", *, as_json: bool
) -> None:
    """The metrics with the headline one's interval; a correlation that does not exist is called so."""
    if as_json:
        one = next(iter(evaluations.values()))
        data = {name: each.data for name, each in evaluations.items()}
        print_json(results_object(one.suite, metrics, policy=one.policy, model=one.model, data=data))
        return
    rows: list[list[Cell]] = [
        [name, *(shown(found.get(each, "")) for each in COLUMNS)] for name, found in metrics.items()
    ]
    print_table(
        f"STS by {config.similarity}; the headline is spearman_all, as in SBERT and SimCSE", HEADINGS, rows
    )


def shown(value: float | str | None) -> Cell:
    """A number that is none, in words."""
    return "undefined" if value is None or value != value else value


def sts_metrics(
    config: EvalStsConfig,
    model: "Encoder",
    tasks: "Mapping[Path, StsTask]",
    evaluations: "Mapping[str, Evaluation]",
) -> "ByTask":
    """The metrics of each task, in the order given, and the average of the seven when all are there."""
    from retriever.evaluation.sts import AVERAGE, score_sts
    from retriever.evaluation.suite import EncodeOnce, TaskResult, run_suite

    progress = make_progress()
    encode = EncodeOnce(lambda texts: model.encode(texts, progress=progress))
    by_name = {task.name: task for task in tasks.values()}

    def evaluate(name: str) -> TaskResult:
        result = score_sts(encode, by_name[name], similarity=config.similarity)
        return TaskResult(result.metrics, result.items())

    return run_suite(
        evaluations, evaluate, output=config.output, replace_stored=config.replace, average=AVERAGE
    )[0]
