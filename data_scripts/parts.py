"""Parts of public data sets: downloaded, turned into files that ``ctl`` reads, and read once to prove it.

``checksums.json`` in the output folder keeps the SHA-256 of every download and of every file. A part that is there
and unchanged is not made again; a later download has to be equal to the first one.
"""

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from download import Source, download

from cli.logs import configure_logs
from retriever.data.files import file_sha256, read_json, sync_folder, write_json
from retriever.data.folders import locked, sync_tree
from retriever.errors import InputError
from retriever.readable import readable_bytes

logger = logging.getLogger(__name__)

CHECKSUMS = "checksums.json"

Make = Callable[[Sequence[Path], Path], Mapping[str, int]]
"""Downloads (``hf:`` names among them) and the file or folder to write → what was left out, by reason."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one word on the command line makes: one file or folder."""

    name: str
    sources: tuple[Source, ...]
    output: str
    make: Make
    count: Callable[[Path], Mapping[str, int]]
    """Read what was made, as ``ctl`` reads it → how much of what."""


def as_it_is(downloads: Sequence[Path], target: Path) -> Mapping[str, int]:
    """The download itself is what ``ctl`` reads."""
    (file,) = downloads
    try:
        target.hardlink_to(file)
    except OSError:  # another disk, or one without links
        shutil.copyfile(file, target)
    return {}


class Store:
    """The output folder, and what ``checksums.json`` says about it."""

    def __init__(self, folder: Path, downloads: Path | None = None) -> None:
        self.folder = folder
        self.downloads = downloads or folder / ".downloads"
        self.record: dict[str, dict[str, Any]] = {"downloads": {}, "parts": {}}

    def read_record(self) -> None:
        """Read ``checksums.json``, if it is there."""
        if (self.folder / CHECKSUMS).exists():
            found = read_json(self.folder / CHECKSUMS)
            if not isinstance(found, dict) or not all(
                isinstance(found.get(key), dict) for key in self.record
            ):
                raise InputError("not what these scripts write", path=self.folder / CHECKSUMS)
            self.record = found

    def has(self, part: Part) -> bool:
        """Whether the part is there and unchanged.

        Raises:
            InputError: it was changed, or something else is in its place.
        """
        target, made = self.folder / part.output, self.record["parts"].get(part.name)
        if not target.exists():
            return False
        if made is None:
            raise InputError("is in the way, and not in checksums.json: delete it or move it", path=target)
        for name, sha256 in made["files"].items():
            if file_sha256(self.folder / name) != sha256:
                message = f"changed since it was made: delete {part.output} to make it again"
                raise InputError(message, path=self.folder / name)
        return True

    def add(self, part: Part) -> Mapping[str, int]:
        """Make a part; it appears when ``ctl`` can read it. Returns how much of what is in it."""
        files = [self._fetch(source) for source in part.sources]
        work = self.folder / ".making"
        shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
        work.mkdir()
        try:
            left_out = part.make(files, work / part.output)
            counts = part.count(work / part.output)
            sync_tree(work)
            self._remember(part, work, {"counts": dict(counts), "left_out": dict(left_out)})
            (work / part.output).rename(self.folder / part.output)
            sync_folder(self.folder)
        except InputError:
            for source, file in zip(part.sources, files, strict=True):
                if not (source.checksum or source.is_on_hub or source.url in self.record["downloads"]):
                    logger.warning("kept: %s; delete it if it is damaged: nobody published a checksum", file)
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
        for reason, number in left_out.items():
            logger.warning("%s: %s left out: %s", part.name, f"{number:,}", reason)
        return counts

    def _fetch(self, source: Source) -> Path:
        if source.is_on_hub:
            return Path(source.url)
        known = self.record["downloads"].get(source.url)
        return download(source, self.downloads, known and known["sha256"])

    def _remember(self, part: Part, work: Path, told: Mapping[str, object]) -> None:
        """Record a part before it appears, and its downloads: only what ``ctl`` could read binds later ones."""
        for source in part.sources:
            if not source.is_on_hub and source.url not in self.record["downloads"]:
                file = self.downloads / source.name
                size, sha256 = file.stat().st_size, file_sha256(file)
                self.record["downloads"][source.url] = {
                    "sha256": sha256,
                    "bytes": size,
                    "published": source.checksum,
                }
        made = work / part.output
        files = sorted(each for each in made.rglob("*") if each.is_file()) if made.is_dir() else [made]
        self.record["parts"][part.name] = {
            "sources": [source.url for source in part.sources],
            "licences": sorted({source.licence for source in part.sources}),
            **told,
            "files": {each.relative_to(work).as_posix(): file_sha256(each) for each in files},
        }
        write_json(self.folder / CHECKSUMS, self.record)


def run(parts: Sequence[Part], store: Store, *, keep_downloads: bool) -> None:
    """Make parts that are not there yet; their downloads are deleted when all are made."""
    for folder in (store.folder, store.downloads):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"no folder can be made here: {error.strerror}", path=folder) from None
    try:
        with locked(store.folder / ".lock", "another process is writing here"):
            store.read_record()
            sources = _make_missing(parts, store)
            for source in [] if keep_downloads else sources:
                (store.downloads / source.name).unlink(missing_ok=True)
    finally:
        if not any(store.downloads.iterdir()):
            store.downloads.rmdir()


def _make_missing(parts: Sequence[Part], store: Store) -> list[Source]:
    """Make parts that are not there yet, after saying what comes. Returns what they were made from."""
    missing = []
    for part in parts:
        if store.has(part):
            logger.info("%s: already there, unchanged: %s", part.name, store.folder / part.output)
        else:
            missing.append(part)
    sources = list({source.url: source for part in missing for source in part.sources}.values())
    for source in sources:
        logger.info("%s", describe(source))
    for part in missing:
        counts = store.add(part)
        told = ", ".join(f"{number:,} {what}" for what, number in counts.items())
        logger.info("%s: %s: %s", part.name, store.folder / part.output, told)
    return sources


def _configure_logs() -> None:
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # its retries; that it fails is said in one sentence
    configure_logs()
    for name in (__name__, "download"):
        logging.getLogger(name).setLevel(logging.INFO)


def describe(source: Source) -> str:
    """Address, size, licence, home and how it is checked, for people."""
    size = "size not published" if source.size is None else readable_bytes(source.size)
    checked = (
        source.checksum or "no checksum published: the first download's SHA-256 goes into checksums.json"
    )
    if source.is_on_hub:
        checked = "checked by the hub's own client"
    return f"{source.url} ({size})\n  licence: {source.licence}\n  home: {source.home}\n  {checked}"


def table(parts: Sequence[Part]) -> str:
    """Parts with the sizes of what they download, and what they make."""
    rows = [("part", "download", "makes", "licence")]
    for part in parts:
        sizes = [source.size for source in part.sources]
        size = "not published" if None in sizes else readable_bytes(sum(size or 0 for size in sizes))
        licences = "; ".join(dict.fromkeys(source.licence for source in part.sources))
        rows.append((part.name, size, part.output, licences))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]])
        for row in rows
    )


def main(description: str, parts: Sequence[Part], arguments: Sequence[str] | None = None) -> int:
    """The command line of a script: 0 when the parts are there, 2 with one sentence when they cannot be made."""
    by_name = {part.name: part for part in parts}
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all, or some of: {', '.join(by_name)}")
    parser.add_argument("--list", action="store_true", help="print the parts with their sizes, and stop")
    parser.add_argument("--output", type=Path, metavar="DIR", help="where the files go; made if missing")
    parser.add_argument(
        "--downloads",
        type=Path,
        metavar="DIR",
        help="where downloads go, and are taken from if they are there (default: .downloads in the output)",
    )
    parser.add_argument("--keep-downloads", action="store_true", help="do not delete them at the end")
    given = parser.parse_args(arguments)
    if given.list:
        print(table(parts))
        return 0
    if not given.parts or given.output is None:
        parser.error("name at least one part, and --output DIR; --list prints the parts")
    if unknown := [name for name in given.parts if name not in (*by_name, "all")]:
        parser.error(f"no part '{unknown[0]}'; --list prints the parts")
    chosen = parts if "all" in given.parts else [by_name[name] for name in dict.fromkeys(given.parts)]
    _configure_logs()
    try:
        keep = given.keep_downloads or given.downloads is not None
        run(chosen, Store(given.output, given.downloads), keep_downloads=keep)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0
