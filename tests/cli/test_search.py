import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.search import batched, json_of, queries_of, show_ranking, snippet, typed_questions
from retriever.config.search import SearchConfig
from retriever.errors import InputError
from retriever.records import Passage, Query, Ranking

PASSAGES = {"a": Passage("a", "Text of a.", "Title A"), "b": Passage("b", "Text of b.")}
RANKING = Ranking(["b", "a"], [2.5, 0.125])


def test_one_json_object_a_question():
    assert json_of(Query("7", "why?"), RANKING, PASSAGES, None) == {
        "id": "7",
        "question": "why?",
        "hits": [
            {"rank": 1, "id": "b", "score": 2.5, "title": "", "snippet": "Text of b.", "text": "Text of b."},
            {
                "rank": 2,
                "id": "a",
                "score": 0.125,
                "title": "Title A",
                "snippet": "Text of a.",
                "text": "Text of a.",
            },
        ],
    }


def test_what_is_approximate_says_so():
    recall = {"recall@10": 0.96}
    assert json_of(Query("7", "why?"), RANKING, PASSAGES, recall)["approximate"] == recall


def test_the_table_has_the_question_as_its_title(capsys):
    show_ranking(Query("7", "why?"), RANKING, PASSAGES)
    assert capsys.readouterr().out.splitlines() == [
        "why?",
        "rank  score   id  title    text",
        "1     2.50    b            Text of b.",
        "2     0.1250  a   Title A  Text of a.",
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
    assert json_of(Query("1", "x"), Ranking([], []), PASSAGES, None)["hits"] == []


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
    show_ranking(Query("1", "the of"), Ranking((), ()), {})
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "no passage has any of the words of 'the of'\n")
