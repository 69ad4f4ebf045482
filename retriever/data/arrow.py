"""Arrow tables: the passages of an index, memory-mapped, and the Parquet files in which hubs keep data sets.

The text of a million passages costs no memory until it is shown.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, overload

import pyarrow as pa

from retriever.data.files import unreadable
from retriever.errors import InputError
from retriever.records import Passage

ROWS_PER_BATCH = 4096
SCHEMA = pa.schema([(name, pa.large_string()) for name in ("id", "title", "text")])


def write_passage_table(path: Path, passages: Iterable[Passage]) -> tuple[int, str]:
    """Write passages into an Arrow IPC file, in their order.

    Returns:
        How many, and the SHA-256 of their content (not of the file: the same passages from a TSV and a JSONL are equal).
    """
    count, digest, waiting = 0, sha256(), iter(passages)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        while batch := list(islice(waiting, ROWS_PER_BATCH)):
            for each in batch:
                for value in (each.id, each.title, each.text):
                    encoded = value.encode("utf-8", "surrogatepass")
                    digest.update(len(encoded).to_bytes(8, "big") + encoded)
            columns = [[getattr(each, name) for each in batch] for name in SCHEMA.names]
            writer.write_batch(
                pa.record_batch([pa.array(column, pa.large_string()) for column in columns], SCHEMA)
            )
            count += len(batch)
    return count, digest.hexdigest()


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file as objects, streamed through ``datasets``.

    Raises:
        InputError: the file is missing or no Parquet file.
    """
    if not path.is_file():
        raise InputError("no such file" if not path.exists() else "is a folder, expected a file", path=path)
    from datasets import disable_progress_bars, load_dataset  # a second to import

    disable_progress_bars()
    try:
        yield from load_dataset("parquet", data_files=str(path.absolute()), split="train", streaming=True)
    except pa.ArrowInvalid as error:
        raise InputError(f"cannot be read as Parquet ({str(error).splitlines()[0]})", path=path) from None


class PassageTable(Sequence[Passage]):
    """The passages of an Arrow file, by row; only the rows that are read leave the disk.

    Raises:
        InputError: the file is missing or is not such a table.
    """

    def __init__(self, path: Path) -> None:
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

    def ids(self) -> list[str]:
        """All ids, by row."""
        found: list[str] = self._table.column("id").to_pylist()
        return found
