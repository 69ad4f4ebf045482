import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retriever.data.corpus import read_passages
from retriever.data.write_corpus import write_passages
from retriever.errors import InputError
from retriever.records import Passage

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
IDS = TEXT.filter(str.strip)
PASSAGES = st.lists(
    st.builds(Passage, IDS, TEXT, TEXT), min_size=1, max_size=8, unique_by=lambda passage: passage.id
)


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl"])
@given(passages=PASSAGES)
@example(passages=[Passage('a\t"b"\n#1', 'tab\t "quotes" \'s\r\nline\rreturn', '"')])
@example(passages=[Passage("id", "text", "title"), Passage("\ufeff1", "\x00\x1c\u2028", "\n")])
def test_what_is_written_is_read_back_unchanged(tmp_path_factory, suffix, passages):
    path = tmp_path_factory.mktemp("corpus") / f"passages{suffix}"
    write_passages(path, passages)
    assert list(read_passages(path)) == passages


def test_the_tsv_has_the_layout_of_dprs(tmp_path):
    path = tmp_path / "p.tsv"
    write_passages(path, [Passage("a#1", 'He said "hi".', "T"), Passage("a#2", "plain", "")])
    assert path.read_bytes() == b'id\ttext\ttitle\na#1\t"He said ""hi""."\tT\na#2\tplain\t\n'


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        write_passages(tmp_path / "p.csv", [])
    assert str(caught.value) == (
        f"{tmp_path / 'p.csv'}: the output is a corpus: its name must end in .tsv or .jsonl"
    )
    assert list(tmp_path.iterdir()) == []
