import io
import sys
from pathlib import Path

import pytest

from cli.search import queries_of, typed_questions
from retriever.config.retrieval import EvalRetrievalConfig
from retriever.config.search import SearchConfig
from retriever.config.slices import EvalSlicesConfig
from retriever.errors import InputError
from retriever.records import Query


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


@pytest.mark.parametrize("name", ["model", "passage_model"])
def test_a_model_is_refused_where_words_alone_are_searched(name):
    questions = {"index": Path("i"), "questions": Path("q")}
    for config, given in ((SearchConfig, {"index": Path("i")}), (EvalRetrievalConfig, questions)):
        with pytest.raises(InputError) as error:
            config.resolve({**given, "mode": "bm25", name: "m"})
        assert str(error.value) == f"{name} is of modes dense and hybrid, and the mode is bm25"
        for mode in ("dense", "hybrid"):
            config.resolve({**given, "mode": mode, name: "m"})
        config.resolve(
            {**given, "mode": "bm25", "device": "cpu", "precision": "fp32"}
        )  # a script's for all modes
    EvalSlicesConfig.resolve({**questions, "mode": "bm25", "against": "dense", name: "m"})


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


def test_an_empty_question_is_refused() -> None:
    config = SearchConfig(index=Path("index"), question=" ")
    with pytest.raises(InputError) as error:
        list(queries_of(config))
    assert str(error.value) == "the question is empty"
