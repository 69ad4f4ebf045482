"""Metrics of rankings against relevance judgements, computed by pytrec_eval, which is trec_eval's own code."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retriever.data.rankings import LARGEST_GRADE
from retriever.errors import InputError

if TYPE_CHECKING:
    from pytrec_eval import RelevanceEvaluator

MEASURES = {
    "accuracy": "success",
    "success": "success",
    "ndcg": "ndcg_cut",
    "recall": "recall",
    "mrr": "recip_rank",
    "precision": "P",
    "map": "map_cut",
}
"""Metric at a cut-off → measure of trec_eval."""

WHOLE = {"ndcg": "ndcg", "mrr": "recip_rank", "map": "map"}
"""Metric of the whole ranking → measure of trec_eval."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its name.

    Attributes:
        name: such as ``ndcg@10`` or ``map``.
        kind: the name without the cut-off.
        cutoff: the passages that it looks at; None: all.
    """

    name: str
    kind: str
    cutoff: int | None

    @classmethod
    def parse(cls, name: str) -> "Metric":
        """The metric of a name.

        Raises:
            InputError: no such metric; the message lists those that there are.
        """
        kind, at, cutoff = name.partition("@")
        if kind in (MEASURES if at else WHOLE) and (not at or re.fullmatch("[1-9][0-9]{0,8}", cutoff)):
            return cls(name, kind, int(cutoff) if at else None)
        known = ", ".join([*(f"{each}@k" for each in MEASURES), *WHOLE])
        raise InputError(f"unknown metric '{name}' (known: {known}, with k a whole number from 1)")

    @property
    def measure(self) -> str:
        """What trec_eval is asked for."""
        name = WHOLE[self.kind] if self.cutoff is None else MEASURES[self.kind]
        # trec_eval has the reciprocal rank of whole rankings only
        return name if self.cutoff is None or self.kind == "mrr" else f"{name}.{self.cutoff}"

    def value(self, found: Mapping[str, float]) -> float:
        """The value in what trec_eval answers."""
        value = found[self.measure.replace(".", "_")]
        return 0.0 if self.kind == "mrr" and self.cutoff is not None and value < 1 / self.cutoff else value


def score_rankings(
    rankings: Sequence[Sequence[str]],
    grades: Sequence[Mapping[str, int]],
    metrics: Sequence[Metric],
) -> NDArray[np.float64]:
    """The metrics of some rankings.

    A grade above 0 is relevant, and its gain in ndcg; a passage without a grade is not relevant. recall, map and ndcg are of all
    relevant passages, found or not, and precision@k is of k, also where fewer were found.

    Args:
        rankings: B lists of different passage ids, best first. Their order counts, and nothing else.
        grades: of each ranking the passage ids that are judged, with their grades.
        metrics: M of them.

    Returns:
        (B, M) values from 0 to 1; 0 where nothing is relevant.

    Raises:
        InputError: pytrec_eval is not installed.
        ValueError: not one dict of grades for each ranking, or a grade beyond ``LARGEST_GRADE``.
    """
    rows = [
        (str(row), ids, own)
        for row, (ids, own) in enumerate(zip(rankings, grades, strict=True))
        if ids and max(own.values(), default=0) > 0  # trec_eval loops or crashes where all grades are below 0
    ]
    values = np.zeros((len(rankings), len(metrics)))
    if not rows:
        return values
    # trec_eval is C code, in which ids with a NUL or half a surrogate pair are no ids: it gets ranks in their place
    names = [str(rank) for rank in range(max(len(ids) for _, ids, _ in rows))]
    evaluator = _library()(
        {row: _numbered(own, ids, names) for row, ids, own in rows}, {each.measure for each in metrics}
    )
    # it sorts by score, and equal scores by id: scores that fall with the rank keep the order
    runs = {
        count: dict(zip(names, map(float, range(count, 0, -1)), strict=False))
        for count in {len(ids) for _, ids, _ in rows}
    }
    found = evaluator.evaluate({row: runs[len(ids)] for row, ids, _ in rows})
    for row, _, _ in rows:
        values[int(row)] = [each.value(found[row]) for each in metrics]
    return values


def _numbered(grades: Mapping[str, int], ids: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """The grades by the ranks of their passages; of those that were not found by other names."""
    if max(map(abs, grades.values())) > LARGEST_GRADE:
        raise ValueError(f"a grade is beyond {LARGEST_GRADE}, which trec_eval cannot count")
    ranks = dict(zip(ids, names, strict=False))
    return {ranks.get(each, f"other {number}"): grade for number, (each, grade) in enumerate(grades.items())}


def _library() -> "type[RelevanceEvaluator]":
    try:
        from pytrec_eval import RelevanceEvaluator
    except ImportError:
        raise InputError(
            "rankings are judged by pytrec_eval, which is not installed: pip install pytrec-eval-terrier"
        ) from None
    return RelevanceEvaluator
