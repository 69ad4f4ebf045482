"""Folders of results for the tests of reports."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from retriever.evaluation.results import Evaluation, write_results

Columns = Mapping[str, Sequence[float]]


def results(
    folder: Path,
    suite: str,
    columns: Columns,
    metrics: Mapping[str, float | None],
    *,
    task: str = "t",
    policy: Mapping[str, object] | None = None,
    sha256: str = "d" * 64,
    text: str = "text",
    fingerprint: str = "",
) -> Path:
    """A folder of results whose items hold these values: metric → one an item."""
    evaluation = Evaluation(
        suite=suite,
        task=task,
        policy=policy or {},
        model={"name": folder.name, "fingerprint": fingerprint or folder.name},
        data={"sha256": sha256},
    )
    count = len(next(iter(columns.values()))) if columns else 0
    items = [
        {
            "id": f"q{row}",
            "text": f"{text} {row}",
            **{name: float(each[row]) for name, each in columns.items()},
        }
        for row in range(count)
    ]
    write_results(folder, evaluation, metrics, items)
    return folder
