import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data import json_array
from retriever.data.json_array import read_json_array, read_json_member
from retriever.errors import InputError

PATH = Path("train.json")


def objects_of(content):
    return list(read_json_array(io.BytesIO(content), PATH))


class CountingFile(io.BytesIO):
    def read(self, size=-1):
        self.asked = max(getattr(self, "asked", 0), size)
        return super().read(size)


def test_objects_come_with_the_line_they_start_on():
    content = b'\xef\xbb\xbf\n[ {"a": 1},\r\n\n  {"b":\n [2]}\n,{"c": 3}]\n\n'
    assert objects_of(content) == [(2, {"a": 1}), (4, {"b": [2]}), (6, {"c": 3})]


def test_an_empty_array_has_no_objects():
    assert objects_of(b" [ \n ] ") == []


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
def test_the_block_size_does_not_matter(monkeypatch, block):
    monkeypatch.setattr(json_array, "_BLOCK", block)
    objects = [{"é": '日本 \\ " \n'}, {"n": [1.5e-7, -12345678901, True, None]}, {}, {"long": "x" * 500}]
    for indent in (None, 4):
        content = json.dumps(objects, indent=indent, ensure_ascii=False)
        lines = [1] * 4 if indent is None else [2, 5, 13, 14]
        assert objects_of(content.encode()) == list(zip(lines, objects, strict=True))


def test_memory_holds_a_block_and_an_object(monkeypatch):
    monkeypatch.setattr(json_array, "_BLOCK", 100)
    file = CountingFile(json.dumps([{"a": "x" * 50}] * 1000).encode())
    assert len(list(read_json_array(file, PATH))) == 1000
    assert file.asked < 200


@given(
    st.lists(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False) | st.integers())),
    st.integers(1, 40),
)
def test_the_objects_are_those_of_json_loads(objects, block):
    before = json_array._BLOCK
    json_array._BLOCK = block
    try:
        assert [each for _, each in objects_of(json.dumps(objects).encode())] == objects
    finally:
        json_array._BLOCK = before


@pytest.mark.parametrize("block", [3, 1 << 20])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "train.json:1: expected a JSON array"),
        (b'\n{"a": 1}', "train.json:2: expected a JSON array"),
        (b'[{"a": 1},\n {"a" 1}]', "train.json:2: invalid JSON: Expecting ':' delimiter"),
        (b'[{"a": "x\n"}]', "train.json:1: invalid JSON: Invalid control character at"),
        (b'[{"a": 1},\n\n {"a":\n "x]', "train.json:4: invalid JSON: Unterminated string starting at"),
        (b'[{"a": 1},\n 17]', "train.json:2: expected a JSON object, found 17"),
        (b'[{"a": 1},\n null]', "train.json:2: expected a JSON object, found null"),
        (b'[{"a": 1}\n {"a": 2}]', "train.json:2: invalid JSON: Expecting ',' delimiter"),
        (b'[{"a": 1},\n', "train.json:2: invalid JSON: Expecting value"),
        (b'[{"a": 1}\n', "train.json:2: invalid JSON: the array does not end"),
        (b'[{"a": 1}]\n[]', "train.json:2: invalid JSON: Extra data"),
        (b'[{"a": 1},\n{"a": "\xff"}]', "train.json:2: not UTF-8"),
        (b'[{"a": "\xe6', "train.json:1: not UTF-8"),
        (b'[\n{"a": "\\ud800"}]', "train.json:2: a string holds half a surrogate pair"),
        (b'[\n{"a": ' + b"[" * 100_000, "train.json:2: invalid JSON: number too long or nesting too deep"),
        (
            b'[\n{"a": ' + b"9" * 9999 + b"}]",
            "train.json:2: invalid JSON: number too long or nesting too deep",
        ),
    ],
)
def test_a_broken_array_is_an_error_with_its_line(monkeypatch, block, content, message):
    monkeypatch.setattr(json_array, "_BLOCK", block)
    with pytest.raises(InputError) as caught:
        objects_of(content)
    assert str(caught.value) == message


def members_of(tmp_path, content, name="data"):
    path = tmp_path / "one.json"
    path.write_bytes(content.encode())
    with path.open("rb") as file:
        return list(read_json_member(file, path, name, [].append))


def test_the_array_under_a_name_is_read_wherever_it_stands(tmp_path):
    content = (
        '{"version": "1.1",\n "other": [1, {"data": []}],\n "data": [{"a": 1},\n {"a": 2}], "end": null}\n'
    )
    assert members_of(tmp_path, content) == [(3, {"a": 1}), (4, {"a": 2})]
    assert members_of(tmp_path, '{"data": []}') == []


@pytest.mark.parametrize("block", range(1, 40))
def test_a_number_that_a_block_cuts_is_read_whole(tmp_path, monkeypatch, block):
    monkeypatch.setattr(json_array, "_BLOCK", block)
    content = '{"version": 1.5, "scale": -2.5e+10, "data": [{"a": 1}], "last": 3}'
    assert members_of(tmp_path, content) == [(1, {"a": 1})]


def test_the_members_that_are_passed_over_are_named(tmp_path):
    path, names = tmp_path / "one.json", []
    path.write_text('{"version": "1", "data": [{}], "licence": null}')
    with path.open("rb") as file:
        assert list(read_json_member(file, path, "data", names.append)) == [(1, {})]
    assert names == ["version", "licence"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "1: expected a JSON object"),
        ("{}", " no 'data' in this object"),
        ('{"data": 1}', "1: expected a JSON array"),
        ('{"data": [{}]\n "x": 1}', "2: invalid JSON: Expecting ',' delimiter"),
        ('{"data" [{}]}', "1: invalid JSON: Expecting ':' delimiter"),
        ('{"data": [{}]', "1: invalid JSON: Expecting ',' delimiter"),
        ('{"data": [{}]} x', "1: invalid JSON: Extra data"),
        ('{"data": [{}],}', "1: invalid JSON: Expecting property name enclosed in double quotes"),
        ('{1: 2, "data": []}', "1: invalid JSON: Expecting property name enclosed in double quotes"),
    ],
)
def test_an_object_that_is_wrong_is_told_with_its_line(tmp_path, content, message):
    with pytest.raises(InputError) as caught:
        members_of(tmp_path, content)
    assert str(caught.value) == f"{tmp_path / 'one.json'}:{message}"
