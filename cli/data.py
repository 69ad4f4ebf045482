"""``ctl data``: data sets before they are trained on."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cli.options import add_command
from cli.output import print_json, print_line, print_table
from cli.progress import make_progress
from retriever.config.data import DataCheckConfig

if TYPE_CHECKING:
    from retriever.inspection.check import Report

HELP = "Convert, split and check data."
app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)

FOUND = 3
"""Exit code of a check that found what it was told to fail on."""


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


add_command(app, "check", check)
