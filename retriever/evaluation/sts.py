"""Semantic textual similarity: do similarities of embeddings rank sentence pairs as people do?"""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retriever.choices import Similarity
from retriever.errors import InputError
from retriever.evaluation.correlation import pearson, spearman, spearman_interval
from retriever.protocols import EncodeTexts
from retriever.records import SentencePair, StsTask

logger = logging.getLogger(__name__)


def evaluate_sts(
    encode: EncodeTexts, task: StsTask, *, similarity: Similarity = "cosine"
) -> dict[str, float]:
    """Score a task as SentEval's STS does: no regressor, correlation of raw similarities with the gold scores.

    Similarities are computed in float64. One that is not a number (the cosine with a zero vector, or with a NaN of the
    model) counts as 0, as in SentEval; how many there were is returned and, if any, logged as a warning.

    Args:
        encode: called once, with each distinct sentence of the task once.
        task: its subsets, none of them empty.
        similarity: cosine or dot product.

    Returns:
        Correlations times 100. ``spearman_all``: of the pairs of all subsets together (what SBERT and SimCSE report), with
        ``spearman_all_low`` and ``spearman_all_high``, its 95 % bootstrap interval; ``spearman_mean``: mean over subsets;
        ``spearman_wmean``: mean weighted by pairs; ``pearson_all``. Then the counts ``pairs`` and ``nan_similarities``.
        A correlation that is not defined, of equal gold scores say, is NaN, and so are the means over it.

    Raises:
        InputError: the task or a subset has no pairs.
    """
    if not task.subsets:
        raise InputError(f"STS task '{task.name}' has no sentence pairs")
    for name, pairs in task.subsets.items():
        if not pairs:
            raise InputError(f"subset '{name}' of STS task '{task.name}' has no sentence pairs")
    all_pairs = [pair for pairs in task.subsets.values() for pair in pairs]
    predicted = _similarities(encode, all_pairs, similarity)  # (pairs,)
    undefined = int(np.isnan(predicted).sum())
    if undefined:
        logger.warning(
            "%s: %d of %d similarities are not a number; counted as 0", task.name, undefined, len(all_pairs)
        )
        predicted = np.where(np.isnan(predicted), 0.0, predicted)
    gold = np.array([pair.score for pair in all_pairs])
    sizes = [len(pairs) for pairs in task.subsets.values()]
    ends = np.cumsum(sizes)[:-1]
    by_subset = [
        spearman(*each) for each in zip(np.split(predicted, ends), np.split(gold, ends), strict=True)
    ]
    low, high = spearman_interval(predicted, gold)
    return {
        "spearman_all": spearman(predicted, gold),
        "spearman_all_low": low,
        "spearman_all_high": high,
        "spearman_mean": float(np.mean(by_subset)),
        "spearman_wmean": float(np.average(by_subset, weights=sizes)),
        "pearson_all": pearson(predicted, gold),
        "pairs": float(len(all_pairs)),
        "nan_similarities": float(undefined),
    }


def _similarities(
    encode: EncodeTexts, pairs: list[SentencePair], similarity: Similarity
) -> NDArray[np.float64]:
    """(pairs,) similarity of the two sentences of each pair."""
    rows: dict[str, int] = {}
    for pair in pairs:
        rows.setdefault(pair.first, len(rows))
        rows.setdefault(pair.second, len(rows))
    embeddings = np.asarray(encode(list(rows)))
    if embeddings.ndim != 2 or len(embeddings) != len(rows):
        raise ValueError(f"encode gave shape {embeddings.shape} for {len(rows)} sentences")
    first = embeddings[[rows[pair.first] for pair in pairs]].astype(np.float64)  # (pairs, D)
    second = embeddings[[rows[pair.second] for pair in pairs]].astype(np.float64)  # (pairs, D)
    return PAIRED_SIMILARITIES[similarity](first, second)


def _dot(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("nd,nd->n", first, second)


def _cosine(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return _dot(first, second) / (np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))


PAIRED_SIMILARITIES: dict[
    Similarity, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
] = {
    "cosine": _cosine,
    "dot": _dot,
}
