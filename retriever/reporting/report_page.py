"""A report as one page of HTML that needs no network, runs nothing, and has the same bytes for the same results."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from retriever.data.files import atomic_file
from retriever.protocols import Progress, no_progress
from retriever.reporting.figure import has_matplotlib, svg_bytes, write_png
from retriever.reporting.page import begin, picture, text
from retriever.reporting.provenance import index_trades, models, policies, training_runs
from retriever.reporting.report import LEVEL, Report
from retriever.reporting.report_pictures import Picture, pictures_of
from retriever.reporting.scores import STAR, comparisons, method_text, moved, paragraphs, scores, summary

logger = logging.getLogger(__name__)

Section = tuple[str, str, Callable[[], Iterator[str]]]
"""Name within the page, heading, and what makes its HTML."""

NO_PICTURES = (
    "There are no pictures here, as matplotlib is missing: pip install 'contrastive-text-learning[plots]'"
)


def write_report(
    report: Report,
    output: Path,
    *,
    title: str,
    pictures: Path | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write the page; without matplotlib it has no pictures, and says so.

    Args:
        report: what it shows.
        output: the page.
        title: of the page.
        pictures: a folder that exists, for each picture as a PNG, too.
        progress: advanced by each picture.

    Raises:
        InputError: it cannot be written there.
    """
    drawn = list(pictures_of(report)) if has_matplotlib() else []
    if not has_matplotlib():
        logger.warning(NO_PICTURES)
    images: list[tuple[Picture, bytes]] = []
    with progress(len(drawn), "draw") as advance:
        for each in drawn:
            images.append((each, svg_bytes(each.draw)))
            if pictures is not None:
                write_png(each.draw(), pictures / f"{each.name}.png")
            advance(1)
    with atomic_file(output) as file:
        file.writelines(_page(report, title, images))


def _page(report: Report, title: str, images: Sequence[tuple[Picture, bytes]]) -> Iterator[str]:
    sections = list(_sections(report, images))
    yield from begin(title)
    yield "<nav aria-label='Sections'><ul>"
    yield from (f'<li><a href="#{name}">{heading}</a></li>' for name, heading, _ in sections)
    yield "</ul></nav>\n<main>\n"
    for name, heading, body in sections:
        yield f'<section aria-labelledby="{name}"><h2 id="{name}">{heading}</h2>\n'
        yield from body()
        yield "</section>\n"
    yield "</main>\n</body></html>\n"


def _sections(report: Report, images: Sequence[tuple[Picture, bytes]]) -> Iterator[Section]:
    """Those that have something to say."""
    if report.warnings:
        yield "warnings", "Read with care", lambda: iter([paragraphs(report.warnings)])
    if report.systems:
        yield "summary", "Summary", lambda: _summary(report)
    if images or not has_matplotlib():
        yield "pictures", "Pictures", lambda: _pictures(images)
    if report.systems:
        yield "scores", "Scores", lambda: scores(report)
    if report.comparisons:
        yield "comparisons", "Comparisons", lambda: _comparisons(report)
    if any(each.moved for each in report.comparisons):
        yield "moved", "What moved most", lambda: moved(report)
    if report.trades:
        yield "indexes", "Indexes", lambda: index_trades(report)
    if report.runs:
        yield "runs", "Training runs", lambda: training_runs(report.runs)
    if report.systems:
        yield "made", "How it was made", lambda: _made(report)


def _summary(report: Report) -> Iterator[str]:
    yield from summary(report)
    told = "Values stand with their 95 % intervals, of several seeds with the standard deviation over them."
    if report.comparisons:
        told += (
            f" {STAR} marks the best of a row, where it is better than every other system with p &lt; {LEVEL} after Holm’s "
            "correction; a row without it has no system of which that can be said."
        )
    yield f"<p class='quiet'>{told}</p>\n"


def _comparisons(report: Report) -> Iterator[str]:
    yield f"<p>{text(method_text(report))}</p>\n"
    yield from comparisons(report)


def _pictures(images: Sequence[tuple[Picture, bytes]]) -> Iterator[str]:
    if not has_matplotlib():
        yield f"<p>{text(NO_PICTURES)}</p>\n"
    for each, svg in images:
        yield from picture(svg, alt=each.alt, title=each.title, caption=each.caption)


def _made(report: Report) -> Iterator[str]:
    yield from models(report)
    yield "<p class='quiet'>≠ marks what is not the same in all columns.</p>\n"
    yield from policies(report)
