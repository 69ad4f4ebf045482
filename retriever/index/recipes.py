"""Index recipes by name: what FAISS makes of the vectors, what it costs, how far its search can be turned up, and which one to take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from retriever.choices import IndexRecipe, RecipeRequest
from retriever.errors import InputError
from retriever.readable import readable_bytes

Settings = Mapping[str, int]
"""What a search is turned up with: FAISS's parameters by name."""

FLAT_UP_TO = 200_000
"""Passages up to which exact search answers a question in some ten milliseconds on a CPU."""


@dataclass(frozen=True)
class Recipe:
    """One row of the table.

    Attributes:
        factory: D and the number of lists → FAISS factory string.
        bytes_per_vector: D → bytes.
        when: for people.
        lists: whether the vectors lie in lists, of which a search looks into some.
        ladder: the number of lists → settings, from the fastest search to the most thorough; one that is empty has none.
        exact: it finds what a comparison with every vector finds.
        lossless: it holds the vectors as they were.
        fewest: passages that it can be trained with.
    """

    factory: Callable[[int, int], str]
    bytes_per_vector: Callable[[int], float]
    when: str
    lists: bool = False
    ladder: Callable[[int], list[Settings]] = lambda lists: [{}]
    exact: bool = False
    lossless: bool = False
    fewest: int = 1


def _probes(lists: int) -> list[int]:
    """1, 2, 4 … and all of the lists."""
    return [*(2**power for power in range(lists.bit_length()) if 2**power < lists), lists]


def _probe_ladder(lists: int) -> list[Settings]:
    return [{"nprobe": each} for each in _probes(lists)]


def _refined_ladder(lists: int) -> list[Settings]:
    """``k_factor_rf`` times as many passages as asked for, 10, 20 or 40, are compared again by their better vectors.

    Comparing ten passages again takes about as long as looking into one more list of some hundreds: so the sum of both numbers
    orders the ladder.
    """
    pairs = [(probes, factor) for probes in _probes(lists) for factor in (10, 20, 40)]
    return [{"nprobe": probes, "k_factor_rf": factor} for probes, factor in sorted(pairs, key=sum)]


def _largest_divisor(dimension: int, at_most: int) -> int:
    return next(each for each in range(max(1, at_most), 0, -1) if dimension % each == 0)


RECIPES: dict[IndexRecipe, Recipe] = {
    "flat": Recipe(lambda d, _: "Flat", lambda d: 4 * d, "exact, float32", exact=True, lossless=True),
    "flat-fp16": Recipe(
        lambda d, _: "SQfp16",
        lambda d: 2 * d,
        "exact but for the rounding to half precision, half the memory",
        exact=True,
    ),
    "sq8": Recipe(
        lambda d, _: "SQ8", lambda d: d, "every vector is compared, 8 bits a number: a quarter of the memory"
    ),
    "hnsw": Recipe(
        lambda d, _: "HNSW32",
        lambda d: 4 * d + 272,
        "the fastest single questions, if memory and a slow build do not matter",
        ladder=lambda _: [{"efSearch": 2**power} for power in range(4, 12)],
        lossless=True,
    ),
    "ivf-flat": Recipe(
        lambda d, lists: f"IVF{lists},Flat",
        lambda d: 4 * d + 8,
        "lists of float32 vectors",
        lists=True,
        lossless=True,
        ladder=_probe_ladder,
    ),
    "ivf-sq8": Recipe(
        lambda d, lists: f"IVF{lists},SQ8",
        lambda d: d + 8,
        "lists, 8 bits a number: some millions of passages",
        lists=True,
        ladder=_probe_ladder,
    ),
    "ivf-pq": Recipe(
        lambda d, lists: f"IVF{lists},PQ{_largest_divisor(d, d // 2)}x4fs,Refine(SQfp16)",
        lambda d: _largest_divisor(d, d // 2) / 2 + 8 + 2 * d,
        "4-bit product quantisation scanned in registers, the best compared again in half precision: the fastest at high recall",
        lists=True,
        fewest=16,
        ladder=_refined_ladder,
    ),
    "ivf-rabitq": Recipe(
        lambda d, lists: f"IVF{lists},RaBitQ,Refine(SQ8)",
        lambda d: d / 8 + 16 + d,
        "one bit a number, the best compared again with 8: many millions of passages",
        lists=True,
        ladder=_refined_ladder,
    ),
    "binary": Recipe(
        lambda d, _: "RaBitQ,Refine(SQ8)",
        lambda d: d / 8 + 8 + d,
        "one bit a number for every vector, the best compared again with 8: no lists, nothing to train long",
        ladder=lambda _: [{"k_factor_rf": factor} for factor in (2, 4, 10, 20, 40, 100)],
    ),
}


FILE_BYTES = 2**31
"""Vectors of one file: FAISS holds them in memory while it is made, for which it takes up to three times as much."""


def rows_per_file(recipe: IndexRecipe, dimension: int) -> int:
    """Vectors after which a file is written and the next one begun."""
    return max(1, int(FILE_BYTES / RECIPES[recipe].bytes_per_vector(dimension)))


def default_lists(count: int) -> int:
    """About 4 · √N lists, a power of two, with enough vectors each to train them."""
    wanted = 4 * max(1, count) ** 0.5
    most = max(1, count // 39)
    return 2 ** max(0, min(round(wanted).bit_length() - 1, most.bit_length() - 1))


def factory_of(recipe: IndexRecipe, *, dimension: int, count: int, lists: int | None) -> str:
    """The FAISS factory string.

    Args:
        recipe: its name.
        dimension: D.
        count: N.
        lists: how many; None: ``default_lists``.

    Raises:
        InputError: too few vectors, lists for a recipe that has none, or more of them than vectors.
    """
    found = RECIPES[recipe]
    if lists is not None and not found.lists:
        raise InputError(f"recipe {recipe} has no lists: leave --lists out")
    if count < found.fewest:
        raise InputError(f"recipe {recipe} needs at least {found.fewest} passages, found {count}: take flat")
    lists = default_lists(count) if lists is None else lists
    if found.lists and lists > count:
        raise InputError(f"{lists} lists need at least {lists} passages, found {count}: lower --lists")
    return found.factory(dimension, lists)


def choose_recipe(
    request: RecipeRequest, *, dimension: int, count: int, max_memory: int | None, target_recall: float
) -> IndexRecipe:
    """The recipe that was asked for, or for ``auto`` one that fits corpus, memory and target.

    Exact search as long as it is fast; then 8-bit lists, or, where more is asked for than 8 bits can give, the refined
    4-bit ones; then the smallest.

    Args:
        request: a recipe's name, or auto.
        dimension: D.
        count: N.
        max_memory: bytes that the vectors may take; None: any.
        target_recall: recall@10 to reach.

    Raises:
        InputError: what was asked for, or for auto every recipe, takes more memory.
    """
    wanted: list[IndexRecipe]
    if request != "auto":
        wanted = [request]
    elif count <= FLAT_UP_TO:
        wanted = ["flat", "flat-fp16", "sq8"]
    elif target_recall <= 0.97:
        wanted = ["ivf-sq8"]
    else:
        wanted = ["ivf-pq", "ivf-flat", "ivf-sq8"]
    for each in wanted:
        if max_memory is None or count * RECIPES[each].bytes_per_vector(dimension) <= max_memory:
            return each
    smallest = wanted[-1]
    needed = count * RECIPES[smallest].bytes_per_vector(dimension)
    raise InputError(
        f"{count} vectors of {dimension} numbers take {readable_bytes(needed)} as {smallest}, more than --max-memory allows "
        f"({readable_bytes(max_memory or 0)})"
    )
