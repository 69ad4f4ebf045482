"""How fast does DPR train, against sentence-transformers on the same questions and passages?

    python benchmarks/train_dpr.py [--data DIR] [--quick] [--cases NAME,NAME] [--mined FILE] [--output FILE]

Batches of 64 questions of up to 64 tokens and their passages, title and text, of up to 256; in-batch negatives, cosine at
temperature 0.05, one encoder for both. ``minilm-vs-default`` is the peer as it comes (fp32), ``minilm-vs-bf16`` the peer with
``bf16``; we train as we come, in bf16 where the device computes in it. ``minilm-hard-vs-bf16`` adds one hard negative a question,
mined with BM25. ``bert-base-h200-vs-bf16`` runs BERT-base's shape on a GPU with 128 questions, their passages and a hard
negative for each. ``--mined`` names the mined file: it is read if it is there, else written.

Questions and passages: ``DIR/qa/squadshifts_new_wiki``, else ``DIR/train_questions.jsonl`` and ``DIR/train_passages.jsonl``. A
table goes to standard error, one JSON object to standard output.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _alternation import say
from _command import BERT_BASE, Cases, arguments, chosen, data_folder, model_folder, report
from _training import Case, compare, pace, sample, scaled
from _turns import PASSAGE_FORMAT, Job

from retriever.data.corpus import read_passage_table
from retriever.data.dpr import read_dpr_examples, write_dpr_examples
from retriever.encoding.dual_encoder import format_passages
from retriever.records import DprExample

UNIT = "questions per second"
CASES = {
    "minilm-vs-default": Case(window=3, bf16=False),
    "minilm-vs-bf16": Case(window=3),
    "minilm-hard-vs-bf16": Case(window=2, num_hard_negatives=1),
    "bert-base-h200-vs-bf16": Case(
        model=BERT_BASE, batch_size=128, window=2, num_hard_negatives=1, cuda=True
    ),
}


def read_examples(data: Path, mined: Path, *, hard: bool) -> list[DprExample]:
    """The questions with their first positive, and with ``hard`` one hard negative each; those without one are left out."""
    folder = data / "qa" / "squadshifts_new_wiki"
    questions, passages = folder / "questions.jsonl", folder / "passages.tsv"
    if not folder.is_dir():
        questions, passages = data / "train_questions.jsonl", data / "train_passages.jsonl"
    if not hard:
        return [
            replace(each, positives=each.positives[:1])
            for each in read_dpr_examples(questions, read_passage_table(passages))
        ]
    if not mined.exists():
        mine(questions, passages, mined)
    return [
        replace(each, positives=each.positives[:1], hard_negatives=each.hard_negatives[:1])
        for each in read_dpr_examples(mined)
        if each.hard_negatives
    ]


def mine(questions: Path, passages: Path, output: Path) -> None:
    """One hard negative a question by BM25, as ``ctl mine`` finds it."""
    from retriever.config.mining import MineConfig
    from retriever.search.mine_corpus import mine_corpus

    say(f"mining hard negatives into {output.name}")
    mine_corpus(MineConfig(questions=questions, passages=passages, output=output))


def write_examples(examples: list[DprExample], scratch: Path) -> dict[str, Any]:
    """The examples, for us in DPR's format and for the peer as columns of the same strings."""
    train, columns = scratch / "train.jsonl", scratch / "columns.json"
    write_dpr_examples(train, examples)
    texts = {
        "anchor": [each.query.text for each in examples],
        "positive": format_passages([each.positives[0] for each in examples], PASSAGE_FORMAT)[0],
    }
    if examples[0].hard_negatives:
        texts["negative"] = format_passages([each.hard_negatives[0] for each in examples], PASSAGE_FORMAT)[0]
    columns.write_text(json.dumps(texts), encoding="utf-8")
    return {"train": train, "columns": columns}


def run_case(name: str, given: argparse.Namespace, data: Path, mined: Path) -> dict[str, object]:
    """One of ``CASES``."""
    case = CASES[name]
    batch_size, turns = scaled(given, case.batch_size), pace(given, case.window)
    steps = turns["warmup"] + turns["window"] * turns["windows"]
    found = read_examples(data, mined, hard=case.num_hard_negatives > 0)
    with TemporaryDirectory(prefix="dpr-") as made:
        scratch = Path(made)
        job = Job(
            recipe="dpr",
            model=model_folder(case.model, scratch, given.tokenizer),
            **write_examples(sample(found, batch_size, steps), scratch),
            output=scratch,
            batch_size=batch_size,
            max_length=256,
            num_hard_negatives=case.num_hard_negatives,
            bf16=case.bf16,
            **turns,
        )
        return compare(name, job, UNIT)


def main() -> None:
    """Run the cases, print."""
    parser = arguments(__doc__, list(CASES))
    parser.add_argument(
        "--mined", type=Path, help="DPR JSONL with hard negatives: read, or written if missing"
    )
    given = parser.parse_args()
    names = chosen(given, {name: case.cuda for name, case in CASES.items()})
    cases: Cases = {}
    with data_folder(given.data) as data, TemporaryDirectory(prefix="mined-") as made:
        for name in names:
            cases[name] = run_case(name, given, data, given.mined or Path(made) / "mined.jsonl")
    report("train_dpr", given, cases)


if __name__ == "__main__":
    main()
