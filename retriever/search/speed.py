"""How fast does an index answer? From the question's text to the ranking, on this machine, now."""

import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np

from retriever.errors import InputError
from retriever.index.opened import OpenIndex
from retriever.search.open import open_searcher

SINGLES, BATCH, ROUNDS, K = 100, 64, 3, 10


def measure_speed(index: Path, *, device: str = "auto") -> dict[str, float]:
    """Open an index and ask it questions, each the first words of a passage.

    Returns:
        ``open_seconds``: model, vectors and passages, imports of libraries included if this is their first use;
        ``first_ms``: the first question, with all that is loaded late; ``p50_ms`` and ``p95_ms`` of single questions;
        ``queries_per_second`` in batches of ``BATCH``.

    Raises:
        InputError: no index, or its model cannot be opened.
    """
    started = time.perf_counter()
    searcher = open_searcher(index, device=device)
    seconds_to_open = time.perf_counter() - started
    questions = stand_ins(OpenIndex.open(index))

    def seconds(asked: Sequence[str]) -> float:
        began = time.perf_counter()
        searcher.search(asked, K)
        return time.perf_counter() - began

    first = seconds(questions[:1])
    singles = [1000 * seconds([question]) for question in questions[:SINGLES]]
    batch = [questions[place % len(questions)] for place in range(BATCH)]
    at_once = median(seconds(batch) for _ in range(ROUNDS))
    return {
        "open_seconds": seconds_to_open,
        "first_ms": 1000 * first,
        "p50_ms": float(np.percentile(singles, 50)),
        "p95_ms": float(np.percentile(singles, 95)),
        "queries_per_second": BATCH / at_once,
    }


def stand_ins(opened: OpenIndex) -> list[str]:
    """The first words of passages from the beginning of the index."""
    from retriever.index.recall import beginning  # with torch, as late as all of it

    found = [text for each in islice(opened.passages(), max(SINGLES, BATCH)) if (text := beginning(each))]
    if not found:
        raise InputError("its first passages have no text to make questions of", path=opened.path)
    return found
