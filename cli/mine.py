"""``ctl mine``."""

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

from cli.output import print_json, print_table
from cli.progress import make_progress
from retriever.config.mining import MineConfig

if TYPE_CHECKING:
    from retriever.search.mining import MiningReport


def mine(config: MineConfig, as_json: bool = False) -> None:
    """Mine hard negatives: passages that a search ranks high for a question and that do not answer it."""
    from retriever.reporting.audit import AuditSample, write_audit
    from retriever.search.mine_corpus import mine_corpus

    sample = AuditSample()
    report = mine_corpus(config, progress=make_progress(), watch=sample.see)
    if config.audit is not None:
        write_audit(config.audit, sample, report, config.to_json())
    counts = counts_of(report)
    if as_json:
        print_json({"output": str(config.output), **counts})
        return
    print_table(str(config.output), ("questions or passages", "count"), list(rows_of(counts)))


def counts_of(report: "MiningReport") -> dict[str, int | dict[str, int]]:
    """What mining counted, for programs."""
    found = {each.name: getattr(report, each.name) for each in fields(report)}
    return {name: dict(value) if isinstance(value, dict) else value for name, value in found.items()}


def rows_of(counts: dict[str, int | dict[str, int]]) -> Iterator[tuple[str, int]]:
    """What mining counted, a row each, those of every source and reason among them."""
    for name, value in counts.items():
        shown = name.replace("_", " ")
        if isinstance(value, int):
            yield shown, value
        else:
            yield from ((f"{shown} {each}", count) for each, count in value.items())
