"""STS12 to STS16, the STS benchmark and SICK-R, as tables of score and two sentences for ``ctl eval sts``.

    python data_scripts/sts.py all --output data/sts

sts12 … sts16, stsb and sickr are the text of SentEval as SimCSE and most papers evaluate on it, split into words by the
Moses tokenizer (and, but for SICK, in lower case): a folder with a file for each subset, or for train, dev and test.
mteb-sts12 … mteb-sts16 and mteb-stsb are MTEB's copies on the hub, natural text, without subsets. Pairs without gold
score are left out and counted.

Address: SentEval/data/downstream/download_dataset.sh of princeton-nlp/SimCSE; nobody published a checksum. Subsets:
senteval/sts.py of facebookresearch/SentEval. They were not tried when this was written.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from archives import extract_all
from download import Source
from parts import Part, main

from retriever.data.files import atomic_file
from retriever.data.senteval_sts import Cells, read_paired_files, read_sick
from retriever.data.sts import read_cells, read_sts_task

SENTEVAL = Source(
    url="https://huggingface.co/datasets/princeton-nlp/datasets-for-simcse/resolve/main/senteval.tar",
    home="https://github.com/princeton-nlp/SimCSE",
    licence="each set's own: STS scores CC BY-SA 4.0, SICK CC BY-NC-SA 3.0, the others for research",
)
SUBSETS = {
    "sts12": ("MSRpar", "MSRvid", "SMTeuroparl", "surprise.OnWN", "surprise.SMTnews"),
    "sts13": ("FNWN", "headlines", "OnWN"),  # the fourth, SMT, may not be passed on
    "sts14": ("deft-forum", "deft-news", "headlines", "images", "OnWN", "tweet-news"),
    "sts15": ("answers-forums", "answers-students", "belief", "headlines", "images"),
    "sts16": ("answer-answer", "headlines", "plagiarism", "postediting", "question-question"),
}
_SPLITS = ("train", "dev", "test")
_STSB = {split: f"STS/STSBenchmark/sts-{split}.csv" for split in _SPLITS}
_SICK = {
    "train": "SICK/SICK_train.txt",
    "dev": "SICK/SICK_trial.txt",
    "test": "SICK/SICK_test_annotated.txt",
}
_WITHOUT_SCORE = "pairs without gold score"


def write_pairs(file: Path, pairs: Iterable[Cells]) -> Counter[str]:
    """Write pairs, white space being single spaces as in SentEval. Returns how many had no score, and are left out."""
    left_out: Counter[str] = Counter()
    with atomic_file(file) as opened:
        opened.write("score\tsentence1\tsentence2\n")
        for _, *pair in pairs:
            score, first, second = (" ".join(cell.split()) for cell in pair)
            if score:
                opened.write(f"{score}\t{first}\t{second}\n")
            else:
                left_out[_WITHOUT_SCORE] += 1
    return left_out


def make_year(downloads: Sequence[Path], target: Path, *, name: str) -> Mapping[str, int]:
    """The subsets of STS12 to STS16: pairs and their scores lie in two files, line by line."""
    (archive,) = downloads
    folder = f"STS/{name.upper()}-en-test"
    inputs = [f"{folder}/STS.input.{subset}.txt" for subset in SUBSETS[name]]
    scores = [f"{folder}/STS.gs.{subset}.txt" for subset in SUBSETS[name]]
    found = extract_all(archive, [*inputs, *scores], target.with_name("raw"))
    target.mkdir()
    left_out: Counter[str] = Counter()
    for subset, input_name, score_name in zip(SUBSETS[name], inputs, scores, strict=True):
        pairs = read_paired_files(found[input_name], found[score_name])
        left_out += write_pairs(target / f"{subset}.tsv", pairs)
    return left_out


def make_stsb(downloads: Sequence[Path], target: Path) -> Mapping[str, int]:
    """The STS benchmark: tabs in files called .csv, no header, quotes being letters."""
    (archive,) = downloads
    found = extract_all(archive, _STSB.values(), target.with_name("raw"))
    return _write_splits({split: read_cells(found[name]) for split, name in _STSB.items()}, target)


def make_sick(downloads: Sequence[Path], target: Path) -> Mapping[str, int]:
    """SICK: its own column names, the score in the middle; the entailment label is not used."""
    (archive,) = downloads
    found = extract_all(archive, _SICK.values(), target.with_name("raw"))
    return _write_splits({split: read_sick(found[name]) for split, name in _SICK.items()}, target)


def make_from_hub(names: Sequence[Path], target: Path) -> Mapping[str, int]:
    """A data set of the hub with the columns score, sentence1 and sentence2; a folder where it has several splits."""
    if len(names) == 1:
        return write_pairs(target, read_cells(names[0]))
    return _write_splits(dict(zip(_SPLITS, map(read_cells, names), strict=True)), target)


def _write_splits(splits: Mapping[str, Iterable[Cells]], target: Path) -> Mapping[str, int]:
    target.mkdir()
    left_out: Counter[str] = Counter()
    for split, pairs in splits.items():
        left_out += write_pairs(target / f"{split}.tsv", pairs)
    return left_out


def count(path: Path) -> dict[str, int]:
    """How many pairs ``ctl eval sts`` reads: of the test file, and of train and dev where there are these."""
    if path.is_dir() and (path / "test.tsv").exists():
        return {f"{split} pairs": _pairs(path / f"{split}.tsv") for split in _SPLITS}
    return {"pairs": _pairs(path)}


def _pairs(path: Path) -> int:
    return sum(map(len, read_sts_task(path).subsets.values()))


def _on_hub(name: str, *splits: str) -> tuple[Source, ...]:
    home = f"https://huggingface.co/datasets/mteb/{name}"
    licence = "STS scores: CC BY-SA 4.0; the text: each source's own"
    return tuple(Source(url=f"hf:mteb/{name}:{split}", home=home, licence=licence) for split in splits)


PARTS = (
    *(
        Part(name=name, sources=(SENTEVAL,), output=name, make=partial(make_year, name=name), count=count)
        for name in SUBSETS
    ),
    Part(name="stsb", sources=(SENTEVAL,), output="stsb", make=make_stsb, count=count),
    Part(name="sickr", sources=(SENTEVAL,), output="sickr", make=make_sick, count=count),
    *(
        Part(
            name=f"mteb-{name}",
            sources=_on_hub(f"{name}-sts", "test"),
            output=f"mteb-{name}.tsv",
            make=make_from_hub,
            count=count,
        )
        for name in SUBSETS
    ),
    Part(
        name="mteb-stsb",
        sources=_on_hub("stsbenchmark-sts", "train", "validation", "test"),
        output="mteb-stsb",
        make=make_from_hub,
        count=count,
    ),
)

if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS))
