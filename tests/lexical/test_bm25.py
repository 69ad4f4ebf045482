"""BM25's scores against rank-bm25's, whatever blocks they come from, and against a plain Lucene formula."""

import json
import math
import os
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from retriever.errors import InputError
from retriever.lexical import bm25, columns, search
from retriever.lexical.analyser import Analyser
from retriever.lexical.block import Block
from retriever.lexical.bm25 import (
    Bm25Settings,
    block_folders,
    bm25_of,
    count_blocks,
    load_statistics,
    save_statistics,
)
from retriever.lexical.formula import Formula, Statistics
from retriever.lexical.search import Bm25, Bm25Searcher
from retriever.protocols import no_progress
from retriever.records import Passage, Ranking


def passages_of(texts: list[str]) -> list[Passage]:
    return [Passage(f"p{row}", text) for row, text in enumerate(texts)]


def searcher_of(texts: list[str], **options: str) -> Bm25Searcher:
    return bm25_of(passages_of(texts), **options)


def assert_scores(ranking: Ranking, corpus: list[list[str]], words: list[str], expected: np.ndarray) -> None:
    """Every passage that shares a word with the query is found, with the expected score, best first; the others not."""
    assert set(ranking.ids) == {f"p{row}" for row, each in enumerate(corpus) if set(words) & set(each)}
    np.testing.assert_allclose(
        ranking.scores, [expected[int(id[1:])] for id in ranking.ids], rtol=1e-6, atol=1e-5
    )
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)


words = st.sampled_from(["oil", "price", "embargo", "who", "2", "the", "café", "qatar", "war", "peace"])
texts = st.lists(words, max_size=12).map(" ".join)
corpora = st.lists(texts, max_size=25).map(lambda texts: ["oil", *texts])  # at least one word
queries = st.lists(words | st.just("unknown"), max_size=8).map(" ".join)


@settings(max_examples=150)
@given(
    corpus=corpora,
    query=queries,
    small=st.booleans(),
    per_block=st.integers(1, 9),
    frequent=st.integers(0, 9),
)
def test_scores_equal_bm25okapi(
    corpus: list[str], query: str, small: bool, per_block: int, frequent: int
) -> None:
    """Counted by rank-bm25 or by us, in one block or several, words added one by one or to all passages at once."""
    analysed = [Analyser()(text) for text in corpus]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25, "SMALL", 1000 if small else 0)
        patch.setattr(bm25, "PASSAGES_PER_BLOCK", per_block)
        patch.setattr(columns, "FREQUENT", frequent)
        patch.setattr(columns, "WORTH", 1)
        [ranking] = searcher_of(corpus).search([query], len(corpus))
        [best] = searcher_of(corpus).search([query], 3)
    assert best.ids == ranking.ids[:3]
    expected = BM25Okapi(analysed).get_scores(Analyser()(query))
    assert_scores(ranking, analysed, Analyser()(query), expected)


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
    analysed = [Analyser()(text) for text in corpus]
    [ranking] = searcher_of(corpus).search([query], len(corpus))
    assert_scores(ranking, analysed, Analyser()(query), BM25Okapi(analysed).get_scores(Analyser()(query)))


@settings(max_examples=80)
@given(corpus=corpora, query=queries)
def test_scores_equal_lucenes_formula(corpus: list[str], query: str) -> None:
    analysed = [Analyser()(text) for text in corpus]
    average = sum(map(len, analysed)) / len(analysed)

    def score(passage: list[str]) -> float:
        total = 0.0
        for word in Analyser()(query):
            n, count = sum(word in each for each in analysed), Counter(passage)[word]
            idf = math.log(1 + (len(analysed) - n + 0.5) / (n + 0.5))
            total += idf * count / (count + 0.9 * (1 - 0.4 + 0.4 * len(passage) / average)) if count else 0
        return total

    [ranking] = searcher_of(corpus, formula="lucene").search([query], len(corpus))
    assert_scores(ranking, analysed, Analyser()(query), np.array([score(each) for each in analysed]))


def test_a_large_corpus_gives_bm25okapis_first_k(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    texts = [" ".join(f"w{word}" for word in rng.zipf(1.3, 30) % 500) for _ in range(2000)]
    okapi = BM25Okapi([text.split() for text in texts])
    queries = [" ".join(rng.choice(texts[row].split(), 6)) for row in range(20)]
    by_rank_bm25 = searcher_of(texts).search(queries, 50)
    monkeypatch.setattr(bm25, "SMALL", 0)
    monkeypatch.setattr(bm25, "TOKENS_PER_BLOCK", 7000)
    monkeypatch.setattr(columns, "WORTH", 2)
    monkeypatch.setattr(search, "CACHED_BYTES", 50_000)
    searcher = searcher_of(texts)
    for query, ranking, same in zip(queries, searcher.search(queries, 50), by_rank_bm25, strict=True):
        expected = okapi.get_scores(query.split())
        np.testing.assert_allclose(ranking.scores, np.sort(expected)[::-1][:50], rtol=1e-6)
        np.testing.assert_allclose(ranking.scores, [expected[int(id[1:])] for id in ranking.ids], rtol=1e-6)
        assert ranking.ids == same.ids


@settings(max_examples=60)
@given(corpus=corpora, query=queries, gone=st.sets(st.integers(1, 25)), per_block=st.integers(1, 9))
def test_removing_passages_is_counting_without_them(
    corpus: list[str], query: str, gone: set[int], per_block: int
) -> None:
    analyser = Analyser()
    counters = [corpus[start : start + per_block] for start in range(0, len(corpus), per_block)]
    blocks, removed = [], []
    for number, texts in enumerate(counters):
        counter = bm25.BlockCounter()
        for text in texts:
            counter.add(analyser(text))
        blocks.append(counter.block())
        rows = [row - number * per_block for row in sorted(gone) if row // per_block == number]
        removed.append(np.array([row for row in rows if row < len(texts)], np.int64))
    statistics = Statistics.of(blocks, removed)
    [(rows, scores)] = Bm25(blocks, removed, Formula("okapi", statistics)).best([analyser(query)], 50)
    left = [row for row in range(len(corpus)) if row not in gone]
    [expected] = searcher_of([corpus[row] for row in left]).search([query], 50)
    assert [f"p{left.index(row)}" for row in rows] == list(expected.ids)
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-9, atol=1e-12)


@settings(max_examples=80)
@given(
    corpus=corpora, query=queries, formula=st.sampled_from(["okapi", "lucene"]), per_block=st.integers(1, 9)
)
def test_the_shares_of_the_words_add_up_to_the_score(
    corpus: list[str], query: str, formula: str, per_block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25, "SMALL", 0)
        patch.setattr(bm25, "PASSAGES_PER_BLOCK", per_block)
        searcher = searcher_of(corpus, formula=formula)
    [ranking] = searcher.search([query], len(corpus))
    scores = dict(zip(ranking.ids, ranking.scores, strict=True))
    for row, text in enumerate(corpus):
        shares = searcher.explain(query, f"p{row}")
        assert {word for word, _ in shares} == set(Analyser()(query)) & set(Analyser()(text))
        assert len(shares) == len(dict(shares))
        assert sum(share for _, share in shares) == pytest.approx(scores.get(f"p{row}", 0), abs=1e-9)


def test_the_share_of_a_word_is_that_of_a_query_of_it_alone() -> None:
    searcher = searcher_of(["oil price oil", "oil war", "peace", "qatar", "embargo war", "who"])
    [alone], [twice] = (
        [each.scores[0] for each in searcher.search([word], 1)] for word in ("price", "oil oil")
    )
    assert searcher.explain("The Oil price, oil and war", "p0") == [
        ("oil", pytest.approx(twice)),
        ("price", pytest.approx(alone)),
    ]


def test_a_passage_that_is_not_there_cannot_be_explained() -> None:
    with pytest.raises(InputError) as error:
        searcher_of(["oil"]).explain("oil", "p1")
    assert str(error.value) == "no passage 'p1' in the index"


def test_our_counting_gives_the_bytes_of_rank_bm25s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    passages = passages_of(["oil price", "", "war war", "oil"])
    for name, small in (("theirs", 10), ("ours", 0)):
        monkeypatch.setattr(bm25, "SMALL", small)
        count_blocks(passages, tmp_path / name, Analyser(), passages_sha256="x", progress=no_progress)
    found = {
        name: {each.name: each.read_bytes() for each in (tmp_path / name / "000000").iterdir()}
        for name in ("theirs", "ours")
    }
    assert found["theirs"] == found["ours"]
    assert sorted(found["ours"]) == ["counts.npy", "lengths.npy", "rows.npy", "starts.npy", "words.npy"]


def test_rank_bm25_with_another_idf_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(BM25Okapi):
        def _calc_idf(self, nd: dict[str, int]) -> None:
            super()._calc_idf(nd)
            self.idf = {word: idf + 1 for word, idf in self.idf.items()}

    monkeypatch.setattr(bm25, "BM25Okapi", Other)
    with pytest.raises(RuntimeError, match="rank-bm25 gives words another idf"):
        searcher_of(["oil", "war", "peace"])


def test_a_killed_count_goes_on_after_its_last_whole_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bm25, "SMALL", 0)
    monkeypatch.setattr(bm25, "PASSAGES_PER_BLOCK", 2)
    passages = passages_of(["oil price", "war", "oil", "peace war", "who"])
    texts: list[str] = []

    class Recording(Analyser):
        def __call__(self, text: str) -> list[str]:
            texts.append(text)
            return super().__call__(text)

    def count(folder: str, sha256: str = "x") -> dict[str, bytes]:
        texts.clear()
        count_blocks(passages, tmp_path / folder, Recording(), passages_sha256=sha256, progress=no_progress)
        return {
            str(each.relative_to(tmp_path / folder)): each.read_bytes()
            for each in (tmp_path / folder).rglob("*.npy")
        }

    whole = count("whole")
    assert [each.name for each in block_folders(tmp_path / "whole")] == ["000000", "000001", "000002"]
    child = os.fork()
    if child == 0:
        save, saved = Block.save, []

        def save_and_die(self: Block, folder: Path) -> None:
            save(self, folder)
            saved.append(1)
            if len(saved) == 2:
                os._exit(9)

        monkeypatch.setattr(Block, "save", save_and_die)
        count("killed")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert count("killed") == whole
    assert [text.strip() for text in texts] == ["oil", "peace war", "who"]
    assert count("killed", "other passages") == whole
    assert len(texts) == 5


def test_equal_scores_rank_in_corpus_order() -> None:
    searcher = searcher_of(["war", "peace", "oil price", "peace", "peace", "embargo", "qatar", "who"])
    assert [ranking.ids for ranking in searcher.search(["peace", "peace"], 2)] == [("p1", "p3"), ("p1", "p3")]


def test_the_title_is_searched() -> None:
    passages = [
        Passage("a", "It rose.", "Oil price"),
        Passage("b", "It fell.", "War"),
        Passage("c", "It stood."),
    ]
    found = bm25_of(passages).search(["the price of oil", "the"], 10)
    assert [ranking.ids for ranking in found] == [("a",), ()]


@pytest.mark.parametrize(
    ("passages", "message"),
    [
        ([], "no passage to index"),
        ([Passage("a", "the"), Passage("b", "?")], "no word to index in 2 passages"),
    ],
)
def test_a_corpus_that_cannot_be_searched_is_refused(passages: list[Passage], message: str) -> None:
    with pytest.raises(InputError) as error:
        bm25_of(passages)
    assert str(error.value) == message


def test_statistics_come_back(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_statistics(tmp_path)
    assert str(error.value) == f"{tmp_path}: no BM25 index here"
    statistics = Statistics(np.array([3, 9], np.uint64), np.array([1, 2]), 2, 4)
    settings = Bm25Settings("lucene", Analyser(None))
    save_statistics(tmp_path, settings, statistics)
    loaded_settings, loaded = load_statistics(tmp_path)
    assert loaded_settings == settings
    assert (loaded.words.tolist(), loaded.frequencies.tolist()) == ([3, 9], [1, 2])
    assert (loaded.num_passages, loaded.num_words) == (2, 4)
    manifest = json.loads((tmp_path / "bm25.json").read_text())
    assert (manifest["k1"], manifest["b"]) == (0.9, 0.4)
    for change, message in [
        ({"format": 1}, "expected BM25 format 3, found 1: build the index again"),
        (
            {"analyser": {"stop_words": "x"}},
            "stop_words must be 'english', null or a list of words with a name, got 'x'",
        ),
    ]:
        (tmp_path / "bm25.json").write_text(json.dumps(manifest | change))
        with pytest.raises(InputError) as error:
            load_statistics(tmp_path)
        assert str(error.value) == f"{tmp_path / 'bm25.json'}: {message}"


def test_progress_counts_the_passages() -> None:
    done: list[int] = []
    bm25_of(passages_of(["oil", "war"]), progress=lambda total, label: nullcontext(done.append))
    assert sum(done) == 2


def test_k_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        searcher_of(["oil"]).search(["oil"], 0)
