"""Transfer: what a linear classifier can read from frozen embeddings, in the protocol of SentEval.

Folds, grids and features are those of senteval/tools/validation.py and mrpc.py (facebookresearch/SentEval, ``usepytorch=False``).
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.choices import Precision
from retriever.config.results import INTERVALS
from retriever.errors import InputError
from retriever.evaluation.bootstrap import mean_intervals
from retriever.evaluation.logistic_regression import (
    Advance,
    Labelled,
    best_of,
    choose_by_folds,
    folds_of,
    grid_accuracies,
    predict,
    require_sklearn,
)
from retriever.evaluation.suite import Average
from retriever.evaluation.transfer_task import FOLDS, require_usable, texts_of
from retriever.protocols import EncodeTexts, Progress, no_progress
from retriever.records import LabelledText, TransferTask

SEED = 1111
GRID = tuple(2.0**power for power in range(-2, 4))
"""Values of C, the inverse of the L2 penalty, of the nested protocol and of the one with a dev split."""
TEST_GRID = tuple(2.0**power for power in range(-1, 6))
"""The same where there is a test split and no dev split."""
SEVEN = ("mr", "cr", "subj", "mpqa", "sst2", "trec", "mrpc")
"""Of which SentEval's users give the average."""

PROTOCOL, CHOSEN = "protocol", "chosen_c"
BY_TASK = (PROTOCOL, "grid_of_c", CHOSEN)
"""What of the policy differs from task to task."""

Embed = Callable[[Sequence[LabelledText]], Labelled]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TransferResult:
    """What a classifier on the embeddings of one task achieved.

    Attributes:
        protocol: how the test items and C were chosen.
        predicted: the class given to each item of the test split, or of the file (out of fold), in the file's order.
        correct: (items,) whether it is the item's own.
        majority: share of the test items, times 100, that are of the most frequent class of them.
        dev_accuracy: of the best C on the held-out data that chose it, times 100; in nested cross-validation the mean.
        chosen: that C; in nested cross-validation one an outer fold.
    """

    protocol: str
    predicted: tuple[str, ...]
    correct: NDArray[np.bool_]
    majority: float
    dev_accuracy: float
    chosen: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Share of the test items that are correct, times 100."""
        return 100 * float(self.correct.mean())

    def interval(self) -> tuple[float, float]:
        """95 % bootstrap interval of the accuracy, the test items being resampled."""
        low, high = mean_intervals(100 * self.correct[:, None].astype(np.float64))
        return float(low[0]), float(high[0])

    def metrics(self) -> dict[str, float]:
        """Metric → value, without those per item."""
        low, high = self.interval()
        return {
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "dev_accuracy": self.dev_accuracy,
            "majority": self.majority,
            "items": len(self.correct),
        }

    def items(self, task: TransferTask) -> Iterator[dict[str, object]]:
        """For each test item of the task ``SPLIT:NUMBER`` (from 1; ``all`` in cross-validation), its text, and 100 if correct, else 0."""
        split, tested = ("test", task.test) if task.test else ("all", task.train)
        for number, (item, correct) in enumerate(zip(tested, self.correct.tolist(), strict=True), start=1):
            yield {
                "id": f"{split}:{number}",
                "text": " | ".join(texts_of(item)),
                "accuracy": 100.0 * correct,
            }


def evaluate_transfer(
    encode: EncodeTexts,
    tasks: Sequence[TransferTask],
    *,
    folds: int = FOLDS,
    seed: int = SEED,
    progress: Progress = no_progress,
) -> dict[str, TransferResult]:
    """Train a logistic regression on the embeddings of each task, L2 being chosen without the test items, and test it.

    A task without splits: nested cross-validation, the inner folds choosing C. With a test split: cross-validation on train
    chooses. With a dev split, too: dev chooses. Features are the embeddings as they are; of a pair, |u − v| and u ∘ v.
    Before folds are made, items are put into SentEval's order, by words and label.

    Args:
        encode: called once, with each distinct text of all tasks once.
        tasks: with different names.
        folds: of each cross-validation.
        seed: of the folds; nothing else is random.
        progress: advanced by classifiers.

    Returns:
        Task → result, in the order given.

    Raises:
        InputError: a task of one class, a class too small for the folds, an empty text, a class of dev or test that train
            lacks, single texts beside pairs, or an embedding that is not finite. All tasks are checked before any text is encoded.
    """
    require_sklearn()
    for task in tasks:
        require_usable(task, folds)
    embed = _embedder(encode, tasks)
    results = {}
    for task in tasks:
        with progress(_classifiers(task, folds), f"classify {task.name}") as advance:
            results[task.name] = _evaluate(task, embed, folds, seed, advance)
    return results


def average_of_seven(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, float | int] | None:
    """The mean accuracy of MR, CR, SUBJ, MPQA, SST-2, TREC and MRPC, as papers print it; None: not all seven are there, once each.

    Args:
        tasks: task → metrics.
    """
    found = [(task_of_seven(name), metrics["accuracy"]) for name, metrics in tasks.items()]
    accuracies = {known: accuracy for known, accuracy in found if known is not None}
    if len(accuracies) < len(SEVEN) or sum(known is not None for known, _ in found) > len(SEVEN):
        return None
    return {"accuracy": float(np.mean(list(accuracies.values()))), "tasks": len(SEVEN)}


def task_of_seven(name: str) -> str | None:
    """Which of ``SEVEN`` a data set is by its name: sst2 of ``SST-2`` and ``sst``."""
    plain = name.lower().replace("-", "").replace("_", "")
    plain = "sst2" if plain == "sst" else plain
    return plain if plain in SEVEN else None


AVERAGE = Average("average_of_seven", task_of_seven, average_of_seven, BY_TASK)


def protocol_of(task: TransferTask, folds: int) -> str:
    """How the test items and C are chosen."""
    if not task.test:
        return f"{folds} folds, in each {folds} that choose C"
    return "test split; dev chooses C" if task.dev else f"test split; {folds} folds of train choose C"


def transfer_policy(
    task: TransferTask, *, folds: int, seed: int, precision: Precision, max_length: int
) -> dict[str, object]:
    """Every choice that moves a number, as it stands in results; precision and length are the encoder's."""
    return {
        "accuracy": "times 100, of the test items; in cross-validation of all out-of-fold predictions together",
        "classifier": "logistic regression of scikit-learn (L2, lbfgs) on embeddings as they are; pairs: |u − v|, u ∘ v",
        PROTOCOL: protocol_of(task, folds),
        "grid_of_c": list(TEST_GRID if task.test and not task.dev else GRID),
        "folds": folds,
        "seed": seed,
        "intervals": f"{INTERVALS} over the test items",
        "precision": precision,
        "max_length": max_length,
    }


def _embedder(encode: EncodeTexts, tasks: Sequence[TransferTask]) -> Embed:
    """Encode every distinct text of the tasks once. Returns a function from items to their features and labels."""
    rows: dict[str, int] = {}
    for task in tasks:
        for item in (*task.train, *task.dev, *task.test):
            for text in texts_of(item):
                rows.setdefault(text, len(rows))
    embeddings = np.asarray(encode(list(rows)))  # (texts, D)
    if embeddings.ndim != 2 or len(embeddings) != len(rows):
        raise ValueError(f"encode gave shape {embeddings.shape} for {len(rows)} texts")
    if not np.isfinite(embeddings).all():
        raise InputError("the model gives embeddings that are not finite")

    def embed(items: Sequence[LabelledText]) -> Labelled:
        features = embeddings[[rows[item.first] for item in items]]  # (items, D)
        if items[0].second is not None:
            second = embeddings[[rows[str(item.second)] for item in items]]
            features = np.concatenate([np.abs(features - second), features * second], axis=1)  # (items, 2 D)
        return Labelled(features, np.array([item.label for item in items]))

    return embed


def _classifiers(task: TransferTask, folds: int) -> int:
    """How many classifiers a task takes."""
    if task.dev:
        return len(GRID) + 1
    return folds * len(TEST_GRID) + 1 if task.test else folds * (folds * len(GRID) + 1)


def _sentevals_order(items: Sequence[LabelledText]) -> NDArray[np.int64]:
    """Rows by words, then label: how SentEval sorts its items before it makes folds of them."""
    words = [[len(text.split()) for text in texts_of(item)] for item in items]
    return np.array(sorted(range(len(items)), key=lambda row: (words[row], items[row].label)))


def _evaluate(task: TransferTask, embed: Embed, folds: int, seed: int, advance: Advance) -> TransferResult:
    order = _sentevals_order(task.train)
    train = embed(task.train).rows(order)
    if not task.test:
        back = np.argsort(order)  # to the order of the file
        predicted, dev, chosen = _nested(train, folds, seed, advance)
        return _result(protocol_of(task, folds), predicted[back], train.labels[back], dev, chosen)
    test = embed(task.test)
    if untested := sorted({*train.labels.tolist()} - {*test.labels.tolist()}):
        logger.warning("%s: no test item has the label '%s'", task.name, "', '".join(untested))
    if task.dev:
        c, dev = best_of(GRID, grid_accuracies(train, embed(task.dev), GRID))
        advance(len(GRID))
    else:
        c, dev = choose_by_folds(train, TEST_GRID, folds, seed, advance)
    predicted = predict(train, test.features, c)
    advance(1)
    return _result(protocol_of(task, folds), predicted, test.labels, dev, [c])


def _nested(
    data: Labelled, folds: int, seed: int, advance: Advance
) -> tuple[NDArray[np.str_], float, list[float]]:
    """Out-of-fold predictions, the mean accuracy of the chosen C on the inner folds, and the C of each outer fold."""
    predicted = np.empty_like(data.labels)
    chosen, accuracies = [], []
    for rest, held_out in folds_of(data.labels, folds, seed):
        c, accuracy = choose_by_folds(data.rows(rest), GRID, folds, seed, advance)
        predicted[held_out] = predict(data.rows(rest), data.features[held_out], c)
        advance(1)
        chosen.append(c)
        accuracies.append(accuracy)
    return predicted, float(np.mean(accuracies)), chosen


def _result(
    protocol: str,
    predicted: NDArray[np.str_],
    gold: NDArray[np.str_],
    dev_accuracy: float,
    chosen: Sequence[float],
) -> TransferResult:
    return TransferResult(
        protocol=protocol,
        predicted=tuple(predicted.tolist()),
        correct=predicted == gold,
        majority=100 * max(Counter(gold.tolist()).values()) / len(gold),
        dev_accuracy=dev_accuracy,
        chosen=tuple(chosen),
    )
