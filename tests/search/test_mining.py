from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from retriever.errors import InputError
from retriever.records import DprExample, Passage, Query, Ranking
from retriever.search.mining import BATCH_SIZE, MiningReport, mine_hard_negatives

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
    """Ranks the same passages for every question, and remembers each call."""

    def __init__(self, *ids: str) -> None:
        self.ids = ids
        self.calls: list[tuple[int, int]] = []

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        self.calls.append((len(queries), k))
        ids = self.ids[:k]
        return [Ranking(ids, [-float(rank) for rank in range(len(ids))]) for _ in queries]


def mined_ids(example: DprExample, num_hard_negatives: int, report: MiningReport | None = None) -> list[str]:
    [mined] = mine_hard_negatives(
        [example], FixedSearcher(*CORPUS), CORPUS, num_hard_negatives=num_hard_negatives, report=report
    )
    assert replace(mined, hard_negatives=()) == replace(example, hard_negatives=())
    return [passage.id for passage in mined.hard_negatives]


def test_positives_answers_and_duplicates_are_left_out() -> None:
    report = MiningReport()
    assert mined_ids(EXAMPLE, 10, report) == ["close", "far"]
    assert report == MiningReport(
        questions=1, kept=2, dropped_as_positive=2, dropped_by_answer=1, dropped_as_duplicate=1
    )


def test_without_answers_no_passage_is_left_out_for_one() -> None:
    assert mined_ids(DprExample(EXAMPLE.query, (GOLD,)), 10) == ["answer", "close", "far"]


def test_the_first_ones_are_kept_and_the_rest_is_not_read() -> None:
    report = MiningReport()
    assert mined_ids(EXAMPLE, 1, report) == ["close"]
    assert report == MiningReport(questions=1, kept=1, dropped_as_positive=2, dropped_by_answer=1)


def test_a_question_without_negatives_loses_those_it_had_and_is_counted() -> None:
    report = MiningReport()
    searcher = FixedSearcher("gold", "copy")
    [mined] = mine_hard_negatives([EXAMPLE], searcher, CORPUS, report=report)
    assert mined.hard_negatives == ()
    assert report == MiningReport(questions=1, without_negative=1, dropped_as_positive=2)


def test_only_the_given_depth_is_searched() -> None:
    searcher = FixedSearcher(*CORPUS)
    [mined] = mine_hard_negatives([EXAMPLE], searcher, CORPUS, depth=3)
    assert mined.hard_negatives == ()
    assert searcher.calls == [(1, 3)]


def test_examples_stream_in_batches_and_keep_their_order() -> None:
    read: list[int] = []

    def examples() -> Iterator[DprExample]:
        for row in range(BATCH_SIZE + 3):
            read.append(row)
            yield DprExample(Query(str(row), "When?"), (GOLD,))

    searcher = FixedSearcher("far")
    mined = mine_hard_negatives(examples(), searcher, CORPUS)
    first = next(mined)
    assert len(read) == BATCH_SIZE
    assert [first.query.id, *(each.query.id for each in mined)] == [str(row) for row in range(BATCH_SIZE + 3)]
    assert searcher.calls == [(BATCH_SIZE, 100), (3, 100)]


def test_a_passage_that_the_corpus_lacks_is_an_error() -> None:
    with pytest.raises(InputError) as error:
        list(mine_hard_negatives([EXAMPLE], FixedSearcher("elsewhere"), CORPUS))
    assert str(error.value) == "the search found passage 'elsewhere', which is not in the corpus"
