import hashlib
import os
import stat
from pathlib import Path

import pytest

from retriever.data.files import atomic_file, file_sha256, read_json, require_new_folder, write_json
from retriever.errors import InputError


def test_the_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "out.txt"
    with atomic_file(path) as file:
        file.write("héllo\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == "héllo\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as file:
        file.write("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_are_written_as_they_are(tmp_path):
    with atomic_file(tmp_path / "b", "wb") as file:
        file.write(b"\x00\r\n\xff")
    assert (tmp_path / "b").read_bytes() == b"\x00\r\n\xff"


def test_permissions_are_those_of_an_ordinary_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    with atomic_file(tmp_path / "atomic"):
        pass
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "atomic")]
    assert modes[0] == modes[1]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with atomic_file(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_data_and_folder_reach_the_disk_in_order(tmp_path, monkeypatch):
    events = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: events.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
    )
    monkeypatch.setattr(Path, "replace", lambda self, target: events.append("rename"))
    with atomic_file(tmp_path / "out"):
        pass
    assert events == [False, "rename", True]


def test_a_missing_folder_is_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(InputError) as caught, atomic_file(tmp_path / "no" / "out.txt"):
        raise AssertionError("the body must not run")
    assert str(caught.value) == f"{tmp_path / 'no'}: no such folder"


def test_a_folder_is_no_file_to_write(tmp_path):
    with pytest.raises(InputError) as caught, atomic_file(tmp_path):
        raise AssertionError("the body must not run")
    assert str(caught.value) == f"{tmp_path}: is a folder, expected a file to write"


def test_json_is_readable_and_comes_back(tmp_path):
    path = tmp_path / "value.json"
    value = {"b": [1, 2.5, None], "a": "ü"}
    write_json(path, value)
    assert path.read_text() == '{\n  "b": [\n    1,\n    2.5,\n    null\n  ],\n  "a": "ü"\n}\n'
    assert read_json(path) == value


def test_nan_is_refused_and_the_old_json_stays(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    assert read_json(path) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n "b": }', ":2: invalid JSON: Expecting value"),
        (b"", ":1: invalid JSON: Expecting value"),
        (b'"\xff"', ": not UTF-8"),
        (b"[" * 100_000, ":1: invalid JSON: number too long or nesting too deep"),
        (b"1" * 10_000, ":1: invalid JSON: number too long or nesting too deep"),
    ],
)
def test_broken_json_is_an_error(tmp_path, content, message):
    path = tmp_path / "value.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_json(path)
    assert str(caught.value) == f"{path}{message}"


def test_missing_files_and_folders_are_errors(tmp_path):
    for read in (read_json, file_sha256):
        with pytest.raises(InputError) as caught:
            read(tmp_path / "no")
        assert str(caught.value) == f"{tmp_path / 'no'}: no such file"
        with pytest.raises(InputError) as caught:
            read(tmp_path)
        assert str(caught.value) == f"{tmp_path}: is a folder, expected a file"


def test_an_output_folder_is_new_or_empty(tmp_path):
    require_new_folder(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    require_new_folder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        require_new_folder(tmp_path)
    assert str(caught.value) == f"{tmp_path}: output folder exists and is not empty"
    with pytest.raises(InputError) as caught:
        require_new_folder(tmp_path / "file")
    assert str(caught.value) == f"{tmp_path / 'file'}: output folder exists and is a file"


def test_sha256_is_that_of_the_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "f").write_bytes(content)
    assert file_sha256(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_an_output_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError) as error:
        require_new_folder(tmp_path / "file" / "run" / "1")
    assert str(error.value) == f"{tmp_path / 'file'}: is a file, so no output folder can be made in it"
