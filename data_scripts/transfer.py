"""SentEval's transfer tasks, sentence classification: MR, CR, SUBJ, MPQA, SST-2, TREC and MRPC.

    python data_scripts/transfer.py all --output data/transfer

Tables of label and text (MRPC: label, sentence1, sentence2; TREC: label, fine, text), UTF-8, tabs, quotes being letters:
one file where SentEval uses cross-validation (MR, CR, SUBJ, MPQA), else a folder of train, test and, of SST-2, dev.
White space becomes single spaces as in SentEval. Rows without text are left out and counted: SentEval's CR has four.

Address: as in sts.py. Files and encodings: senteval/{binary,sst,trec,mrpc}.py of facebookresearch/SentEval.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from archives import extract_all
from parts import Part, main
from sts import SENTEVAL

from retriever.data.files import atomic_file
from retriever.data.lines import open_input, read_table
from retriever.data.table import Header
from retriever.errors import InputError

Row = tuple[str, ...]
BINARY = {
    "mr": {"1": "MR/rt-polarity.pos", "0": "MR/rt-polarity.neg"},
    "cr": {"1": "CR/custrev.pos", "0": "CR/custrev.neg"},
    "subj": {"1": "SUBJ/subj.subjective", "0": "SUBJ/subj.objective"},
    "mpqa": {"1": "MPQA/mpqa.pos", "0": "MPQA/mpqa.neg"},
}
_SST = {split: f"SST/binary/sentiment-{split}" for split in ("train", "dev", "test")}
_TREC = {"train": "TREC/train_5500.label", "test": "TREC/TREC_10.label"}
_MRPC = {split: f"MRPC/msr_paraphrase_{split}.txt" for split in ("train", "test")}
_TREC_LABELS = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
_MRPC_COLUMNS = ("Quality", "#1 String", "#2 String")


def read_latin(file: Path) -> Iterator[tuple[int, str]]:
    r"""Line number and line of a file that SentEval reads as Latin-1; split at ``\n`` only, blank lines among them."""
    with open_input(file) as opened:
        for number, line in enumerate(opened, start=1):
            yield number, " ".join(line.decode("latin-1").split())


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
    rows = ((label, line) for label, member in BINARY[name].items() for _, line in read_latin(found[member]))
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
    names, read = _READERS[task]
    blank = sum(
        write_rows(target / f"{split}.tsv", names, read(found[member])) for split, member in members.items()
    )
    return _left_out(blank)


def read_sst(file: Path) -> Iterator[Row]:
    """Text, tab, label; the training file holds phrases, too."""
    for line, cells in read_table(file, delimiter="\t", quoted=False):
        if len(cells) != 2 or cells[1].strip() not in ("0", "1"):
            raise InputError("expected a text, a tab and the label 0 or 1", path=file, line=line)
        yield cells[1], cells[0]


def read_trec(file: Path) -> Iterator[Row]:
    """``DESC:manner How did …``: coarse and fine class, and the question, in Latin-1."""
    for number, line in read_latin(file):
        fine, _, question = line.partition(" ")
        label = fine.partition(":")[0]
        if line and (label not in _TREC_LABELS or label == fine or not question):
            raise InputError("expected CLASS:class and a question", path=file, line=number)
        yield label, fine, question


def read_mrpc(file: Path) -> Iterator[Row]:
    """Five columns with a header; quotes are letters."""
    rows = read_table(file, delimiter="\t", quoted=False)
    line, names = next(rows)
    header = Header.parse(names, file, line, required=_MRPC_COLUMNS)
    for line, cells in rows:
        header.check(cells, line)
        label, first, second = (header.cell(cells, column) for column in _MRPC_COLUMNS)
        if label not in ("0", "1"):
            raise InputError(f"the label must be 0 or 1, found '{label}'", path=file, line=line)
        yield label, first, second


_READERS = {
    "sst2": (("label", "text"), read_sst),
    "trec": (("label", "fine", "text"), read_trec),
    "mrpc": (("label", "sentence1", "sentence2"), read_mrpc),
}


def count(path: Path) -> dict[str, int]:
    """How many rows there are, by split where there are several."""
    if path.is_file():
        return {"rows": _rows(path)}
    files = sorted(path.glob("*.tsv"))
    return {f"{PurePosixPath(file.name).stem} rows": _rows(file) for file in files}


def _rows(file: Path) -> int:
    rows = read_table(file, delimiter="\t", quoted=False)
    line, names = next(rows)
    header, number = Header.parse(names, file, line, required=("label",)), 0
    for line, cells in rows:
        header.check(cells, line)
        number += 1
    return number


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
        for name, members in (("sst2", _SST), ("trec", _TREC), ("mrpc", _MRPC))
    ),
)

if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS))
