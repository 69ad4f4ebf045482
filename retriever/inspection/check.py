"""``ctl data check``: everything that can be told of a data set before it is trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from retriever.choices import DataKind, FailOn, Severity
from retriever.config.data import DataCheckConfig
from retriever.data.hub import at_split
from retriever.data.lines import RECORD_FORMATS, format_of, read_json_objects
from retriever.errors import InputError
from retriever.inspection.doctors import Doctor, DprDoctor, SimcseDoctor
from retriever.inspection.finding import Finding
from retriever.protocols import Progress, no_progress

DOCTORS: dict[DataKind, Callable[[DataCheckConfig], Doctor[Any]]] = {"dpr": DprDoctor, "simcse": SimcseDoctor}

GRADES: tuple[Severity, ...] = get_args(Severity)
"""The least grave first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was looked at and what was found, the gravest first."""

    kind: DataKind
    rows: int
    findings: tuple[Finding, ...]

    def fails(self, fail_on: FailOn) -> bool:
        """Whether there is a finding of this severity, or a graver one; never: no."""
        if fail_on == "never":
            return False
        return any(GRADES.index(each.severity) >= GRADES.index(fail_on) for each in self.findings)


def check_data(config: DataCheckConfig, *, progress: Progress = no_progress) -> Report:
    """Read what is held out and the corpus, then the training data once, and tell what is wrong.

    Args:
        config: what ``ctl data check`` takes.
        progress: opens progress displays.

    Raises:
        InputError: a file that cannot be parsed, records of neither kind, or positives that are given by id only where
            there is no corpus.
    """
    doctor = DOCTORS[config.kind or kind_of_data(config.train[0])](config)
    doctor.examine(progress)
    found = sorted(doctor.findings(), key=lambda each: -GRADES.index(each.severity))
    return Report(kind=doctor.kind, rows=len(doctor.check.rows), findings=tuple(found))


def kind_of_data(path: Path) -> DataKind:
    """What training data are for, by the first record.

    Raises:
        InputError: its fields are of neither kind.
    """
    if path.is_dir():
        return "dpr"
    path = at_split(path, "train")
    if format_of(path) not in RECORD_FORMATS:
        return "simcse"
    line, first = next(read_json_objects(path), (None, {}))
    if "question" in first:
        return "dpr"
    if {"anchor", "sent0", "positive", "sent1"} & first.keys():
        return "simcse"
    names = ", ".join(list(first)[:8])
    raise InputError(
        f"expected training data with 'question', or with 'anchor' or 'sent0' (found: {names})",
        path=path,
        line=line,
    )
