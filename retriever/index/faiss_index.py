"""FAISS behind rows: nothing above this file knows FAISS, and nothing below it knows ids."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retriever.data.files import atomic_file
from retriever.errors import InputError

NOTHING = -1
"""In place of a row, where fewer were found than were asked for."""

PRODUCTS_FROM = 12
"""Queries at once that FAISS compares by matrix products."""

UNCLEAR = 1e-6
"""Scores of matrix products that differ by less, as a share of the highest, may be equal."""


class FaissIndex:
    """(N, D) vectors by row, compared by inner product: one FAISS index, or one after the other.

    Args:
        dimension: D.
        factory: FAISS factory string.
    """

    def __init__(self, dimension: int, factory: str = "Flat") -> None:
        self._hold([faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)])
        if (quantizer := _product_quantizer(self._parts[0])) is not None:
            # else FAISS says for each part of a vector that points are few: recall is measured instead
            quantizer.cp.min_points_per_centroid = 1
        self._read_only = False

    def _hold(self, parts: Sequence[faiss.Index]) -> None:
        self._parts = parts
        self._index = parts[0] if len(parts) == 1 else _joined(parts)
        kinds = faiss.IndexFlat, faiss.IndexScalarQuantizer
        self._compares_all = all(isinstance(faiss.downcast_index(part), kinds) for part in parts)
        self._is_flat = all(isinstance(faiss.downcast_index(part), faiss.IndexFlat) for part in parts)
        _tune(parts[0].d)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """D."""
        return int(self._index.d)

    @property
    def lists(self) -> int:
        """The lists that the vectors lie in; 0: none."""
        try:
            return int(faiss.extract_index_ivf(self._parts[0]).nlist)
        except RuntimeError:
            return 0

    @property
    def is_trained(self) -> bool:
        """Whether vectors can be added."""
        return bool(self._index.is_trained)

    def train(self, sample: NDArray[np.float32]) -> None:
        """Learn centroids and ranges from (n, D) vectors."""
        self._index.train(np.ascontiguousarray(sample, dtype=np.float32))

    def set_centroids(self, centroids: NDArray[np.float32]) -> None:
        """Take (lists, D) centroids that were found elsewhere: ``train`` then learns everything else."""
        faiss.extract_index_ivf(self._index).quantizer.add(np.ascontiguousarray(centroids, dtype=np.float32))

    def set_search(self, settings: Mapping[str, int]) -> None:
        """Turn the search up or down, by FAISS's parameters: nprobe, efSearch, k_factor_rf."""
        for part in self._parts:
            for name, value in settings.items():
                faiss.ParameterSpace().set_index_parameter(part, name, value)

    def add(self, vectors: NDArray[np.floating]) -> None:
        """Add (n, D) vectors under the next rows.

        Raises:
            ValueError: another shape, or a value that is not finite, which FAISS would make a hit; or the index was opened from a file,
                which FAISS cannot add to without ending the process.
        """
        if self._read_only:
            raise ValueError("an index that was opened from a file is not added to")
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(f"vectors {vectors.shape}, expected (n, {self.dimension})")
        if not np.isfinite(vectors).all():
            raise ValueError("a vector holds a value that is not finite")
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def search(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(Q, D) → (Q, min(k, N)) scores and rows, best first, equal scores by the lower row.

        FAISS keeps any of several equal scores at the end of a ranking; where every vector is compared, it is asked for more
        until that end is clear. Where the lists that are looked into hold fewer, more of them are. Where fewer are found in spite of
        that, as a graph may lose some, the row is ``NOTHING`` and the score minus infinity.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise ValueError(f"queries {queries.shape}, expected (Q, {self.dimension})")
        k = min(k, len(self))
        if not len(queries) or not k:
            return np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        depth = min(k + self._compares_all, len(self))
        again = self._is_flat and len(queries) >= PRODUCTS_FROM
        scores, rows = self._ordered(queries, depth, again=again)  # (Q, depth) each
        unclear = (
            np.flatnonzero(_is_unclear(scores, k, rounded=again)) if depth > k else np.empty(0, np.int64)
        )
        scores, rows = scores[:, :k], rows[:, :k]
        while len(unclear):
            depth = min(2 * depth, len(self))
            more, of_rows = self._ordered(queries[unclear], depth, again=again)
            scores[unclear], rows[unclear] = more[:, :k], of_rows[:, :k]
            unclear = unclear[_is_unclear(more, k, rounded=again) & (depth < len(self))]
        if lists := self.lists:
            self._look_further(queries, scores, rows, lists)
        return scores, rows

    def _look_further(
        self, queries: NDArray[np.float32], scores: NDArray[np.float32], rows: NDArray[np.int64], lists: int
    ) -> None:
        """Search in place what found too few again, in twice as many lists, up to all of them."""
        probes = int(faiss.extract_index_ivf(self._parts[0]).nprobe)
        while probes < lists and len(short := np.flatnonzero(rows[:, -1] == NOTHING)):
            probes = min(2 * probes, lists)
            parameters = _probing(self._parts[0], probes)
            scores[short], rows[short] = self._ordered(queries[short], rows.shape[1], parameters)

    def _ordered(
        self,
        queries: NDArray[np.float32],
        k: int,
        parameters: faiss.SearchParameters | None = None,
        *,
        again: bool = False,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(Q, k) scores and rows in order.

        Args:
            queries: (Q, D).
            k: at most N.
            parameters: of this search.
            again: compute each score once more by itself: a matrix product gives equal vectors scores that differ in the last bit,
                as their place in it does.
        """
        scores, rows = self._index.search(queries, k, params=parameters)  # (Q, k) each
        scores = np.where(rows == NOTHING, -np.inf, scores)
        if again:
            scores = self._products(queries, rows)
        order = np.lexsort((rows, -scores), axis=1)
        return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)

    def _products(self, queries: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(Q, k) inner products of each query with its rows, as FAISS computes them for few queries; of flat vectors."""
        found = np.full(rows.shape, -np.inf, np.float32)
        count, depth = rows.shape
        starts = accumulate((part.ntotal for part in self._parts), initial=0)
        for part, start in zip(self._parts, starts, strict=False):
            here = (rows >= start) & (rows < start + part.ntotal)
            own = np.ascontiguousarray(
                np.where(here, rows - start, NOTHING)
            )  # FAISS passes over what is below 0
            products = np.empty(rows.shape, np.float32)
            vectors = faiss.downcast_index(part).get_xb()  # type: ignore[attr-defined]
            faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]
                *(faiss.swig_ptr(each) for each in (products, queries)),
                vectors,
                faiss.swig_ptr(own),
                self.dimension,
                count,
                depth,
            )
            found = np.where(here, products, found)
        return found

    def vectors(self, start: int, count: int) -> NDArray[np.float32]:
        """(count, D) vectors from a row on, the best that the index holds of them."""
        starts = accumulate((part.ntotal for part in self._parts), initial=0)
        found = [np.empty((0, self.dimension), np.float32)]
        for part, first in zip(self._parts, starts, strict=False):
            low, high = max(start, first) - first, min(start + count, first + part.ntotal) - first
            if low < high:
                found.append(_reconstructed(part, low, high - low))
        return np.concatenate(found)

    def views(self) -> list[NDArray[np.floating]] | None:
        """(n, D) float32 or float16 arrays that are the vectors themselves, not copies, for as long as this index lives.

        None: they are not held as such numbers.
        """
        found = [_view(part) for part in self._parts]
        whole = [each for each in found if each is not None]
        return whole if len(whole) == len(found) else None

    def save(self, file: Path) -> None:
        """Write the index into a file, whole or not at all."""
        with atomic_file(file, "wb") as opened:
            faiss.write_index(self._index, faiss.PyCallbackIOWriter(opened.write))  # type: ignore[attr-defined]

    @classmethod
    def load(cls, files: Sequence[Path], count: int) -> "FaissIndex":
        """Open an index from files, to be searched: mapped, or read where FAISS cannot map.

        Args:
            files: what ``save`` wrote, in the order of the rows.
            count: the rows that they have together.

        Raises:
            InputError: a file is missing or damaged, or there are more or fewer rows.
        """
        loaded = cls.__new__(cls)
        loaded._hold([_read(file, faiss.IO_FLAG_MMAP_IFC) for file in files])
        loaded._read_only = True
        if len(loaded) != count:
            raise InputError(f"holds {len(loaded)} vectors for {count} passages", path=files[0])
        return loaded

    @classmethod
    def load_empty(cls, file: Path) -> "FaissIndex":
        """Read an index that has been trained, to add vectors to it.

        Raises:
            InputError: the file is missing or damaged, or holds vectors.
        """
        loaded = cls.__new__(cls)
        loaded._hold([_read(file, 0)])
        loaded._read_only = False
        if len(loaded):
            raise InputError(f"holds {len(loaded)} vectors, expected none", path=file)
        return loaded


def _is_unclear(scores: NDArray[np.float32], k: int, *, rounded: bool) -> NDArray[np.bool_]:
    """(Q,) whether what comes after (Q, more than k) scores could belong among the first k."""
    margin = UNCLEAR * np.abs(scores[:, 0]) if rounded else 0
    found: NDArray[np.bool_] = scores[:, k - 1] - scores[:, -1] <= margin
    return found


def _probing(part: faiss.Index, probes: int) -> faiss.SearchParameters:
    """Parameters of a search in so many lists, everything else as it is set."""
    index = faiss.downcast_index(part)
    if isinstance(index, faiss.IndexRefine):
        inner = _probing(index.base_index, probes)
        return faiss.IndexRefineSearchParameters(  # type: ignore[call-arg]
            k_factor=index.k_factor, base_index_params=inner
        )
    return faiss.SearchParametersIVF(nprobe=probes)  # type: ignore[call-arg]


def _product_quantizer(index: faiss.Index) -> faiss.ProductQuantizer | None:
    try:
        found: faiss.ProductQuantizer | None = getattr(faiss.extract_index_ivf(index), "pq", None)
    except RuntimeError:
        return None
    return found


def _read(file: Path, flags: int) -> faiss.Index:
    try:
        return faiss.read_index(str(file), flags)
    except RuntimeError as error:
        raise InputError(
            f"cannot be read as a FAISS index ({str(error).splitlines()[0]})", path=file
        ) from None


def _joined(parts: Sequence[faiss.Index]) -> faiss.Index:
    """One index of several, whose rows follow each other."""
    joined = faiss.IndexShards(parts[0].d, False, True)  # type: ignore[call-arg]  # threaded: no; successive rows: yes
    for part in parts:
        joined.add_shard(part)
    return joined


def _reconstructed(part: faiss.Index, start: int, count: int) -> NDArray[np.float32]:
    index = faiss.downcast_index(part)
    if isinstance(index, faiss.IndexRefine):
        index = faiss.downcast_index(index.refine_index)
    found: NDArray[np.float32] = index.reconstruct_n(start, count)
    return found


def _view(part: faiss.Index) -> NDArray[np.floating] | None:
    index = faiss.downcast_index(part)
    if isinstance(index, faiss.IndexFlat):
        kind: type[np.floating] = np.float32
    elif isinstance(index, faiss.IndexScalarQuantizer) and index.sq.qtype == faiss.ScalarQuantizer.QT_fp16:
        kind = np.float16
    else:
        return None
    codes = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.code_size)
    found: NDArray[np.floating] = codes.view(kind).reshape(index.ntotal, index.d)
    return found


def _tune(dimension: int) -> None:
    """Let FAISS use matrix products from 12 queries on, with 4,096 vectors at a time.

    Its default asks for queries x dimension above 128,000 before it does, which makes middle-sized batches several times
    slower; 1,024 vectors at a time are a tenth slower (``benchmarks/search.py``). Both are global to the process.
    """
    faiss.cvar.distance_compute_blas_threshold = PRODUCTS_FROM * dimension
    faiss.cvar.distance_compute_blas_database_bs = 4096
