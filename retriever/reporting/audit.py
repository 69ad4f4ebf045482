"""A page that shows what mining kept and rejected, and why, for a sample of the questions: one HTML file without a network."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from random import Random

from retriever.choices import Rejection
from retriever.data.files import atomic_file
from retriever.records import MinedPassage, Passage
from retriever.reporting import page
from retriever.search.mining import MiningReport, Selection

SIZE = 50
LETTERS = 400
"""Of a passage, before it has to be unfolded."""

REASONS: dict[Rejection, str] = {
    "positive": "a positive of the question",
    "rank": "ranks before --first-rank",
    "score": "scores too near the positive",
    "copy": "the text of a passage before it",
    "near_duplicate": "nearly a positive",
    "answer": "contains an answer",
    "cross_encoder": "relevant, says the cross-encoder",
}

STYLE = (
    page.STYLE
    + """td.verdict { white-space: nowrap; }
.kept { color: #0a7d33; font-weight: 600; }
.rejected { color: #b3261e; }
.positive { border-left: 3px solid #0a7d33; padding-left: .8rem; margin: .5rem 0; }
mark { background: #ffe08a; color: #000; }
@media (prefers-color-scheme: dark) { .kept { color: #5fd38a; } .rejected { color: #ff8a80; } }
"""
)


class AuditSample:
    """A sample of questions, each as likely as any other, whatever their number (Vitter's algorithm R).

    Args:
        size: questions in the sample.
        seed: of the sample.
    """

    def __init__(self, size: int = SIZE, seed: int = 0) -> None:
        self._size, self._random, self._seen = size, Random(seed), 0
        self.selections: list[tuple[int, Selection]] = []

    def see(self, selection: Selection) -> None:
        """One more question."""
        self._seen += 1
        if len(self.selections) < self._size:
            self.selections.append((self._seen, selection))
        elif (place := self._random.randrange(self._seen)) < self._size:
            self.selections[place] = (self._seen, selection)

    def in_order(self) -> list[Selection]:
        """The sample, in the order of the questions."""
        return [each for _, each in sorted(self.selections, key=lambda each: each[0])]


def write_audit(
    path: Path, sample: AuditSample, report: MiningReport, settings: Mapping[str, object]
) -> None:
    """Write the page.

    Args:
        path: of the page.
        sample: the questions that it shows.
        report: counts over all questions.
        settings: with which they were mined.
    """
    with atomic_file(path) as file:
        file.writelines(_page(sample.in_order(), report, settings))


def _page(
    selections: Sequence[Selection], report: MiningReport, settings: Mapping[str, object]
) -> Iterator[str]:
    title = "Hard negatives: what was kept and rejected"
    yield f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
    yield f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style></head><body>\n"
    yield f"<h1>{title}</h1>\n"
    yield f"<p>{report.kept:,} hard negatives for {report.questions:,} questions; {report.short:,} questions have fewer than "
    yield f"were asked for, {report.without_negative:,} of them none. {len(selections)} questions are shown, drawn at random.</p>\n"
    yield "<table><tr><th>verdict</th><th>passages</th></tr>\n"
    for source, kept in report.kept_from.items():
        yield _row(("kept", f"kept, from {source}"), f"{kept:,}")
    for reason, rejected in report.rejected.most_common():
        yield _row(("rejected", REASONS[reason]), f"{rejected:,}")
    yield "</table>\n<details><summary>Settings</summary><table>\n"
    for name, value in settings.items():
        yield _row(("", name), str(value))
    yield "</table></details>\n"
    for each in selections:
        yield from _question(each)
    yield "</body></html>\n"


def _question(selection: Selection) -> Iterator[str]:
    example = selection.example
    yield f"<h2>{escape(example.query.text)}</h2>\n<p class='quiet'>id {escape(example.query.id)}"
    yield f"; answers: {escape(' | '.join(example.answers))}</p>\n" if example.answers else "</p>\n"
    for each in example.positives:
        yield f"<div class='positive'>{_passage(each, example.answers)}</div>\n"
    if not selection.verdicts:
        yield "<p>Nothing was found.</p>\n"
        return
    yield "<table><tr><th>verdict</th><th>source</th><th>rank</th><th>score</th><th>passage</th></tr>\n"
    for candidate, reason in sorted(selection.verdicts, key=lambda each: (each[0].source, each[0].rank)):
        yield _verdict(candidate, reason, example.answers)
    yield "</table>\n"


def _verdict(candidate: MinedPassage, reason: Rejection | None, answers: Sequence[str]) -> str:
    verdict = ("kept", "kept") if reason is None else ("rejected", REASONS[reason])
    score = f"{candidate.score:.4g}"
    if candidate.cross_encoder is not None:
        score += f"<br>cross-encoder {candidate.cross_encoder:.3f}"
    return (
        f"<tr><td class='verdict {verdict[0]}'>{verdict[1]}</td><td>{escape(candidate.source)}</td>"
        f"<td class='number'>{candidate.rank}</td><td class='number'>{score}</td>"
        f"<td>{_passage(candidate, answers)}</td></tr>\n"
    )


def _row(verdict: tuple[str, str], value: str) -> str:
    return f"<tr><td class='{verdict[0]}'>{escape(verdict[1])}</td><td>{escape(value)}</td></tr>\n"


def _passage(passage: Passage, answers: Iterable[str]) -> str:
    title = f"<strong>{escape(passage.title)}</strong><br>" if passage.title else ""
    shown = _marked(passage.text[:LETTERS], answers)
    if len(passage.text) > LETTERS:
        rest = _marked(passage.text[LETTERS:], answers)
        shown = f"<details><summary>{shown} …</summary>{rest}</details>"
    return title + shown


def _marked(text: str, answers: Iterable[str]) -> str:
    """The text with the answers in it marked, as far as they stand there letter by letter."""
    words = sorted({each.strip() for each in answers if each.strip()}, key=len, reverse=True)
    if not words:
        return escape(text)
    parts = re.split(f"({'|'.join(map(re.escape, words))})", text, flags=re.IGNORECASE)
    return "".join(
        f"<mark>{escape(part)}</mark>" if place % 2 else escape(part) for place, part in enumerate(parts)
    )
