from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.data.arrow import PassageTable, write_passage_table
from retriever.errors import InputError
from retriever.records import Passage

passages_of_any_text = st.lists(
    st.builds(
        Passage,
        st.text(st.characters(exclude_categories=["Cs"])),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    max_size=5,
)


@settings(max_examples=50)
@given(passages_of_any_text)
def test_passages_come_back_as_written(
    tmp_path_factory: pytest.TempPathFactory, content: list[Passage]
) -> None:
    path = tmp_path_factory.mktemp("arrow") / "passages.arrow"
    count, _ = write_passage_table(path, content)
    table = PassageTable(path)
    assert count == len(table) == len(content)
    assert list(table) == content
    assert [table[row] for row in range(count)] == content
    assert table[1:3] == content[1:3]
    ids = [each.id for each in content]
    assert list(table.all_ids()) == ids
    backwards = list(range(count))[::-1]
    assert table.ids(backwards) == ids[::-1]


def test_the_hash_is_of_the_content_and_tells_its_fields_apart(tmp_path: Path) -> None:
    def hashed(*passages: Passage) -> str:
        return write_passage_table(tmp_path / "t.arrow", passages)[1]

    assert hashed(Passage("1", "b", "a")) == hashed(Passage("1", "b", "a"))
    assert (
        len({hashed(Passage("1", "b", "a")), hashed(Passage("1", "ab", "")), hashed(Passage("1a", "b", ""))})
        == 3
    )


def test_a_row_outside_is_an_error_and_never_counted_from_the_end(tmp_path: Path) -> None:
    write_passage_table(tmp_path / "t.arrow", [Passage("1", "a")])
    for row in (-1, 1):
        with pytest.raises(IndexError):
            PassageTable(tmp_path / "t.arrow")[row]


def test_a_file_that_is_no_table_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        PassageTable(tmp_path / "none.arrow")
    (tmp_path / "t.arrow").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="not an Arrow file of passages"):
        PassageTable(tmp_path / "t.arrow")
