"""Exact search in torch, on any device: every score is computed, block by block, and the best are kept.

Selecting the best of a hundred thousand scores costs more than computing them, so a block's scores are selected in two steps: the
best groups of ``GROUP`` neighbouring scores by their maximum, then the best scores in these. The k best scores lie in the k best
groups, and groups whose maximum does not beat what earlier blocks gave are left out, so from the second block on few are looked at.
"""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retriever.index.parts import Parts

GROUP = 32
"""Scores that are represented by their maximum: about the square root of a block's scores per passage asked for."""

MAX_QUERIES = 1024
"""Queries that are compared with a block at a time; more wait for the next round over the blocks."""

MAX_SCORES = {"cpu": 2**24, "mps": 2**26, "cuda": 2**28}
"""Scores of a block that are held at a time: on a CPU what the caches and the heap can take, on a GPU 1 GB."""

MAX_BLOCK_BYTES = 2**28
"""Of a block that is converted, or copied to the device."""

RESIDENT_SHARE = 0.7
"""Share of a GPU's free memory that the vectors may take to stay there between searches."""


class ExactSearch:
    """All inner products with (N, D) vectors; the best k of them, equal scores by the lower row.

    Vectors that fit into a GPU's memory are copied there once, larger ones stream through it in each search. Products are
    computed in float32, half-precision vectors being exact in it.

    Args:
        parts: the vectors, or (n, D) arrays of float32 or float16 that hold them; the rows of one follow those of the one before.
        device: where the products are computed.

    Raises:
        ValueError: another shape or data type.
    """

    def __init__(self, parts: Parts | Sequence[NDArray[np.floating]], device: torch.device) -> None:
        self._parts = parts if isinstance(parts, Parts) else Parts.of(parts)
        self.dimension, self.device = self._parts.dimension, device
        self._resident: list[Tensor] | None = None
        if device.type == "cuda" and self._parts.nbytes < RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
            self._resident = [_on_device(each, device) for each in self._parts]

    def __len__(self) -> int:
        return self._parts.count

    @torch.inference_mode()
    def search(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The best rows of each query.

        Args:
            queries: (Q, D).
            k: how many; fewer when there are fewer vectors.

        Returns:
            (Q, min(k, N)) scores, best first, and the rows that have them.

        Raises:
            ValueError: queries of another shape, or a score that is not finite.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise ValueError(f"queries {queries.shape}, expected (Q, {self.dimension})")
        k = min(k, len(self))
        if not k or not len(queries):
            return np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        asked = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32)).to(self.device)
        parts = [_Best(part, k) for part in asked.split(MAX_QUERIES)]
        for start, block in self._blocks(max(GROUP, MAX_SCORES[self.device.type] // len(parts[0].queries))):
            for part in parts:
                part.add(start, block)
        scores, rows = torch.cat([part.scores for part in parts]), torch.cat([part.rows for part in parts])
        if not bool(scores.isfinite().all()):
            raise ValueError("a score is not finite: a vector or a query holds a value that is not")
        return scores.cpu().numpy(), rows.cpu().numpy()

    def _blocks(self, max_rows: int) -> Iterator[tuple[int, Tensor]]:
        """First row and (B, D) vectors of each block, on the device; what does not lie there is copied when it is its turn."""
        first = 0
        for number, size in enumerate(self._parts.sizes):
            resident = None if self._resident is None else self._resident[number]
            part = self._parts[number] if resident is None else resident
            rows = min(max_rows, rows_in(MAX_BLOCK_BYTES, part))
            for start in range(0, size, rows):
                block = part[start : start + rows]
                yield first + start, block if isinstance(block, Tensor) else _on_device(block, self.device)
            first += size


def rows_in(size: int, vectors: NDArray[np.floating] | Tensor) -> int:
    """How many of the vectors make so many bytes; at least ``GROUP``."""
    return max(GROUP, size // (vectors.itemsize * vectors.shape[1]))


def _on_device(vectors: NDArray[np.floating], device: torch.device) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # and is not written to
        found = torch.from_numpy(np.ascontiguousarray(vectors))
    return found.to(device)


class _Best:
    """The best scores so far of some queries.

    Args:
        queries: (Q, D) float32 on the device.
        k: how many to keep.
    """

    def __init__(self, queries: Tensor, k: int) -> None:
        self.queries = queries
        self.scores = queries.new_full((len(queries), k), -torch.inf)
        self.rows = torch.full((len(queries), k), -1, dtype=torch.int64, device=queries.device)

    def add(self, start: int, block: Tensor) -> None:
        """Compare with (B, D) vectors whose first row is ``start``; blocks come in the order of their rows."""
        (q, k), beyond = self.scores.shape, -len(block) % GROUP
        scores = _products(self.queries, block)  # (Q, B)
        if beyond:
            scores = torch.nn.functional.pad(scores, (0, beyond), value=-torch.inf)
        grouped = scores.view(q, -1, GROUP)  # (Q, G, GROUP)
        maxima = grouped.amax(2)  # (Q, G)
        # of equal scores the earlier row wins, so a group has to beat the worst that is kept, not to equal it
        hopeful = int((maxima > self.scores[:, -1:]).sum(1).max())
        if not hopeful:
            return
        groups = best_columns(maxima, min(k, hopeful)).sort(1).values  # (Q, g), in the order of the rows
        candidates = grouped.gather(1, groups[:, :, None].expand(-1, -1, GROUP)).flatten(1)  # (Q, g · GROUP)
        rows = start + GROUP * groups[:, :, None] + torch.arange(GROUP, device=groups.device)
        both = torch.cat([self.scores, candidates], dim=1)
        columns = best_columns(both, k)
        self.scores = both.gather(1, columns)
        self.rows = torch.cat([self.rows, rows.flatten(1)], dim=1).gather(1, columns)


def best_columns(scores: Tensor, k: int) -> Tensor:
    """(Q, M) float32 → (Q, k) columns of the best scores, best first; of equal ones the lower column first.

    ``torch.topk`` returns any of several equal scores: so it is asked for the largest of numbers that are all different, the
    score's bits, in an order that whole numbers have too, before the column's.
    """
    m = scores.shape[1]
    if scores.device.type == "mps":  # which has no top-k of 64-bit numbers
        return best_columns(scores.cpu(), k).to(scores.device)
    bits = (scores + 0.0).view(torch.int32)  # + 0: -0 equals 0
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    backwards = torch.arange(m - 1, -1, -1, device=scores.device)
    best = ((ordered << 32) + backwards).topk(k, dim=1).values
    return m - 1 - (best & 0xFFFFFFFF)


def _products(queries: Tensor, block: Tensor) -> Tensor:
    """(Q, D) float32 and (B, D) → (Q, B) float32.

    A GPU multiplies half-precision vectors as they are: the query is split into two half-precision parts whose products add up.
    """
    if block.dtype == torch.float16 and block.device.type == "cuda":
        high = queries.half()
        low = (queries - high).half()
        both: Tensor = torch.mm(torch.cat([high, low]), block.T, out_dtype=torch.float32)
        return both[: len(queries)] + both[len(queries) :]
    return queries @ block.float().T
