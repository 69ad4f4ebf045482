"""Passages → vectors on the disk: for an index that is being built, or in a folder of their own."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from retriever.choices import VectorType
from retriever.config.index import EncodeConfig, EncodingConfig
from retriever.data.arrow import PassageTable, write_passage_table
from retriever.data.corpus import read_passages
from retriever.data.files import require_new_folder
from retriever.data.folders import drop_unused, locked
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.shards import (
    NUMPY_TYPE,
    RunShards,
    Shard,
    embed_corpus,
    leftovers,
    made_with,
    run_here,
)
from retriever.errors import InputError
from retriever.index.layout import LOCK, PASSAGES
from retriever.index.parts import Parts
from retriever.index.workers import PassageModel, run_in_workers, worker_devices
from retriever.protocols import Progress, no_progress
from retriever.readable import readable_time

logger = logging.getLogger(__name__)

UNFINISHED = f"{PASSAGES}.tmp"
SAMPLE = {"cpu": 128, "mps": 1024, "cuda": 4096}
"""Passages whose encoding is timed: some seconds' worth."""


def encode_corpus(config: EncodeConfig, *, progress: Progress = no_progress) -> Path:
    """Encode passages into a folder: ``passages.arrow``, whose row n has the n-th vector of ``000000.npy``, ``000001.npy`` ….

    A run that was killed goes on from its last whole shard, and gives the same bytes.

    Returns:
        The folder.

    Raises:
        InputError: bad passages or model, a folder that holds something else, or one that another process writes into.
    """
    output = config.output
    _require_own(output, config.passages)
    model = PassageModel.of(config).load()
    logger.info(model.describe())
    was_there = output.exists()
    output.mkdir(parents=True, exist_ok=True)
    with locked(output / LOCK, "another process is encoding into this folder"):
        try:
            _, passages_sha256 = write_passage_table(output / UNFINISHED, read_passages(config.passages))
            _require_same(output, passages_sha256)
            (output / UNFINISHED).replace(output / PASSAGES)
            vectors_of = encoded_by(
                model,
                output,
                shard_size=config.shard_size,
                dtype=config.dtype,
                run=run_of(config, model),
                gpus=gpus_of(config, model),
                progress=progress,
            )
            vectors_of(PassageTable(output / PASSAGES), passages_sha256)
        except InputError:
            (output / UNFINISHED).unlink(missing_ok=True)
            if not was_there:
                drop_unused(output, output / LOCK)
            raise
    return output


def _require_own(output: Path, passages: Path) -> None:
    """The folder is new, or of ``ctl encode``: ``passages.arrow`` in it is replaced."""
    if not output.is_dir():
        require_new_folder(output)
        return
    begun = {output / LOCK, output / UNFINISHED, *leftovers(output)}  # of a run that was killed at its start
    found = set(output.iterdir())
    if output / LOCK in found:
        begun.add(output / PASSAGES)
    whole = (output / PASSAGES).is_file() and made_with(output) is not None
    if not whole and not found <= begun:
        require_new_folder(output)
    if output / PASSAGES in found and passages.resolve() == (output / PASSAGES).resolve():
        raise InputError(
            "are the passages to encode, and the output folder's own: name another folder", path=passages
        )


def _require_same(output: Path, passages_sha256: str) -> None:
    """The vectors that are there are of these passages."""
    values = made_with(output)
    if values is not None and values.get("passages") != passages_sha256:
        raise InputError(
            "holds vectors of other passages: name another folder, or delete this one", path=output
        )


def encoded_by(
    model: DualEncoder,
    folder: Path,
    *,
    shard_size: int,
    dtype: VectorType = "fp32",
    run: Callable[[PassageTable], RunShards] | None = None,
    gpus: int = 1,
    drop_others: bool = False,
    progress: Progress,
) -> Callable[[PassageTable, str], Parts]:
    """The vectors of passages by the model, through shards in a folder: a killed run goes on from its last whole one.

    Args:
        model: decides what the shards are; it makes them, too, unless ``run`` does.
        folder: of the shards.
        shard_size: passages per shard.
        dtype: in which vectors are written.
        run: makes shards somewhere else.
        gpus: how many run at the same time.
        drop_others: as for ``embed_corpus``.
        progress: opens progress displays.
    """

    def vectors_of(table: PassageTable, passages_sha256: str) -> Parts:
        settings = model.passage.settings
        run_shards = run_here(table, model.encode_passages, dtype) if run is None else run(table)
        shards = embed_corpus(
            len(table),
            folder,
            forecast_first(run_shards, model, table, gpus=gpus),
            shard_size=shard_size,
            dtype=dtype,
            made_with={
                "model": model.fingerprint,
                "similarity": settings.similarity,
                "passages": passages_sha256,
                "passage_format": settings.passage_format,
                "max_length": settings.max_length,
                "precision": model.passage.precision,
            },
            drop_others=drop_others,
            progress=progress,
        )
        sizes = [shard.count for shard in shards]
        return Parts(
            sizes, model.dimension, np.dtype(NUMPY_TYPE[dtype]), lambda number: shards[number].vectors()
        )

    return vectors_of


def forecast_first(run: RunShards, model: DualEncoder, table: PassageTable, *, gpus: int) -> RunShards:
    """Say how long the shards will take, as a sample of the passages tells, before they are made.

    A corpus that takes less than some ten times as long as its sample is just encoded.
    """

    def forecast_and_run(missing: Sequence[Shard], advance: Callable[[int], None]) -> None:
        left, sample = sum(each.count for each in missing), SAMPLE[model.passage.device.type]
        if left >= 20 * sample:
            rows = np.linspace(0, len(table) - 1, sample).astype(int)
            passages = [table[int(row)] for row in rows]
            model.encode_passages(passages[::8])  # the first time takes longer
            started = time.perf_counter()
            model.encode_passages(passages)
            seconds = (time.perf_counter() - started) * left / sample / gpus
            logger.info("encoding %d passages will take about %s", left, readable_time(seconds))
        run(missing, advance)

    return forecast_and_run


def run_of(config: EncodingConfig, model: DualEncoder) -> Callable[[PassageTable], RunShards] | None:
    """Where a config wants its shards made: None, in this process, or in workers."""
    if config.workers == 1:
        return None
    devices = worker_devices(model.passage.device, config.workers)
    precision, how = model.passage.precision, PassageModel.of(config)
    return lambda table: run_in_workers(how, table.path, devices, precision, config.dtype)


def gpus_of(config: EncodingConfig, model: DualEncoder) -> int:
    """How many devices make shards at the same time; workers on a CPU share its cores."""
    return 1 if model.passage.device.type == "cpu" else config.workers
