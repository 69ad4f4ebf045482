"""Conversion of training data and test collections: read, made whole, reduced to what the target can hold, written."""

import errno
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar

from retriever.choices import DataFormat
from retriever.config.data import ConvertConfig
from retriever.data.corpus import SeenIds
from retriever.data.dpr import require_new_id
from retriever.data.files import require_new_folder, require_writable
from retriever.data.formats.detect import detect
from retriever.data.formats.fit import count, fit_context, fit_example, fit_passage
from retriever.data.formats.model import Context, Data, Example, Format, Report, Source, Target, some
from retriever.data.formats.rows import read_corpus
from retriever.data.formats.store import PassageDatabase
from retriever.data.formats.table import FORMATS
from retriever.data.hub import local_path, named_split
from retriever.errors import InputError
from retriever.protocols import Progress, advancing, no_progress
from retriever.records import Passage

T = TypeVar("T")
_MADE_IDS = "ids of passages, from title and text"


def convert(config: ConvertConfig, *, progress: Progress = no_progress) -> tuple[DataFormat, Report]:
    """Convert a data set into another format; OUTPUT appears when it is complete.

    Questions are streamed. Passages of a corpus, and those that become one, wait in a temporary database on disk.

    Returns:
        The format that was read, and what was read, written, made, changed and dropped.

    Raises:
        InputError: a file or line that is wrong, a passage that is only named and not in the corpus, two texts under
            one passage id, an output that is the input or that the format cannot be called, or nothing to write.
    """
    target = FORMATS[config.to]
    require_output(config, target)
    name = config.from_ or detect(config.input, config.split)
    report = Report()
    data = FORMATS[name].read(Source(config.input, report, config.split))
    if config.passages is not None:
        if data.corpus is not None:
            raise InputError(f"{name} brings its own passages: leave --passages out", path=config.input)
        data = replace(data, corpus=read_corpus(config.passages, report))
    split = config.split or data.split or named_split(config.input) or "train"
    place = Target(config.output, report, split, config.num_hard_negatives)
    try:
        with closing(PassageDatabase()) as store:
            Conversion(data, target, place, store, config.join_titles).run(progress)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_FULL":
            raise
        raise OSError(errno.ENOSPC, "the temporary folder (TMPDIR) is full") from None
    return name, report


def require_output(config: ConvertConfig, target: Format) -> None:
    """Check, before anything is read, that the output can be written and is called as its format is."""
    output = config.output.resolve()
    for given in (config.input, config.passages):
        place = None if given is None else local_path(given)
        if place is not None and place.resolve() == output:
            raise InputError("the output is one of the inputs", path=config.output)
        if place is not None and place.resolve() in output.parents:
            raise InputError(f"the output is in the folder {given}, which is an input", path=config.output)
    if config.num_hard_negatives is not None and config.to != "triplets":
        raise InputError("--num-hard-negatives is for triplets; other formats hold any number")
    if not target.suffixes:
        require_new_folder(config.output)
        return
    if config.output.suffix not in target.suffixes:
        endings = " or ".join(target.suffixes)
        raise InputError(f"{config.to} is a file whose name ends in {endings}", path=config.output)
    require_writable(config.output)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was read on its way to what is written."""

    data: Data
    target: Format
    place: Target
    store: PassageDatabase
    join_titles: bool

    def run(self, progress: Progress) -> None:
        """Take in the corpus, then write the questions, then the corpus."""
        report = self.place.report
        if self.data.corpus is not None:
            with progress(None, "passages") as advance:
                for where, passage in advancing(self.data.corpus, advance):
                    self._add_to_corpus(passage, where)
        with progress(None, "questions") as advance:
            examples = some(advancing(self._examples(), advance), self.place)
            self.target.write(self.place, examples, self._corpus)
        if self.data.corpus is not None and not self.target.holds.corpus:
            count(report.dropped, "passages that no question names", self.store.count_unused())

    def _add_to_corpus(self, passage: Passage, where: str) -> None:
        report = self.place.report
        report.read["passages"] += 1
        try:
            new = self.store.add(passage, where)
        except ValueError as error:
            raise InputError(f"{where}: {error}", path=None) from None
        count(report.dropped, "passages that stand in the corpus again, with the same text", not new)
        if self.data.ids_made and self.target.holds.made_ids:
            count(report.made, _MADE_IDS, new)

    def _examples(self) -> Iterator[Example]:
        """The examples, complete, as the target can hold them."""
        first_lines: dict[str, int] = {}
        seen = SeenIds()
        for example in self.data.examples:
            if self.target.holds.question_ids or example.named:
                self._require_new_id(example, first_lines, seen)
            self.place.report.read["questions"] += 1
            fitted = fit_example(example, self.target.holds, self.place.report)
            if fitted is not None:
                yield replace(
                    fitted,
                    positives=self._complete(fitted.positives, example.line),
                    hard_negatives=self._complete(fitted.hard_negatives, example.line),
                    other_negatives=self._complete(fitted.other_negatives, example.line),
                )

    def _require_new_id(self, example: Example, first_lines: dict[str, int], seen: SeenIds) -> None:
        """Check that no other question has the id, and none the number that is made to be one."""
        query_id, path, line = example.query.id, self.data.path, example.line
        if example.named:
            require_new_id(first_lines, query_id, path, line)
        if not seen.add(query_id) and self.target.holds.question_ids:
            message = f"'{query_id}' is the id of a question, and the number of another, which has none"
            raise InputError(f"{message}: give ids to all questions or to none", path=path, line=line)

    def _complete(self, contexts: Iterable[Context], line: int) -> tuple[Context, ...]:
        return tuple(
            fit_context(
                self._with_text(each, line),
                self.target.holds,
                self.place.report,
                join_titles=self.join_titles,
            )
            for each in contexts
        )

    def _with_text(self, context: Context, line: int) -> Context:
        """The passage with its text, from the corpus if it was only named; else it is compared with what is known of its id."""
        if context.text is None:
            found = self.store.get(context.id)
            if found is None:
                raise InputError(self._missing(context.id), path=self.data.path, line=line)
            return replace(context, text=found.text, title=found.title)
        holds = self.target.holds
        if not context.named and not holds.made_ids and self.data.corpus is None:
            return context
        where = f"{self.data.path.name}:{line}"
        try:
            new = self.store.add(context.passage, where, keep_text=holds.corpus, used=True)
        except ValueError as error:
            raise InputError(str(error), path=self.data.path, line=line) from None
        if new and not context.named and holds.made_ids:
            self.place.report.made[_MADE_IDS] += 1
        return context

    def _missing(self, passage_id: str) -> str:
        if self.data.corpus is None:
            return f"passage '{passage_id}' is given by its id only: pass the corpus with --passages"
        return f"passage '{passage_id}' is not in the corpus"

    def _corpus(self) -> Iterator[Passage]:
        for passage in self.store.passages():
            self.place.report.written["passages"] += 1
            yield fit_passage(passage, self.target.holds, self.place.report, join_titles=self.join_titles)
