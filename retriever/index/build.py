"""Building an index folder: passages → vectors → segment, with everything that is needed to search it with the same model."""

import logging
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.config import IndexConfig
from retriever.data.arrow import PassageTable
from retriever.data.corpus import read_passages
from retriever.data.files import require_new_folder
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.shards import embed_corpus
from retriever.errors import InputError
from retriever.index.layout import (
    CURRENT,
    GENERATION,
    LOCK,
    PASSAGES,
    SEGMENTS,
    SHARDS,
    Generation,
    Manifest,
    ModelReference,
    numbered,
    unfinished_switches,
)
from retriever.index.writing import VectorsOf, put_into_force, write_segment, writer
from retriever.protocols import Progress, no_progress

logger = logging.getLogger(__name__)


def build_index(config: IndexConfig, *, progress: Progress = no_progress) -> Path:
    """Build an index folder; a run that was killed goes on from its last whole shard.

    Returns:
        The index folder.

    Raises:
        InputError: bad passages or model, or an output folder that holds something else. Nothing is left behind then,
            but for shards that were there before.
    """
    _require_free(config.output)
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
    reference = ModelReference.of(
        config.model, config.passage_model, model.fingerprint, config.output, config.pooling
    )
    with writer(config.output):
        segment = write_segment(
            config.output,
            read_passages(config.passages),
            encoded_by(model, config.output, shard_size=config.shard_size, progress=progress),
            recipe=config.recipe,
            dimension=model.dimension,
        )
        settings = model.passage.settings
        manifest = Manifest(
            similarity=settings.similarity,
            dimension=model.dimension,
            count=segment.count,
            removed=0,
            model=reference,
            passage_format=settings.passage_format,
            max_length=settings.max_length,
            precision=model.passage.precision,
            bm25=config.bm25,
            versions={package: version(package) for package in ("faiss-cpu", "torch", "transformers")},
            segments=(segment,),
        )
        table = PassageTable(Generation(config.output / CURRENT).segment(segment.name) / PASSAGES)
        nothing = np.empty(0, np.int64)
        put_into_force(config.output, manifest, nothing, passages=lambda: table, progress=progress)
        if not config.keep_shards:
            shutil.rmtree(config.output / SHARDS)
    return config.output


def encoded_by(model: DualEncoder, index: Path, *, shard_size: int, progress: Progress) -> VectorsOf:
    """The vectors of passages by the model, through shards in the index folder: a killed run goes on from its last whole one."""

    def vectors_of(table: PassageTable, passages_sha256: str) -> Iterator[NDArray[np.floating]]:
        settings = model.passage.settings
        shards = embed_corpus(
            table,
            model.encode_passages,
            index / SHARDS,
            shard_size=shard_size,
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
        return (shard.vectors() for shard in shards)

    return vectors_of


def _require_free(output: Path) -> None:
    """The output is new or empty, or holds what a killed build left: shards, and what is not yet in force."""
    if (output / CURRENT).exists():
        raise InputError(
            "holds an index: ctl index add adds to it, another --output makes a new one", path=output
        )
    left = set(output.iterdir()) if output.is_dir() else {output}
    left -= {output / SHARDS, output / LOCK, *numbered(output, GENERATION), *unfinished_switches(output)}
    if output / SEGMENTS in left and set((output / SEGMENTS).iterdir()) == set(numbered(output / SEGMENTS)):
        left.remove(output / SEGMENTS)
    if left:
        require_new_folder(output)
