"""The tables of a report that say how its numbers were made: models, policies, data, versions, and the configs of training runs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from retriever.data.files import read_json_object
from retriever.evaluation.systems import differing_keys
from retriever.reporting.page import Cell, Html, table, text
from retriever.reporting.report import Report, column_name, columns_of

HASH_LETTERS = 16
RUN_FILES = ("config.json", "environment.json", "results.json")
CAPTIONS = {"policy": "Policy", "data": "Data", "versions": "Versions"}
PASSING = ("started", "command", "resumed", "hostname", "platform")
"""What an environment says of one start only."""


def models(report: Report) -> Iterator[str]:
    """What was evaluated: name, fingerprint and the rest, a column a model."""
    columns = {
        column_name(system, folder): {"results in": str(folder), **results["model"]}
        for system in report.systems
        for folder, results in system.seeds
    }
    yield from side_by_side("Models and where their results lie", columns, mark=False)


def policies(report: Report) -> Iterator[str]:
    """Policy, data and versions of each task; tasks that are told the same share a table."""
    for kind, title in CAPTIONS.items():
        told: dict[str, list[str]] = {}
        for suite, task in report.tasks:
            columns = columns_of(report.systems, kind, suite, task)
            told.setdefault(json.dumps(columns), []).append(f"{suite}/{task}")
        for columns_json, tasks in told.items():
            yield from side_by_side(f"{title}: {', '.join(tasks)}", json.loads(columns_json))


def side_by_side(
    caption: str, columns: Mapping[str, Mapping[str, Any]], *, mark: bool = True
) -> Iterator[str]:
    """Key by key; rows that are not the same everywhere are marked by an ≠ as well as by colour."""
    keys = list(dict.fromkeys(key for each in columns.values() for key in each))
    differing = set(differing_keys(list(columns.values()))) if mark else set()
    rows = [
        [
            f"≠ {key}" if key in differing else key,
            *(value_cell(key, each.get(key)) for each in columns.values()),
        ]
        for key in keys
    ]
    marked = [place for place, key in enumerate(keys) if key in differing]
    yield from table(caption, ["", *columns], rows, marked=marked)


def value_cell(key: str, value: Any) -> Cell:  # noqa: ANN401  (any JSON value)
    """A setting's value as it was given, not as a measured number; a hash by its beginning, whole where the pointer rests."""
    if value is None:
        return None
    if isinstance(value, str) and (key.endswith("sha256") or key == "fingerprint"):
        cut = value[:HASH_LETTERS] + ("…" if len(value) > HASH_LETTERS else "")
        return Html(f'<code title="{text(value)}">{text(cut)}</code>')
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def training_runs(runs: Mapping[str, Path]) -> Iterator[str]:
    """How each run went, and its whole config."""
    files = {
        name: {file: read_json_object(run / file) if (run / file).exists() else {} for file in RUN_FILES}
        for name, run in runs.items()
    }  # of a run that is not finished, some are not there yet
    ended = {
        name: {
            "folder": str(runs[name]),
            **({} if each["results.json"] else {"finished": "no"}),
            **{
                key: value
                for key, value in each["results.json"].items()
                if not isinstance(value, dict | list)
            },
        }
        for name, each in files.items()
    }
    yield from side_by_side("Training runs", ended, mark=False)
    for title, file in (("Configs", "config.json"), ("Environments", "environment.json")):
        columns = {name: _lasting(each[file]) for name, each in files.items()}
        yield f"<details><summary>{title} of the training runs</summary>\n"
        yield from side_by_side(title, columns, mark=len(columns) > 1)
        yield "</details>\n"


def _lasting(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in PASSING}


def index_trades(report: Report) -> Iterator[str]:
    """What ``ctl index tune`` measured."""
    for file, trades in report.trades.items():
        rows: list[Sequence[Cell]] = [
            [
                each.recipe,
                ", ".join(f"{name} {value}" for name, value in each.settings.items()),
                each.recall,
                round(each.queries_per_second),
                each.p50_ms,
                each.p95_ms,
                round(each.bytes_per_vector),
                "★" if each.best else "",
            ]
            for each in trades
        ]
        columns = [
            "recipe",
            "settings",
            "recall@10",
            "queries/s",
            "p50 ms",
            "p95 ms",
            "bytes a vector",
            "best",
        ]
        yield from table(f"Index: {file}; ★ no other is better in recall, speed and memory", columns, rows)
