"""Passages → vectors on the disk: for an index that is being built, or in a folder of their own."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from retriever.choices import VectorType
from retriever.config import EncodeConfig, EncodingConfig
from retriever.data.arrow import PassageTable, write_passage_table
from retriever.data.corpus import read_passages
from retriever.data.files import require_new_folder
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.shards import embed_corpus
from retriever.errors import InputError
from retriever.index.layout import LOCK, PASSAGES
from retriever.protocols import Progress, no_progress

logger = logging.getLogger(__name__)

UNFINISHED = f"{PASSAGES}.tmp"


def encode_corpus(config: EncodeConfig, *, progress: Progress = no_progress) -> Path:
    """Encode passages into a folder: ``passages.arrow``, whose row n has the n-th vector of ``000000.npy``, ``000001.npy`` ….

    A run that was killed goes on from its last whole shard, and gives the same bytes.

    Returns:
        The folder.

    Raises:
        InputError: bad passages or model, a folder that holds something else, or one that another process writes into.
    """
    output, was_there = config.output, config.output.exists()
    leftovers = {output / LOCK, output / UNFINISHED}  # of a run that was killed at its very start
    if not (output / PASSAGES).is_file() and not (was_there and set(output.iterdir()) <= leftovers):
        require_new_folder(output)
    model = load_for_passages(config)
    output.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(output / LOCK, timeout=0):
            _, passages_sha256 = write_passage_table(output / UNFINISHED, read_passages(config.passages))
            (output / UNFINISHED).replace(output / PASSAGES)
            encoded_by(model, output, shard_size=config.shard_size, dtype=config.dtype, progress=progress)(
                PassageTable(output / PASSAGES), passages_sha256
            )
    except Timeout:
        raise InputError(
            "another process is encoding into this folder: wait until it is done", path=output
        ) from None
    except InputError:
        if not was_there and set(output.iterdir()) <= leftovers:
            shutil.rmtree(output)
        raise
    return output


def load_for_passages(config: EncodingConfig) -> DualEncoder:
    """The model that a config names, set for its passages."""
    model = DualEncoder.load(
        config.model,
        config.passage_model,
        pooling=config.pooling,
        max_length=config.max_length,
        passage_format=config.passage_format,
        device=config.device,
        precision=config.precision,
    )
    logger.info(model.describe())
    return model


def encoded_by(
    model: DualEncoder, folder: Path, *, shard_size: int, dtype: VectorType = "fp32", progress: Progress
) -> Callable[[PassageTable, str], list[NDArray[np.floating]]]:
    """The vectors of passages by the model, through shards in a folder: a killed run goes on from its last whole one."""

    def vectors_of(table: PassageTable, passages_sha256: str) -> list[NDArray[np.floating]]:
        settings = model.passage.settings
        shards = embed_corpus(
            table,
            model.encode_passages,
            folder,
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
            progress=progress,
        )
        return [shard.vectors() for shard in shards]

    return vectors_of
