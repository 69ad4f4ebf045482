"""Progress on stderr: bars on a terminal, elsewhere one line at the start and one at the end of each phase.

Both classes satisfy ``retriever.protocols.Progress``. Phases may nest: a training phase holds its dev evaluations.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from retriever.protocols import Progress

logger = logging.getLogger(__name__)


def make_progress() -> "Progress":
    """Bars where stderr is a terminal, lines where it is not."""
    return ProgressBars() if sys.stderr.isatty() else ProgressLines()


class ProgressLines:
    """A log record when a phase starts and when it ends."""

    @contextmanager
    def __call__(self, total: int | None, label: str) -> Iterator[Callable[[int], None]]:
        """Announce a phase; on leaving say how many items it did and how long it took."""
        done = 0

        def advance(items: int) -> None:
            nonlocal done
            done += items

        logger.info("%s%s …", label, "" if total is None else f": {total:,}")
        start = time.perf_counter()
        yield advance
        logger.info("%s: %s done in %.1f s", label, f"{done:,}", time.perf_counter() - start)


class ProgressBars:
    """One live display with a bar for each open phase; a finished bar stays, with the seconds it took."""

    def __init__(self) -> None:
        self.display: RichProgress | None = None
        self.open_phases = 0

    @contextmanager
    def __call__(self, total: int | None, label: str) -> Iterator[Callable[[int], None]]:
        """Show a phase's bar; with no total it pulses."""
        if self.display is None:
            self.display = new_display()
            self.display.start()
        display = self.display
        task = display.add_task(label, total=total)
        self.open_phases += 1
        try:
            yield lambda items: display.advance(task, items)
            if total is None:
                finished = display.tasks[display.task_ids.index(task)].completed
                display.update(task, total=finished, completed=finished)
        finally:
            self.open_phases -= 1
            if self.open_phases == 0:
                display.stop()
                self.display = None


def new_display() -> "RichProgress":
    """Label, bar, count and the time left, or in the end taken, on stderr."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
    )
