"""Replacing a whole folder so that a kill at any moment leaves the old one or the new one; keeping it to one process."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from retriever.data.files import sync_folder
from retriever.errors import InputError


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A folder to write into; at the end it takes the place of ``path``. On an exception ``path`` stays as it was.

    No system call replaces a folder that is not empty, so the old one steps aside for a moment; ``surviving_folder``
    finds it there if the process dies in between.
    """
    new, previous = _beside(path, "new"), _beside(path, "previous")
    path.parent.mkdir(parents=True, exist_ok=True)
    settle_folder(path)
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


@contextmanager
def new_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder to write into, which gets its name when everything in it is on the disk; what a kill left on the way is deleted."""
    temporary = parent / f"{name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_tree(temporary)
    temporary.rename(parent / name)
    sync_folder(parent)


@contextmanager
def locked(file: Path, refusal: str, *, seconds: float = 0) -> Iterator[None]:
    """Hold a lock that the system takes away from a process that dies.

    Where a file system knows no such locks, a file stands for it, which a process that dies leaves there: on the same machine that is
    noticed, and on another one said.

    Args:
        file: the lock, made if missing; its folder is there.
        refusal: what to say when another process holds it.
        seconds: to wait for that process.

    Raises:
        InputError: another process holds it.
    """
    lock = FileLock(file, timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        remedy = "wait until it is done"
        holder = b""
        with suppress(FileNotFoundError):  # the other process is done this moment
            holder = file.read_bytes()
        if holder:  # a file in place of a lock names it
            remedy += f", or delete {file.name} here if it died on another machine"
        raise InputError(f"{refusal}: {remedy}", path=file.parent) from None
    except OSError as error:
        raise InputError(f"cannot write here: {error.strerror}", path=file.parent) from None
    try:
        yield
    finally:
        lock.release()


def drop_unused(folder: Path, lock: Path) -> None:
    """Delete a folder that holds nothing but its lock. To be called by who holds it: else another's could be deleted."""
    if set(folder.iterdir()) <= {lock}:
        lock.unlink(missing_ok=True)
        with suppress(OSError):  # another has just made its own
            folder.rmdir()


def remove(paths: Iterable[Path]) -> None:
    """Delete files, and folders with what is in them."""
    for each in paths:
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def settle_folder(path: Path) -> None:
    """Clear up what a kill in ``replaced_folder`` left: an old folder that stepped aside gets its name back, the rest is deleted."""
    new, previous = _beside(path, "new"), _beside(path, "previous")
    if previous.exists() and not path.exists():  # a kill between its two renames
        previous.rename(path)
    for leftover in (new, previous):
        if leftover.exists():
            shutil.rmtree(leftover)


def surviving_folder(path: Path) -> Path:
    """``path``, or its predecessor when a kill left only that; for readers, who leave everything as it is."""
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
