"""Which fusion of vectors and words is the default, and does it find more than either side alone?

    python benchmarks/hybrid_quality.py --data DIR [--work DIR] [--quick] [--output FILE]

packaged:all-MiniLM-L6-v2, not trained, and Okapi BM25 over the passages of SQuAD 1.1 dev, of SQuADShifts' new Wikipedia part, of SciFact
and of Cranfield; of the first two at most 4,000 questions. Every fusion with every weight that ``ctl tune-fusion`` tries, and the
default, are measured by questions to choose by: every second one of SQuAD and of Cranfield, SciFact's training claims. ``chosen`` is the
fusion whose nDCG@10 is highest above that of the better side, in the mean over these three sets; raw scores are measured beside, but
their weight, a number times the ratio of spreads of the set's first question, cannot be a default. What is reported of the default is
measured with the other questions, and with SQuADShifts, none of which chose anything. Intervals are paired, over questions. Also:
other depths, and exact scores in place of bounds for what one side did not find.

Vectors are kept in ``--work``, if it is given, and not computed again.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from _machine import describe_machine, versions
from numpy.typing import NDArray

from retriever.choices import PassageFormat
from retriever.data.corpus import read_passage_table
from retriever.data.dpr import read_questions
from retriever.data.files import write_json
from retriever.data.rankings import read_qrels
from retriever.encoding.dual_encoder import DualEncoder
from retriever.evaluation.comparison import paired_difference
from retriever.evaluation.ranking import Metric, score_rankings
from retriever.evaluation.tune_fusion import STEPS, fusions_to_try
from retriever.lexical.bm25 import bm25_of
from retriever.records import Question, Ranking
from retriever.search.fusion import FUSION, METHODS, Candidates, Fusion

MODEL = "packaged:all-MiniLM-L6-v2"
PASSAGE_FORMAT: PassageFormat = "{title}. {text}"
SETS = ("qa/squad1_dev", "qa/squadshifts_new_wiki", "retrieval/scifact", "retrieval/cranfield")
UNSEEN = "qa/squadshifts_new_wiki"
MAX_QUESTIONS = 4000
METRICS = [Metric.parse(name) for name in ("accuracy@1", "accuracy@5", "accuracy@20", "ndcg@10")]
CHOSEN_BY = [each.name for each in METRICS].index("ndcg@10")
DEPTHS = (20, 100, 300)
DEFAULT, RANKS = "hybrid", "rank fusion"
COMPARED = (
    (DEFAULT, "dense"),
    (DEFAULT, "bm25"),
    (DEFAULT, RANKS),
    (DEFAULT, f"{DEFAULT}, exact scores"),
    *((f"{DEFAULT}, depth {depth}", DEFAULT) for depth in DEPTHS),
)
Values = dict[str, NDArray[np.float64]]
"""System → (Q, metrics)."""


@dataclass(frozen=True)
class Asked:
    """A question and what both sides found for it.

    Attributes:
        grades: passage id → grade.
        chooses: whether the default is chosen by it.
        dense: the best ``FUSION.depth`` passages.
        bm25: the same.
        rows: passage id → row.
        scores: (N,) dense and (N,) BM25 scores of all passages.
    """

    grades: Mapping[str, int]
    chooses: bool
    dense: Ranking
    bm25: Ranking
    rows: Mapping[str, int]
    scores: tuple[NDArray[np.float64], NDArray[np.float64]]


class ExactCandidates(Candidates):
    """Candidates of which every score is known: by these the bounds are judged."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked.dense, asked.bm25, FUSION.depth)
        own = [asked.rows[id] for id in self.ids]
        self._exact = asked.scores[0][own], asked.scores[1][own]

    def scores(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """No bound among them."""
        return self._exact


def questions_of(data: Path, name: str) -> Iterator[tuple[Question, Mapping[str, int], bool]]:
    """The questions of a set, the grades of each, and whether the default is chosen by it."""
    folder = data / name
    if not (folder / "qrels").is_dir():
        for number, each in enumerate(islice(read_questions(folder / "questions.jsonl"), MAX_QUESTIONS)):
            yield each, dict.fromkeys(each.positive_ids, 1), number % 2 == 0 and name != UNSEEN
        return
    judged = {
        query: (grades, file.stem)
        for file in sorted((folder / "qrels").iterdir())
        for query, grades in read_qrels(file).items()
        if any(grade > 0 for grade in grades.values())
    }
    splits = {split for _, split in judged.values()}
    there = [each for each in read_questions(folder / "queries.jsonl") if each.query.id in judged]
    for number, each in enumerate(there):
        grades, split = judged[each.query.id]
        yield each, grades, split == "train" if "train" in splits else number % 2 == 0


def ask(given: argparse.Namespace, name: str) -> Iterator[Asked]:
    """Search every question on both sides."""
    file = next(each for each in ("passages.tsv", "corpus.jsonl") if (given.data / name / each).is_file())
    passages = list(read_passage_table(given.data / name / file).values())
    found = list(questions_of(given.data, name))
    texts = [each.query.text for each, _, _ in found]
    model = DualEncoder.load(MODEL, passage_format=PASSAGE_FORMAT)
    stem = name.replace("/", "_")
    vectors = kept(given.work, f"{stem}-passages", lambda: model.encode_passages(passages))
    queries = kept(given.work, f"{stem}-queries", lambda: model.encode_queries(texts))
    rows = {each.id: row for row, each in enumerate(passages)}
    ids, bm25 = list(rows), bm25_of(passages)
    for number in range(0, len(found), 20 if given.quick else 1):
        _, grades, chooses = found[number]
        scores = (vectors @ queries[number]).astype(np.float64)
        best = np.argsort(-scores, kind="stable")[: FUSION.depth]
        (words,) = bm25.search([texts[number]], len(passages))
        of_words = np.zeros(len(passages))
        of_words[[rows[id] for id in words.ids]] = words.scores
        dense = Ranking([ids[row] for row in best.tolist()], scores[best])
        yield Asked(grades, chooses, dense, words.head(FUSION.depth), rows, (scores, of_words))


def kept(work: Path | None, name: str, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """An array from the folder, made if it is not there."""
    if work is None:
        return make()
    file = work / f"{name}.npy"
    if not file.is_file():
        work.mkdir(parents=True, exist_ok=True)
        np.save(file, make())
    found: NDArray[np.float32] = np.load(file)
    return found


def measure(given: argparse.Namespace, name: str) -> tuple[Values, NDArray[np.bool_]]:
    """(Q, metrics) values of every system with one set, and (Q,) whether a question chooses."""
    systems: dict[str, list[list[float]]] = {}
    chooses: list[bool] = []
    fusions: dict[str, Fusion] = {}
    for each in ask(given, name):
        found = Candidates(each.dense, each.bm25, FUSION.depth)
        if not fusions:
            tried = zip(cycle(STEPS), fusions_to_try([found], FUSION.depth))
            fusions = {f"{one.method} {step:g}": one for step, one in tried}
        rankings: dict[str, Ranking] = {"dense": each.dense.head(20), "bm25": each.bm25.head(20)}
        rankings |= {system: found.fused(fusion, 20) for system, fusion in fusions.items()}
        rankings[DEFAULT], rankings[RANKS] = (found.fused(one, 20) for one in (FUSION, Fusion("rrf", 1.0)))
        rankings[f"{DEFAULT}, exact scores"] = ExactCandidates(each).fused(FUSION, 20)
        for depth in DEPTHS:
            short = Candidates(each.dense, each.bm25, depth)
            rankings[f"{DEFAULT}, depth {depth}"] = short.fused(
                Fusion(FUSION.method, FUSION.weight, depth), 20
            )
        found_ids = [ranking.ids for ranking in rankings.values()]
        values = score_rankings(found_ids, [each.grades] * len(rankings), METRICS)
        for system, row in zip(rankings, values.tolist(), strict=True):
            systems.setdefault(system, []).append(row)
        chooses.append(each.chooses)
    return {system: np.array(values) for system, values in systems.items()}, np.array(chooses)


def gains(values: Values) -> dict[str, float]:
    """System → by how much its nDCG@10 is above that of the better side."""
    means = {system: float(each[:, CHOSEN_BY].mean()) for system, each in values.items()}
    better = max(means["dense"], means["bm25"])
    return {system: 100 * (mean - better) for system, mean in means.items()}


def compare(values: Values, name: str) -> dict[str, dict[str, object]]:
    """Case → figures of one set's questions, which chose nothing."""
    cases: dict[str, dict[str, object]] = {}
    for (first, second), (place, metric) in (
        (pair, (place, each.name)) for pair in COMPARED for place, each in enumerate(METRICS)
    ):
        ours, peer = 100 * values[first][:, place], 100 * values[second][:, place]
        found = paired_difference(ours, peer, seed=0)
        cases[f"{name}: {first} minus {second}, {metric}"] = {
            "ours": round(float(ours.mean()), 2),
            "peer": round(float(peer.mean()), 2),
            "ratio": round(float(ours.mean() / peer.mean()), 4),
            "difference": round(found.mean, 2),
            "low": round(found.low, 2),
            "high": round(found.high, 2),
            "questions": len(ours),
            "unit": "% of questions" if metric.startswith("accuracy") else "x 100",
        }
    return cases


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, help="vectors are kept here, and not computed again")
    parser.add_argument("--quick", action="store_true", help="every 20th question: a trial, not a figure")
    parser.add_argument("--output", type=Path, help="also write the result here")
    return parser.parse_args()


def main() -> None:
    """Measure, choose, compare, print."""
    given = arguments()
    chosen_by: dict[str, dict[str, float]] = {}
    cases: dict[str, dict[str, object]] = {}
    for name in SETS:
        values, chooses = measure(given, name)
        short = name.rpartition("/")[2]
        if chooses.any():
            chosen_by[short] = gains({system: each[chooses] for system, each in values.items()})
        cases |= compare({system: each[~chooses] for system, each in values.items()}, short)
    systems = next(iter(chosen_by.values()))
    mean = {system: float(np.mean([each[system] for each in chosen_by.values()])) for system in systems}
    order = sorted(mean, key=lambda system: (-mean[system], system))
    chosen = next(
        system for system in order if system.split()[0] in METHODS and not system.startswith("weighted")
    )
    result = {
        "benchmark": "hybrid_quality",
        "machine": describe_machine(),
        "versions": versions(),
        "quick": given.quick,
        "settings": {"model": MODEL, "passage_format": PASSAGE_FORMAT, "default": FUSION.to_json()},
        "chosen": chosen,
        "mean_gain_ndcg@10_of_choosing": {system: round(mean[system], 2) for system in order},
        "gain_ndcg@10_of_choosing": {
            name: {system: round(value, 2) for system, value in each.items()}
            for name, each in chosen_by.items()
        },
        "cases": cases,
    }
    for name, case in cases.items():
        print(
            f"{name:74}{case['ours']:>7} {case['difference']:>+7} [{case['low']}, {case['high']}]",
            file=sys.stderr,
        )
    print(json.dumps(result, indent=2))
    if given.output is not None:
        write_json(given.output, result)


if __name__ == "__main__":
    main()
