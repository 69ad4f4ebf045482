"""``ctl eval transfer``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cli.encoders import about, load_encoder
from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from cli.results import results_object
from retriever.config.evaluation import EvalTransferConfig

if TYPE_CHECKING:
    from retriever.data.transfer import TransferFiles
    from retriever.encoding.encoder import Encoder
    from retriever.evaluation.results import Evaluation
    from retriever.evaluation.suite import ByTask
    from retriever.records import TransferTask

SUITE = "transfer"
COLUMNS = ("accuracy", "accuracy_low", "accuracy_high", "majority", "items")
HEADINGS = ("task", "accuracy", "95 % from", "to", *COLUMNS[3:], "protocol")


def transfer(config: EvalTransferConfig, as_json: bool = False) -> None:
    """Train a linear classifier on a model's frozen embeddings, task by task, and measure its accuracy, times 100."""
    from retriever.data.transfer import find_transfer_tasks

    files = find_transfer_tasks(config.data)
    tasks = read_tasks(config, files)
    model = load_encoder(config, config.model)
    evaluations = transfer_evaluations(config, model, files, tasks)
    metrics, policies = transfer_metrics(config, model, tasks, evaluations)
    if as_json:
        print_json(transfer_results(metrics, policies, evaluations))
    else:
        rows: list[list[Cell]] = [
            [name, *(found.get(each) for each in COLUMNS), policies.get(name, {}).get("protocol")]
            for name, found in metrics.items()
        ]
        print_table(SUITE, HEADINGS, rows)


def read_tasks(config: EvalTransferConfig, files: "list[TransferFiles]") -> "dict[str, TransferTask]":
    """The tasks, each such that a classifier can be trained and tested: before a model is loaded and anything encoded."""
    from retriever.data.transfer import read_transfer_task
    from retriever.evaluation.logistic_regression import require_sklearn
    from retriever.evaluation.transfer_task import require_usable

    require_sklearn()
    tasks = {each.name: read_transfer_task(each) for each in files}
    for each in files:
        require_usable(tasks[each.name], config.folds, each.path)
    return tasks


def transfer_evaluations(
    config: EvalTransferConfig,
    model: "Encoder",
    files: "list[TransferFiles]",
    tasks: "Mapping[str, TransferTask]",
) -> "dict[str, Evaluation]":
    """Task → what is evaluated, and how; the C that is chosen joins the policy with the results."""
    from retriever.data.transfer import task_sha256
    from retriever.evaluation.results import Evaluation
    from retriever.evaluation.transfer import transfer_policy

    facts = about(model)
    settings = {"folds": config.folds, "seed": config.seed, "max_length": model.settings.max_length}
    return {
        each.name: Evaluation(
            suite=SUITE,
            task=each.name,
            policy=transfer_policy(tasks[each.name], precision=model.precision, **settings),
            model=facts,
            data={
                "files": {part: str(file) for part, file in each.files.items()},
                "sha256": task_sha256(tasks[each.name]),
            },
        )
        for each in files
    }


def transfer_metrics(
    config: EvalTransferConfig,
    model: "Encoder",
    tasks: "Mapping[str, TransferTask]",
    evaluations: "Mapping[str, Evaluation]",
) -> "tuple[ByTask, ByTask]":
    """Metrics and policy of each task, in the order given, and the average of the seven when all are there."""
    from retriever.evaluation.suite import EncodeOnce, TaskResult, run_suite
    from retriever.evaluation.transfer import AVERAGE, CHOSEN, evaluate_transfer

    progress = make_progress()
    encode = EncodeOnce(lambda texts: model.encode(texts, progress=progress))

    def evaluate(name: str) -> TaskResult:
        protocol = {"folds": config.folds, "seed": config.seed}
        result = evaluate_transfer(encode, [tasks[name]], progress=progress, **protocol)[name]
        return TaskResult(result.metrics(), result.items(tasks[name]), {CHOSEN: list(result.chosen)})

    return run_suite(
        evaluations, evaluate, output=config.output, replace_stored=config.replace, average=AVERAGE
    )


def transfer_results(
    metrics: "ByTask", policies: "ByTask", evaluations: "Mapping[str, Evaluation]"
) -> dict[str, object]:
    """The JSON of results: what all tasks' policies share once, the rest by task."""
    from retriever.evaluation.transfer import BY_TASK

    one = next(iter(evaluations.values()))
    return results_object(
        SUITE,
        metrics,
        policy={
            **{key: value for key, value in one.policy.items() if key not in BY_TASK},
            **{key: {name: policies[name][key] for name in evaluations} for key in BY_TASK},
        },
        model=one.model,
        data={name: each.data for name, each in evaluations.items()},
    )
