"""Random signs of a paired randomisation test: which items the two systems swap their values on."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retriever.evaluation.bootstrap import CHUNK_ELEMENTS

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(rows, N) signs, -1 where the systems are swapped → (rows, ...) statistics."""


def randomisation_p_values(
    statistic: Statistic,
    size: int,
    *,
    tolerance: ArrayLike,
    resamples: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Two-sided p-values: how often swaps at random give a statistic as far from 0 as the observed one.

    Exact where all 2^N swaps are no more than ``resamples``; else (1 + as extreme) / (1 + resamples) of random ones, so never 0
    (Phipson and Smyth 2010). ``scipy.stats.permutation_test`` gives the same; here the signs are bits, and one product with a matrix
    serves all metrics.

    Args:
        statistic: of any signs; NaN counts as extreme.
        size: N items.
        tolerance: what is equal on paper differs by less, in its last digits, by the order of the sum.
        resamples: random swaps.
        generator: draws them.
    """
    threshold = np.abs(statistic(np.ones((1, size)))[0]) - tolerance
    extreme, drawn = np.zeros(threshold.shape), 0
    exact = size < 63 and 2**size <= resamples
    for signs in _all_signs(size) if exact else _random_signs(size, resamples, generator):
        extreme += np.count_nonzero(~(np.abs(statistic(signs)) < threshold), axis=0)
        drawn += len(signs)
    return extreme / drawn if exact else (1 + extreme) / (1 + drawn)


def _all_signs(size: int) -> Iterator[NDArray[np.float64]]:
    rows = np.arange(2**size)[:, None]
    yield 1.0 - 2.0 * ((rows >> np.arange(size)) & 1).astype(np.float64)


def _random_signs(size: int, resamples: int, generator: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    chunk = max(1, CHUNK_ELEMENTS // size)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        bits = np.frombuffer(generator.bytes(rows * (-(-size // 8))), dtype=np.uint8).reshape(rows, -1)
        yield 1.0 - 2.0 * np.unpackbits(bits, axis=1, count=size).astype(np.float64)  # (rows, N)
