"""Documents → a corpus of passages, one file in memory at a time; what was left out is counted and named."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from retriever.config.data import SplitConfig
from retriever.data.documents.document import Document, NoText
from retriever.data.documents.folder import find_files
from retriever.data.documents.read import read_bytes, read_document, require_kind
from retriever.data.files import require_writable
from retriever.data.lines import format_of
from retriever.data.split import Splitter
from retriever.data.write_corpus import require_corpus_name, write_passages
from retriever.errors import InputError
from retriever.protocols import Progress, no_progress
from retriever.records import Passage


@dataclass
class SplitReport:
    """What was read and written; ``skipped`` holds reason → the names of the files, copies as ``name = original``."""

    files: int = 0
    passages: int = 0
    words: int = 0
    sentence_cuts: int = 0
    pages_without_text: int = 0
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, reason: str, name: str) -> None:
        """Note a file that is left out."""
        self.skipped.setdefault(reason, []).append(name)


def split_documents(config: SplitConfig, *, progress: Progress = no_progress) -> SplitReport:
    """Cut the documents into passages and write them, file by file; ids read ``folder/file.txt#3``.

    Raises:
        InputError: the output cannot be written, a file cannot be read or is not UTF-8 (unless these are to be
            skipped), a library is missing, or there is no text at all.
    """
    require_corpus_name(config.output)
    require_writable(config.output)
    if not config.documents.exists():
        raise InputError("no such file or folder", path=config.documents)
    if config.documents.resolve() == config.output.resolve():
        raise InputError("the output is the input", path=config.output)
    source = _Source(config)
    files = list(find_files(config.documents, source.skip))
    with progress(len(files), "split") as advance:
        write_passages(config.output, source.passages(files, advance))
    return source.report


class _Source:
    """The passages of one file after the other, and the account of them."""

    def __init__(self, config: SplitConfig) -> None:
        self.root, self.output = config.documents, config.output
        self.keep_duplicates, self.skip_unreadable = config.keep_duplicates, config.skip_unreadable
        self.report = SplitReport()
        self.as_text = frozenset(suffix.lower() for suffix in config.as_text)
        self.splitter = Splitter(
            words=config.words,
            overlap=config.overlap,
            last_block=config.last_block,
            sentences=config.sentences,
            headings=config.headings,
        )
        self.first: dict[tuple[str, bytes], str] = {}
        """Kind and SHA-256 of a file's bytes → the first file that has them."""

    def passages(self, files: Sequence[Path], advance: Callable[[int], None]) -> Iterator[Passage]:
        """The passages of the files, each of which is done when the next is asked for.

        Raises:
            InputError: a file that is not to be skipped, or no passage at all.
        """
        for path in files:
            try:
                yield from self._passages_of(path)
            except (NoText, InputError) as reason:
                self.skip(path, reason)
            advance(1)
        if not self.report.passages:
            found = ", ".join(f"{reason} ({len(names)})" for reason, names in self.report.skipped.items())
            raise InputError(f"no text to split: {found or 'empty folder'}", path=self.root)

    def _passages_of(self, path: Path) -> Iterator[Passage]:
        name = self.name(path)
        document = self._read(path, name)
        for number, block in enumerate(self.splitter.split(document), start=1):
            self.report.words += block.words
            self.report.sentence_cuts += block.cuts_sentence
            self.report.passages += 1
            yield Passage(f"{name}#{number}", block.text, block.title)
        self.report.files += 1
        self.report.pages_without_text += document.pages_without_text

    def _read(self, path: Path, name: str) -> Document:
        require_kind(path, self.as_text)
        if path.resolve() == self.output.resolve():
            raise NoText("the output itself")
        data = read_bytes(path)
        first = self.first.setdefault((format_of(path), sha256(data).digest()), name)
        if first != name and not self.keep_duplicates:
            raise NoText("copy of another file", first)
        return read_document(data, path, self.as_text)

    def skip(self, path: Path, reason: Exception) -> None:
        """Note a file that is passed over, or stop at it."""
        if isinstance(reason, InputError):
            if reason.path is None:  # a library is missing
                raise reason
            if not self.skip_unreadable:
                hint = f"{reason.message} (--skip-unreadable passes over such files)"
                raise InputError(hint, path=reason.path, line=reason.line)
            self.report.skip(reason.message, self.name(path))
            return
        why, *original = reason.args
        self.report.skip(why, f"{self.name(path)} = {original[0]}" if original else self.name(path))

    def name(self, path: Path) -> str:
        """The name of a file in ids and reports: its place in the folder that was given."""
        name = path.name if path == self.root else path.relative_to(self.root).as_posix()
        return os.fsencode(name).decode("utf-8", "backslashreplace")
