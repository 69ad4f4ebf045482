"""The contracts between rooms, as protocols: no base class has to be inherited."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from retriever.records import Ranking

T = TypeVar("T")

EncodeTexts = Callable[[Sequence[str]], NDArray[np.float32]]
"""N texts → (N, D) float32 embeddings, in the caller's order."""


class Searcher(Protocol):
    """Anything that ranks passages for queries: BM25, dense, fused, remote."""

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """One ranking per query: the best k passages, fewer when fewer exist."""
        ...


class LexicalSearcher(Searcher, Protocol):
    """A searcher by words, which can say which of them made a score."""

    def explain(self, query: str, passage_id: str) -> list[tuple[str, float]]:
        """The query's words that the passage holds, with what each adds to its score, largest first."""
        ...


class VectorIndex(Protocol):
    """Anything that holds vectors under ids and finds the nearest by inner product."""

    def search(self, queries: NDArray[np.float32], k: int) -> list[Ranking]:
        """(Q, D) query vectors → Q rankings by inner product."""
        ...

    def __len__(self) -> int: ...


class Progress(Protocol):
    """Opens a progress display; the value of the context takes the number of items that were just done."""

    def __call__(self, total: int | None, label: str) -> AbstractContextManager[Callable[[int], None]]:
        """``with progress(len(texts), "encode") as advance: ...; advance(32)``."""
        ...


def no_progress(total: int | None, label: str) -> AbstractContextManager[Callable[[int], None]]:
    """The library's default: silent."""
    return nullcontext(lambda done: None)


def advancing(values: Iterable[T], advance: Callable[[int], None]) -> Iterator[T]:
    """The values, each reported as done when the next is asked for."""
    for each in values:
        yield each
        advance(1)
