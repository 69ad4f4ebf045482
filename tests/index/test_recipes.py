from typing import get_args

import numpy as np
import pytest

from retriever.choices import IndexRecipe
from retriever.errors import InputError
from retriever.index.faiss_index import FaissIndex
from retriever.index.recipes import RECIPES, choose_recipe, default_lists, factory_of


def clustered(count: int, seed: int, dimension: int = 32) -> np.ndarray:
    """Unit vectors around forty centres."""
    centres = np.random.default_rng(7).standard_normal((40, dimension))
    generator = np.random.default_rng(seed)
    vectors = centres[generator.integers(40, size=count)] + 0.4 * generator.standard_normal(
        (count, dimension)
    )
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def made(recipe: IndexRecipe, corpus: np.ndarray) -> FaissIndex:
    index = FaissIndex(
        corpus.shape[1], factory_of(recipe, dimension=corpus.shape[1], count=len(corpus), lists=None)
    )
    if not index.is_trained:
        index.train(corpus)
    index.add(corpus)
    return index


def test_the_table_has_every_recipe() -> None:
    assert tuple(RECIPES) == get_args(IndexRecipe)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_finds_nearly_everything_when_turned_up(recipe: IndexRecipe, tmp_path) -> None:
    corpus, queries = clustered(4000, 0), clustered(60, 1)
    index = made(recipe, corpus)
    index.save(tmp_path / "v")
    index = FaissIndex.load([tmp_path / "v"], 4000)
    exact = np.argsort(-(queries @ corpus.T), axis=1, kind="stable")[:, :10]
    recalls = []
    for settings in RECIPES[recipe].ladder(default_lists(4000)):
        index.set_search(settings)
        _, rows = index.search(queries, 10)
        recalls.append(
            np.mean([len(set(own) & set(best)) / 10 for own, best in zip(rows, exact, strict=True)])
        )
    assert recalls[-1] > 0.95
    assert recalls[0] <= recalls[-1]
    if RECIPES[recipe].exact:
        assert recalls == [pytest.approx(1, abs=0.01)]
    stored = index.vectors(100, 50)
    assert (stored * corpus[100:150]).sum(1).min() > 0.99  # what compacting and verifying read


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_bytes_of_the_table_are_those_of_the_file(recipe: IndexRecipe, tmp_path) -> None:
    corpus = clustered(20_000, 0)
    made(recipe, corpus).save(tmp_path / "v")
    fixed = 4 * 32 * (default_lists(20_000) + 1) + 20_000  # centroids and headers
    found = (tmp_path / "v").stat().st_size - (fixed if RECIPES[recipe].lists else 0)
    assert found / 20_000 == pytest.approx(RECIPES[recipe].bytes_per_vector(32), rel=0.1)


def test_lists_grow_with_the_square_root_and_have_enough_vectors() -> None:
    assert [default_lists(count) for count in (1, 39, 1_000, 100_000, 1_000_000, 21_000_000)] == [
        1, 1, 16, 1024, 2048, 16384,
    ]  # fmt: skip


def test_more_lists_than_passages_are_refused_with_both_numbers() -> None:
    with pytest.raises(InputError) as error:
        factory_of("ivf-flat", dimension=8, count=312, lists=4096)
    assert str(error.value) == "4096 lists need at least 4096 passages, found 312: lower --lists"
    with pytest.raises(InputError) as error:
        factory_of("flat", dimension=8, count=312, lists=4)
    assert str(error.value) == "recipe flat has no lists: leave --lists out"


def test_auto_takes_what_fits() -> None:
    def chosen(count: int, max_memory: float | None = None, target_recall: float = 0.95) -> str:
        memory = None if max_memory is None else int(max_memory)
        return choose_recipe(
            "auto", dimension=768, count=count, max_memory=memory, target_recall=target_recall
        )

    assert chosen(100_000) == "flat"
    assert chosen(100_000, 200e6) == "flat-fp16"
    assert chosen(100_000, 80e6) == "sq8"
    assert chosen(1_000_000) == "ivf-sq8"
    assert chosen(1_000_000, target_recall=0.99) == "ivf-pq"
    with pytest.raises(InputError) as error:
        chosen(1_000_000, 1e6)
    assert str(error.value) == (
        "1000000 vectors of 768 numbers take 776 MB as ivf-sq8, more than --max-memory allows (1 MB)"
    )
