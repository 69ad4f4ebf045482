"""How good does DPR training make a model, against sentence-transformers, and does each kind of negative help?

    python benchmarks/dpr_quality.py --data DIR --work DIR [--systems NAME,…] [--seeds 1,2,3] [--quick] [--output FILE]

Trains packaged:all-MiniLM-L6-v2 on the questions of ``DIR/qa/squadshifts_new_wiki`` and tests on all of ``DIR/qa/squad1_dev``,
other articles: is the gold passage among the first 1, 5, 20? Batch 64, learning rate 2e-5, 10 % warm-up, one epoch, cosine at
temperature 0.05, on both sides. Systems, each trained with each seed:

* ``zero-shot``: not trained.
* ``in-batch``, ``in-batch-peer``: in-batch negatives, ours and sentence-transformers' (MultipleNegativesRankingLoss).
* ``hard``: and one hard negative a question, drawn from 30 mined with BM25, another in each epoch.
* ``hard-first``, ``hard-first-peer``: always the one that BM25 ranks highest, ours and sentence-transformers'.
* ``unfiltered``: those of ``hard`` without the answer filter: passages that hold an answer are among them.
* ``mined``: the hard negatives come from the ranking of ``hard`` with the first seed instead of BM25's.
* ``best``: ``BEST``, settings that ``dpr_settings_quality.py`` chose, on articles held out of the training questions.

What is done lies in ``--work`` and is not done again, so that the whole can be stopped and started. A table goes to standard error,
one JSON object to standard output: mean and standard deviation over the seeds, and differences between systems, with an interval over the questions,
paired, and in standard errors over the seeds.
"""

import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from _quality import (
    BATCH_SIZE,
    TEMPERATURE,
    arguments,
    ctl,
    report,
    seeds_of,
    standard_errors,
    train_with_peer,
)
from numpy.typing import NDArray

from retriever.choices import PassageFormat
from retriever.data.corpus import read_passage_table
from retriever.data.dpr import read_dpr_examples, read_questions
from retriever.encoding.dual_encoder import DualEncoder, format_passages
from retriever.encoding.locate import locate_model
from retriever.evaluation.average_rank import gold_ranks
from retriever.evaluation.comparison import paired_difference

MODEL = "packaged:all-MiniLM-L6-v2"
PASSAGE_FORMAT: PassageFormat = "{title}. {text}"
DEPTHS = (1, 5, 20)
SYSTEMS = (
    "zero-shot",
    "in-batch",
    "in-batch-peer",
    "hard",
    "hard-first",
    "hard-first-peer",
    "unfiltered",
    "mined",
)
COMPARED = (
    ("in-batch", "zero-shot"),
    ("in-batch", "in-batch-peer"),
    ("hard-first", "hard-first-peer"),
    ("hard-first", "hard"),
    ("hard", "in-batch"),
    ("hard", "unfiltered"),
    ("mined", "hard"),
    ("best", "hard-first"),
)
SETTINGS: dict[str, object] = {
    "batch_size": BATCH_SIZE,
    "num_hard_negatives": 1,
    "learning_rate": 2e-5,
    "warmup_ratio": 0.1,
    "max_grad_norm": 1.0,
    "similarity": "cosine",
    "temperature": TEMPERATURE,
    "passage_format": PASSAGE_FORMAT,
}
BEST: dict[str, object] = {"hardest_first": True, "epochs": 3}
"""``hard-first`` for three epochs: of the changes tried alone, the one whose interval at top-1 lies above 0."""
OWN: dict[str, dict[str, object]] = {
    "in-batch": {"num_hard_negatives": 0},
    "hard-first": {"hardest_first": True},
    "best": BEST,
}
"""System → its settings, where they differ from ``SETTINGS``."""


class Work:
    """The files of the benchmark: what is there is not made again.

    Args:
        train: folder of the questions to train on and their passages.
        test: folder of the questions to test on and their passages.
        folder: where models, mined negatives and ranks are kept.
        own: system → its settings, where they differ from ``SETTINGS``.
        first_seed: whose model mines the negatives of ``mined``.
        quick: eight steps.
    """

    def __init__(
        self,
        train: Path,
        test: Path,
        folder: Path,
        *,
        own: Mapping[str, Mapping[str, object]],
        first_seed: int,
        quick: bool,
    ) -> None:
        self.train, self.test, self.folder = train, test, folder
        self.own, self.first_seed, self.quick = own, first_seed, quick

    def ranks(self, system: str, seed: int) -> NDArray[np.int64]:
        """(Q,) rank, from 0, of the gold passage of each test question."""
        file = self.folder / f"{system}-{seed}.npy"
        if not file.exists():
            np.save(file, self._measure(self.model(system, seed)))
        found: NDArray[np.int64] = np.load(file)
        return found

    def model(self, system: str, seed: int) -> str:
        """The trained model's folder, or the name of the one that training starts from."""
        if system == "zero-shot":
            return MODEL
        output = self.folder / f"{system}-{seed}"
        if system.endswith("-peer"):
            if not (output / "modules.json").exists():
                train_peer(self.examples(system), output, seed=seed, quick=self.quick)
            return str(output)
        if not (output / "results.json").exists():
            settings = {
                **SETTINGS,
                **self.own.get(system, {}),
                "seed": seed,
                "output": output,
                "model": MODEL,
            }
            settings |= {"train": self.examples(system), **({"max_steps": 8} if self.quick else {})}
            ctl("train-dpr", "--resume", **settings)
        return str(output)

    def examples(self, system: str) -> Path:
        """The training file of a system, in DPR's format, with 30 hard negatives a question.

        Near-duplicates stay in all of them, so that they differ in what is named.
        """
        name = system if system in ("mined", "unfiltered") else "bm25"
        file = self.folder / f"{name}.jsonl"
        if not file.exists():
            questions = self.examples("hard") if name == "mined" else self.train / "questions.jsonl"
            searcher = self.model("hard", self.first_seed) if name == "mined" else "bm25"
            flags = ["--allow-near-duplicates", *(["--allow-answers"] if name == "unfiltered" else [])]
            files = {"questions": questions, "passages": self.train / "passages.tsv", "output": file}
            ctl("mine", *flags, **files, searcher=searcher, num_hard_negatives=30)
        return file

    def _measure(self, name: str) -> NDArray[np.int64]:
        model = DualEncoder.load(name, passage_format=PASSAGE_FORMAT, max_length=256)
        passages = list(read_passage_table(self.test / "passages.tsv").values())
        row = {each.id: number for number, each in enumerate(passages)}
        questions = list(read_questions(self.test / "questions.jsonl"))
        positives = [[row[id] for id in each.positive_ids] for each in questions]
        queries = model.encode_queries([each.query.text for each in questions])
        return gold_ranks(queries, model.encode_passages(passages), positives)


def train_peer(examples: Path, output: Path, *, seed: int, quick: bool) -> None:
    """sentence-transformers' trainer with its own loss on the same texts and settings."""
    from sentence_transformers import SentenceTransformer

    hard = output.name.startswith("hard")
    columns: dict[str, list[str]] = {"anchor": [], "positive": [], **({"negative": []} if hard else {})}
    for each in read_dpr_examples(examples):
        chosen = [each.positives[0], *(each.hard_negatives[:1] if hard else [])]
        if len(chosen) < len(columns) - 1:
            continue
        texts, _ = format_passages(chosen, PASSAGE_FORMAT)
        for name, text in zip(columns, [each.query.text, *texts], strict=True):
            columns[name].append(text)
    model = SentenceTransformer(str(locate_model(MODEL)))
    model.max_seq_length = 256
    train_with_peer(
        model,
        columns,
        output.with_suffix(".trainer"),
        learning_rate=SETTINGS["learning_rate"],
        warmup_ratio=SETTINGS["warmup_ratio"],
        max_grad_norm=SETTINGS["max_grad_norm"],
        max_steps=8 if quick else -1,
        seed=seed,
    )
    model.save(str(output))


def summary(
    ranks: Mapping[str, NDArray[np.int64]], compared: Sequence[tuple[str, str]] = COMPARED
) -> dict[str, dict[str, object]]:
    """Case → figures: each system's accuracy over its seeds, and the paired differences; ranks are (seeds, Q) each."""
    cases: dict[str, dict[str, object]] = {}
    for (system, found), k in product(ranks.items(), DEPTHS):
        per_seed = 100 * (found < k).mean(1)
        cases[f"{system} top-{k}"] = {
            "mean": round(float(per_seed.mean()), 2),
            "sd": round(float(per_seed.std(ddof=1)), 2) if len(per_seed) > 1 else None,
            "seeds": [round(float(each), 2) for each in per_seed],
            "unit": "% of questions",
        }
    for (first, second), k in product(compared, DEPTHS):
        if first in ranks and second in ranks:
            ours, peer = (100.0 * (ranks[name] < k) for name in (first, second))
            difference = paired_difference(ours, peer, seed=0)
            cases[f"{first} minus {second} top-{k}"] = {
                "ours": round(float(ours.mean()), 2),
                "peer": round(float(peer.mean()), 2),
                "ratio": round(float(ours.mean() / peer.mean()), 4),
                "difference": round(difference.mean, 2),
                "low": round(difference.low, 2),
                "high": round(difference.high, 2),
                "standard_errors": standard_errors(list(ours.mean(1)), list(peer.mean(1))),
                "unit": "% of questions",
            }
    return cases


def print_cases(cases: Mapping[str, dict[str, object]]) -> None:
    """The table, for people."""
    for name, case in cases.items():
        if "mean" in case:
            print(f"{name:36}{case['mean']:>8} ± {case['sd']}", file=sys.stderr)
        else:
            print(f"{name:36}{case['difference']:>+8} [{case['low']}, {case['high']}]", file=sys.stderr)


def main() -> None:
    """Train and measure what is missing, compare, print."""
    given = arguments(__doc__, SYSTEMS).parse_args()
    seeds = seeds_of(given)
    given.work.mkdir(parents=True, exist_ok=True)
    train, test = (given.data / "qa" / name for name in ("squadshifts_new_wiki", "squad1_dev"))
    work = Work(train, test, given.work, own=OWN, first_seed=seeds[0], quick=given.quick)
    ranks: dict[str, NDArray[np.int64]] = {}
    for system in given.systems.split(","):
        ranks[system] = np.stack(
            [work.ranks(system, seed) for seed in (seeds if system != "zero-shot" else seeds[:1])]
        )
        print_cases(summary({system: ranks[system]}))
    cases = summary(ranks)
    print_cases(cases)
    report("dpr_quality", given, {**SETTINGS, **({"best": BEST} if "best" in ranks else {})}, cases)


if __name__ == "__main__":
    main()
