"""Arrow tables, memory-mapped: the passages of an index, Parquet and Arrow files, and the data sets of hubs.

The text of a million passages costs no memory until it is shown.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from retriever.data.batched import batched
from retriever.data.files import unreadable
from retriever.data.hashes import add_text
from retriever.data.hub import HubName, is_hub_name
from retriever.errors import InputError
from retriever.records import Passage

logger = logging.getLogger(__name__)

Batch: TypeAlias = pa.RecordBatch | pa.Table

ROWS_PER_BATCH = 4096
ROWS_AT_ONCE = 256
"""Rows that are Python objects at the same time: a question with a hundred passages is one row."""
SCHEMA = pa.schema([(name, pa.large_string()) for name in ("id", "title", "text")])


def write_passage_table(path: Path, passages: Iterable[Passage]) -> tuple[int, str]:
    """Write passages into an Arrow IPC file, in their order.

    Returns:
        How many, and the SHA-256 of their content (not of the file: the same passages from a TSV and a JSONL are equal).
    """
    count, digest = 0, sha256()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for batch in batched(passages, ROWS_PER_BATCH):
            for each in batch:
                for value in (each.id, each.title, each.text):
                    add_text(digest, value)
            columns = [[getattr(each, name) for each in batch] for name in SCHEMA.names]
            writer.write_batch(
                pa.record_batch([pa.array(column, pa.large_string()) for column in columns], SCHEMA)
            )
            count += len(batch)
    return count, digest.hexdigest()


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a ``.parquet`` or ``.arrow`` file, or of a data set by its name (``hub.HubName``), as objects.

    They are streamed from mapped files: memory holds some hundred of them, however many there are.

    Raises:
        InputError: missing, not such a file, no such data set, configuration or split, no network, or not UTF-8.
    """
    batches = _hub_batches(path) if is_hub_name(path) else _file_batches(path, path)
    before = 0
    for batch in batches:
        yield from _objects(batch, path, before)
        before += batch.num_rows


def _objects(batch: Batch, path: Path, before: int) -> list[dict[str, Any]]:
    try:
        objects: list[dict[str, Any]] = batch.to_pylist()
    except UnicodeDecodeError:  # Parquet files may hold any bytes; row by row, to say where
        if batch.num_rows == 1:
            raise InputError("not UTF-8", path=path, line=before + 1) from None
        rows = (_objects(batch.slice(at, 1), path, before + at) for at in range(batch.num_rows))
        return [each for row in rows for each in row]
    return objects


def _file_batches(file: Path, path: Path) -> Iterator[Batch]:
    """Batches of a file's rows; ``path`` is what the user called it."""
    if not file.is_file():
        raise InputError("no such file" if not file.exists() else "is a folder, expected a file", path=path)
    name, read = _FORMATS[file.suffix.lower()]
    try:
        yield from read(pa.memory_map(str(file)))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot be read as {name} ({_first_line(error)})", path=path) from None


def _parquet_batches(source: pa.MemoryMappedFile) -> Iterator[Batch]:
    yield from pyarrow.parquet.ParquetFile(source).iter_batches(ROWS_AT_ONCE)


def _arrow_batches(source: pa.MemoryMappedFile) -> Iterator[Batch]:
    """Of both formats that are called Arrow: the file with its footer, and the stream that ``datasets`` writes."""
    try:
        reader = pa.ipc.open_file(source)
        batches = map(reader.get_batch, range(reader.num_record_batches))
    except pa.ArrowInvalid:
        source.seek(0)
        batches = iter(pa.ipc.open_stream(source))
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            yield batch.slice(start, ROWS_AT_ONCE)


_FORMATS = {".parquet": ("Parquet", _parquet_batches), ".arrow": ("Arrow", _arrow_batches)}


def _hub_batches(path: Path) -> Iterator[Batch]:
    """Batches of one split of a data set."""
    hub = HubName.parse(path)
    if hub.config and (hub.is_saved or hub.is_one_table):
        raise InputError(f"has no configurations: leave '@{hub.config}' out", path=path)
    splits = _splits(hub, path)
    found = ", ".join(splits)
    if hub.split is None and len(splits) > 1:
        example = f"{path}:{next(iter(splits))}"
        raise InputError(f"name one of its splits, as in {example} (found: {found})", path=path)
    split = hub.split or next(iter(splits), "train")
    if split not in splits:
        raise InputError(f"no split '{split}' (found: {found})", path=path)
    yield from splits[split]


def _splits(hub: HubName, path: Path) -> dict[str, Iterator[Batch]]:
    """The splits of a data set by name; nothing of them is read yet."""
    local = hub.local
    if local is not None and local.is_file():
        if local.suffix.lower() not in _FORMATS:
            raise InputError("after hf: expected a folder, a .parquet or an .arrow file", path=path)
        return {"train": _file_batches(local, path)}
    from datasets import Dataset, exceptions  # a second to import

    try:
        loaded = _load(hub)
    except exceptions.DatasetNotFoundError:
        message = "no such data set on the hub, or one that asks for a login (hf auth login)"
        raise InputError(message, path=path) from None
    except ConnectionError:
        message = "the hub cannot be reached, and the data set is not in the cache of an earlier run"
        raise InputError(message, path=path) from None
    except (exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise _not_loaded(hub, error, path) from None
    tables = {"train": loaded} if isinstance(loaded, Dataset) else loaded
    return {
        str(split): table.with_format("arrow").iter(batch_size=ROWS_AT_ONCE)
        for split, table in tables.items()
    }


def _load(hub: HubName) -> Any:  # noqa: ANN401  (datasets.DatasetDict, or one datasets.Dataset)
    """Through ``datasets``, whose cache on disk is mapped; it runs no code that comes with a data set."""
    from datasets import disable_progress_bars, load_dataset, load_from_disk

    disable_progress_bars()
    if hub.local is None:
        logger.info("data set '%s': taken from the hub, or from the cache of an earlier run", hub.name)
        return load_dataset(hub.name, hub.config)
    if hub.is_saved:
        return load_from_disk(str(hub.local))
    return load_dataset(str(hub.local.resolve()), hub.config)


def _not_loaded(hub: HubName, error: Exception, path: Path) -> InputError:
    """What to say when a data set cannot be loaded: most often it has several configurations."""
    from datasets import exceptions, get_dataset_config_names

    try:
        known = get_dataset_config_names(hub.name if hub.local is None else str(hub.local.resolve()))
    except (exceptions.DatasetsError, OSError, ValueError, RuntimeError):
        known = []
    found = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    if hub.config is None and len(known) > 1:
        where = f"hf:{hub.name}@{known[0]}"
        return InputError(f"name one of its configurations, as in {where} (found: {found})", path=path)
    if hub.config is not None and known and hub.config not in known:
        return InputError(f"no configuration '{hub.config}' (found: {found})", path=path)
    return InputError(f"cannot be loaded ({_first_line(error.__cause__ or error)})", path=path)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


class PassageTable(Sequence[Passage]):
    """The passages of an Arrow file, by row; only the rows that are read leave the disk.

    Raises:
        InputError: the file is missing or is not such a table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except OSError as error:
            raise unreadable(path, error) from None
        except pa.ArrowInvalid as error:
            raise InputError(f"not an Arrow file of passages ({error})", path=path) from None
        if self._table.schema != SCHEMA:
            raise InputError(f"expected the columns {', '.join(SCHEMA.names)}", path=path)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, row: int) -> Passage: ...
    @overload
    def __getitem__(self, row: slice) -> list[Passage]: ...
    def __getitem__(self, row: int | slice) -> Passage | list[Passage]:
        if isinstance(row, slice):
            start, stop, step = row.indices(len(self))
            if step < 0:
                raise ValueError("passages are read forwards only")
            return self._passages(self._table.slice(start, max(0, stop - start)))[::step]
        if not 0 <= row < len(self):  # a negative row would silently be another passage
            raise IndexError(row)
        return self._passages(self._table.slice(row, 1))[0]

    def __iter__(self) -> Iterator[Passage]:
        for start in range(0, len(self), ROWS_PER_BATCH):
            yield from self[start : start + ROWS_PER_BATCH]

    @staticmethod
    def _passages(table: "pa.Table") -> list[Passage]:
        ids, titles, texts = (table.column(name).to_pylist() for name in SCHEMA.names)
        return [Passage(id, text, title) for id, title, text in zip(ids, titles, texts, strict=True)]

    def all_ids(self) -> Iterator[str]:
        """Every id, in the order of the rows."""
        for chunk in self._table.column("id").chunks:
            yield from chunk.to_pylist()

    def ids(self, rows: Sequence[int]) -> list[str]:
        """The ids of these rows, in their order."""
        column, starts = self._table.column("id"), self._starts
        chunks = np.searchsorted(starts, rows, side="right") - 1
        return [
            column.chunk(chunk)[row - starts[chunk]].as_py() for chunk, row in zip(chunks, rows, strict=True)
        ]

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """(chunks,) first row of each part of the table."""
        lengths = [len(each) for each in self._table.column("id").chunks]
        return np.concatenate([[0], np.cumsum(lengths)])[:-1].astype(np.int64)
