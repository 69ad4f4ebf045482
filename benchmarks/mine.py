r"""How fast are hard negatives mined, next to rank-bm25 and sentence-transformers?

    python benchmarks/mine.py [--data DIR] [--quick] [--cases NAME,NAME] [--output FILE]

The questions of ``DIR/qa/squad1_dev`` over its passages, depth 100, one hard negative each; without ``--data`` the demo's own.

* ``mine-vs-rank-bm25``: all of ``ctl mine``, from files to a file, answer filter on and nothing cached, beside rank-bm25's searches
  alone, which are less: BM25Okapi over the same words, 100 passages a question. ``command_seconds`` is the whole command in a
  process of its own.
* ``search-vs-rank-bm25``: our searches alone beside the same.
* ``dense-vs-default``: mining with all-MiniLM-L6-v2, corpus and questions encoded in every window, beside sentence-transformers'
  ``mine_hard_negatives`` as it comes. ``dense-vs-bf16``: that in bf16.

Both sides alternate, each in a process of its own. A table goes to standard error, one JSON object to standard output.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from _alternation import Side, alternate, begin, compared, take_turns
from _command import PACKAGED, Cases, arguments, chosen, data_folder, report

DEPTH = 100
DENSE_QUESTIONS, QUICK_QUESTIONS = 2000, 200
COMMANDS = 3
CASES = ("mine-vs-rank-bm25", "search-vs-rank-bm25", "dense-vs-default", "dense-vs-bf16")
UNIT = "questions per second"


@dataclass(frozen=True)
class Job:
    """What a side does.

    Attributes:
        questions: file of the questions.
        passages: file of the corpus.
        folder: for what it writes.
        window: questions in a window, the first of the file.
        windows: how many there are.
        searcher: what ours mines with.
        dtype: of the peer's encoder.
    """

    questions: Path
    passages: Path
    folder: Path
    window: int
    windows: int
    searcher: str = "bm25"
    dtype: str = "float32"


def question_texts(job: Job) -> list[str]:
    """The questions of a window."""
    from retriever.data.dpr import read_questions

    return [each.query.text for each in islice(read_questions(job.questions), job.window)]


def mine_ours(line: Connection, job: Job) -> None:
    """All of ``ctl mine``, with a new cache in each window."""
    from retriever.config.mining import MineConfig
    from retriever.search.mine_corpus import mine_corpus

    begin(line)

    def mine() -> None:
        with TemporaryDirectory(dir=job.folder) as made:
            folder = Path(made)
            mine_corpus(
                MineConfig(
                    questions=job.questions,
                    passages=job.passages,
                    output=folder / "hard.jsonl",
                    depth=DEPTH,
                    searcher=(job.searcher,),
                )
            )

    in_turns(line, job, mine)


def search_ours(line: Connection, job: Job) -> None:
    """Our searches alone."""
    from retriever.data.corpus import read_passages
    from retriever.lexical.bm25 import bm25_of
    from retriever.search.mining import BATCH_SIZE

    begin(line)
    searcher, asked = bm25_of(list(read_passages(job.passages))), question_texts(job)

    def search() -> None:
        for start in range(0, len(asked), BATCH_SIZE):
            searcher.search(asked[start : start + BATCH_SIZE], DEPTH)

    in_turns(line, job, search)


def search_rank_bm25(line: Connection, job: Job) -> None:
    """rank-bm25's searches alone, over the same words."""
    from rank_bm25 import BM25Okapi

    from retriever.data.corpus import read_passages
    from retriever.lexical.analyser import Analyser

    begin(line)
    analyser, passages = Analyser(), list(read_passages(job.passages))
    index = BM25Okapi([analyser(f"{each.title} {each.text}") for each in passages])
    ids, asked = [each.id for each in passages], question_texts(job)
    in_turns(line, job, lambda: [index.get_top_n(analyser(each), ids, n=DEPTH) for each in asked])


def mine_peer(line: Connection, job: Job) -> None:
    """sentence-transformers' mining, which encodes questions and passages in each window, too."""
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    from retriever.data.corpus import read_passage_table
    from retriever.data.dpr import read_questions
    from retriever.encoding.locate import locate_model

    begin(line)
    passages = {name: f"{each.title}. {each.text}" for name, each in read_passage_table(job.passages).items()}
    rows = [
        (each.query.text, passages[each.positive_ids[0]])
        for each in islice(read_questions(job.questions), job.window)
    ]
    pairs = Dataset.from_dict({"question": [row[0] for row in rows], "passage": [row[1] for row in rows]})
    model = SentenceTransformer(
        str(locate_model(PACKAGED)), model_kwargs={"dtype": getattr(torch, job.dtype)}
    )

    def mine() -> None:
        mine_hard_negatives(
            pairs,
            model,
            corpus=list(passages.values()),
            range_max=DEPTH,
            num_negatives=1,
            verbose=False,
        )

    in_turns(line, job, mine)


def in_turns(line: Connection, job: Job, work: Any) -> None:  # noqa: ANN401  (a function that returns whatever)
    """The same work in every window, after once to warm up."""
    take_turns(line, job, work, first=work)
    line.send({"device_peak": None})


def command_seconds(job: Job) -> float:
    """The whole command, from the start of Python on; the median of a few."""
    seconds = []
    for _ in range(COMMANDS):
        with TemporaryDirectory(dir=job.folder) as made:
            files = [
                "--questions",
                job.questions,
                "--passages",
                job.passages,
                "--output",
                f"{made}/hard.jsonl",
            ]
            line = [sys.executable, "-m", "cli", "mine", *map(str, files), f"--depth={DEPTH}"]
            begun = time.perf_counter()
            subprocess.run(line, check=True, stdout=sys.stderr)
            seconds.append(time.perf_counter() - begun)
    return round(median(seconds), 1)


def run_case(name: str, ours: Job, peer: Job, sides: tuple[Side, Side], **more: object) -> dict[str, object]:
    """One comparison."""
    found = alternate(name, (sides[0], ours), (sides[1], peer))
    memory = "MiB, anonymous, above imports"
    return compared(found, ours, peer, UNIT, memory=memory, **more)


def main() -> None:
    """Measure the cases that were asked for."""
    given = arguments(__doc__ or "", CASES).parse_args()
    names, cases = chosen(given, dict.fromkeys(CASES, False)), Cases()
    windows = given.pairs or 5
    with data_folder(given.data) as data, TemporaryDirectory() as made:
        squad, scratch = data / "qa" / "squad1_dev", Path(made)
        if squad.is_dir():
            questions, passages = squad / "questions.jsonl", squad / "passages.tsv"
        else:
            questions, passages = data / "train_questions.jsonl", data / "train_passages.jsonl"
        few = scratch / "questions.jsonl"
        lines = questions.read_text(encoding="utf-8").splitlines(keepends=True)
        few.write_text(
            "".join(lines[: QUICK_QUESTIONS if given.quick else DENSE_QUESTIONS]), encoding="utf-8"
        )
        number = sum(1 for _ in few.open(encoding="utf-8"))
        whole = Job(questions, passages, scratch, len(lines), windows)
        part = Job(few, passages, scratch, min(number, 500), windows)
        if CASES[0] in names:
            cases[CASES[0]] = run_case(CASES[0], whole, part, (mine_ours, search_rank_bm25), depth=DEPTH)
            cases[CASES[0]]["command_seconds"] = command_seconds(whole)
        if CASES[1] in names:
            cases[CASES[1]] = run_case(CASES[1], whole, part, (search_ours, search_rank_bm25), depth=DEPTH)
        for name, dtype in zip(CASES[2:], ("float32", "bfloat16"), strict=True):
            if name in names:
                ours = Job(few, passages, scratch, number, windows, searcher=PACKAGED)
                peer = Job(few, passages, scratch, number, windows, dtype=dtype)
                cases[name] = run_case(
                    name, ours, peer, (mine_ours, mine_peer), depth=DEPTH, peer_dtype=dtype
                )
    report("mine", given, cases)


if __name__ == "__main__":
    main()
