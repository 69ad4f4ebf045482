"""``ctl data``: what is done to data sets before anything is trained or measured on them."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cli.options import add_command
from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from retriever.config.data import ConvertConfig, SplitConfig

if TYPE_CHECKING:
    from retriever.data.documents.corpus import SplitReport

HELP = "Convert, split and check data."
app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)

SHOWN = 3
"""Names of skipped files, or suffixes, in a row of the table; ``--json`` has all."""


def convert(config: ConvertConfig, as_json: bool = False) -> None:
    """Convert training data and test collections between formats; what a format cannot hold is counted and said."""
    from retriever.data.convert import convert as convert_data

    name, report = convert_data(config, progress=make_progress())
    counts = {done: dict(getattr(report, done)) for done in ("read", "written", "made", "changed", "dropped")}
    if as_json:
        print_json({"output": str(config.output), "from": name, "to": config.to, **counts})
        return
    rows = [(done, what, number) for done, counter in counts.items() for what, number in counter.items()]
    print_table(f"{config.output}: {name} → {config.to}", ("", "what", "count"), rows)


def split(config: SplitConfig, as_json: bool = False) -> None:
    """Cut documents (text, Markdown, HTML, PDF) into passages of 100 words with titles, for ctl index."""
    from retriever.data.documents.corpus import split_documents

    # It warns of all that it mends in a file, and does not name the file.
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    report = split_documents(config, progress=make_progress())
    if as_json:
        print_json({"output": str(config.output), **asdict(report)})
        return
    print_table(str(config.output), ("what", "count", "files"), split_rows(report))


def split_rows(report: "SplitReport") -> Iterator[tuple[Cell, ...]]:
    """What was read and written, what to look at, and for every reason how many files were skipped, and the first of them."""
    yield "files read", report.files, None
    yield "passages", report.passages, None
    yield "words", report.words, None
    if report.sentence_cuts:
        yield "cuts within too long sentences", report.sentence_cuts, None
    if report.pages_without_text:
        yield "PDF pages without text", report.pages_without_text, None
    unknown = {reason: names for reason, names in report.skipped.items() if is_suffix(reason)}
    for reason, names in report.skipped.items():
        if reason not in unknown:
            yield f"skipped: {reason}", len(names), first_of(names)
    if unknown:
        by_count = sorted(unknown, key=lambda reason: -len(unknown[reason]))
        kinds = [f"{len(unknown[reason]):,} {reason.removeprefix('suffix ')}" for reason in by_count]
        yield "skipped: other kinds of file", sum(map(len, unknown.values())), first_of(kinds)


def is_suffix(reason: str) -> bool:
    """Whether a file was skipped for its name, so that the kinds of files are told in one row."""
    return reason.startswith("suffix ") or reason == "no suffix"


def first_of(names: Sequence[str]) -> str:
    """The first few of them, and a sign that there are more."""
    return ", ".join([*names[:SHOWN], *(["…"] if len(names) > SHOWN else [])])


add_command(app, "convert", convert)
add_command(app, "split", split)
