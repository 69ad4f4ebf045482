import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.hits import hits_of, show_hits, snippet
from retriever.choices import SearchMode
from retriever.records import Passage, Query, Ranking
from retriever.search.fusion import Fusion, fuse

PASSAGES = {"a": Passage("a", "Text of a.", "Title A"), "b": Passage("b", "Text of b.")}
RANKING = Ranking(["b", "a"], [2.5, 0.125])
LOST = (
    "no passage that the search reached for 'the of' is still there: ctl index compact drops what was removed"
)


def test_one_json_object_a_hit():
    assert hits_of(Query("7", "why?"), RANKING, PASSAGES) == [
        {"rank": 1, "id": "b", "score": 2.5, "title": "", "snippet": "Text of b.", "text": "Text of b."},
        {
            "rank": 2,
            "id": "a",
            "score": 0.125,
            "title": "Title A",
            "snippet": "Text of a.",
            "text": "Text of a.",
        },
    ]


FUSED = fuse(Ranking(["b"], [0.75]), Ranking(["a", "b"], [12.5, 3.0]), Fusion("rrf", 1.0), 5)


def test_a_hit_of_a_fused_ranking_has_rank_and_score_of_both_sides():
    first, second = hits_of(Query("7", "why?"), FUSED, PASSAGES)
    assert (first["id"], first["dense"], first["bm25"]) == (
        "b",
        {"rank": 1, "score": 0.75},
        {"rank": 2, "score": 3.0},
    )
    assert (second["id"], second["dense"], second["bm25"]) == ("a", None, {"rank": 1, "score": 12.5})


def test_the_words_of_a_hit_are_shown_when_asked_for():
    def explain(question, passage_id):
        return [(question, 2.0), (passage_id, 0.5)]

    assert [each["words"] for each in hits_of(Query("7", "why?"), RANKING, PASSAGES, explain)] == [
        {"why?": 2.0, "b": 0.5},
        {"why?": 2.0, "a": 0.5},
    ]


def test_the_table_has_the_question_as_its_title(capsys):
    query = Query("7", "why?")
    show_hits(query, hits_of(query, RANKING, PASSAGES), "dense")
    assert capsys.readouterr().out.splitlines() == [
        "why?",
        "rank  score   id  title    text",
        "1     2.50    b            Text of b.",
        "2     0.1250  a   Title A  Text of a.",
    ]


def test_the_table_of_a_fused_ranking_has_a_short_column_a_side(capsys):
    query = Query("7", "why?")
    show_hits(
        query, hits_of(query, FUSED, PASSAGES, lambda question, id: [("text", 11.25), ("of", 1.25)]), "hybrid"
    )
    assert capsys.readouterr().out.splitlines() == [
        "why?",
        "rank  score   dense    bm25     id  title    words               text",
        "1     0.0325  1: 0.75  2: 3     b            text 11.2, of 1.25  Text of b.",
        "2     0.0164           1: 12.5  a   Title A  text 11.2, of 1.25  Text of a.",
    ]


@given(st.lists(st.sampled_from(["the", "piano", "Grace", "Hopper", "wrote", "a", "compiler."]), max_size=90))
def test_a_snippet_is_a_part_of_the_text_with_as_many_words_of_the_question_as_any(words):
    def hits(some):
        return sum(word.casefold().strip(".") in ("grace", "hopper", "compiler") for word in some)

    shown = snippet(" ".join(words), "Grace Hopper's compiler? by Hopper")
    own = [word for word in shown.split() if word != "…"]
    assert len(" ".join(own)) <= 240
    windows = [words[first : first + len(own)] for first in range(len(words) - len(own) + 1)]
    assert own in windows
    assert hits(own) >= max(map(hits, windows))


def test_a_snippet_says_where_text_is_left_out():
    assert snippet("short", "what?") == "short"
    assert snippet("", "what?") == ""
    long = "filler " * 60 + "Hopper wrote it. " + "more " * 60
    shown = snippet(long, "who is Hopper?")
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert "Hopper wrote it." in shown
    assert snippet("字" * 1000, "字") == "字" * 240 + " …"


def test_nothing_found_is_an_empty_list():
    assert hits_of(Query("1", "x"), Ranking([], []), PASSAGES) == []


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("bm25", "no passage has any of the words of 'the of'"),
        ("dense", LOST),
        ("hybrid", LOST),
    ],
)
def test_a_question_that_finds_nothing_is_told_why(
    capsys: pytest.CaptureFixture[str], mode: SearchMode, told: str
) -> None:
    show_hits(Query("1", "the of"), [], mode)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", told + "\n")
