"""Building an index folder: passages → vectors → FAISS, with everything that is needed to search it with the same model."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from retriever.config import IndexConfig
from retriever.data.arrow import PassageTable, write_passage_table
from retriever.data.corpus import read_passages
from retriever.data.files import file_sha256, require_new_folder
from retriever.data.folders import sync_tree
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.shards import Shard, embed_corpus
from retriever.index.faiss_index import FaissIndex
from retriever.index.layout import (
    FIRST_GENERATION,
    SHARDS,
    Generation,
    Manifest,
    ModelReference,
    switch_to,
    write_manifest,
)
from retriever.index.recipes import FACTORY
from retriever.lexical.bm25 import build_bm25
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
    with _generation_in_progress(config.output) as generation:
        count, passages_sha256 = write_passage_table(generation.passages, read_passages(config.passages))
        table = PassageTable(generation.passages)
        manifest = Manifest(
            recipe=config.recipe,
            factory=FACTORY[config.recipe],
            similarity=model.passage.settings.similarity,
            dimension=model.dimension,
            count=count,
            model=ModelReference.of(
                config.model, config.passage_model, model.fingerprint, config.output, config.pooling
            ),
            passage_format=model.passage.settings.passage_format,
            max_length=model.passage.settings.max_length,
            precision=model.passage.precision,
            passages_sha256=passages_sha256,
            bm25=config.bm25,
            versions={package: version(package) for package in ("faiss-cpu", "torch", "transformers")},
        )
        shards = embed_corpus(
            table,
            model.encode_passages,
            config.output / SHARDS,
            shard_size=config.shard_size,
            made_with=_made_with(manifest),
            progress=progress,
        )
        _write_vectors(generation, table, shards, manifest)
        if config.bm25:
            generation.bm25.mkdir()
            build_bm25(table, generation.bm25, progress=progress)
        write_manifest(generation, _with_files(manifest, generation))
    switch_to(config.output, Generation(config.output / FIRST_GENERATION))
    if not config.keep_shards:
        shutil.rmtree(config.output / SHARDS)
    return config.output


def _require_free(output: Path) -> None:
    """The output is new or empty, or holds what a killed build left: shards, or a generation not yet in force."""
    left = {each.name for each in output.iterdir()} if output.is_dir() else {str(output)}
    if not left <= {SHARDS, FIRST_GENERATION, f"{FIRST_GENERATION}.tmp"}:
        require_new_folder(output)


@contextmanager
def _generation_in_progress(output: Path) -> Iterator[Generation]:
    """A temporary generation folder, given its name when everything in it is on the disk; on an error it vanishes."""
    was_there = output.exists()
    temporary, final = output / f"{FIRST_GENERATION}.tmp", output / FIRST_GENERATION
    for leftover in (temporary, final):  # of a killed build: no CURRENT points there
        shutil.rmtree(leftover, ignore_errors=True)
    generation = Generation(temporary)
    generation.segment.mkdir(parents=True)
    try:
        yield generation
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if not was_there and not any(output.iterdir()):
            output.rmdir()
        raise
    sync_tree(temporary)
    temporary.rename(final)


def _made_with(manifest: Manifest) -> dict[str, object]:
    """What the vectors depend on."""
    return {
        "model": manifest.model.fingerprint,
        "similarity": manifest.similarity,
        "passages": manifest.passages_sha256,
        "passage_format": manifest.passage_format,
        "max_length": manifest.max_length,
        "precision": manifest.precision,
    }


def _write_vectors(
    generation: Generation, table: PassageTable, shards: Sequence[Shard], manifest: Manifest
) -> None:
    """The shards' vectors, in the order of the passages, into one FAISS index."""
    index, ids = FaissIndex(manifest.dimension, manifest.factory), table.ids()
    for shard in shards:
        index.add(ids[shard.start : shard.start + shard.count], shard.vectors())
    index.save(generation.segment)


def _with_files(manifest: Manifest, generation: Generation) -> Manifest:
    """The manifest with size and hash of every file."""
    files = sorted(each for each in generation.folder.rglob("*") if each.is_file())
    return replace(
        manifest,
        files={
            each.relative_to(generation.folder).as_posix(): {
                "bytes": each.stat().st_size,
                "sha256": file_sha256(each),
            }
            for each in files
        },
    )
