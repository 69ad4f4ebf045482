"""The words of an index: cut for ever as its first passages were."""

from pathlib import Path

import pytest

from retriever.config.index import IndexAddConfig, IndexConfig, IndexRemoveConfig
from retriever.errors import InputError
from retriever.index.bm25 import open_bm25, settings_of
from retriever.index.build import build_index
from retriever.index.opened import OpenIndex
from retriever.index.update import add_passages, compact_index, ids_to_remove, remove_passages
from retriever.lexical.bm25 import bm25_of
from retriever.records import Passage
from tests.index.folders import write_passages


@pytest.fixture
def config(tmp_path: Path, passages: list[Passage], model_folder: Path) -> IndexConfig:
    stop_words = tmp_path / "mine.txt"
    stop_words.write_text("the\nboils\n", encoding="utf-8")
    return IndexConfig(
        passages=write_passages(tmp_path / "passages.jsonl", passages[:6]),
        model=str(model_folder),
        output=tmp_path / "index",
        device="cpu",
        precision="fp32",
        bm25=True,
        bm25_stemmer="english",
        bm25_stop_words=str(stop_words),
    )


def test_an_index_keeps_its_words_when_it_changes(config: IndexConfig, passages: list[Passage]) -> None:
    index = build_index(config)
    analyser = settings_of(OpenIndex.open(index)).analyser
    Path(config.bm25_stop_words).unlink()
    more = write_passages(index.parent / "more.jsonl", passages[6:])
    add_passages(IndexAddConfig(index=index, passages=more, device="cpu"))
    remove_passages(index, list(ids_to_remove(IndexRemoveConfig(index=index, ids=("p0",)))))
    for open_index in (OpenIndex.open, compact_index):
        opened = open_index(index)
        assert settings_of(opened).analyser == analyser
        searcher = open_bm25(opened)
        [orbiting, boils] = searcher.search(["orbiting kings, sitting", "the boils"], 9)
        assert sorted(orbiting.ids) == ["p6", "p7"]
        assert boils.ids == ()
        same = bm25_of(passages[1:], analyser=analyser)
        assert searcher.search(["falling snow in winters"], 9) == same.search(["falling snow in winters"], 9)
        assert searcher.explain("falling snows", "p9") == same.explain("falling snows", "p9")
        assert [word for word, _ in searcher.explain("falling snows", "p9")] == ["snows", "falling"]
        with pytest.raises(InputError, match="no passage 'p0' in the index"):
            searcher.explain("cat", "p0")


def test_what_is_wrong_with_the_words_is_said_before_anything_is_made(config: IndexConfig) -> None:
    Path(config.bm25_stop_words).write_text("the\nin order to\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        build_index(config)
    assert str(error.value) == f"{config.bm25_stop_words}:2: expected one word, found 3: 'in order to'"
    assert not config.output.exists()


@pytest.mark.parametrize("setting", ["bm25_formula", "bm25_stemmer", "bm25_stop_words", "bm25_tokenizer"])
def test_settings_of_bm25_without_it_are_refused(setting: str) -> None:
    value = {"bm25_formula": "lucene", "bm25_tokenizer": Path("tokenizer.json")}.get(setting, "english")
    with pytest.raises(InputError) as error:
        IndexConfig(passages=Path("p.tsv"), model="m", output=Path("o"), **{setting: value})
    assert str(error.value) == f"{setting} is of the BM25 index, which is not asked for: add --bm25"
