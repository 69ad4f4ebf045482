"""Files out of a tar or zip archive, those that are wanted, and never outside their folder."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from retriever.errors import InputError

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError)


def extract(archive: Path, wanted: Callable[[str], str | None], folder: Path) -> list[Path]:
    """Write the wanted members of an archive into a folder, one after the other, streamed.

    Args:
        archive: a ``.zip``, or a tar file with any compression.
        wanted: a member's name (without ``./``) → where it goes in the folder, or None.
        folder: made if missing.

    Returns:
        The files, in the order of the archive.

    Raises:
        InputError: not a complete archive, a member whose name leaves the folder, one that is wanted and no file or
            occurs twice, or a file that cannot be written.
    """
    files: dict[Path, None] = {}
    with _reading(archive), _members(archive) as members:
        for name, opened in members:
            target = wanted(_safe(name, archive))
            if target is None:
                continue
            source = opened()
            if source is None:
                raise InputError(f"member '{name}' is no ordinary file", path=archive)
            if folder / target in files:
                raise InputError(f"member '{name}' occurs twice", path=archive)
            files[folder / target] = None
            with source:
                _write(folder / target, _blocks(source, archive))
    return list(files)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise InputError(f"not a complete archive ({error})", path=archive) from None


def _blocks(source: IO[bytes], archive: Path) -> Iterator[bytes]:
    with _reading(archive):
        while block := source.read(1 << 20):
            yield block


def _write(path: Path, blocks: Iterable[bytes]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.writelines(blocks)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=path) from None


def extract_all(archive: Path, names: Iterable[str], folder: Path) -> dict[str, Path]:
    """Write these members into a folder, under their last names; errors as ``extract``, or one is not in the archive."""
    missing = dict.fromkeys(names)
    extract(archive, lambda name: PurePosixPath(name).name if name in missing else None, folder)
    found = {name: folder / PurePosixPath(name).name for name in missing}
    for name, file in found.items():
        if not file.exists():
            raise InputError(f"no member '{name}' in this archive", path=archive)
    return found


def _safe(name: str, archive: Path) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name:
        raise InputError(f"member '{name}' would be written outside of the folder", path=archive)
    return str(path)


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[str, Callable[[], IO[bytes] | None]]]]:
    """Names, and how to open each; None is opened where there is no ordinary file."""
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            yield ((each.filename, partial(_open_zipped, zipped, each)) for each in zipped.infolist())
        return
    with tarfile.open(archive) as tar:
        yield ((each.name, partial(_open_tarred, tar, each)) for each in tar)


def _open_zipped(zipped: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes] | None:
    return None if member.is_dir() else zipped.open(member)


def _open_tarred(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes] | None:
    return tar.extractfile(member) if member.isreg() else None
