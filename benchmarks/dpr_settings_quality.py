"""Which settings of DPR training are good here? Each change alone, judged on articles that it was not trained on.

    python benchmarks/dpr_settings_quality.py --data DIR --work DIR [--systems NAME,…] [--seeds 1] [--quick] [--output FILE]

Takes every fifth article out of ``DIR/qa/squadshifts_new_wiki``: its questions are for judging, the others' for training, with
``hard-first`` of ``dpr_quality.py`` for the start and one change each. Each dev question is asked of the passages of all articles.
``BEST`` of ``dpr_quality.py`` is to be what this finds; only that script looks at ``DIR/qa/squad1_dev``.

What is done lies in ``--work`` and is not done again. A table goes to standard error, one JSON object to standard output: accuracy,
and the paired differences from ``hard-first`` with an interval over the questions.
"""

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
from _quality import arguments, report, seeds_of
from dpr_quality import SETTINGS, Work, print_cases, summary

from retriever.data.corpus import read_passage_table
from retriever.data.files import atomic_file
from retriever.data.write_corpus import write_passages

START = "hard-first"
FIRST: dict[str, object] = {"hardest_first": True}
CANDIDATES: dict[str, dict[str, object]] = {
    START: FIRST,
    "hard": {},
    "rate-5e-5": {**FIRST, "learning_rate": 5e-5},
    "rate-1e-4": {**FIRST, "learning_rate": 1e-4},
    "temperature-0.02": {**FIRST, "temperature": 0.02},
    "temperature-0.1": {**FIRST, "temperature": 0.1},
    "epochs-3": {**FIRST, "epochs": 3},
    "batch-256": {**FIRST, "batch_size": 256, "learning_rate": 5e-5, "chunk_tokens": 16384},
}
"""Name → what differs from ``SETTINGS``. A batch of 256 takes a fourth of the steps, hence the higher learning rate."""

HELD_OUT = 5
"""One article of so many is for judging."""


def split_by_article(source: Path, folder: Path) -> tuple[Path, Path]:
    """The folders of training questions and passages, and of dev questions with all passages; made where they are not there."""
    train, dev = folder / "train", folder / "dev"
    if not (dev / "questions.jsonl").exists():
        passages = read_passage_table(source / "passages.tsv")
        articles = sorted({each.title for each in passages.values()})
        held_out = set(articles[::HELD_OUT])
        kept = {id for id, each in passages.items() if each.title not in held_out}
        for part, ids, corpus in ((train, kept, kept), (dev, passages.keys() - kept, passages.keys())):
            part.mkdir(parents=True, exist_ok=True)
            write_passages(part / "passages.tsv", (each for id, each in passages.items() if id in corpus))
            write_questions_of(ids, source / "questions.jsonl", part / "questions.jsonl")
    return train, dev


def write_questions_of(passages: Collection[str], source: Path, output: Path) -> None:
    """Those lines of a questions file whose positive passage is among ``passages``."""
    with source.open(encoding="utf-8") as lines, atomic_file(output) as file:
        for line in lines:
            if json.loads(line)["positive_passage_id"] in passages:
                file.write(line)


def main() -> None:
    """Train and judge what is missing, compare, print."""
    parser = arguments(__doc__, tuple(CANDIDATES))
    parser.set_defaults(seeds="1")
    given = parser.parse_args()
    seeds = seeds_of(given)
    train, dev = split_by_article(given.data / "qa" / "squadshifts_new_wiki", given.work)
    work = Work(train, dev, given.work, own=CANDIDATES, first_seed=seeds[0], quick=given.quick)
    ranks = {}
    for system in given.systems.split(","):
        ranks[system] = np.stack([work.ranks(system, seed) for seed in seeds])
        print_cases(summary({system: ranks[system]}))
    cases = summary(ranks, [(system, START) for system in ranks if system != START])
    print_cases(cases)
    report("dpr_settings_quality", given, {**SETTINGS, "candidates": CANDIDATES}, cases)


if __name__ == "__main__":
    main()
