"""A training run of a benchmark, and how it stops for the other side's turn."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from retriever.choices import PassageFormat

PASSAGE_FORMAT: PassageFormat = "{title} {text}"
SCALE = 20.0
"""The peer's factor on cosines: our temperature of 0.05."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What both sides train on, and for how long.

    Attributes:
        recipe: simcse or dpr.
        model: the folder of the model to start from.
        train: the examples, as our readers take them.
        columns: the same examples for the peer: a JSON object, column → texts.
        output: a folder for what training writes.
        batch_size: examples per optimiser step.
        max_length: tokens per sentence or passage.
        query_max_length: tokens per question, ours; the peer has one length for all.
        num_hard_negatives: per question, 0 or 1.
        warmup: optimiser steps before the first window; at least one.
        window: optimiser steps in a window.
        windows: how many windows.
        bf16: whether the peer's ``bf16`` is on; we train as we come.
        chunk_tokens: our GradCache; None: plain steps.
    """

    recipe: Literal["simcse", "dpr"]
    model: str
    train: Path
    columns: Path
    output: Path
    batch_size: int
    max_length: int
    query_max_length: int = 64
    num_hard_negatives: int = 0
    warmup: int
    window: int
    windows: int
    bf16: bool = True
    chunk_tokens: int | None = None

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.warmup + self.window * self.windows

    @property
    def learning_rate(self) -> float:
        """The paper's, for both sides."""
        return {"simcse": 3e-5, "dpr": 2e-5}[self.recipe]


class Turns:
    """Stops a training run where the other side's turn begins: after the imports, the warm-up and each window."""

    def __init__(self, line: Connection, job: Job) -> None:
        self.line, self.job, self.done, self.since = line, job, 0, 0.0
        os.dup2(2, 1)  # whatever a library prints must not come between the benchmark's results

    def step(self) -> None:
        """To be called after every optimiser step."""
        self.done += 1
        past = self.done - self.job.warmup
        if past >= 0 and past % self.job.window == 0:
            synchronize()
            self.wait({"seconds": time.perf_counter() - self.since})

    def wait(self, message: Mapping[str, object]) -> None:
        """Report, and sleep until it is this side's turn again."""
        self.line.send(message)
        self.line.recv()
        self.since = time.perf_counter()

    @contextmanager
    def progress(self, total: int | None, label: str) -> Iterator[Callable[[int], None]]:
        """Our training loop's progress display, which it tells of every step."""

        def advance(steps: int) -> None:
            for _ in range(steps):
                self.step()

        yield advance if label == "train" else (lambda done: None)


def synchronize() -> None:
    """Wait until the GPU, if there is one, has done what it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def device_peak() -> int | None:
    """Most bytes that tensors held on the GPU; None without one."""
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
