"""Files of public data sets over HTTP: whole and checked, or not there; a broken download goes on where it stopped.

Bytes go into ``NAME.part``; the name itself appears when the file is complete and its checksum is right. What is half
there is used again only if the server says by its ETag or date that the file is still the same one, or if a published
checksum will tell.
"""

import hashlib
import http.client
import logging
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from cli.progress import make_progress
from retriever.data.files import unreadable
from retriever.data.hub import is_hub_name
from retriever.errors import InputError
from retriever.readable import readable_bytes

logger = logging.getLogger(__name__)

_BLOCK = 1 << 20
_SECONDS = 60
"""How long a server may be silent."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a public data set, or a data set of the hub (``hf:OWNER/NAME``), which needs no download here."""

    url: str
    home: str
    licence: str
    size: int | None = None  # bytes; None: not published
    checksum: str | None = None  # "md5:…" or "sha256:…" as published; None: nobody published one
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name: the last part of its address."""
        return unquote(PurePosixPath(urlsplit(self.url).path).name)

    @property
    def is_on_hub(self) -> bool:
        """Whether ``datasets`` fetches it, and keeps it in its own cache."""
        return is_hub_name(Path(self.url))


def download(source: Source, folder: Path, recorded: str | None = None) -> Path:
    """The source's file in a folder, downloaded unless it is there.

    Args:
        source: what to download.
        folder: where it goes; it is there.
        recorded: the SHA-256 of an earlier download, to which this one has to be equal.

    Raises:
        InputError: no network, an answer that is no file, a connection that broke, too little space, or another
            checksum; what was received is deleted then, so that the next run begins anew.
    """
    file = folder / source.name
    if file.exists():
        _verify(file, source, recorded, remedy="delete it to download it again")
        return file
    part = folder / f"{source.name}.part"
    _fetch(source, part)
    try:
        _verify(part, source, recorded, remedy="it is deleted")
    except InputError:
        part.unlink()
        raise
    finally:
        _validator_of(part).unlink(missing_ok=True)
    part.rename(file)
    return file


def _verify(file: Path, source: Source, recorded: str | None, *, remedy: str) -> None:
    """Check that a file is what was published, and what was downloaded before.

    Raises:
        InputError: it is something else.
    """
    known = {"published": source.checksum, "of an earlier download": recorded and f"sha256:{recorded}"}
    expected = {what: checksum for what, checksum in known.items() if checksum}
    digests = _digests(file, {checksum.partition(":")[0] for checksum in expected.values()})
    for what, checksum in expected.items():
        kind, _, digest = checksum.partition(":")
        if digests[kind] != digest:
            message = f"wrong checksum: expected {kind} {digest} ({what}), found {digests[kind]}; {remedy}"
            raise InputError(message, path=file)


def _digests(file: Path, kinds: set[str]) -> dict[str, str]:
    """Several hashes of a file in one reading."""
    hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    try:
        with file.open("rb") as opened:
            while hashes and (block := opened.read(_BLOCK)):
                for each in hashes.values():
                    each.update(block)
    except OSError as error:
        raise unreadable(file, error) from None
    return {kind: each.hexdigest() for kind, each in hashes.items()}


def _fetch(source: Source, part: Path) -> None:
    """Receive until the file is whole; a connection that breaks is made again as long as each brings something."""
    while True:
        before = _size(part)
        try:
            if _receive(source, part):
                return
            problem = "the connection broke"
        except urllib.error.HTTPError as error:
            message = f"the server answers {error.code} {error.reason}; see {source.home}"
            raise InputError(message, path=source.url) from None
        except (OSError, http.client.HTTPException) as error:
            problem = f"cannot be reached ({getattr(error, 'reason', None) or error or type(error).__name__})"
        if _size(part) <= before:
            kept = (
                f"; the first {readable_bytes(_size(part))} are kept, run it again to go on" if before else ""
            )
            raise InputError(f"{problem}: is there a network?{kept}", path=source.url)
        logger.info("%s: %s at %s, going on", source.name, problem, readable_bytes(_size(part)))


def _receive(source: Source, part: Path) -> bool:
    """Receive over one connection what is missing; False: it ended too early."""
    start, request = _request(source, part)
    try:
        response = urllib.request.urlopen(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:  # 416: nothing comes after what is there
            raise
        if _total(error.headers) == start:
            return True
        part.unlink()
        return _receive(source, part)
    with response:
        if response.status != 206:
            start = 0
            _keep_validator(response.headers, part)
        elif not (response.headers["Content-Range"] or "").startswith(f"bytes {start}-"):
            raise http.client.HTTPException("the server sent another part of the file than was asked for")
        total = _total(response.headers, start)
        _require_space(source, part, None if total is None else total - start)
        _write(response, part, start, total)
    return total is None or _size(part) == total


def _request(source: Source, part: Path) -> tuple[int, urllib.request.Request]:
    """The request for what is missing, and how many bytes are there."""
    headers = {"User-Agent": "contrastive-text-learning", **source.headers}
    validator = _validator_of(part).read_text() if _validator_of(part).exists() else ""
    start = _size(part) if validator or source.checksum else 0
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    return start, urllib.request.Request(source.url, headers=headers)


def _write(response: http.client.HTTPResponse, part: Path, start: int, total: int | None) -> None:
    with (
        part.open("r+b" if start else "wb") as file,
        make_progress()(total, f"{part.stem}, bytes") as advance,
    ):
        file.seek(start)
        advance(start)
        for block in _blocks(response):
            try:
                file.write(block)
            except OSError as error:
                raise InputError(f"cannot be written: {error.strerror}", path=part) from None
            advance(len(block))


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """What arrives; what came before a broken end is not lost."""
    try:
        while block := response.read(_BLOCK):
            yield block
    except http.client.IncompleteRead as error:
        yield error.partial
        raise


def _total(headers: Message, start: int = 0) -> int | None:
    """The size of the whole file, as an answer tells it."""
    after_slash = (headers.get("Content-Range") or "").rpartition("/")[2]
    if after_slash.isdecimal():
        return int(after_slash)
    length = headers.get("Content-Length") or ""
    return start + int(length) if length.isdecimal() else None


def _require_space(source: Source, part: Path, needed: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed is not None and needed > free:
        message = f"{source.name} needs {readable_bytes(needed)}, {readable_bytes(free)} are free"
        raise InputError(message, path=part.parent)


def _validator_of(part: Path) -> Path:
    """Where the ETag or date of what is half there lies."""
    return part.with_name(f"{part.name}.validator")


def _keep_validator(headers: Message, part: Path) -> None:
    etag = headers.get("ETag") or ""
    strong = etag if etag.startswith('"') else ""  # only such an ETag promises equal bytes (RFC 9110, 13.1.5)
    _validator_of(part).write_text(strong or headers.get("Last-Modified") or "")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
