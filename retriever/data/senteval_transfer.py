"""SentEval's transfer tasks as its download holds them, each in a form of its own.

Files, encodings and labels: senteval/{binary,sst,trec,mrpc}.py of facebookresearch/SentEval.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from retriever.data.lines import open_input, read_table
from retriever.data.table import Header
from retriever.errors import InputError

Row = tuple[str, ...]
"""Label first and text last; MRPC: label and two texts; TREC: coarse and fine class and text. A text may be empty."""

BINARY = {
    "mr": {"1": "MR/rt-polarity.pos", "0": "MR/rt-polarity.neg"},
    "cr": {"1": "CR/custrev.pos", "0": "CR/custrev.neg"},
    "subj": {"1": "SUBJ/subj.subjective", "0": "SUBJ/subj.objective"},
    "mpqa": {"1": "MPQA/mpqa.pos", "0": "MPQA/mpqa.neg"},
}
"""Task → label → file of the download."""
SPLITS = {
    "sst2": {split: f"SST/binary/sentiment-{split}" for split in ("train", "dev", "test")},
    "trec": {"train": "TREC/train_5500.label", "test": "TREC/TREC_10.label"},
    "mrpc": {split: f"MRPC/msr_paraphrase_{split}.txt" for split in ("train", "test")},
}
"""Task → split → file of the download."""
_TREC_LABELS = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
_MRPC_COLUMNS = ("Quality", "#1 String", "#2 String")


def read_binary(files: dict[str, Path]) -> Iterator[Row]:
    """Label → file with a text a line; the labels one after the other."""
    for label, file in files.items():
        for _, line in _read_latin(file):
            yield label, line


def _read_latin(file: Path) -> Iterator[tuple[int, str]]:
    r"""Line number and line of a file that SentEval reads as Latin-1; split at ``\n`` only, blank lines among them."""
    with open_input(file) as opened:
        for number, line in enumerate(opened, start=1):
            yield number, " ".join(line.decode("latin-1").split())


def read_sst(file: Path) -> Iterator[Row]:
    """Text, tab, label; the training file holds phrases, too."""
    for line, cells in read_table(file, delimiter="\t", quoted=False):
        if len(cells) != 2 or cells[1].strip() not in ("0", "1"):
            raise InputError("expected a text, a tab and the label 0 or 1", path=file, line=line)
        yield cells[1], cells[0]


def read_trec(file: Path) -> Iterator[Row]:
    """``DESC:manner How did …``: coarse and fine class, and the question, in Latin-1."""
    for number, line in _read_latin(file):
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
    for line, (label, first, second) in header.rows(rows, _MRPC_COLUMNS):
        if label not in ("0", "1"):
            raise InputError(f"the label must be 0 or 1, found '{label}'", path=file, line=line)
        yield label, first, second


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "sst2": read_sst,
    "trec": read_trec,
    "mrpc": read_mrpc,
}
"""Task with splits → the reader of one."""
