import json
import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from retriever.errors import InputError
from retriever.lexical.analyser import Analyser
from retriever.lexical.bm25 import Bm25Searcher, build_bm25
from retriever.records import Passage


def searcher_of(texts: list[str], folder: Path) -> Bm25Searcher:
    build_bm25([Passage(f"p{row}", text) for row, text in enumerate(texts)], folder)
    return Bm25Searcher.load(folder)


def assert_scores_are_okapis(texts: list[str], query: str) -> None:
    """Every passage that shares a word with the query is found, with BM25Okapi's score, best first; the others not."""
    words, corpus = Analyser()(query), [Analyser()(text) for text in texts]
    expected = BM25Okapi(corpus).get_scores(words)
    with tempfile.TemporaryDirectory() as folder:
        [ranking] = searcher_of(texts, Path(folder)).search([query], len(texts))
    assert set(ranking.ids) == {f"p{row}" for row, each in enumerate(corpus) if set(words) & set(each)}
    np.testing.assert_allclose(
        ranking.scores, [expected[int(id[1:])] for id in ranking.ids], rtol=1e-6, atol=1e-5
    )


words = st.sampled_from(["oil", "price", "embargo", "who", "2", "the", "café", "qatar", "war", "peace"])
texts = st.lists(words, max_size=12).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(
    corpus=st.lists(texts, min_size=1, max_size=25),
    query=st.lists(words | st.just("unknown"), max_size=8).map(" ".join),
)
def test_scores_equal_bm25okapi(corpus: list[str], query: str) -> None:
    corpus = ["oil", *corpus]  # at least one word
    assert_scores_are_okapis(corpus, query)


@pytest.mark.parametrize(
    ("corpus", "query"),
    [
        (["oil price", "oil war", "oil peace", "war"], "oil"),  # in more than half: ε times the average idf
        (["oil price", "war"], "oil"),  # in exactly half: idf 0, still a hit
        (["oil price", "oil"], "oil price"),  # average idf below 0: negative scores
        (["oil"], "oil oil"),  # one passage
        (["oil", "", "war war war", "peace"], "war war oil"),  # an empty passage; a query word twice
        (["oil", "war", "peace"], "unknown the"),  # nothing known
    ],
)
def test_scores_equal_bm25okapi_in_corner_cases(corpus: list[str], query: str) -> None:
    assert_scores_are_okapis(corpus, query)


def test_a_large_corpus_gives_bm25okapis_first_k(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    texts = [" ".join(f"w{word}" for word in rng.zipf(1.3, 30) % 500) for _ in range(2000)]
    okapi = BM25Okapi([text.split() for text in texts])
    searcher = searcher_of(texts, tmp_path)
    queries = [" ".join(rng.choice(texts[row].split(), 6)) for row in range(20)]
    for query, ranking in zip(queries, searcher.search(queries, 50), strict=True):
        expected = okapi.get_scores(query.split())
        np.testing.assert_allclose(ranking.scores, np.sort(expected)[::-1][:50], rtol=1e-6)
        np.testing.assert_allclose(ranking.scores, [expected[int(id[1:])] for id in ranking.ids], rtol=1e-6)


def test_equal_scores_rank_in_corpus_order(tmp_path: Path) -> None:
    searcher = searcher_of(
        ["war", "peace", "oil price", "peace", "peace", "embargo", "qatar", "who"], tmp_path
    )
    assert [ranking.ids for ranking in searcher.search(["peace", "peace"], 2)] == [("p1", "p3"), ("p1", "p3")]


def test_the_title_is_searched(tmp_path: Path) -> None:
    passages = [
        Passage("a", "It rose.", "Oil price"),
        Passage("b", "It fell.", "War"),
        Passage("c", "It stood."),
    ]
    assert build_bm25(iter(passages), tmp_path) == 3
    searcher = Bm25Searcher.load(tmp_path)
    assert len(searcher) == 3
    assert [ranking.ids for ranking in searcher.search(["the price of oil", "the"], 10)] == [("a",), ()]


def test_equal_passages_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        searcher_of(["oil price", "war", "oil"], tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == ["bm25.json", "ids.json", "rows.npy", "starts.npy", "weights.npy", "words.json"]
    assert all(
        (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
        for name in names
    )


@pytest.mark.parametrize(
    ("passages", "message"),
    [
        ([], "no passage to index"),
        ([Passage("a", "the"), Passage("b", "?")], "no word to index in 2 passages"),
        ([Passage("a", "oil"), Passage("a", "war")], "passage id 'a' occurs twice"),
    ],
)
def test_a_corpus_that_cannot_be_indexed_is_refused(
    passages: list[Passage], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        build_bm25(passages, tmp_path)
    assert str(error.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        Bm25Searcher.load(tmp_path)
    assert str(error.value) == f"{tmp_path}: no BM25 index here"


def test_another_format_or_analyser_is_refused(tmp_path: Path) -> None:
    searcher_of(["oil"], tmp_path)
    manifest = json.loads((tmp_path / "bm25.json").read_text())
    for change, message in [
        ({"format": 9}, "expected BM25 format 1, found 9"),
        ({"analyser": {"stop_words": "x"}}, "stop_words must be 'english' or null, got 'x'"),
    ]:
        (tmp_path / "bm25.json").write_text(json.dumps(manifest | change))
        with pytest.raises(InputError) as error:
            Bm25Searcher.load(tmp_path)
        assert str(error.value) == f"{tmp_path / 'bm25.json'}: {message}"


def test_a_damaged_word_list_is_refused(tmp_path: Path) -> None:
    searcher_of(["oil"], tmp_path)
    for text, message in [("[1]", "expected a JSON list of strings"), ("[]", "expected 1 entries, found 0")]:
        (tmp_path / "words.json").write_text(text)
        with pytest.raises(InputError) as error:
            Bm25Searcher.load(tmp_path)
        assert str(error.value) == f"{tmp_path / 'words.json'}: {message}"


def test_progress_counts_the_passages(tmp_path: Path) -> None:
    done: list[int] = []
    build_bm25(
        [Passage("a", "oil"), Passage("b", "war")],
        tmp_path,
        progress=lambda total, label: nullcontext(done.append),
    )
    assert sum(done) == 2


def test_k_below_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        searcher_of(["oil"], tmp_path).search(["oil"], 0)
