"""``ctl eval transfer``."""

import logging
from typing import TYPE_CHECKING

from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from cli.results import results_object
from retriever.config.evaluation import EvalTransferConfig

if TYPE_CHECKING:
    from retriever.data.transfer import TransferFiles
    from retriever.encoding.encoder import Encoder
    from retriever.evaluation.transfer import TransferResult

logger = logging.getLogger(__name__)

COLUMNS = ("task", "accuracy", "95 % from", "to", "majority", "items", "protocol")
AVERAGE = "average of 7"


def transfer(config: EvalTransferConfig, as_json: bool = False) -> None:
    """Train a linear classifier on a model's frozen embeddings, task by task, and measure its accuracy, times 100."""
    from retriever.data.transfer import find_transfer_tasks
    from retriever.evaluation.transfer import average_of_seven

    files = find_transfer_tasks(config.data)
    results, model = evaluate(config, files)
    average = average_of_seven(results)
    if as_json:
        print_json(transfer_results(config, files, model, results, average))
        return
    rows = [task_row(name, result) for name, result in results.items()]
    if average is not None:
        rows.append([AVERAGE, average, *[None] * (len(COLUMNS) - 2)])
    print_table("transfer", COLUMNS, rows)


def evaluate(
    config: EvalTransferConfig, files: "list[TransferFiles]"
) -> "tuple[dict[str, TransferResult], Encoder]":
    """Task → result, in the order of the command line; every file is read and checked before the model is loaded."""
    from retriever.data.transfer import read_transfer_task
    from retriever.encoding.encoder import Encoder
    from retriever.evaluation.logistic_regression import require_sklearn
    from retriever.evaluation.transfer import evaluate_transfer, require_usable

    require_sklearn()
    tasks = [read_transfer_task(each) for each in files]
    for task in tasks:
        require_usable(task, config.folds)
    model = Encoder.load(
        config.model,
        pooling=config.pooling,
        max_length=config.max_length,
        device=config.device,
        precision=config.precision,
    )
    logger.info("%s", model.describe())
    progress = make_progress()
    results = evaluate_transfer(
        lambda texts: model.encode(texts, progress=progress),
        tasks,
        folds=config.folds,
        seed=config.seed,
        progress=progress,
    )
    return results, model


def task_row(name: str, result: "TransferResult") -> list[Cell]:
    """A line of the table."""
    return [
        name,
        result.accuracy,
        *result.interval(),
        result.majority,
        len(result.correct),
        result.protocol,
    ]


def transfer_results(
    config: EvalTransferConfig,
    files: "list[TransferFiles]",
    model: "Encoder",
    results: "dict[str, TransferResult]",
    average: float | None,
) -> dict[str, object]:
    """The JSON of results."""
    from retriever.evaluation.transfer import GRID, TEST_GRID

    tasks = {name: result.metrics() for name, result in results.items()}
    if average is not None:
        tasks["average_of_seven"] = {"accuracy": average, "tasks": len(results)}
    return results_object(
        "transfer",
        tasks,
        policy={
            "accuracy": "times 100, of the test items; in cross-validation of all out-of-fold predictions together",
            "classifier": "logistic regression of scikit-learn (L2, lbfgs) on embeddings as they are; pairs: |u − v|, u ∘ v",
            "protocol": {name: result.protocol for name, result in results.items()},
            "grid_of_c": {"with a test split and no dev split": TEST_GRID, "else": GRID},
            "chosen_c": {name: result.chosen for name, result in results.items()},
            "folds": config.folds,
            "seed": config.seed,
            "intervals": "95 %, percentile bootstrap over the test items",
        },
        model=model.describe(),
        data={each.name: {part: str(file) for part, file in each.files.items()} for each in files},
    )
