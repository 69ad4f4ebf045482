import os

from retriever.data.documents.folder import find_files
from retriever.errors import InputError


def found(folder):
    skipped = []
    files = list(find_files(folder, lambda path, reason: skipped.append((path.name, str(reason)))))
    return [file.relative_to(folder).as_posix() for file in files], skipped


def test_files_come_sorted_by_name_within_each_folder(tmp_path):
    for name in ("b/2.txt", "b/10.txt", "a.txt", "c.txt", "b.txt", "Z.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert found(tmp_path) == (["Z.txt", "a.txt", "b/10.txt", "b/2.txt", "b.txt", "c.txt"], [])


def test_what_is_passed_over_has_a_reason(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.txt").touch()
    (tmp_path / ".hidden").touch()
    (tmp_path / "dead").symlink_to("nowhere")
    (tmp_path / "here").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.txt").symlink_to("real.txt")
    (tmp_path / "real.txt").touch()
    files, skipped = found(tmp_path)
    assert files == ["link.txt", "real.txt"]
    assert skipped[:4] == [
        (".git", "hidden"),
        (".hidden", "hidden"),
        ("dead", "broken link"),
        ("here", "link to a folder"),
    ]
    assert skipped[4] == ("pipe", "no regular file")
    assert skipped[5:] == [("self", "broken link")]


def test_a_name_that_is_no_text_is_passed_over(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).touch()
    assert [reason for _, reason in found(tmp_path)[1]] == ["name is not UTF-8"]


def test_a_folder_that_cannot_be_read_is_an_error_for_the_caller_to_judge(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.txt").touch()
    scan = os.scandir

    def refuse(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    skipped = []
    files = list(find_files(tmp_path, lambda path, reason: skipped.append(reason)))
    assert [file.name for file in files] == ["open.txt"]
    assert isinstance(skipped[0], InputError) and skipped[0].message == "cannot read: Permission denied"


def test_a_single_file_is_itself_even_when_it_is_hidden(tmp_path):
    (tmp_path / ".notes.txt").touch()
    assert list(find_files(tmp_path / ".notes.txt", lambda *_: None)) == [tmp_path / ".notes.txt"]
