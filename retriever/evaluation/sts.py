"""Semantic textual similarity: do similarities of embeddings rank sentence pairs as people do?"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.choices import Precision, StsSimilarity
from retriever.config.results import INTERVALS
from retriever.data.sts import task_sha256
from retriever.errors import InputError
from retriever.evaluation.correlation import pearson, pearson_interval, spearman, spearman_interval
from retriever.evaluation.items import GOLD, PREDICTED
from retriever.evaluation.results import Evaluation
from retriever.evaluation.suite import Average
from retriever.protocols import EncodeTexts
from retriever.records import SentencePair, StsTask

SUITE = "sts"
HEADLINE = "spearman_all"
CORRELATIONS = (
    "spearman_all",
    "spearman_mean",
    "spearman_wmean",
    "pearson_all",
    "pearson_mean",
    "pearson_wmean",
)
SEVEN_TASKS = ("STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R")
"""Of which SBERT, SimCSE and most papers give the average."""
LEAST_PAIRS = 3
ROUNDING = 1e-6
"""Similarities that differ by less than this share of the largest are equal but for the rounding of 32-bit embeddings."""
CHUNK_PAIRS = 4096

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StsResult:
    """A task's metrics and what they are computed of.

    Attributes:
        metrics: as ``evaluate_sts`` returns them.
        predicted: (pairs,) similarities, of the subsets one after the other.
        task: its pairs.
    """

    metrics: dict[str, float]
    predicted: NDArray[np.float64]
    task: StsTask

    def items(self) -> Iterator[dict[str, object]]:
        """For each pair ``SUBSET:NUMBER`` (from 1), its sentences, and its predicted and gold score."""
        values = iter(self.predicted.tolist())
        for subset, pairs in self.task.subsets.items():
            for number, pair in enumerate(pairs, start=1):
                text = f"{pair.first} | {pair.second}"
                yield {"id": f"{subset}:{number}", "text": text, PREDICTED: next(values), GOLD: pair.score}


def sts_evaluation(
    task: StsTask,
    path: Path,
    similarity: StsSimilarity,
    *,
    precision: Precision,
    max_length: int,
    model: Mapping[str, object],
) -> Evaluation:
    """What is evaluated and how: every choice that moves a number stands in the policy.

    Args:
        task: the data.
        path: where they come from.
        similarity: of two embeddings.
        precision: of the encoder.
        max_length: of the encoder.
        model: facts of it, ``fingerprint`` and ``name`` among them.

    Raises:
        InputError: the task's name cannot be that of a file.
    """
    policy = {
        "similarity": similarity,
        "headline": HEADLINE,
        "correlations": "times 100; all: over the pairs of all subsets; mean, wmean: over the subsets' own values",
        "similarity_that_is_no_number": "counts as 0",
        "intervals": INTERVALS,
        "precision": precision,
        "max_length": max_length,
    }
    data = {"path": str(path), "sha256": task_sha256(task), "subsets": list(task.subsets)}
    return Evaluation(suite=SUITE, task=task.name, policy=policy, model=model, data=data)


def evaluate_sts(
    encode: EncodeTexts, task: StsTask, *, similarity: StsSimilarity = "cosine"
) -> dict[str, float]:
    """Score a task as SentEval's STS does: no regressor, correlation of raw similarities with the gold scores.

    Similarities are computed in float64. One that is not a number (the cosine with a zero vector, or with a NaN of the
    model) counts as 0, as in SentEval; how many there were is returned and, if any, logged as a warning.

    Args:
        encode: called once, with each distinct sentence of the task once.
        task: its subsets, none of them empty.
        similarity: cosine, dot product, or minus the Euclidean or Manhattan distance.

    Returns:
        Correlations times 100. ``spearman_all``: of the pairs of all subsets together (what SBERT and SimCSE report), with
        ``spearman_all_low`` and ``spearman_all_high``, its 95 % bootstrap interval; ``spearman_mean``: mean over subsets;
        ``spearman_wmean``: mean weighted by pairs; the same of ``pearson``. Then the counts ``pairs`` and ``nan_similarities``.
        Where the similarities are all equal a correlation is not defined: NaN, and so are the means over it, and a warning.

    Raises:
        InputError: the task or a subset has fewer than 3 pairs, or gold scores that are all equal.
    """
    return score_sts(encode, task, similarity=similarity).metrics


def score_sts(encode: EncodeTexts, task: StsTask, *, similarity: StsSimilarity = "cosine") -> StsResult:
    """``evaluate_sts`` with the similarity of each pair."""
    require_scorable(task)
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
    predicted = np.concatenate([_settled(each) for each in np.split(predicted, ends)])
    subsets = list(zip(task.subsets, np.split(predicted, ends), np.split(gold, ends), strict=True))
    for name, similarities, _ in subsets:
        if np.ptp(similarities) == 0:
            where = task.name if len(subsets) == 1 else f"{task.name}, subset {name}"
            logger.warning(
                "%s: all similarities are %.4g, so their correlation is undefined", where, similarities[0]
            )
    metrics: dict[str, float] = {}
    for name, correlation, interval in (
        ("spearman", spearman, spearman_interval),
        ("pearson", pearson, pearson_interval),
    ):
        by_subset = [correlation(each, people) for _, each, people in subsets]
        low, high = interval(predicted, gold)
        metrics |= {
            f"{name}_all": correlation(predicted, gold),
            f"{name}_all_low": low,
            f"{name}_all_high": high,
            f"{name}_mean": float(np.mean(by_subset)),
            f"{name}_wmean": float(np.average(by_subset, weights=sizes)),
        }
    counts = {"pairs": len(all_pairs), "nan_similarities": undefined}
    return StsResult({**metrics, **counts}, predicted, task)


def _settled(similarities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same, made equal where nothing but rounding tells them apart: its correlation would be a number without meaning."""
    spread = np.ptp(similarities)
    equal = spread < ROUNDING * np.abs(similarities).max()
    return np.full_like(similarities, similarities[0]) if equal else similarities


def require_scorable(task: StsTask, path: Path | None = None) -> None:
    """Check, before anything is encoded, that correlations with the gold scores exist.

    Args:
        task: its subsets.
        path: where it comes from, for the message.

    Raises:
        InputError: the task or a subset has fewer than 3 pairs, or gold scores that are all equal.
    """
    if not task.subsets:
        raise InputError(f"STS task '{task.name}' has no sentence pairs", path=path)
    for name, pairs in task.subsets.items():
        where = (
            f"STS task '{task.name}'"
            if len(task.subsets) == 1
            else f"subset '{name}' of STS task '{task.name}'"
        )
        if len(pairs) < LEAST_PAIRS:
            raise InputError(
                f"{where} has {len(pairs)} pairs: a correlation needs at least {LEAST_PAIRS}", path=path
            )
        if len({pair.score for pair in pairs}) == 1:
            raise InputError(
                f"{where}: all gold scores are {pairs[0].score:g}, so a correlation is undefined", path=path
            )


def seven_task_average(tasks: Mapping[str, Mapping[str, float]]) -> dict[str, float] | None:
    """The unweighted mean over STS12 to STS16, STS-B and SICK-R of each correlation; None: not all seven are there, once each.

    Args:
        tasks: task → metrics; the names may be SentEval's, ours, or those of copies elsewhere (``STS12-en-test``, ``mteb-sts12``).
    """
    found: dict[str, Mapping[str, float]] = {}
    for name, metrics in tasks.items():
        known = task_of_seven(name)
        if known in found:
            logger.info("%s is there twice: no average over the seven tasks", known)
            return None
        if known is not None:
            found[known] = metrics
    if len(found) < len(SEVEN_TASKS):
        return None
    values = np.array(
        [[metrics[name] for name in CORRELATIONS] for metrics in found.values()], dtype=np.float64
    )
    return dict(zip(CORRELATIONS, values.mean(axis=0).tolist(), strict=True))  # NaN where one is undefined


def task_of_seven(name: str) -> str | None:
    """Which of ``SEVEN_TASKS`` a data set is by its name: ``STS12`` of ``sts12`` and ``STS12-en-test``, ``STS-B`` of ``STSBenchmark``."""
    match = re.fullmatch(
        r"(?:mteb)?(?:(sts1[2-6])|(sts(?:b|benchmark))|(sickr?))(?:sts)?(?:entest|test)?",
        re.sub("[^a-z0-9]", "", name.lower()),
    )
    if match is None:
        return None
    return match[1].upper() if match[1] else "STS-B" if match[2] else "SICK-R"


AVERAGE = Average("average", task_of_seven, seven_task_average)


def _similarities(
    encode: EncodeTexts, pairs: list[SentencePair], similarity: StsSimilarity
) -> NDArray[np.float64]:
    """(pairs,) similarity of the two sentences of each pair."""
    rows: dict[str, int] = {}
    for pair in pairs:
        rows.setdefault(pair.first, len(rows))
        rows.setdefault(pair.second, len(rows))
    embeddings = np.asarray(encode(list(rows)))
    if embeddings.ndim != 2 or len(embeddings) != len(rows):
        raise ValueError(f"encode gave shape {embeddings.shape} for {len(rows)} sentences")
    compared = []
    for start in range(0, len(pairs), CHUNK_PAIRS):
        chunk = pairs[start : start + CHUNK_PAIRS]
        first = embeddings[[rows[pair.first] for pair in chunk]].astype(np.float64)  # (chunk, D)
        second = embeddings[[rows[pair.second] for pair in chunk]].astype(np.float64)  # (chunk, D)
        compared.append(PAIRED_SIMILARITIES[similarity](first, second))
    return np.concatenate(compared)


def _dot(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("nd,nd->n", first, second)


def _cosine(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return _dot(first, second) / (np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))


def _euclidean(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.asarray(np.linalg.norm(first - second, axis=1))


def _manhattan(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.abs(first - second).sum(axis=1)


PAIRED_SIMILARITIES: dict[
    StsSimilarity, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
] = {
    "cosine": _cosine,
    "dot": _dot,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
}
