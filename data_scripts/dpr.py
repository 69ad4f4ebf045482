"""DPR's data: training and dev questions with passages, test questions with answers, and Wikipedia in 100 words each.

    python data_scripts/dpr.py nq-train nq-dev nq-test-qa psgs_w100 --output data/dpr

NAME-train and NAME-dev give NAME.jsonl.gz for ``ctl train-dpr``; questions without a positive passage are left out and
counted, as DPR's own training does (trivia-train holds 78,785 questions, of which the paper trains on 60,413; DPR's
issues 35 and 127).
NAME-qa gives the file of questions and answers for ``ctl eval retrieval``, and psgs_w100 the 21 million passages, read
as they come, compressed: 4.7 GB and not 13.

Addresses: dpr/data/download_data.py of facebookresearch/DPR. MD5 and sizes: etc/downloads.json of allenai/ir_datasets,
for the five files that it has; nobody published checksums of the others. They were not tried when this was written.
"""

import gzip
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from download import Source
from parts import Part, as_it_is, main

from retriever.data.corpus import read_passages
from retriever.data.dpr import read_dpr_examples, read_questions
from retriever.data.files import atomic_file
from retriever.data.lines import read_json_objects

_FILES = "https://dl.fbaipublicfiles.com/dpr"
HOME = "https://github.com/facebookresearch/DPR"
_WIKIPEDIA = "passages: Wikipedia, CC BY-SA 3.0"
LICENCES = {
    "nq": "NQ: CC BY-SA 3.0 (dl.fbaipublicfiles.com/dpr/nq_license)",
    "trivia": "TriviaQA: no licence for the questions, research use",
    "squad1": "SQuAD: CC BY-SA 4.0",
    "webq": "WebQuestions: CC BY 4.0",
    "curatedtrec": "CuratedTREC: none stated, research use",
}
# Name of the set → how DPR's files call it.
_IN_FILES = {name: name for name in LICENCES} | {"webq": "webquestions"}
_KNOWN = {
    "nq-train": (2_314_892_908, "md5:a1c927b5adae71388eb064329387709f"),
    "nq-dev": (256_239_282, "md5:2640483dbe0df7ae29c6da419c551a80"),
    "trivia-train": (1_848_559_940, "md5:5aa4d3577c91425cd20e239ed89a252b"),
    "trivia-dev": (207_271_749, "md5:d559dffe09acfe5a6370adea55b8abf2"),
    "psgs_w100": (4_694_541_059, "md5:612fe66e0b6b41ee28f806140226c563"),
}


def keep_answerable(downloads: Sequence[Path], target: Path) -> Mapping[str, int]:
    """The questions that have a positive passage, streamed into compressed JSON Lines, otherwise as they are."""
    (file,) = downloads
    without = 0
    with (
        atomic_file(target, "wb") as raw,
        gzip.GzipFile(
            "", "wb", 6, raw, mtime=0
        ) as zipped,  # no name and no time: equal questions, equal bytes
        io.TextIOWrapper(zipped, encoding="utf-8", newline="\n") as lines,
    ):
        for _, question in read_json_objects(file):
            if question.get("positive_ctxs"):
                lines.write(json.dumps(question, ensure_ascii=False) + "\n")
            else:
                without += 1
    return {"questions without a positive passage": without} if without else {}


def count_examples(file: Path) -> dict[str, int]:
    """How many questions ``ctl train-dpr`` reads, and with how many passages."""
    counts = {"questions": 0, "positives": 0, "hard negatives": 0}
    for example in read_dpr_examples(file):
        counts["questions"] += 1
        counts["positives"] += len(example.positives)
        counts["hard negatives"] += len(example.hard_negatives)
    return counts


def count_questions(file: Path) -> dict[str, int]:
    """How many questions ``ctl eval retrieval`` reads."""
    return {"questions": sum(1 for _ in read_questions(file))}


def count_passages(file: Path) -> dict[str, int]:
    """How many passages ``ctl index`` reads."""
    return {"passages": sum(1 for _ in read_passages(file))}


def _source(name: str, path: str, licence: str) -> Source:
    size, checksum = _KNOWN.get(name, (None, None))
    return Source(url=f"{_FILES}/{path}", home=HOME, licence=licence, size=size, checksum=checksum)


def _examples(name: str) -> Part:
    """Training or dev questions with passages, in DPR's JSON."""
    owner, _, split = name.partition("-")
    path = f"data/retriever/biencoder-{_IN_FILES[owner]}-{split}.json.gz"
    source = _source(name, path, f"{LICENCES[owner]}; {_WIKIPEDIA}")
    output = f"{name}.jsonl.gz"
    return Part(name=name, sources=(source,), output=output, make=keep_answerable, count=count_examples)


def _answers(name: str, ending: str = "csv") -> Part:
    """Questions with their answers alone."""
    owner, _, split = name.partition("-")
    source = _source(f"{name}-qa", f"data/retriever/{_IN_FILES[owner]}-{split}.qa.{ending}", LICENCES[owner])
    output = f"{name}.qa.{ending}"
    return Part(name=f"{name}-qa", sources=(source,), output=output, make=as_it_is, count=count_questions)


PARTS = (
    *(_examples(f"{name}-{split}") for name in LICENCES for split in ("train", "dev")),
    _examples("nq-adv-hn-train"),
    *(_answers(f"nq-{split}") for split in ("train", "dev", "test")),
    *(_answers(f"trivia-{split}", "csv.gz") for split in ("train", "dev", "test")),
    *(_answers(f"{name}-test") for name in ("squad1", "webq", "curatedtrec")),
    Part(
        name="psgs_w100",
        sources=(_source("psgs_w100", "wikipedia_split/psgs_w100.tsv.gz", _WIKIPEDIA),),
        output="psgs_w100.tsv.gz",
        make=as_it_is,
        count=count_passages,
    ),
)

if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS))
