"""What an index will take, of the disk, of memory and of time, before it is built."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import torch

from retriever.choices import IndexRecipe, RecipeRequest, VectorType
from retriever.index.kmeans import ITERATIONS
from retriever.index.recipes import RECIPES, choose_recipe, default_lists, factory_of, rows_per_file
from retriever.index.sample import sample_size
from retriever.readable import readable_bytes, readable_time

GROWTH = 1.6
"""Memory that FAISS takes for a number of vectors in lists, as a share of their size: a list that is full is doubled."""

WORK_BYTES = 300_000_000
"""Of one part of the vectors on its way into an index, of scores and of hashes."""

ID_BYTES = 16

BM25_BYTES, BM25_WORK = 575, 1_100_000_000
"""Of the disk for a passage of 100 words; and of memory at most, while words are counted (``benchmarks/bm25.py``)."""


@dataclass(frozen=True)
class Plan:
    """A recipe for so many vectors.

    Attributes:
        recipe: its name.
        factory: FAISS factory string.
        count: N.
        dimension: D.
        lists: of the recipe; 0: none.
        bm25: whether there will be a BM25 index, too.
    """

    recipe: IndexRecipe
    factory: str
    count: int
    dimension: int
    lists: int
    bm25: bool = False

    @classmethod
    def of(
        cls,
        request: RecipeRequest,
        *,
        count: int,
        dimension: int,
        lists: int | None = None,
        max_memory: int | None = None,
        target_recall: float = 0.95,
        bm25: bool = False,
    ) -> "Plan":
        """Choose a recipe; arguments and errors as ``choose_recipe`` and ``factory_of``."""
        recipe = choose_recipe(
            request, dimension=dimension, count=count, max_memory=max_memory, target_recall=target_recall
        )
        factory = factory_of(recipe, dimension=dimension, count=count, lists=lists)
        lists = (lists or default_lists(count)) * RECIPES[recipe].lists
        return cls(recipe, factory, count, dimension, lists, bm25)

    @property
    def rows_per_file(self) -> int:
        """Vectors of one file."""
        return rows_per_file(self.recipe, self.dimension)

    @property
    def num_files(self) -> int:
        """Files of vectors."""
        return ceil(self.count / self.rows_per_file)

    @property
    def vector_bytes(self) -> int:
        """On the disk: codes, row numbers and, in each file, centroids."""
        codes = self.count * RECIPES[self.recipe].bytes_per_vector(self.dimension)
        return int(codes + (self.num_files + 1) * 4 * self.lists * self.dimension)

    @property
    def id_bytes(self) -> int:
        """On the disk: the table from ids to rows."""
        return ID_BYTES * self.count

    @property
    def bm25_bytes(self) -> int:
        """On the disk: word counts."""
        return BM25_BYTES * self.count * self.bm25

    @property
    def disk_bytes(self) -> int:
        """On the disk when the index is built, the passages themselves left out."""
        return self.vector_bytes + self.id_bytes + self.bm25_bytes

    def shard_bytes(self, dtype: VectorType) -> int:
        """On the disk until the index is built: the vectors as they were encoded."""
        return self.count * self.dimension * {"fp32": 4, "fp16": 2}[dtype]

    @property
    def memory_bytes(self) -> int:
        """Of anonymous memory at most, the model left out: while it is trained, or while a file is filled."""
        trained = RECIPES[self.recipe].bytes_per_vector(self.dimension)
        sample = min(self.count, sample_size(self.lists)) if self.lists else 0
        training = 2 * 4 * sample * self.dimension  # the sample, and what is assigned at a time
        filling = GROWTH * min(self.count, self.rows_per_file) * trained
        ids = 2 * self.id_bytes  # sorted in memory
        words = min(BM25_WORK, 20 * BM25_BYTES * self.count) * self.bm25
        return int(WORK_BYTES + max(training, filling, ids, words))

    @property
    def work(self) -> tuple[float, float]:
        """Floating point operations of training and of adding, as far as they are products with centroids."""
        one = 2.0 * self.lists * self.dimension
        return min(self.count, sample_size(self.lists)) * one * ITERATIONS, self.count * one

    def seconds(self, rate: float) -> tuple[float, float]:
        """Of training and of adding, at so many floating point operations a second."""
        training, adding = self.work
        return training / rate, adding / rate

    def describe(
        self,
        passage_bytes: int,
        shards: VectorType | None,
        *,
        keeps_shards: bool,
        rate: Callable[[], float],
    ) -> str:
        """For people.

        Args:
            passage_bytes: of the passages themselves, on the disk.
            shards: data type of the vectors on their way; None: they lie in another folder.
            keeps_shards: whether they stay.
            rate: measures floating point operations a second.
        """
        files = "" if self.num_files == 1 else f" in {self.num_files} files"
        size = self.disk_bytes + passage_bytes
        disk = f"on the disk {readable_bytes(size)}{files}"
        if shards is not None:
            disk += f", and {readable_bytes(self.shard_bytes(shards))} of shards"
            disk += "" if keeps_shards else " until it is done"
        parts = [
            f"{self.count} passages; recipe {self.recipe} ({self.factory}): {RECIPES[self.recipe].when}",
            disk,
            f"memory at most about {readable_bytes(self.memory_bytes)} and the model",
        ]
        if self.lists:
            training, adding = self.seconds(rate())
            if training + adding > 1:
                parts.append(
                    f"training about {readable_time(training)}, adding about {readable_time(adding)}"
                )
        return "; ".join(parts)


def product_rate(dimension: int, size: int = 2048) -> float:
    """Floating point operations a second of a matrix product of this dimension on the CPU, measured now."""
    left, right = torch.ones(size, dimension), torch.ones(dimension, size)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    return 2.0 * size * size * dimension / best
