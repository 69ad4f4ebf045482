from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.data.hashes import hashes_of
from retriever.errors import InputError
from retriever.index.id_table import ABSENT, IdTable, write_id_table


def table(folder: Path, ids: list[str]) -> IdTable:
    write_id_table(folder, ids)
    return IdTable.load(folder, len(ids), ids.__getitem__)


@given(st.lists(st.text(max_size=4), unique=True, max_size=40), st.lists(st.text(max_size=4), max_size=20))
def test_every_id_has_its_row_and_no_other_has_one(tmp_path_factory, ids, others) -> None:
    found = table(tmp_path_factory.mktemp("ids"), ids)
    assert found.rows_of(ids, hashes_of(ids)).tolist() == list(range(len(ids)))
    assert found.rows_of(others, hashes_of(others)).tolist() == [
        ids.index(each) if each in ids else ABSENT for each in others
    ]


def test_ids_with_equal_hashes_are_told_apart() -> None:
    hash = hashes_of(["b"])[0]
    found = IdTable(np.array([hash, hash], np.uint64), np.array([0, 1]), ["a", "b"].__getitem__)
    assert found.rows_of(["b", "c"], hashes_of(["b", "c"])).tolist() == [1, ABSENT]


def test_hashes_are_those_of_every_machine() -> None:
    of_nothing = int.from_bytes(bytes.fromhex("e4a6a0577479b2b4"), "little")  # BLAKE2b, 8 bytes, of no byte
    assert hashes_of([""]).tolist() == [of_nothing]


def test_a_damaged_table_or_one_of_other_passages_is_refused(tmp_path: Path) -> None:
    write_id_table(tmp_path, ["a", "b"])
    with pytest.raises(InputError, match=r"id_hashes.npy: holds 2 ids for 3 passages"):
        IdTable.load(tmp_path, 3, str)
    (tmp_path / "id_rows.npy").write_bytes(b"no")
    with pytest.raises(InputError, match=r"id_rows.npy: cannot be read as a table of ids"):
        IdTable.load(tmp_path, 2, str)
