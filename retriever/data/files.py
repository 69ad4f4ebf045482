"""Files that are whole or not there: crash-safe writing, JSON both ways, output folders, checksums."""

import hashlib
import json
import logging
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from retriever.errors import InputError

logger = logging.getLogger(__name__)


@contextmanager
def atomic_file(path: Path, mode: Literal["w", "wb"] = "w") -> Iterator[IO[Any]]:
    r"""Open a file for writing that appears under its name only when it is complete.

    What is written goes to a temporary file in the same folder, reaches the disk, and is renamed over
    ``path`` at the end. On an exception the temporary file is removed and ``path`` is as it was. Text is
    UTF-8 with ``\n`` line ends.

    Args:
        path: the file to write; a symbolic link stays, and what it points to is replaced.
        mode: ``"w"`` for text, ``"wb"`` for bytes.

    Raises:
        InputError: before anything is written, when the folder does not exist or cannot be written, or
            ``path`` is a folder.
    """
    target = path.resolve()  # renaming over a link would turn the link into a file
    _require_place(path)
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        file = _create(temporary, mode)
    except OSError as error:
        raise InputError(f"cannot write here: {error.strerror}", path=path) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _create(path: Path, mode: Literal["w", "wb"]) -> IO[Any]:
    # Exclusive creation, and not tempfile: its files are readable by their owner only, whatever the umask.
    if mode == "wb":
        return path.open("xb")
    return path.open("x", encoding="utf-8", newline="\n")


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk: a rename survives a power cut only then. Windows cannot open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file atomically: indented by 2, keys in the order given, non-ASCII letters as they are.

    What UTF-8 cannot hold (the name of a folder can) is escaped.

    Raises:
        InputError: as ``atomic_file``.
        ValueError: the value holds NaN or an infinity, which JSON does not know.
        TypeError: the value holds something that is not JSON.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as file:
        file.write(without_surrogates(text) + "\n")


def without_surrogates(text: str) -> str:
    r"""JSON in which halves of surrogate pairs, which are not UTF-8, are escaped (``\udcff``); the value is the same."""
    return text.encode(errors="backslashreplace").decode()


def without_nan(value: object) -> object:
    """The value with None in place of every number that is not finite."""
    if isinstance(value, Mapping):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> object:
    """The value in a JSON file.

    Raises:
        InputError: the file is missing, is a folder, is not UTF-8, or is not JSON (with the line).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not UTF-8", path=path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    return parse_json(text, path=path, line=1)


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        InputError: as ``read_json``, or it holds another value.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError("expected a JSON object", path=path)
    return found


def parse_json(text: str, *, path: Path, line: int) -> Any:  # noqa: ANN401  (any JSON value)
    """The value of a JSON text that begins at ``line`` of ``path``.

    Raises:
        InputError: it is not JSON, is nested too deeply, or holds a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"invalid JSON: {error.msg}", path=path, line=line + error.lineno - 1) from None
    except (ValueError, RecursionError):  # Python's own limits on digits and on depth
        raise InputError("invalid JSON: number too long or nesting too deep", path=path, line=line) from None


def unreadable(path: Path, error: OSError) -> InputError:
    """The InputError for a file that cannot be opened."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InputError("no such file", path=path)
    if isinstance(error, IsADirectoryError) or path.is_dir():
        return InputError("is a folder, expected a file", path=path)
    return InputError(f"cannot read: {error.strerror}", path=path)


def require_new_folder(path: Path) -> None:
    """Check that an output folder does not exist yet or is empty; it is not created.

    Raises:
        InputError: it holds something, is a file, or cannot be made where it is asked for.
    """
    above = next((each for each in path.absolute().parents if each.exists()), Path("/"))
    if not above.is_dir():
        raise InputError("is a file, so no output folder can be made in it", path=above)
    if not os.access(above, os.W_OK):
        raise InputError("no output folder can be made here: not permitted", path=above)
    if path.is_dir():
        if any(path.iterdir()):
            raise InputError("output folder exists and is not empty", path=path)
    elif path.exists():
        raise InputError("output folder exists and is a file", path=path)


def require_writable(path: Path) -> None:
    """Check, before long work, that a file can be written there: its folder exists and it is no folder itself.

    A file that is there already is replaced when the work is done, which is said.

    Raises:
        InputError: it cannot.
    """
    _require_place(path)
    if path.exists():
        logger.info("%s is there already, and will be replaced", path)


def _require_place(path: Path) -> None:
    if path.is_dir():
        raise InputError("is a folder, expected a file to write", path=path)
    if not path.parent.is_dir():
        raise InputError("no such folder", path=path.parent)
    if not os.access(path.parent, os.W_OK):
        raise InputError("cannot write here: not permitted", path=path)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from None
