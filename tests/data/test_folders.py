import os
import shutil
from pathlib import Path

import pytest

from retriever.data.folders import replaced_folder, settle_folder, surviving_folder


def write(path: Path, text: str) -> None:
    with replaced_folder(path) as folder:
        (folder / "file").write_text(text)


def test_the_new_folder_takes_the_place_of_the_old_and_nothing_else_stays(tmp_path: Path) -> None:
    write(tmp_path / "model", "old")
    write(tmp_path / "model", "new")
    assert (tmp_path / "model" / "file").read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_an_exception_leaves_the_old_folder(tmp_path: Path) -> None:
    write(tmp_path / "model", "old")
    with pytest.raises(RuntimeError), replaced_folder(tmp_path / "model") as folder:
        (folder / "file").write_text("half")
        raise RuntimeError
    assert (tmp_path / "model" / "file").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_a_kill_between_the_renames_leaves_the_old_folder_findable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, renames = tmp_path / "model", []
    write(path, "old")
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        renames.append(target)
        if len(renames) == 2:
            os._exit(9)
        return rename(self, target)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Path, "rename", killed)
        write(path, "new")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not path.exists()
    assert (surviving_folder(path) / "file").read_text() == "old"
    write(path, "newest")  # and the next replacement starts from it
    assert (surviving_folder(path) / "file").read_text() == "newest"
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("left", "found"),
    [
        ({".model.previous": "old", ".model.new": "half"}, "old"),
        ({"model": "new", ".model.previous": "old"}, "new"),
        ({"model": "old", ".model.new": "half"}, "old"),
        ({".model.new": "half"}, None),
    ],
)
def test_whatever_a_kill_left_is_settled(tmp_path: Path, left: dict[str, str], found: str | None) -> None:
    for name, text in left.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(text)
    settle_folder(tmp_path / "model")
    texts = {each.name: (each / "file").read_text() for each in tmp_path.iterdir()}
    assert texts == ({} if found is None else {"model": found})


def test_without_a_predecessor_the_path_itself_survives(tmp_path: Path) -> None:
    assert surviving_folder(tmp_path / "model") == tmp_path / "model"
    write(tmp_path / "model", "old")
    shutil.rmtree(tmp_path / "model")
    assert surviving_folder(tmp_path / "model") == tmp_path / "model"
