"""The files of a folder, in an order that is the same on every machine."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from retriever.data.documents.document import NoText
from retriever.errors import InputError


def find_files(folder: Path, skip: Callable[[Path, Exception], None]) -> Iterator[Path]:
    """Every regular file in a folder and the folders in it, sorted by name within each.

    Links to files are followed, links to folders are not: what they lead to would be read twice, or for ever.

    Args:
        folder: where to begin.
        skip: is called with each file or folder that is passed over, and a ``NoText`` with the reason, or an
            ``InputError`` for a folder that cannot be read.
    """
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            if path != folder:
                _require_plain(path)
            if not path.is_dir():
                yield path
                continue
            with os.scandir(path) as entries:
                names = sorted((entry.name for entry in entries), reverse=True)
            waiting += [path / name for name in names]
        except NoText as reason:
            skip(path, reason)
        except OSError as error:
            skip(path, InputError(f"cannot read: {error.strerror}", path=path))


def _require_plain(path: Path) -> None:
    if path.name.startswith("."):
        raise NoText("hidden")
    if not _is_text(path.name):
        raise NoText("name is not UTF-8")
    if not path.exists():
        raise NoText("broken link")
    if path.is_dir():
        if path.is_symlink():
            raise NoText("link to a folder")
    elif not path.is_file():
        raise NoText("no regular file")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
