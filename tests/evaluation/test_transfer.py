import logging
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from retriever.errors import InputError
from retriever.evaluation.transfer import (
    GRID,
    SEVEN,
    TEST_GRID,
    TransferResult,
    average_of_seven,
    evaluate_transfer,
)
from retriever.records import LabelledText, TransferTask

generator = np.random.default_rng(0)
WORDS, TEXTS = 8, 72
VECTORS = generator.normal(size=(TEXTS, 4)).astype(np.float32)
NAMES = [
    "word " * int(generator.integers(1, WORDS)) + str(row) for row in range(TEXTS)
]  # of different numbers of words
LABELS = ["yes" if vector.sum() + generator.normal() > 0 else "no" for vector in VECTORS]
ITEMS = [LabelledText(label, name) for label, name in zip(LABELS, NAMES, strict=True)]
FOLDS, SEED = 3, 5


def encode(texts: Sequence[str]) -> np.ndarray:
    return np.stack([VECTORS[NAMES.index(text)] for text in texts])


def evaluated(task: TransferTask, folds: int = FOLDS) -> TransferResult:
    return evaluate_transfer(encode, [task], folds=folds, seed=SEED)[task.name]


def predicted_plainly(train: list[int], test: list[int], c: float) -> np.ndarray:
    fitted = LogisticRegression(C=c, max_iter=1000, tol=1e-6).fit(
        VECTORS[train], [LABELS[row] for row in train]
    )
    return fitted.predict(VECTORS[test])


def accuracy_plainly(train: list[int], test: list[int], c: float) -> float:
    return float(np.mean(predicted_plainly(train, test, c) == [LABELS[row] for row in test]))


def folds_plainly(rows: list[int]) -> list[tuple[list[int], list[int]]]:
    """The rows must be in SentEval's order."""
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(
        rows, [LABELS[row] for row in rows]
    )
    return [([rows[at] for at in rest], [rows[at] for at in fold]) for rest, fold in splits]


def chosen_plainly(rows: list[int], grid: Sequence[float]) -> tuple[float, float]:
    means = [
        round(100 * np.mean([accuracy_plainly(*each, c) for each in folds_plainly(rows)]), 2) for c in grid
    ]
    return grid[means.index(max(means))], max(means)


def in_sentevals_order(rows: Sequence[int]) -> list[int]:
    return sorted(rows, key=lambda row: (len(NAMES[row].split()), LABELS[row]))


def test_without_splits_it_is_nested_cross_validation_computed_plainly() -> None:
    result = evaluated(TransferTask("t", ITEMS, [], []))
    predicted = [""] * TEXTS
    chosen, dev = [], []
    for rest, fold in folds_plainly(in_sentevals_order(range(TEXTS))):
        c, accuracy = chosen_plainly(rest, GRID)
        chosen.append(c)
        dev.append(accuracy)
        for row, label in zip(fold, predicted_plainly(rest, fold, c), strict=True):
            predicted[row] = str(label)
    assert result.predicted == tuple(predicted)
    assert result.chosen == tuple(chosen)
    assert result.dev_accuracy == pytest.approx(np.mean(dev))
    assert result.correct.tolist() == [each == label for each, label in zip(predicted, LABELS, strict=True)]
    assert result.accuracy == pytest.approx(100 * np.mean(result.correct))
    assert result.majority == pytest.approx(100 * max(map(LABELS.count, LABELS)) / TEXTS)
    assert result.protocol == "3 folds, in each 3 that choose C"


def test_with_a_test_split_folds_of_train_choose() -> None:
    result = evaluated(TransferTask("t", ITEMS[:50], [], ITEMS[50:]))
    train, test = in_sentevals_order(range(50)), list(range(50, TEXTS))
    c, accuracy = chosen_plainly(train, TEST_GRID)
    assert (result.chosen, result.dev_accuracy) == ((c,), accuracy)
    assert result.predicted == tuple(predicted_plainly(train, test, c))
    assert result.protocol == "test split; 3 folds of train choose C"


def test_with_a_dev_split_dev_chooses() -> None:
    result = evaluated(TransferTask("t", ITEMS[:30], ITEMS[30:50], ITEMS[50:]))
    train, dev, test = list(range(30)), list(range(30, 50)), list(range(50, TEXTS))
    accuracies = [accuracy_plainly(train, dev, c) for c in GRID]
    c = GRID[accuracies.index(max(accuracies))]
    assert (result.chosen, result.dev_accuracy) == ((c,), 100 * max(accuracies))
    assert result.predicted == tuple(predicted_plainly(train, test, c))


def test_the_features_of_a_pair_are_difference_and_product() -> None:
    """XOR of two signs: no linear function of u and v, but one of |u − v| and u ∘ v."""
    sides = {"plus": 1.0, "minus": -1.0}
    pairs = [
        LabelledText(str(first == second), f"{first} {number}", f"{second} {number} again")
        for number in range(4)
        for first in sides
        for second in sides
    ]

    def sign(texts: Sequence[str]) -> np.ndarray:
        return np.array([[sides[text.split()[0]]] for text in texts], dtype=np.float32)

    result = evaluate_transfer(sign, [TransferTask("xor", pairs, [], [])], folds=2)["xor"]
    assert result.accuracy == 100
    assert result.interval() == (100, 100)


def test_each_text_is_encoded_once_over_all_tasks() -> None:
    calls: list[list[str]] = []

    def counting(texts: Sequence[str]) -> np.ndarray:
        calls.append(list(texts))
        return encode(texts)

    pairs = [
        LabelledText(label, name, NAMES[row - 1])
        for row, (label, name) in enumerate(zip(LABELS, NAMES, strict=True))
    ]
    tasks = [
        TransferTask("a", ITEMS[:40], [], []),
        TransferTask("b", ITEMS[20:50], ITEMS[:20], ITEMS[30:]),
        TransferTask("pairs", pairs, [], pairs),
    ]
    results = evaluate_transfer(counting, tasks, folds=2)
    assert list(results) == ["a", "b", "pairs"]
    assert len(calls) == 1
    assert sorted(calls[0]) == sorted(NAMES)


def test_the_order_of_the_file_changes_neither_folds_nor_predictions() -> None:
    shuffled = generator.permutation(TEXTS)
    distinct = [LabelledText(label, f"{'word ' * row}{NAMES[row]}") for row, label in enumerate(LABELS)]
    vectors = {item.first: VECTORS[row] for row, item in enumerate(distinct)}

    def encode_distinct(texts: Sequence[str]) -> np.ndarray:
        return np.stack([vectors[text] for text in texts])

    given, other = (
        evaluate_transfer(encode_distinct, [TransferTask("t", items, [], [])], folds=FOLDS)["t"]
        for items in (distinct, [distinct[row] for row in shuffled])
    )
    assert other.predicted == tuple(given.predicted[row] for row in shuffled)


def test_progress_counts_the_classifiers() -> None:
    told: list[tuple[str, int, int]] = []

    class Counting:
        def __init__(self, total: int | None, label: str) -> None:
            self.total, self.label, self.done = total or 0, label, 0

        def __enter__(self):
            return self.advance

        def advance(self, done: int) -> None:
            self.done += done

        def __exit__(self, *_: object) -> None:
            told.append((self.label, self.done, self.total))

    tasks = [
        TransferTask("a", ITEMS, [], []),
        TransferTask("b", ITEMS[:50], [], ITEMS[50:]),
        TransferTask("c", ITEMS[:30], ITEMS[30:50], ITEMS[50:]),
    ]
    evaluate_transfer(encode, tasks, folds=FOLDS, progress=Counting)
    assert told == [("classify a", 57, 57), ("classify b", 22, 22), ("classify c", 7, 7)]


def items(**sizes: int) -> list[LabelledText]:
    return [LabelledText(label, NAMES[row]) for label, size in sizes.items() for row in range(size)]


MANY = items(a=20, b=20)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            TransferTask("t", items(a=20), [], []),
            "no item has a label but 'a'; a classifier needs two classes",
        ),
        (TransferTask("t", [], [], MANY), "there are no items to train on; a classifier needs two classes"),
        (
            TransferTask("t", items(a=20, b=11), [], []),
            "10 folds and 10 inside each need 12 items of each label, and 'b' has 11: leave out or merge small classes, or "
            "lower the number of folds",
        ),
        (
            TransferTask("t", items(a=20, b=9), [], MANY),
            "10 folds need 10 items of each label, and 'b' has 9: leave out or merge small classes, or lower the number of "
            "folds",
        ),
        (TransferTask("t", MANY, [], items(c=1, d=1)), "train has no item with the label 'c' of test"),
        (TransferTask("t", MANY, items(z=1), MANY), "train has no item with the label 'z' of dev"),
    ],
)
def test_labels_that_no_classifier_can_learn_are_refused(task: TransferTask, message: str) -> None:
    with pytest.raises(InputError) as error:
        evaluated(task, folds=10)
    assert str(error.value) == f"task 't': {message}"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (TransferTask("t", [*MANY, LabelledText("a", " ")], [], []), "has an empty text"),
        (TransferTask("t", [*MANY, LabelledText("a", "x", "")], [], []), "has an empty text"),
        (
            TransferTask("t", MANY, [], [LabelledText("a", "x", "y")]),
            "has pairs of texts beside single texts",
        ),
        (TransferTask("t", MANY, MANY, []), "has a dev split and no test split"),
    ],
)
def test_texts_and_splits_that_do_not_fit_are_refused(task: TransferTask, message: str) -> None:
    with pytest.raises(InputError) as error:
        evaluated(task)
    assert str(error.value) == f"task 't' {message}"


def test_the_least_class_that_is_not_refused_fits_into_every_fold() -> None:
    for folds in (2, 3):
        assert (
            len(evaluated(TransferTask("t", items(a=folds + 2, b=20), [], []), folds).correct) == folds + 22
        )


def test_a_bad_task_is_refused_before_anything_is_encoded() -> None:
    def never(texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("encoded")

    with pytest.raises(InputError, match="task 'bad'"):
        evaluate_transfer(never, [TransferTask("good", MANY, [], []), TransferTask("bad", [], [], [])])


def test_a_class_of_train_that_test_lacks_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        evaluated(TransferTask("t", MANY, [], items(a=3)))
    assert caplog.messages == ["t: no test item has the label 'b'"]


def test_embeddings_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="the model gives embeddings that are not finite"):
        evaluate_transfer(lambda texts: np.full((len(texts), 2), np.nan), [TransferTask("t", MANY, [], [])])


def test_an_encoder_that_loses_a_text_is_a_bug() -> None:
    with pytest.raises(ValueError, match=r"encode gave shape \(19, 4\) for 20 texts"):
        evaluate_transfer(lambda texts: encode(texts)[1:], [TransferTask("t", MANY, [], [])])


def test_the_average_is_of_the_seven_and_of_nothing_less() -> None:
    names = ["MR", "cr", "SUBJ", "mpqa", "SST-2", "trec", "mrpc"]
    assert len(names) == len(SEVEN)
    results = {name: {"accuracy": 60.0 + number} for number, name in enumerate(names)}
    assert average_of_seven(results | {"mine": {"accuracy": 0.0}}) == {
        "accuracy": pytest.approx(63),
        "tasks": 7,
    }
    assert average_of_seven(results | {"sst": {"accuracy": 0.0}}) is None
    del results["SST-2"]
    assert average_of_seven(results) is None
