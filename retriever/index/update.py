"""Changing an index that is in use: adding, removing and compacting. Readers see it as it was or as it is, never in between."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from retriever.config.index import IndexAddConfig, IndexRemoveConfig
from retriever.data.corpus import locate_passages, read_passages
from retriever.data.lines import read_lines
from retriever.errors import InputError
from retriever.index.bm25 import settings_of
from retriever.index.encode import encoded_by
from retriever.index.faiss_index import FaissIndex
from retriever.index.id_table import ABSENT
from retriever.index.layout import ADDED, TRAINED, check_files, current_generation
from retriever.index.model import model_of
from retriever.index.opened import OpenIndex
from retriever.index.recipes import rows_per_file
from retriever.index.stored import ROWS_AT_ONCE, stored_vectors
from retriever.index.writing import put_into_force, write_segment, writer
from retriever.protocols import Progress, no_progress
from retriever.records import Passage

logger = logging.getLogger(__name__)


def add_passages(config: IndexAddConfig, *, progress: Progress = no_progress) -> OpenIndex:
    """Encode passages with the index's own model and add them as a segment; a run that was killed goes on.

    Raises:
        InputError: bad passages, an id that is there already (unless ``replace``), or another model. The index is as it was then.
    """
    index = config.index
    opened = OpenIndex.open(index)
    model = model_of(config, opened.manifest, for_passages=True)
    logger.info(model.describe())
    with writer(index):
        opened = OpenIndex.open(index)  # it may have changed while the model was loaded
        first = opened.segments[0]
        check_files(first.folder, {TRAINED: first.entry.files[TRAINED]}, whole=True)
        bm25, replaced = settings_of(opened), list[NDArray[np.int64]]()
        segment, _ = write_segment(
            index,
            _new_passages(config, opened, replaced),
            encoded_by(
                model, index / ADDED, shard_size=config.shard_size, drop_others=True, progress=progress
            ),
            empty=lambda table: _trained(opened),
            bm25=bm25,
            progress=progress,
        )
        removed = np.union1d(opened.removed, np.concatenate(replaced))
        manifest = replace(opened.manifest, segments=(*opened.manifest.segments, segment))
        put_into_force(index, manifest, removed, bm25)
    return _changed(index)


def _new_passages(
    config: IndexAddConfig, opened: OpenIndex, replaced: list[NDArray[np.int64]]
) -> Iterator[Passage]:
    """The passages of the file; the rows of those that they replace are noted."""
    batch: list[Passage] = []

    def checked() -> list[Passage]:
        rows = opened.row_of([each.id for each in batch])
        there = rows != ABSENT
        if there.any() and not config.replace:
            first = batch[int(there.argmax())].id
            raise InputError(
                f"passage '{first}' is in the index already: --replace puts the new one in its place",
                path=config.passages,
                line=next(line for line, each in locate_passages(config.passages) if each.id == first),
            )
        replaced.append(rows[there])
        return batch

    for passage in read_passages(config.passages):
        batch.append(passage)
        if len(batch) == ROWS_AT_ONCE:
            yield from checked()
            batch.clear()
    yield from checked()


def ids_to_remove(config: IndexRemoveConfig) -> dict[str, int | None]:
    """The ids on the command line and in the file, each with its line there; None: it is on the command line.

    Raises:
        InputError: there are none.
    """
    ids: dict[str, int | None] = dict.fromkeys(config.ids)
    for number, id in () if config.ids_file is None else read_lines(config.ids_file):
        if id:
            ids.setdefault(id, number)
    if not ids:
        raise InputError("give the ids of passages, or --ids-file", path=config.ids_file)
    return ids


def remove_passages(
    index: Path,
    ids: Sequence[str],
    *,
    ids_file: Path | None = None,
    lines: Mapping[str, int | None] = MappingProxyType({}),
) -> OpenIndex:
    """Remove passages by id.

    Args:
        index: the index folder.
        ids: of the passages.
        ids_file: where ids were read from, for messages.
        lines: in which line of it each id stands.

    Raises:
        InputError: an id that is not there, or no passage would be left. The index is as it was then.
    """
    current_generation(index)  # else the folder is none of ours
    with writer(index):
        opened = OpenIndex.open(index)
        rows = opened.row_of(ids)
        if (rows == ABSENT).any():
            unknown = ids[int((rows == ABSENT).argmax())]
            if (line := lines.get(unknown)) is not None:
                raise InputError(f"no passage '{unknown}' in the index {index}", path=ids_file, line=line)
            raise InputError(f"no passage '{unknown}' in this index", path=index)
        removed = np.union1d(opened.removed, rows)
        if len(removed) == opened.num_rows:
            raise InputError("no passage would be left: delete the folder instead", path=index)
        put_into_force(index, opened.manifest, removed, settings_of(opened))
    return _changed(index)


def compact_index(index: Path, *, progress: Progress = no_progress) -> OpenIndex:
    """Write all passages that are there into one segment, without those that were removed. Nothing is encoded again.

    Raises:
        InputError: no index.
    """
    current_generation(index)  # as above
    with writer(index):
        opened = OpenIndex.open(index)
        if len(opened.segments) == 1 and not len(opened.removed):
            logger.info("there is nothing to compact: one segment, and nothing was removed from it")
            return opened
        for each in opened.segments:  # what is damaged would be hashed anew, and be whole from then on
            check_files(each.folder, each.entry.files, whole=True)
        bm25 = settings_of(opened)
        segment, _ = write_segment(
            index,
            opened.passages(),
            lambda table, passages_sha256: stored_vectors(opened),
            empty=lambda table: _trained(opened),
            bm25=bm25,
            progress=progress,
        )
        manifest = replace(opened.manifest, segments=(segment,))
        put_into_force(index, manifest, np.empty(0, np.int64), bm25)
    return OpenIndex.open(index)


def _trained(opened: OpenIndex) -> tuple[FaissIndex, int]:
    """An empty index that has learned what the first segment's has: all segments share lists and ranges, and so the measured recall."""
    rows = rows_per_file(opened.manifest.recipe, opened.manifest.dimension)
    return FaissIndex.load_empty(opened.segments[0].folder / TRAINED), rows


def _changed(index: Path) -> OpenIndex:
    """The index as it is now; where most of it was removed, which searches have to look past, that is said."""
    opened = OpenIndex.open(index)
    if len(opened.removed) > len(opened):
        logger.warning(
            "%d of %d rows are of removed passages, which slows searching: ctl index compact drops them",
            len(opened.removed),
            opened.num_rows,
        )
    return opened
