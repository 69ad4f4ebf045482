import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.hits import hits_of, show_hits, snippet
from cli.search import batched, queries_of, typed_questions
from retriever.config.search import SearchConfig
from retriever.errors import InputError
from retriever.records import Passage, Query, Ranking
from retriever.search.fusion import Fusion, fuse

PASSAGES = {"a": Passage("a", "Text of a.", "Title A"), "b": Passage("b", "Text of b.")}
RANKING = Ranking(["b", "a"], [2.5, 0.125])


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
    show_hits(query, hits_of(query, RANKING, PASSAGES))
    assert capsys.readouterr().out.splitlines() == [
        "why?",
        "rank  score   id  title    text",
        "1     2.50    b            Text of b.",
        "2     0.1250  a   Title A  Text of a.",
    ]


def test_the_table_of_a_fused_ranking_has_a_short_column_a_side(capsys):
    query = Query("7", "why?")
    show_hits(query, hits_of(query, FUSED, PASSAGES, lambda question, id: [("text", 11.25), ("of", 1.25)]))
    assert capsys.readouterr().out.splitlines() == [
        "why?",
        "rank  score   dense    bm25     id  title    words               text",
        "1     0.0325  1: 0.75  2: 3     b            text 11.2, of 1.25  Text of b.",
        "2     0.0164           1: 12.5  a   Title A  text 11.2, of 1.25  Text of a.",
    ]


def test_words_cannot_be_asked_for_where_no_words_are_searched():
    with pytest.raises(InputError) as error:
        SearchConfig.resolve({"index": "i", "explain": True})
    assert str(error.value) == "explain shows the words of a BM25 score: it needs --mode bm25 or hybrid"


def test_settings_of_fusion_are_refused_in_other_modes():
    with pytest.raises(InputError) as error:
        SearchConfig.resolve({"index": "i", "mode": "bm25", "fusion_weight": 2.0})
    assert str(error.value) == "fusion_weight is of mode hybrid, and the mode is bm25"
    given = {"index": "i", "mode": "hybrid", "fusion": "rrf", "fusion_depth": 50, "rrf_k": 10}
    assert SearchConfig.resolve(given).fusion_settings() == {"method": "rrf", "depth": 50, "rrf_k": 10}


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


def test_questions_from_a_pipe_are_its_lines_without_the_empty_ones(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("who?\n\n  why? \n"))
    assert list(typed_questions()) == ["who?", "why?"]
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_the_question_of_the_command_line_is_the_only_one():
    config = SearchConfig.resolve({"index": "i", "question": "who?"})
    assert list(queries_of(config)) == [Query("1", "who?")]


def test_questions_of_a_file_keep_their_ids(tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text('{"id": "x", "question": "who?"}\n{"question": "why?"}\n')
    config = SearchConfig.resolve({"index": "i", "questions": file})
    assert list(queries_of(config)) == [Query("x", "who?"), Query("2", "why?")]


def test_batches_hold_every_question_once_and_in_order():
    queries = [Query(str(number), "q") for number in range(7)]
    assert [len(batch) for batch in batched(queries, 3)] == [3, 3, 1]
    assert [query for batch in batched(queries, 3) for query in batch] == queries


def test_a_batch_of_one_does_not_wait_for_the_next_question():
    asked = []

    def questions():
        for number in range(2):
            asked.append(number)
            yield Query(str(number), "q")

    next(batched(questions(), 1))
    assert asked == [0]


def test_an_empty_question_is_refused() -> None:
    config = SearchConfig(index=Path("index"), question=" ")
    with pytest.raises(InputError) as error:
        list(queries_of(config))
    assert str(error.value) == "the question is empty"


def test_a_question_that_finds_nothing_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_hits(Query("1", "the of"), [])
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "no passage has any of the words of 'the of'\n")
