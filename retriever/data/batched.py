"""Streams in lists: what ``itertools.batched`` does from Python 3.12 on."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one perhaps shorter; a list is given before the next item is asked for."""
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch
