"""Replacing a whole folder so that a kill at any moment leaves the old one or the new one, and a way to find it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retriever.data.files import sync_folder


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A folder to write into; at the end it takes the place of ``path``. On an exception ``path`` stays as it was.

    No system call replaces a folder that is not empty, so the old one steps aside for a moment; ``surviving_folder``
    finds it there if the process dies in between.
    """
    new, previous = _beside(path, "new"), _beside(path, "previous")
    path.parent.mkdir(parents=True, exist_ok=True)
    if previous.exists() and not path.exists():  # a kill between the two renames below
        previous.rename(path)
    for leftover in (new, previous):
        if leftover.exists():
            shutil.rmtree(leftover)
    new.mkdir()
    try:
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    sync_tree(new)
    if path.exists():
        path.rename(previous)
    new.rename(path)
    sync_folder(path.parent)
    if previous.exists():
        shutil.rmtree(previous)


def surviving_folder(path: Path) -> Path:
    """``path``, or its predecessor when a kill left only that."""
    previous = _beside(path, "previous")
    return previous if not path.exists() and previous.exists() else path


def sync_tree(folder: Path) -> None:
    """Force every file in the folder, and the folder itself, to the disk."""
    for file in folder.rglob("*"):
        if file.is_dir():
            sync_folder(file)
            continue
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    sync_folder(folder)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{suffix}")
