import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from retriever.errors import InputError
from retriever.evaluation.items import read_items, read_texts
from retriever.evaluation.results import (
    Evaluation,
    items_file,
    read_results,
    stored_result,
    tasks_of,
    write_results,
)

ONE = Evaluation(
    suite="retrieval",
    task="nq",
    policy={"k": 10, "cutoffs": (1, 5)},
    model={"name": "m", "fingerprint": "abc"},
    data={"path": "nq.jsonl", "sha256": "123"},
)
ITEMS = [{"id": "q1", "text": "who?", "mrr": 1.0}, {"id": "q2", "text": "where?", "mrr": 0.5}]


@pytest.fixture
def folder(tmp_path):
    write_results(tmp_path / "r", ONE, {"mrr": 0.75, "nothing": float("nan")}, ITEMS)
    return tmp_path / "r"


def test_what_is_written_is_read(folder):
    results = read_results(folder)
    assert list(results) == ["retrieval", "model", "policy", "data", "items", "versions"]
    assert results["retrieval"] == {"nq": {"mrr": 0.75, "nothing": None}}
    assert results["policy"]["retrieval"]["nq"] == {"k": 10, "cutoffs": [1, 5]}
    assert results["items"]["retrieval"]["nq"]["count"] == 2
    items = read_items(folder, results, "retrieval", "nq")
    assert items is not None and items.ids == ("q1", "q2") and not items.correlated
    np.testing.assert_array_equal(items.values["mrr"], [1.0, 0.5])
    assert read_texts(folder, "retrieval", "nq", ["q2"]) == {"q2": "where?"}


def test_tasks_and_suites_of_one_model_are_merged(folder):
    write_results(folder, replace(ONE, suite="sts", task="b"), {"spearman_all": 80.0})
    write_results(folder, replace(ONE, task="tqa"), {"mrr": 0.5}, ITEMS)
    results = read_results(folder)
    assert list(tasks_of(results)) == [("retrieval", "nq"), ("retrieval", "tqa"), ("sts", "b")]
    assert read_items(folder, results, "sts", "b") is None
    assert not items_file(folder, "sts", "b").exists()


def test_the_same_evaluation_is_there_and_said(folder, caplog):
    with caplog.at_level(logging.INFO):
        stored = stored_result(folder, ONE)
    assert stored is not None and stored.metrics == {"mrr": 0.75, "nothing": None}
    assert stored.evaluation.policy == {**ONE.policy, "cutoffs": [1, 5]}
    assert stored.versions == read_results(folder)["versions"]["retrieval"]["nq"]
    assert caplog.messages == [
        f"retrieval/nq is in {folder} already, with this model, policy and data: not computed again"
    ]
    assert stored_result(folder, ONE, replace=True) is None
    assert stored_result(folder, replace(ONE, task="tqa")) is None
    assert stored_result(folder / "new", ONE) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": {"k": 20, "cutoffs": (1, 5)}}, "policy (k)"),
        ({"data": {"sha256": "456"}}, "data (sha256)"),
        ({"policy": {"new": 1}, "data": {"sha256": "4"}}, "policy (new) and data (sha256)"),
    ],
)
def test_another_policy_or_other_data_are_refused_unless_replaced(folder, change, message):
    other = replace(ONE, **change)
    with pytest.raises(InputError) as error:
        stored_result(folder, other)
    end = "choose another --output, or --replace it"
    assert str(error.value) == f"{folder}: retrieval/nq is there with another {message}: {end}"
    assert stored_result(folder, other, replace=True) is None


def test_another_model_is_refused_even_to_replace(folder):
    other = replace(ONE, model={"name": "n", "fingerprint": "xyz"})
    before = (folder / "results.json").read_bytes()
    for attempt in (
        lambda: stored_result(folder, other, replace=True),
        lambda: write_results(folder, other, {}),
    ):
        with pytest.raises(InputError) as error:
            attempt()
        assert str(error.value) == (
            f"{folder}: holds results of 'm' (fingerprint abc), this is 'n' (fingerprint xyz): choose another --output"
        )
    assert (folder / "results.json").read_bytes() == before


def test_items_that_fail_leave_the_results_as_they_were(folder):
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match="two items have the id 'q1'"):
        write_results(folder, ONE, {"mrr": 0.1}, [*ITEMS, ITEMS[0]])
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_items_that_results_do_not_know_are_refused(folder):
    file = items_file(folder, "retrieval", "nq")
    file.write_text(file.read_text().replace("0.5", "0.6"))
    with pytest.raises(InputError) as error:
        read_items(folder, read_results(folder), "retrieval", "nq")
    assert str(error.value) == (
        f"{file}: these are not the items of {folder / 'results.json'}: evaluate again with --replace"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"steps": 3}, "not the results of an evaluation: no model with a fingerprint"),
        (
            {"sts": {"b": {}}, "model": {"fingerprint": "a"}, "policy": {}},
            "not the results of an evaluation: 'policy' does not tell of every task",
        ),
    ],
)
def test_other_results_are_refused(tmp_path, content, message):
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        read_results(tmp_path)
    assert str(error.value) == f"{tmp_path / 'results.json'}: {message}"


def test_names_that_cannot_be_files_or_suites_are_refused():
    with pytest.raises(InputError, match=r"a task called '\.\./x' cannot be kept: its name becomes a file's"):
        replace(ONE, task="../x")
    with pytest.raises(ValueError, match="a suite cannot be called 'model'"):
        replace(ONE, suite="model")
