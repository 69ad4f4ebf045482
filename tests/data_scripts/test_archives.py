import io
import resource
import tarfile
import zipfile

import pytest
from archives import extract, extract_all

from retriever.errors import InputError


def make_tar(path, files, mode="w", links=()):
    with tarfile.open(path, mode) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return path


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return path


def everything(name):
    return name


FILES = {"./a/one.txt": "1" * 100_000, "a/b/two.txt": "2", "three.txt": "3"}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("x.tar", make_tar),
        ("x.tar.gz", lambda path, files: make_tar(path, files, "w:gz")),
        ("x.zip", make_zip),
    ],
)
def test_wanted_members_are_written_under_the_names_that_are_asked_for(tmp_path, name, make):
    archive = make(tmp_path / name, FILES)
    goes = {"a/one.txt": "first.txt", "a/b/two.txt": "deep/second.txt"}
    files = extract(archive, goes.get, tmp_path / "out")
    assert [each.relative_to(tmp_path / "out").as_posix() for each in files] == list(goes.values())
    assert (tmp_path / "out/first.txt").read_text() == "1" * 100_000
    assert (tmp_path / "out/deep/second.txt").read_text() == "2"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:/evil"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_that_would_leave_the_folder_is_refused(tmp_path, name, kind):
    archive = (make_tar if kind == "tar" else make_zip)(tmp_path / f"x.{kind}", {name: "!"})
    with pytest.raises(InputError, match="would be written outside of the folder"):
        extract(archive, everything, tmp_path / "out")
    assert not list(tmp_path.rglob("evil"))


def test_a_link_is_not_followed(tmp_path):
    archive = make_tar(tmp_path / "x.tar", {}, links=[("data", "/etc/passwd")])
    with pytest.raises(InputError, match="member 'data' is no ordinary file"):
        extract(archive, everything, tmp_path / "out")


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    archive = make_tar(tmp_path / "x.tar", {"a/x": "1", "b/x": "2"})
    with pytest.raises(InputError, match="member 'b/x' occurs twice"):
        extract(archive, lambda name: "x", tmp_path / "out")


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.zip"])
def test_a_truncated_archive_is_no_complete_archive(tmp_path, name):
    archive = tmp_path / name
    mode = "w:gz" if name.endswith("gz") else "w"
    files = {"one.txt": "".join(str(number) for number in range(50_000))}
    make_zip(archive, files) if name.endswith("zip") else make_tar(archive, files, mode)
    archive.write_bytes(archive.read_bytes()[:40_000])
    with pytest.raises(InputError, match="not a complete archive"):
        extract(archive, everything, tmp_path / "out")


@pytest.mark.parametrize("name", ["x.tar", "x.zip"])
def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, name):
    files = {"one.txt": "1" * 100_000}
    archive = (make_tar if name == "x.tar" else make_zip)(tmp_path / name, files)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
    try:
        with pytest.raises(InputError) as caught:
            extract(archive, everything, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == f"{tmp_path / 'out/one.txt'}: cannot be written: File too large"


def test_a_file_in_the_place_of_the_folder_is_no_fault_of_the_archive(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match=r"out/three\.txt: cannot be written: File exists"):
        extract(make_tar(tmp_path / "x.tar", {"three.txt": "3"}), everything, tmp_path / "out")


def test_something_else_is_no_archive(tmp_path):
    for name in ("x.tar.gz", "x.zip"):
        (tmp_path / name).write_bytes(b"<html>")
        with pytest.raises(InputError, match="not a complete archive"):
            extract(tmp_path / name, everything, tmp_path / "out")


def test_a_missing_member_is_named(tmp_path):
    archive = make_tar(tmp_path / "x.tar", FILES)
    assert extract_all(archive, ["three.txt"], tmp_path / "out") == {"three.txt": tmp_path / "out/three.txt"}
    with pytest.raises(InputError, match=r"no member 'a/four.txt' in this archive"):
        extract_all(archive, ["a/one.txt", "a/four.txt"], tmp_path / "other")
