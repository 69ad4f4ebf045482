"""Which question goes with which texts, as hashes of eight bytes: repeated rows, contradictions, false in-batch negatives."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retriever.inspection.finding import hashes

Numbers = NDArray[np.int64]

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class FalseNegatives:
    """What a batch holds of them.

    Attributes:
        expected: pairs of a batch, in order, in which the second row's positive is one of the first row's question, too.
        rows: rows that have such a partner anywhere in the data.
    """

    expected: float
    rows: int


class Pairs:
    """Rows of an anchor, its positives (the first is trained towards) and its hard negatives, in 16 bytes each."""

    def __init__(self) -> None:
        self._anchors, self._trained = hashes(), hashes()
        self._positives, self._positive_rows = hashes(), array("q")
        self._negatives, self._negative_rows = hashes(), array("q")

    def __len__(self) -> int:
        return len(self._anchors)

    def add(self, anchor: int, positives: Sequence[int], negatives: Sequence[int]) -> None:
        """The hashes of one more row."""
        row = len(self._anchors)
        self._anchors.append(anchor)
        self._trained.append(positives[0])
        for each in positives:
            self._positives.append(each)
            self._positive_rows.append(row)
        for each in negatives:
            self._negatives.append(each)
            self._negative_rows.append(row)

    def totals(self) -> dict[str, int]:
        """How many there are of each."""
        rows = len(self._anchors)
        return {
            "rows": rows,
            "positives": len(self._positives),
            "hard negatives": len(self._negatives),
            "pairs": rows,
        }

    def same_rows(self) -> tuple[Numbers, Numbers]:
        """Rows whose anchor and trained positive an earlier row has, and the first such row of each."""
        return repeats(joined(view(self._anchors), view(self._trained)))

    def other_positives(self) -> tuple[Numbers, Numbers]:
        """Rows whose anchor an earlier row has, but with other trained positives, and the first row of that anchor."""
        rows, firsts = repeats(view(self._anchors))
        same, _ = self.same_rows()
        new = ~np.isin(rows, same)
        return rows[new], firsts[new]

    def contradictions(self) -> Numbers:
        """The row of each hard negative that is a positive of the same anchor, in this row or another."""
        anchors, rows = view(self._anchors), view(self._negative_rows)
        positives = joined(anchors[view(self._positive_rows)], view(self._positives))
        return rows[np.isin(joined(anchors[rows], view(self._negatives)), positives)]

    def false_negatives(self, batch_size: int) -> FalseNegatives:
        """Expected false negatives of a batch that is drawn without replacement: exact, as every pair of rows is as likely.

        Anchor i meets the trained positive p(j) of each other row j of its batch. That is a false negative where p(j) is one of
        K(i), all positives that any row gives the same anchor. With n rows, batches of B, and c(p) rows trained towards p, the
        expectation over batches is B (B − 1) / (n (n − 1)) · Σ_i (Σ_{p ∈ K(i)} c(p) − 1): linearity of expectation, as an
        ordered pair of rows shares a batch with probability B (B − 1) / (n (n − 1)). Fewer rows than B are one batch.
        """
        anchors, positives, n = view(self._anchors), view(self._positives), len(self)
        owners = anchors[view(self._positive_rows)]
        _, distinct = np.unique(joined(owners, positives), return_index=True)
        passages, copies = np.unique(view(self._trained), return_counts=True)
        place = np.searchsorted(passages, positives[distinct]).clip(max=len(passages) - 1)
        count = np.where(passages[place] == positives[distinct], copies[place], 0)  # c(p) of each pair in K
        names, row_anchor = np.unique(anchors, return_inverse=True)
        sums = np.zeros(len(names), np.int64)
        np.add.at(sums, np.searchsorted(names, owners[distinct]), count)
        others = sums[row_anchor] - 1  # (n,) rows j whose positive is a false negative of row i
        drawn = min(batch_size, n)
        pairs = drawn * (drawn - 1) / max(1, n * (n - 1))
        return FalseNegatives(float(others.sum()) * pairs, int((others > 0).sum()))


def view(numbers: "array[int]") -> Numbers:
    """64-bit numbers as a NumPy array, without a copy."""
    return np.frombuffer(numbers, np.int64) if len(numbers) else np.zeros(0, np.int64)


def joined(first: Numbers, second: Numbers) -> NDArray[np.uint64]:
    """One 64-bit hash for each pair of hashes; the order matters."""
    return first.view(np.uint64) * _ODD + second.view(np.uint64)


def repeats(keys: NDArray[np.int64] | NDArray[np.uint64]) -> tuple[Numbers, Numbers]:
    """Positions whose key came before, in order, and the first position of that key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    again = np.concatenate([np.zeros(min(1, len(keys)), bool), ordered[1:] == ordered[:-1]])
    starts = np.maximum.accumulate(np.where(again, 0, np.arange(len(keys)))) if len(keys) else order
    rows, firsts = order[again], order[starts][again]
    by_row = np.argsort(rows)
    return rows[by_row], firsts[by_row]
