"""SentEval's transfer tasks, sentence classification: MR, CR, SUBJ, MPQA, SST-2, TREC and MRPC.

    python data_scripts/transfer.py all --output data/transfer

Tables of label and text (MRPC: label, sentence1, sentence2; TREC: label, fine, text), UTF-8, tabs, quotes being letters:
one file where SentEval uses cross-validation (MR, CR, SUBJ, MPQA), else a folder of train, test and, of SST-2, dev.
White space becomes single spaces as in SentEval. Rows without text are left out and counted: SentEval's CR has four.

Address: as in sts.py. Files and encodings: retriever/data/senteval_transfer.py.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from archives import extract_all
from parts import Part, main
from sts import SENTEVAL

from retriever.data.files import atomic_file
from retriever.data.lines import read_table
from retriever.data.senteval_transfer import BINARY, READERS, SPLITS, Row, read_binary
from retriever.data.table import Header

COLUMNS = {
    "sst2": ("label", "text"),
    "trec": ("label", "fine", "text"),
    "mrpc": ("label", "sentence1", "sentence2"),
}


def write_rows(file: Path, names: Row, rows: Iterable[Row]) -> int:
    """Write a table. Returns how many rows lacked a text, and are left out."""
    blank = 0
    with atomic_file(file) as opened:
        opened.write("\t".join(names) + "\n")
        for row in rows:
            cells = [" ".join(cell.split()) for cell in row]
            if all(cells):
                opened.write("\t".join(cells) + "\n")
            else:
                blank += 1
    return blank


def make_binary(downloads: Sequence[Path], target: Path, *, name: str) -> Mapping[str, int]:
    """Two files, one for each label, as one table; label 1 is positive or, of SUBJ, subjective."""
    (archive,) = downloads
    found = extract_all(archive, BINARY[name].values(), target.with_name("raw"))
    rows = read_binary({label: found[member] for label, member in BINARY[name].items()})
    return _left_out(write_rows(target, ("label", "text"), rows))


def _left_out(blank: int) -> dict[str, int]:
    return {"rows without text": blank} if blank else {}


def make_splits(
    downloads: Sequence[Path], target: Path, *, task: str, members: Mapping[str, str]
) -> Mapping[str, int]:
    """A folder with a table for each split."""
    (archive,) = downloads
    found = extract_all(archive, members.values(), target.with_name("raw"))
    target.mkdir()
    read = READERS[task]
    blank = sum(
        write_rows(target / f"{split}.tsv", COLUMNS[task], read(found[member]))
        for split, member in members.items()
    )
    return _left_out(blank)


def count(path: Path) -> dict[str, int]:
    """How many rows there are, by split where there are several."""
    if path.is_file():
        return {"rows": _rows(path)}
    files = sorted(path.glob("*.tsv"))
    return {f"{PurePosixPath(file.name).stem} rows": _rows(file) for file in files}


def _rows(file: Path) -> int:
    rows = read_table(file, delimiter="\t", quoted=False)
    line, names = next(rows)
    header = Header.parse(names, file, line, required=("label",))
    return sum(1 for _ in header.rows(rows, ("label",)))


PARTS = (
    *(
        Part(
            name=name,
            sources=(SENTEVAL,),
            output=f"{name}.tsv",
            make=partial(make_binary, name=name),
            count=count,
        )
        for name in BINARY
    ),
    *(
        Part(
            name=name,
            sources=(SENTEVAL,),
            output=name,
            make=partial(make_splits, task=name, members=members),
            count=count,
        )
        for name, members in SPLITS.items()
    ),
)

if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS))
