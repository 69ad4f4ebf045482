"""An index folder, opened: its passages by id and by row, its vectors, and what was removed from them. Nothing here writes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from retriever.data.arrow import PassageTable
from retriever.data.hashes import hashes_of
from retriever.errors import InputError
from retriever.index.id_table import ABSENT, IdTable
from retriever.index.layout import (
    PASSAGES,
    Generation,
    Manifest,
    Segment,
    current_generation,
    read_manifest,
    read_removed,
    segment_folder,
    vector_files,
)
from retriever.records import Passage

T = TypeVar("T")


@dataclass(frozen=True)
class OpenSegment:
    """A segment whose passages are mapped.

    Attributes:
        entry: what the manifest says of it.
        folder: where it lies.
        start: its first row among those of all segments.
        passages: by row.
        ids: id → row.
    """

    entry: Segment
    folder: Path
    start: int
    passages: PassageTable
    ids: IdTable

    @classmethod
    def open(cls, entry: Segment, folder: Path, start: int) -> "OpenSegment":
        """Map what lies in the folder.

        Raises:
            InputError: a file is missing, damaged, or does not have as many rows as the manifest says.
        """
        passages = PassageTable(folder / PASSAGES)
        if len(passages) != entry.count:
            raise InputError(f"holds {len(passages)} passages, not {entry.count}", path=folder / PASSAGES)
        ids = IdTable.load(folder, entry.count, lambda row: passages.ids([row])[0])
        return cls(entry, folder, start, passages, ids)

    @property
    def vectors(self) -> list[Path]:
        """The files of the vectors, in the order of their rows."""
        return vector_files(self.folder, self.entry.files)


class OpenIndex(Mapping[str, Passage]):
    """The passages of an index folder by id, and everything else that lies in it, in the generation that is in force now.

    Rows count over all segments, and those of removed passages stay: a row means one passage as long as the generation lasts.

    Args:
        path: the index folder.
        generation: the one in force.
        manifest: its manifest.
        segments: all of it.
        removed: (R,) rows, sorted.
    """

    def __init__(
        self,
        path: Path,
        generation: Generation,
        manifest: Manifest,
        segments: Sequence[OpenSegment],
        removed: NDArray[np.int64],
    ) -> None:
        self.path, self.generation, self.manifest = path, generation, manifest
        self.segments, self.removed = segments, removed
        self._removed_and_end = np.append(removed, -1)

    @classmethod
    def open(cls, path: Path) -> "OpenIndex":
        """Open an index folder; one that is replaced at this very moment is opened as it is afterwards.

        Raises:
            InputError: no index, or a damaged one.
        """
        return cls.open_with(path, lambda opened: opened)

    @classmethod
    def open_with(cls, path: Path, use: "Callable[[OpenIndex], T]") -> T:
        """Open an index folder and read more of it; all of that again if the index was replaced meanwhile.

        Args:
            path: the index folder.
            use: opens, maps or reads files of it.

        Returns:
            What ``use`` returns.

        Raises:
            InputError: no index, or a damaged one.
        """
        while True:
            generation = current_generation(path)
            try:
                found = use(cls._open(path, generation))
            except (InputError, OSError):
                if current_generation(path) == generation:
                    raise
                continue
            return found

    @classmethod
    def _open(cls, path: Path, generation: Generation) -> "OpenIndex":
        manifest = read_manifest(path, generation)
        starts = accumulate((each.count for each in manifest.segments), initial=0)
        segments = [
            OpenSegment.open(entry, segment_folder(path, entry.name), start)
            for entry, start in zip(manifest.segments, starts, strict=False)
        ]
        return cls(path, generation, manifest, segments, read_removed(generation))

    @property
    def num_rows(self) -> int:
        """Rows of all segments, those of removed passages included."""
        return sum(each.entry.count for each in self.segments)

    def row_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """(len(ids),) rows of the passages; ``ABSENT`` where there is none, or none any more."""
        found, hashes = np.full(len(ids), ABSENT), hashes_of(ids)
        for segment in self.segments:
            rows = segment.ids.rows_of(ids, hashes)
            there = rows != ABSENT
            there[there] = ~self.is_removed(rows[there] + segment.start)
            found[there] = rows[there] + segment.start
        return found

    def is_removed(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each row's passage was removed; any shape."""
        place = np.searchsorted(self.removed, rows)
        found: NDArray[np.bool_] = self._removed_and_end[place] == rows
        return found

    def num_live(self, segment: OpenSegment) -> int:
        """Rows of a segment that were not removed."""
        ends = np.searchsorted(self.removed, [segment.start, segment.start + segment.entry.count])
        return segment.entry.count - int(ends[1] - ends[0])

    def ids_of(self, rows: NDArray[np.int64]) -> list[str]:
        """The ids of (n,) rows."""
        ids = np.empty(len(rows), dtype=object)
        for segment in self.segments:
            own = (rows >= segment.start) & (rows < segment.start + segment.entry.count)
            ids[own] = segment.passages.ids((rows[own] - segment.start).tolist())
        return list(ids)

    def passages(self) -> Iterator[Passage]:
        """All passages that are there, in the order of their rows."""
        for segment in self.segments:
            rows = np.arange(segment.start, segment.start + segment.entry.count)
            yield from compress(segment.passages, ~self.is_removed(rows))

    def __getitem__(self, id: str) -> Passage:
        (row,) = self.row_of([id])
        if row == ABSENT:
            raise KeyError(id)
        segment = next(each for each in reversed(self.segments) if each.start <= row)
        return segment.passages[int(row) - segment.start]

    def __iter__(self) -> Iterator[str]:
        return (passage.id for passage in self.passages())

    def __len__(self) -> int:
        return self.manifest.count
