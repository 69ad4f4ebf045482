"""Shards made by several processes: one a GPU, or some on a CPU of many cores. Each loads the model and takes the next shard."""

import multiprocessing
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path

import torch

from retriever.choices import PassageFormat, PoolingRequest, Precision, VectorType
from retriever.config.index import EncodingConfig
from retriever.data.arrow import PassageTable
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.shards import RunShards, Shard, written
from retriever.errors import InputError

LOOK_EVERY = 1.0
"""Seconds after which a process looks whether the others are still there."""

Report = int | str | OSError
"""Passages that a worker has just done, or what went wrong: with the input, or with the disk."""


@dataclass(frozen=True)
class PassageModel:
    """How to load a model for passages: in this process, and in workers.

    Attributes:
        name: the model.
        passage_name: the passages' model, when it is another.
        pooling: of a plain Hugging Face folder.
        max_length: tokens per passage.
        passage_format: how title and text become one input.
        device: where it runs.
        precision: in which it runs.
    """

    name: str
    passage_name: str | None
    pooling: PoolingRequest | None
    max_length: int | None
    passage_format: PassageFormat | None
    device: str
    precision: Precision

    @classmethod
    def of(cls, config: EncodingConfig) -> "PassageModel":
        """As a config names it."""
        return cls(
            config.model,
            config.passage_model,
            config.pooling,
            config.max_length,
            config.passage_format,
            config.device,
            config.precision,
        )

    def load(self, *, device: str | None = None, precision: Precision | None = None) -> DualEncoder:
        """Load it, on its device and in its precision or on others."""
        return DualEncoder.load(
            self.name,
            self.passage_name,
            pooling=self.pooling,
            max_length=self.max_length,
            passage_format=self.passage_format,
            device=device or self.device,
            precision=precision or self.precision,
        )


def worker_devices(device: torch.device, workers: int) -> list[str]:
    """The device of each worker: the GPUs in turn, or the CPU.

    Raises:
        InputError: fewer GPUs than workers.
    """
    if device.type != "cuda":
        return [str(device)] * workers
    there = torch.cuda.device_count()
    if workers > there:
        raise InputError(
            f"workers take one GPU each: {workers} of them, but PyTorch sees {there} CUDA devices"
        )
    return [f"cuda:{number}" for number in range(workers)]


def run_in_workers(
    model: PassageModel, passages: Path, devices: Sequence[str], precision: Precision, dtype: VectorType
) -> RunShards:
    """Shards are made by a process on each device.

    Args:
        model: what each loads.
        passages: the table of passages.
        devices: one a worker.
        precision: of all of them.
        dtype: in which vectors are written.
    """

    def run(missing: Sequence[Shard], advance: Callable[[int], None]) -> None:
        if not missing:
            return
        context = multiprocessing.get_context("spawn")  # a process with a GPU cannot be forked
        waiting: Queue[Shard | None] = context.Queue()
        reports: Queue[Report] = context.Queue()
        for shard in [*missing, *([None] * len(devices))]:
            waiting.put(shard)
        threads = max(1, (os.cpu_count() or 1) // len(devices))
        workers = [
            context.Process(
                target=_work,
                args=(model, passages, device, precision, dtype, threads, waiting, reports),
                daemon=True,
            )
            for device in devices[: len(missing)]
        ]
        for each in workers:
            each.start()
        try:
            _watch(workers, reports, sum(shard.count for shard in missing), advance)
        finally:
            for each in workers:
                each.terminate()
                each.join()

    return run


def _watch(
    workers: Sequence[multiprocessing.process.BaseProcess],
    reports: "Queue[Report]",
    count: int,
    advance: Callable[[int], None],
) -> None:
    """Wait until every passage is done.

    Raises:
        InputError: a worker says what is wrong with the input.
        OSError: a worker could not write.
        RuntimeError: a worker died without a word.
    """
    while count:
        try:
            report = reports.get(timeout=LOOK_EVERY)
        except queue.Empty:
            dead = [each for each in workers if each.exitcode not in (None, 0)]
            if dead:
                raise RuntimeError(f"a worker ended with exit code {dead[0].exitcode}") from None
            continue
        if isinstance(report, str):
            raise InputError(report)
        if isinstance(report, OSError):
            raise report
        advance(report)
        count -= report


def _work(
    model: PassageModel,
    passages: Path,
    device: str,
    precision: Precision,
    dtype: VectorType,
    threads: int,
    waiting: "Queue[Shard | None]",
    reports: "Queue[Report]",
) -> None:
    """One worker: shards until there are no more, or until its parent is gone."""
    torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    try:
        loaded, table = model.load(device=device, precision=precision), PassageTable(passages)

        def shards() -> Iterator[Shard]:
            while (shard := waiting.get()) is not None and parent is not None and parent.is_alive():
                yield shard

        for shard in written(shards(), table, loaded.encode_passages, dtype):
            reports.put(shard.count)
    except InputError as error:
        reports.put(str(error))
    except OSError as error:
        reports.put(error)
