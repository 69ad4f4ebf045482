"""What an index will take, said before it is built."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from retriever.choices import IndexRecipe
from retriever.index.faiss_index import FaissIndex
from retriever.index.parts import Parts
from retriever.index.plan import Plan, product_rate
from retriever.index.recipes import RECIPES
from retriever.index.sample import train
from tests.index.test_approximate import built
from tests.index.test_recipes import clustered


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_bytes_are_those_of_the_files(recipe: IndexRecipe, tmp_path: Path) -> None:
    corpus = clustered(20_000, 0)
    plan = Plan.of(recipe, count=len(corpus), dimension=32)
    index = FaissIndex(32, plan.factory)
    train(index, Parts.of([corpus]))
    index.save(tmp_path / "trained")
    index.add(corpus)
    index.save(tmp_path / "vectors")
    written = sum((tmp_path / name).stat().st_size for name in ("trained", "vectors"))
    assert written == pytest.approx(plan.vector_bytes, rel=0.1)
    assert (plan.lists > 0) == RECIPES[recipe].lists


def test_wikipedia_fits_into_24_gb() -> None:
    plan = Plan.of("auto", count=21_015_324, dimension=768, max_memory=20 * 10**9)
    assert (plan.recipe, plan.lists, plan.num_files) == ("ivf-sq8", 16_384, 8)
    assert plan.memory_bytes < 8e9
    assert plan.shard_bytes("fp16") == 21_015_324 * 1536
    training, adding = plan.seconds(100e9)
    assert training == pytest.approx(2 * 64 * 16_384 * 16_384 * 768 * 10 / 100e9)
    assert adding == pytest.approx(2 * 21_015_324 * 16_384 * 768 / 100e9)
    said = plan.describe(14_000_000_000, "fp32", keeps_shards=False, rate=lambda: 100e9)
    assert "on the disk 31.1 GB in 8 files, and 64.6 GB of shards until it is done; memory" in said
    assert "training about 44 min, adding about 88 min" in said


def test_without_lists_there_is_nothing_to_wait_for() -> None:
    plan = Plan.of("flat", count=1000, dimension=10)
    said = plan.describe(1000, None, keeps_shards=True, rate=lambda: pytest.fail("measured for nothing"))
    assert said.endswith("; on the disk 57 kB; memory at most about 300 MB and the model")


def test_a_rate_is_measured() -> None:
    assert 1e8 < product_rate(64) < 1e14


def test_a_build_says_what_it_takes_and_how_long_the_encoding(
    tmp_path: Path, model_folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retriever.index.encode.SAMPLE", {"cpu": 10})
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=100_000))
    with caplog.at_level("INFO"):
        built(tmp_path, model_folder, "flat")
    said = "\n".join(caplog.messages)
    assert "400 passages; recipe flat (Flat): exact, float32; on the disk " in said
    assert " kB, and 51.2 kB of shards until it is done; memory at most about" in said
    assert f"the disk of {tmp_path / 'index-flat'} has 100 kB free, and this needs 109 kB" in said
    assert said.index("400 passages; recipe") < said.index("encoding 400 passages will take about")
