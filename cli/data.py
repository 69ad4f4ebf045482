"""``ctl data``: what is done to data sets before anything is trained or measured on them."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cli.options import add_command
from cli.output import Cell, print_json, print_line, print_table
from cli.progress import make_progress
from retriever.config.data import ConvertConfig, DataCheckConfig, SplitConfig

if TYPE_CHECKING:
    from retriever.data.documents.corpus import SplitReport
    from retriever.inspection.check import Report

HELP = "Convert, split and check data."
app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)

FOUND = 3
"""Exit code of a check that found what it was told to fail on."""

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


def check(config: DataCheckConfig, as_json: bool = False) -> None:
    """Tell what is wrong with training data; exit code 3 if there is a finding at or above --fail-on."""
    from retriever.inspection.check import check_data

    report = check_data(config, progress=make_progress())
    show = print_report_json if as_json else print_report
    show(report)
    if report.fails(config.fail_on):
        raise typer.Exit(FOUND)


def print_report_json(report: "Report") -> None:
    """One object: how many rows, and the findings."""
    findings = [{**asdict(each), "share": each.share} for each in report.findings]
    print_json({"kind": report.kind, "rows": report.rows, "findings": findings})


def print_report(report: "Report") -> None:
    """A table of the findings, then what each means, its first cases, and the remedy."""
    count = len(report.findings)
    title = f"{report.kind} data, rows that can be trained on: {report.rows:,}; findings: {count}"
    if not report.findings:
        print_line(title)
        return
    print_table(
        title,
        ("severity", "finding", "count", "of", "share"),
        [
            (each.severity, each.name, each.count, f"{each.total} {each.of}", each.share)
            for each in report.findings
        ],
    )
    for each in report.findings:
        print_line(
            f"\n{each.severity}: {each.name}: {each.count:,} of {each.total:,} {each.of} {each.message}."
        )
        for example in each.examples:
            print_line(f"  {example.place}: {example.text}")
        print_line(f"  → {each.remedy}")


add_command(app, "convert", convert)
add_command(app, "split", split)
add_command(app, "check", check)
