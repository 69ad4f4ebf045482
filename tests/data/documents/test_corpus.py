import gzip
import json
from dataclasses import asdict

import pytest

from retriever.config.data import SplitConfig
from retriever.data.corpus import read_passages
from retriever.data.documents.corpus import split_documents
from retriever.errors import InputError
from retriever.records import Passage
from tests.data.documents.pdf_files import pdf


@pytest.fixture
def folder(tmp_path):
    """One file of each kind, and what is passed over."""
    files = {
        "docs/a.txt": b'He said\t"hi".\n\nTwice',
        "docs/b/page.html": b"<title>A page</title><p>on it",
        "docs/b/read me.md": b"# Read\nme",
        "docs/c.pdf": pdf([["p q"], []], "Some paper"),
        "docs/copy.txt": b'He said\t"hi".\n\nTwice',
        "docs/empty.txt": b"",
        "docs/notes.RST": b"x y",
        "docs/old.txt.gz": gzip.compress(b"zipped text"),
        "docs/picture.png": b"\x89PNG",
        "docs/raw.txt": b"\0\1",
        "docs/scan.pdf": pdf([[]]),
    }
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def split(folder, **settings):
    config = SplitConfig(**{"documents": folder / "docs", "output": folder / "out.jsonl", **settings})
    return split_documents(config), (list(read_passages(config.output)))


def message_of(folder, **settings):
    with pytest.raises(InputError) as caught:
        split(folder, **settings)
    return str(caught.value).replace(f"{folder}/", "")


def test_passages_have_readable_ids_titles_and_the_order_of_the_names(folder):
    report, passages = split(folder)
    assert passages == [
        Passage("a.txt#1", 'He said "hi". Twice', "a"),
        Passage("b/page.html#1", "on it", "A page"),
        Passage("b/read me.md#1", "Read me", "Read"),
        Passage("c.pdf#1", "p q", "Some paper"),
        Passage("old.txt.gz#1", "zipped text", "old"),
    ]
    assert asdict(report) == {
        "files": 5,
        "passages": 5,
        "words": 12,
        "sentence_cuts": 0,
        "pages_without_text": 1,
        "skipped": {
            "copy of another file": ["copy.txt = a.txt"],
            "empty": ["empty.txt"],
            "suffix .rst": ["notes.RST"],
            "suffix .png": ["picture.png"],
            "binary": ["raw.txt"],
            "PDF without text (pictures of pages?)": ["scan.pdf"],
        },
    }


def test_both_formats_hold_the_same_and_a_second_run_the_same_bytes(folder):
    _, passages = split(folder, output=folder / "out.tsv")
    assert passages == split(folder)[1]
    before = (folder / "out.tsv").read_bytes()
    split(folder, output=folder / "out.tsv")
    assert (folder / "out.tsv").read_bytes() == before


def test_settings_reach_the_splitter_and_the_readers(folder):
    report, passages = split(folder, words=2, last_block="keep", as_text=(".RST",), keep_duplicates=True)
    assert [passage.id for passage in passages if passage.id.startswith("a.")] == ["a.txt#1", "a.txt#2"]
    assert Passage("notes.RST#1", "x y", "notes") in passages
    assert [passage.id for passage in passages if "copy" in passage.id] == ["copy.txt#1", "copy.txt#2"]
    assert "copy of another file" not in report.skipped


def test_a_single_file_has_its_name_as_id(folder):
    _, passages = split(folder, documents=folder / "docs/b/page.html")
    assert passages == [Passage("page.html#1", "on it", "A page")]


def test_text_in_another_encoding_stops_and_leaves_the_old_output(folder):
    (folder / "docs/b/latin.txt").write_bytes(b"one\ncaf\xe9")
    (folder / "out.jsonl").write_text("old")
    assert message_of(folder) == "docs/b/latin.txt:2: not UTF-8 (--skip-unreadable passes over such files)"
    assert (folder / "out.jsonl").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["docs", "out.jsonl"]
    assert split(folder, skip_unreadable=True)[0].skipped["not UTF-8"] == ["b/latin.txt"]


def test_a_missing_library_stops_even_where_unreadable_files_are_skipped(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pypdf", None)
    assert message_of(folder, skip_unreadable=True).startswith("PDF needs pypdf: pip install")


def test_an_output_among_the_documents_is_not_read(folder):
    output = folder / "docs/out.jsonl"
    first, _ = split(folder, output=output, as_text=(".jsonl",))
    second, passages = split(folder, output=output, as_text=(".jsonl",))
    assert "the output itself" not in first.skipped
    assert second.skipped["the output itself"] == ["out.jsonl"]
    assert len(passages) == 5


def test_a_damaged_gzip_file_is_an_error(folder):
    (folder / "docs/old.txt.gz").write_bytes(gzip.compress(b"zipped text")[:-9])
    assert message_of(folder) == (
        "docs/old.txt.gz: not a complete gzip file (--skip-unreadable passes over such files)"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"documents": "docs/picture.png"}, "docs/picture.png: no text to split: suffix .png (1)"),
        ({"documents": "docs/none"}, "docs/none: no such file or folder"),
        ({"output": "out.csv"}, "out.csv: the output is a corpus: its name must end in .tsv or .jsonl"),
        ({"output": "none/out.tsv"}, "none: no such folder"),
        ({"documents": "docs/x.tsv", "output": "docs/x.tsv"}, "docs/x.tsv: the output is the input"),
    ],
)
def test_bad_input(folder, settings, message):
    (folder / "docs/x.tsv").touch()
    assert message_of(folder, **{name: folder / path for name, path in settings.items()}) == message


def test_an_empty_folder_has_no_text(folder):
    (folder / "empty").mkdir()
    assert message_of(folder, documents=folder / "empty") == "empty: no text to split: empty folder"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"overlap": 100}, "overlap must be below the number of words, 100, got 100"),
        ({"words": 0}, "words must be at least 1, got 0"),
        ({"as_text": ("rst",)}, "as_text must be a suffix with its dot, such as .rst, got 'rst'"),
        (
            {"sentences": True, "last_block": "wrap"},
            "last_block wrap fills up with words and would cut sentences: leave out --sentences",
        ),
    ],
)
def test_settings_out_of_range(folder, settings, message):
    assert message_of(folder, **settings) == message


def test_file_names_with_odd_letters_survive_in_ids(folder):
    name = 'tab\t"quote"\nline#1.txt'
    (folder / "docs" / name).write_text("odd")
    for output in ("out.tsv", "out.jsonl"):
        _, passages = split(folder, output=folder / output)
        assert passages[-1].id == f"{name}#1" and passages[-1].title == 'tab "quote" line#1'


def test_json_lines_hold_letters_as_they_are(folder):
    (folder / "docs/a.txt").write_text("naïve 東京", encoding="utf-8")
    split(folder, documents=folder / "docs/a.txt")
    line = (folder / "out.jsonl").read_text(encoding="utf-8")
    assert "naïve 東京" in line and json.loads(line)["id"] == "a.txt#1"
