from pathlib import Path

import pytest

from retriever.data.json_record import JsonRecord, read_records
from retriever.errors import InputError


def record_of(**values):
    return JsonRecord(values, Path("a.jsonl"), 7)


def test_null_is_the_same_as_missing_for_what_is_optional():
    for record in (record_of(), record_of(id=None, title=None, answers=None, ids=None, contexts=None)):
        assert record.id("id", "_id") is None
        assert record.optional_text("title") == ""
        assert record.texts("answers") == ()
        assert record.ids("ids") == ()
        assert record.records("contexts") == []


def test_the_first_name_that_is_there_gives_the_id():
    assert record_of(id=None, _id=12).id("id", "_id") == "12"
    assert record_of(id="a", _id="b").id("id", "_id") == "a"


def test_ids_are_one_or_a_list_and_each_comes_once():
    assert record_of(ids="a").ids("ids") == ("a",)
    assert record_of(ids=[2, "a", "2"]).ids("ids") == ("2", "a")


def test_inner_records_name_their_place():
    inner = record_of(contexts=[{"text": "x"}, {"text": 3}]).records("contexts")
    assert inner[0].text("text") == "x"
    with pytest.raises(InputError) as caught:
        inner[1].text("text")
    assert str(caught.value) == "a.jsonl:7: contexts[1]: 'text' must be a string, found a number"


def test_records_know_their_line(tmp_path):
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n')
    assert list(read_records(tmp_path / "a.jsonl")) == [JsonRecord({"a": 1}, tmp_path / "a.jsonl", 2)]
