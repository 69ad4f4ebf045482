"""A sample of items that are streamed."""

from collections.abc import Iterable
from random import Random
from typing import TypeVar

T = TypeVar("T")


def sample_items(items: Iterable[T], size: int, *, seed: int) -> tuple[list[T], int]:
    """Items of which each is as likely as any other, in their order (Vitter's algorithm R); all when there are not so many.

    Returns:
        At most ``size`` items, and how many there were. No more than these are in memory.
    """
    random = Random(seed)
    drawn: list[tuple[int, T]] = []
    seen = 0
    for item in items:
        if seen < size:
            drawn.append((seen, item))
        elif (place := random.randrange(seen + 1)) < size:
            drawn[place] = (seen, item)
        seen += 1
    return [item for _, item in sorted(drawn, key=lambda each: each[0])], seen
