"""Logistic regression by scikit-learn: predictions, and the penalty that is best on held-out data."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.errors import InputError

MAX_ITERATIONS = 1000

Rows = NDArray[np.int64]
Advance = Callable[[int], None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Features and classes: (N, D) and (N,)."""

    features: NDArray[np.float32]
    labels: NDArray[np.str_]

    def rows(self, rows: Rows) -> "Labelled":
        """Some of them, in the order of ``rows``."""
        return Labelled(self.features[rows], self.labels[rows])


def require_sklearn() -> None:
    """Raise InputError where scikit-learn is missing: before work that would be lost."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise InputError(
            "transfer tasks need scikit-learn: pip install 'contrastive-text-learning[transfer]'"
        ) from None


def folds_of(labels: NDArray[np.str_], folds: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows to train on and rows to test on, stratified by label; every row is tested on once."""
    from sklearn.model_selection import StratifiedKFold

    yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)


def predict(train: Labelled, features: NDArray[np.float32], c: float) -> NDArray[np.str_]:
    """The classes that a classifier of inverse penalty ``c`` gives to (N, D) features."""
    return _fit(_classifier(), train, c).predict(features)


def grid_accuracies(train: Labelled, held_out: Labelled, grid: Sequence[float]) -> list[float]:
    """The accuracy on held-out data of a classifier for each C.

    Each begins at the weights of the one before it, which is twice as fast. The optimum is the same, as the problem is strictly
    convex; where in scikit-learn's tolerance around it the search ends, may differ.
    """
    classifier = _classifier()
    return [
        float(np.mean(_fit(classifier, train, c).predict(held_out.features) == held_out.labels)) for c in grid
    ]


def choose_by_folds(
    train: Labelled, grid: Sequence[float], folds: int, seed: int, advance: Advance
) -> tuple[float, float]:
    """The C that is best in cross-validation, and its mean accuracy times 100."""
    accuracies = []
    for rest, held_out in folds_of(train.labels, folds, seed):
        accuracies.append(grid_accuracies(train.rows(rest), train.rows(held_out), grid))
        advance(len(grid))
    return best_of(grid, np.mean(accuracies, axis=0))


def best_of(grid: Sequence[float], accuracies: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """The C of the highest accuracy and that accuracy times 100; as in SentEval of two decimals, the smallest C of equal ones."""
    rounded = np.round(100 * np.asarray(accuracies), 2)
    best = int(np.argmax(rounded))
    return grid[best], float(rounded[best])


def _classifier() -> Any:  # noqa: ANN401  (scikit-learn ships no types)
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=MAX_ITERATIONS, warm_start=True)


def _fit(classifier: Any, train: Labelled, c: float) -> Any:  # noqa: ANN401  (as above)
    classifier.C = c
    classifier.fit(train.features, train.labels)
    if int(classifier.n_iter_.max()) >= MAX_ITERATIONS:
        logger.warning("a classifier (C = %g) had not converged after %d steps", c, MAX_ITERATIONS)
    return classifier
