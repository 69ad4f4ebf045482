"""Dev and test texts, and how many of them training data repeat."""

from collections.abc import Iterator
from pathlib import Path

from retriever.choices import DataKind, Split
from retriever.data.beir import BeirFolder
from retriever.data.dpr import locate_dpr_examples, locate_questions
from retriever.data.hub import at_split
from retriever.data.lines import format_of, read_lines
from retriever.data.sts import locate_pairs, sts_files
from retriever.inspection.finding import EXAMPLES, Example, Finding, Places, excerpt
from retriever.inspection.kinds import KINDS
from retriever.inspection.near_duplicates import HeldOut, Match

Located = Iterator[tuple[Path, int, str]]


class HeldOutFiles:
    """The texts of files that must not be trained on, each with its place."""

    def __init__(self, places: Places, threshold: float, kind: DataKind) -> None:
        self._places, self._what = places, "question" if kind == "dpr" else "sentence"
        self._read = _questions if kind == "dpr" else _sentences
        self.texts = HeldOut(threshold)
        self._of: list[tuple[int, str]] = []
        self._names: list[tuple[str, int]] = []

    def add(self, path: Path, split: Split) -> None:
        """The texts of one more file."""
        files: dict[Path, int] = {}
        for file, line, text in self._read(path, split):
            start = files.get(file)
            if start is None:
                start = files[file] = self._places.file(file)
            self.texts.add(text)
            self._of.append((start + line, excerpt(text)))
        self._names.append((str(path), len(self._of)))

    def findings(self) -> list[Finding]:
        """For each file what is trained on word for word, and what nearly so."""
        found, begin, matches = [], 0, self.texts.matches()
        for path, end in self._names:
            here = [each for each in matches if begin <= each.number < end]
            for name, hits in {
                f"test_{self._what}_in_train": [each for each in here if each.word_for_word],
                f"near_test_{self._what}_in_train": [each for each in here if not each.word_for_word],
            }.items():
                if not hits:
                    continue
                kind = KINDS[name]
                found.append(
                    Finding(
                        name=name,
                        severity=kind.severity,
                        message=kind.message,
                        count=len(hits),
                        total=end - begin,
                        of=f"{self._what}s of {path}",
                        remedy=kind.remedy,
                        examples=tuple(map(self._example, hits[:EXAMPLES])),
                    )
                )
            begin = end
        return found

    def _example(self, match: Match) -> Example:
        place, text = self._of[match.number]
        alike = "=" if match.word_for_word else f"~ ({match.jaccard:.2f})"
        trained = f"{self._places.show(match.place)}: {excerpt(match.text)}"
        return Example(self._places.show(place), f"{text} {alike} {trained}")


def _questions(path: Path, split: Split) -> Located:
    if path.is_dir():
        queries = BeirFolder.find(path, split).queries
        for line, example in locate_dpr_examples(path, split=split):
            yield queries, line, example.query.text
        return
    path = at_split(path, split)
    for line, question in locate_questions(path):
        yield path, line, question.query.text


def _sentences(path: Path, split: Split) -> Located:
    if format_of(path) == ".txt":
        yield from ((path, line, text) for line, text in read_lines(path) if text.strip())
        return
    for file in sts_files(path, split)[1].values():
        for line, pair in locate_pairs(file):
            yield file, line, pair.first
            yield file, line, pair.second
