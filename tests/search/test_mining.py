from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.errors import InputError
from retriever.records import DprExample, Passage, Query, Ranking
from retriever.search.filters import Filters
from retriever.search.mining import BATCH_SIZE, Miner, MiningReport, Selection, Source, in_turn

GOLD = Passage("gold", "Oil rose to $12 in March 1974.", "Oil crisis")
CORPUS = {
    each.id: each
    for each in [
        GOLD,
        Passage("copy", "Oil  rose to $12\nin March 1974.", "Another title"),
        Passage("answer", "The embargo of october  1973 began."),
        Passage("close", "The embargo ended in March."),
        Passage("close again", "The embargo ended  in March.", "Title"),
        Passage("far", "Bread was cheap, 19731 of it."),
    ]
}
RANDOM = Passage("random", "Cats sleep.")
EXAMPLE = DprExample(Query("q1", "When?"), (GOLD,), (CORPUS["far"],), ("October 1973", "1973"), (RANDOM,))


class FixedSearcher:
    """Ranks the same passages for every question, scores 10, 9, 8 …, and remembers each call."""

    def __init__(self, *ids: str) -> None:
        self.ids = ids
        self.calls: list[tuple[int, int]] = []

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        self.calls.append((len(queries), k))
        ids = self.ids[:k]
        return [Ranking(ids, [10.0 - rank for rank in range(len(ids))]) for _ in queries]


def miner(*ids: str, **settings) -> Miner:
    sources = [Source("bm25", FixedSearcher(*(ids or CORPUS)))]
    return Miner(**{"sources": sources, "passages": CORPUS, **settings})


def mined_ids(example: DprExample, report: MiningReport | None = None, **settings) -> list[str]:
    [mined] = miner(**settings).mine([example], report)
    assert replace(mined, hard_negatives=()) == replace(example, hard_negatives=())
    return [passage.id for passage in mined.hard_negatives]


def rejected(report: MiningReport) -> dict[str, int]:
    return dict(report.rejected)


def test_positives_answers_and_copies_are_left_out() -> None:
    report = MiningReport()
    assert mined_ids(EXAMPLE, report, num_hard_negatives=2) == ["close", "far"]
    assert rejected(report) == {"positive": 2, "answer": 1, "copy": 1}
    assert (report.questions, report.kept, report.short, report.without_negative) == (1, 2, 0, 0)
    assert report.kept_from == {"bm25": 2}


def test_without_answers_no_passage_is_left_out_for_one() -> None:
    assert mined_ids(DprExample(EXAMPLE.query, (GOLD,)), num_hard_negatives=10) == ["answer", "close", "far"]


def test_the_first_ones_are_kept_and_the_rest_is_not_read() -> None:
    report = MiningReport()
    assert mined_ids(EXAMPLE, report) == ["close"]
    assert rejected(report) == {"positive": 2, "answer": 1}


def test_each_negative_says_where_it_was_found() -> None:
    [mined] = miner().mine([EXAMPLE])
    [negative] = mined.hard_negatives
    assert (negative.source, negative.rank, negative.score, negative.cross_encoder) == ("bm25", 4, 7.0, None)


def test_a_question_with_too_few_negatives_loses_those_it_had_and_is_counted() -> None:
    report = MiningReport()
    both = [EXAMPLE, replace(EXAMPLE, query=Query("q2", "Why?"))]
    found = list(miner("gold", "copy").mine(both, report))
    assert [each.hard_negatives for each in found] == [(), ()]
    assert (report.questions, report.short, report.without_negative) == (2, 2, 2)
    report = MiningReport()
    assert mined_ids(EXAMPLE, report, num_hard_negatives=3) == ["close", "far"]
    assert (report.short, report.without_negative) == (1, 0)


def test_old_negatives_stay_where_asked_and_are_not_mined_again() -> None:
    report = MiningReport()
    [mined] = miner(keep_old=True, num_hard_negatives=2).mine([EXAMPLE], report)
    assert [each.id for each in mined.hard_negatives] == ["far", "close"]
    assert rejected(report) == {"positive": 2, "answer": 1, "copy": 2}
    assert report.short == 1


def test_only_the_given_depth_is_searched() -> None:
    searcher = FixedSearcher(*CORPUS)
    [mined] = miner(sources=[Source("bm25", searcher)], depth=3).mine([EXAMPLE])
    assert mined.hard_negatives == ()
    assert searcher.calls == [(1, 3)]


def test_examples_stream_in_batches_and_keep_their_order() -> None:
    read: list[int] = []

    def examples() -> Iterator[DprExample]:
        for row in range(BATCH_SIZE + 3):
            read.append(row)
            yield DprExample(Query(str(row), "When?"), (GOLD,))

    searcher = FixedSearcher("far")
    mined = miner(sources=[Source("bm25", searcher)]).mine(examples())
    first = next(mined)
    assert len(read) == BATCH_SIZE
    assert [first.query.id, *(each.query.id for each in mined)] == [str(row) for row in range(BATCH_SIZE + 3)]
    assert searcher.calls == [(BATCH_SIZE, 100), (3, 100)]


def test_a_passage_that_the_corpus_lacks_is_an_error() -> None:
    with pytest.raises(InputError) as error:
        list(miner("elsewhere").mine([EXAMPLE]))
    assert str(error.value) == "the search found passage 'elsewhere', which is not in the corpus"


def test_every_filter_can_be_off() -> None:
    off = Filters(positives=False, answers=False, near_duplicate=None)
    assert mined_ids(EXAMPLE, filters=off, num_hard_negatives=9) == ["gold", "answer", "close", "far"]


def test_the_first_ranks_can_be_skipped() -> None:
    report = MiningReport()
    assert mined_ids(EXAMPLE, report, filters=Filters(first_rank=5)) == ["close again"]
    assert rejected(report) == {"positive": 2, "rank": 2}


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        (Filters(max_share=0.75), ["far"]),  # the positive scores 9; 0.75 of it is 6.75, far has 6
        (Filters(max_share=0.8), ["close", "far"]),  # 7.2, close has 7
        (Filters(min_margin=2), ["close", "far"]),
        (Filters(min_margin=2.5), ["far"]),
        (Filters(min_margin=2, max_share=0.5), []),
    ],
)
def test_what_scores_too_near_the_positive_is_rejected(filters, kept) -> None:
    settings = {"passages": CORPUS | {"random": RANDOM}, "filters": filters, "num_hard_negatives": 9}
    [mined] = miner("answer", "gold", "random", "close", "far", **settings).mine([EXAMPLE])
    assert [each.id for each in mined.hard_negatives] == kept


def test_below_zero_a_share_of_the_positives_score_lies_below_it() -> None:
    class Negative(FixedSearcher):
        def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
            return [Ranking(["gold", "close", "far"], [-10, -10.4, -10.6])]

    sources = [Source("dot", Negative())]
    [mined] = miner(sources=sources, filters=Filters(max_share=0.95), num_hard_negatives=9).mine([EXAMPLE])
    assert [each.id for each in mined.hard_negatives] == ["far"]  # -10 - 0.05 * 10 = -10.5


def test_a_positive_outside_the_ranking_rejects_all_by_score_and_is_counted() -> None:
    report = MiningReport()
    [mined] = miner("close", "far", filters=Filters(max_share=0.95)).mine([EXAMPLE], report)
    assert mined.hard_negatives == ()
    assert (report.positive_not_found, rejected(report)) == (1, {"score": 2})


def test_the_positives_score_is_found_by_text_where_its_id_is_of_another_corpus() -> None:
    example = replace(EXAMPLE, positives=(replace(GOLD, id="x"),))
    report = MiningReport()
    found = miner("copy", "close", filters=Filters(min_margin=1)).mine([example], report)
    assert [each.id for each in next(found).hard_negatives] == ["close"]
    assert report.positive_not_found == 0


def test_near_duplicates_of_the_positive_are_rejected() -> None:
    words = [f"word{number}" for number in range(22)]  # 20 runs of three
    changed = [*words[:-1], "other"]  # shares 19 of 21
    corpus = {"gold": Passage("gold", " ".join(words)), "near": Passage("near", " ".join(changed))}
    example = DprExample(Query("q", "?"), (corpus["gold"],))
    for limit, kept in ((0.9, 0), (0.91, 1), (None, 1)):
        filters = Filters(near_duplicate=limit)
        [mined] = miner("near", passages=corpus, filters=filters).mine([example])
        assert len(mined.hard_negatives) == kept, limit
    assert 19 / 21 == pytest.approx(0.9048, abs=1e-4)


def test_passages_without_text_are_told_apart_by_their_titles() -> None:
    corpus = {each: Passage(each, " ", f"title {each}") for each in ("a", "b", "c")}
    example = DprExample(Query("q", "?"), (corpus["a"],))
    [mined] = miner("a", "b", "c", passages=corpus, num_hard_negatives=9).mine([example])
    assert [each.id for each in mined.hard_negatives] == ["b", "c"]


def test_answers_alone_find_the_positive_in_the_first_source() -> None:
    example = replace(EXAMPLE, positives=(), answers=("March",))
    report = MiningReport()
    sources = [Source("a", FixedSearcher("far", "close", "gold")), Source("b", FixedSearcher("gold"))]
    none = replace(example, answers=("Oslo",))
    mined = list(miner(sources=sources, num_hard_negatives=2).mine([none, example], report))
    assert [each.positives for each in mined] == [(CORPUS["close"],)]
    assert (report.questions, report.without_positive) == (1, 1)


def test_a_cross_encoder_is_asked_last_and_the_next_one_takes_the_place() -> None:
    asked = []

    def cross_encoder(pairs):
        asked.append([passage.id for _, passage in pairs])
        return np.array([{"close": 0.5, "far": 0.05}[passage.id] for _, passage in pairs], np.float32)

    report = MiningReport()
    settings = {"cross_encoder_below": 0.1, "cross_encoder": cross_encoder}
    [mined] = miner(**settings).mine([EXAMPLE], report)
    [negative] = mined.hard_negatives
    assert negative.id == "far" and negative.cross_encoder == pytest.approx(0.05)
    assert asked == [["close"], ["far"]]
    assert report.rejected["cross_encoder"] == 1


def test_several_sources_give_their_shares_over_all_questions_and_no_passage_twice() -> None:
    texts = {str(number): Passage(str(number), f"text {number}") for number in range(20)}
    sources = [
        Source("bm25", FixedSearcher(*map(str, range(10))), share=3),
        Source("dense", FixedSearcher(*map(str, range(5, 20))), share=1),
    ]
    examples = [DprExample(Query(str(row), "?"), (GOLD,)) for row in range(8)]
    report = MiningReport()
    mined = list(miner(sources=sources, passages=texts, num_hard_negatives=2).mine(examples, report))
    assert all(len({each.id for each in example.hard_negatives}) == 2 for example in mined)
    assert report.kept_from == {"bm25": 12, "dense": 4}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 200))
def test_turns_stay_near_the_shares_whenever_one_stops(shares, total) -> None:
    counts = Counter(islice(in_turn(shares), total))
    for source, share in enumerate(shares):
        assert abs(counts[source] - total * share / sum(shares)) < len(shares)


def test_every_verdict_is_shown_to_who_watches() -> None:
    seen: list[Selection] = []
    list(miner().mine([EXAMPLE], watch=seen.append))
    assert [(each.id, reason) for each, reason in seen[0].verdicts] == [
        ("gold", "positive"),
        ("copy", "positive"),
        ("answer", "answer"),
        ("close", None),
    ]
