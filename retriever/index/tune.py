"""The trade-off between recall, speed and memory, measured: of an index's own recipe turned up step by step, and of others beside it."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch

from retriever.choices import IndexRecipe
from retriever.config.index import IndexTuneConfig
from retriever.data.dpr import read_question_texts
from retriever.errors import InputError
from retriever.index.bm25 import settings_of
from retriever.index.faiss_index import FaissIndex
from retriever.index.layout import TRAINED
from retriever.index.model import model_of
from retriever.index.opened import OpenIndex
from retriever.index.parts import Parts
from retriever.index.plan import Plan
from retriever.index.recall import DEPTH, Truth
from retriever.index.recipes import RECIPES, Settings
from retriever.index.sample import train
from retriever.index.stored import stored_vectors
from retriever.index.vectors import map_vectors
from retriever.index.writing import put_into_force, write_vectors, writer
from retriever.protocols import Progress, no_progress

logger = logging.getLogger(__name__)

ROUNDS, SINGLES = 3, 200
"""How often all queries are searched at once, and how many one by one."""

ENOUGH = 0.9995
"""Recall beyond which turning the search up further is no trade-off any more."""


@dataclass(frozen=True)
class Trade:
    """One recipe with one setting of its search.

    Attributes:
        recipe: its name.
        settings: of the search.
        recall: recall@10 against exact search.
        queries_per_second: all queries at once.
        p50_ms: median of single queries.
        p95_ms: 95th percentile of them.
        bytes_per_vector: of the table of recipes.
        build_seconds: training, adding and writing, in a temporary folder (TMPDIR); None for the index that is there.
        best: no other is better in recall, speed and memory (Pareto).
    """

    recipe: IndexRecipe
    settings: Settings
    recall: float
    queries_per_second: float
    p50_ms: float
    p95_ms: float
    bytes_per_vector: float
    build_seconds: float | None
    best: bool = False


def tune_index(config: IndexTuneConfig, *, progress: Progress = no_progress) -> list[Trade]:
    """Measure the index with every setting of its search, and other recipes over the same vectors.

    With ``apply`` the index is set to the first setting of its own recipe that reaches the target, and says the recall
    that was measured here.

    Raises:
        InputError: no index, one of several segments, or a recipe that cannot be built of so few vectors.
    """
    opened, mapped = OpenIndex.open_with(config.index, lambda opened: (opened, _one_segment(opened)))
    parts = stored_vectors(opened, [mapped])
    model = model_of(config, opened.manifest)
    truth = Truth.of(read_question_texts(config.questions), model, parts, opened.segments[0].passages)
    own = opened.manifest.recipe
    if not RECIPES[own].lossless:
        logger.warning(
            "recall is measured against the vectors that the index stores, which %s has rounded", own
        )
    trades: list[Trade] = []
    with progress(None, "measure") as advance, TemporaryDirectory(prefix="ctl-tune-") as made:
        for recipe in dict.fromkeys([own, *config.recipes]):
            started = time.perf_counter()
            if recipe == own:
                index, seconds = mapped, None
            else:
                folder = Path(made) / recipe
                folder.mkdir()
                index = _built(recipe, parts, model.query.device, folder)
                seconds = time.perf_counter() - started
            for settings in RECIPES[recipe].ladder(index.lists):
                trades.append(_measured(recipe, settings, index, truth, seconds, opened.manifest.dimension))
                advance(1)
                if trades[-1].recall >= (max(ENOUGH, config.target_recall) if config.apply else ENOUGH):
                    break
    if config.apply:
        _apply(config, opened, [each for each in trades if each.recipe == own], truth)
    return mark_best(trades)


def _one_segment(opened: OpenIndex) -> FaissIndex:
    """The vectors of an index that consists of one segment, from which nothing was removed."""
    if len(opened.segments) > 1 or len(opened.removed):
        raise InputError(
            "consists of several segments, or passages were removed: run ctl index compact first",
            path=opened.path,
        )
    (mapped,) = map_vectors(opened)
    return mapped


def _built(recipe: IndexRecipe, parts: Parts, device: torch.device, folder: Path) -> FaissIndex:
    """The vectors as another recipe, written into a folder as an index would be, and mapped."""
    plan = Plan.of(recipe, count=parts.count, dimension=parts.dimension)
    index = FaissIndex(parts.dimension, plan.factory)
    train(index, parts, device)
    index.save(folder / TRAINED)
    return FaissIndex.load(write_vectors(folder, parts, plan.rows_per_file), parts.count)


def _measured(
    recipe: IndexRecipe,
    settings: Settings,
    index: FaissIndex,
    truth: Truth,
    build_seconds: float | None,
    dimension: int,
) -> Trade:
    index.set_search(settings)
    recall = truth.recall_of(index)  # also warms up
    at_once = median(_seconds(lambda: index.search(truth.queries, DEPTH)) for _ in range(ROUNDS))
    singles = [
        1000 * _seconds(lambda query=query: index.search(query[None], DEPTH))  # type: ignore[misc]
        for query in islice(truth.queries, SINGLES)
    ]
    return Trade(
        recipe,
        settings,
        recall,
        len(truth.queries) / at_once,
        float(np.percentile(singles, 50)),
        float(np.percentile(singles, 95)),
        RECIPES[recipe].bytes_per_vector(dimension),
        build_seconds,
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def mark_best(trades: Sequence[Trade]) -> list[Trade]:
    """Mark those that no other equals or beats in recall, speed and memory while beating them in one."""

    def values(each: Trade) -> tuple[float, float, float]:
        return each.recall, each.queries_per_second, -each.bytes_per_vector

    def beaten(each: Trade) -> bool:
        return any(
            values(other) != values(each)
            and all(a >= b for a, b in zip(values(other), values(each), strict=True))
            for other in trades
        )

    return [replace(each, best=not beaten(each)) for each in trades]


def _apply(config: IndexTuneConfig, measured: OpenIndex, trades: Sequence[Trade], truth: Truth) -> None:
    """A generation with another setting of the search, over the same segments."""
    chosen = next(
        (each for each in trades if each.recall >= config.target_recall),
        max(trades, key=lambda each: each.recall),
    )
    if chosen.recall < config.target_recall:
        logger.warning("no setting reaches recall %g: the best has %.4f", config.target_recall, chosen.recall)
    with writer(config.index):
        opened = OpenIndex.open(config.index)
        if opened.generation != measured.generation:
            raise InputError("was changed while it was measured: run this again", path=config.index)
        recall = None if RECIPES[chosen.recipe].exact else truth.report(chosen.recall, len(opened))
        manifest = replace(opened.manifest, search=dict(chosen.settings), recall=recall)
        put_into_force(config.index, manifest, opened.removed, settings_of(opened))
    logger.info(
        "applied %s: recall@%d %.4f",
        ", ".join(f"{name} {value}" for name, value in chosen.settings.items()) or "its only setting",
        DEPTH,
        chosen.recall,
    )
