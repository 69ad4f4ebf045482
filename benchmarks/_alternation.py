"""Two sides of a comparison, each in a process of its own, that take turns: one sleeps while the other is timed."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Protocol

MEBIBYTE = 2**20
STOPPED = "error: one side stopped; what it said is above"


class Timed(Protocol):
    """What a side is given: how many windows there are, and how many steps, texts or searches make one."""

    @property
    def windows(self) -> int: ...

    @property
    def window(self) -> int: ...


Side = Callable[[Connection, Any], None]
"""It sends a message and waits for an answer after its imports, its warm-up and each window, and sends a report at its end."""


class Worker:
    """One side of a comparison, in a process of its own, asleep but for its turns."""

    def __init__(self, target: Side, job: Timed) -> None:
        context = get_context("spawn")
        self.line, other_end = context.Pipe()
        self.process = context.Process(target=target, args=(other_end, job), daemon=True)
        self.process.start()
        other_end.close()
        self.peak = 0
        self._answer()
        self.baseline = self.peak = self._memory()
        self.window()  # the warm-up

    def window(self) -> float:
        """Let it go on to its next stop; → seconds that took."""
        return float(self._go().get("seconds", 0.0))

    def finish(self) -> dict[str, Any]:
        """Let it end; → what it tells of its work, and the most memory it held up to its last window, in MiB."""
        host_peak = self.peak - self.baseline
        report = self._go()
        self.process.join()
        report["memory"] = (report.pop("device_peak") or host_peak) / MEBIBYTE
        return report

    def _go(self) -> dict[str, Any]:
        try:
            self.line.send(None)
        except OSError:
            sys.exit(STOPPED)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        try:
            while not self.line.poll(0.01):
                self.peak = max(self.peak, self._memory())
            answer: dict[str, Any] = self.line.recv()
        except (EOFError, OSError):
            sys.exit(STOPPED)
        return answer

    def _memory(self) -> int:
        """Bytes of anonymous memory that the process holds: memory-mapped files do not count; 0 once it is gone."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return 0
        lines = (line.split() for line in status.splitlines())
        return next((1024 * int(words[1]) for words in lines if words[0] == "RssAnon:"), 0)


def begin(line: Connection) -> None:
    """A side's wait for its first turn, after its imports."""
    os.dup2(2, 1)  # whatever a library prints must not come between the benchmark's results
    line.send({})
    line.recv()


def take_turns(line: Connection, job: Timed, work: Callable[[], object], first: Callable[[], object]) -> None:
    """A side's windows, the same work in each, after the ``first`` to warm up; its report is then still to be sent."""
    first()
    line.send({})
    line.recv()
    for _ in range(job.windows):
        begun = time.perf_counter()
        work()
        line.send({"seconds": time.perf_counter() - begun})
        line.recv()


@dataclass(frozen=True)
class Outcome:
    """Seconds of each window, and each side's own report."""

    ours: list[float]
    peer: list[float]
    our_report: dict[str, Any]
    peer_report: dict[str, Any]


def alternate(name: str, left: tuple[Side, Timed], right: tuple[Side, Timed]) -> Outcome:
    """Run the two sides window by window: ours, the peer, ours, the peer, and so on."""
    say(f"{name}: loading and warming up")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # model cards look for their base model on the hub
    windows, steps = left[1].windows, (left[1].window, right[1].window)
    ours, peer = Worker(*left), Worker(*right)
    pairs = []
    for number in range(1, windows + 1):
        pairs.append((ours.window(), peer.window()))
        told = [1000 * seconds / count for seconds, count in zip(pairs[-1], steps, strict=True)]
        say(f"{name}: pair {number} of {windows}: {told[0]:.1f} and {told[1]:.1f} ms each")
    our_seconds, peer_seconds = zip(*pairs, strict=True)
    return Outcome(list(our_seconds), list(peer_seconds), ours.finish(), peer.finish())


def compared(
    found: Outcome, ours: Timed, peer: Timed, unit: str, *, memory: str, **more: object
) -> dict[str, object]:
    """Rates on either side, the median of the pairwise ratios with their range, and memory; windows may differ in size."""
    ratios = [
        (theirs / peer.window) / (own / ours.window)
        for own, theirs in zip(found.ours, found.peer, strict=True)
    ]
    sizes = {"ours": found.our_report["memory"], "peer": found.peer_report["memory"]}
    return {
        "ours": round(ours.window / median(found.ours), 1),
        "peer": round(peer.window / median(found.peer), 2),
        "ratio": round(median(ratios), 4),
        "lowest": round(min(ratios), 4),
        "highest": round(max(ratios), 4),
        "unit": unit,
        "pairs": len(ratios),
        **more,
        "memory": {
            **{side: round(size) for side, size in sizes.items()},
            "ratio": round(sizes["peer"] / sizes["ours"], 3),
            "unit": memory,
        },
    }


def say(text: str) -> None:
    """To standard error, at once."""
    print(text, file=sys.stderr, flush=True)
