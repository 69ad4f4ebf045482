import pytest

from retriever.records import Hit, Ranking, content_id


def test_a_ranking_is_a_sequence_of_hits() -> None:
    ranking = Ranking(["b", "a"], [2.0, 1.0])
    assert list(ranking) == [Hit("b", 2.0), Hit("a", 1.0)]
    assert ranking[1] == Hit("a", 1.0)
    assert ranking.head(1) == Ranking(["b"], [2.0])
    assert ranking == Ranking(("b", "a"), [2, 1])


@pytest.mark.parametrize(
    ("ids", "scores"),
    [(["a"], [1.0, 2.0]), (["a", "b"], [1.0, 2.0]), (["a", "a"], [2.0, 1.0]), (["a"], [float("nan")])],
)
def test_a_ranking_that_is_none_is_refused(ids: list[str], scores: list[float]) -> None:
    with pytest.raises(ValueError, match="ranking"):
        Ranking(ids, scores)


def test_equal_scores_are_sorted_also_when_infinite() -> None:
    assert len(Ranking(["a", "b"], [float("-inf"), float("-inf")])) == 2


def test_content_ids_tell_title_from_text() -> None:
    assert content_id("b", "a") == content_id("b", "a") != content_id("ab", "")
