"""Does DPR beat the model that it starts from? The demo over three seeds, on packages that training never saw.

    python benchmarks/python_docs_seeds.py [--quick] [--full] [--seeds 42,1,2] [--folder DIR]

Runs ``data_scripts/demo.py`` once a seed over one data set, the first in the folder that ``make demo`` uses (what is there is
reused), and compares, question by question, with a
paired bootstrap interval over the questions (each question's value is its mean over the seeds). ``--quick`` takes one seed.
Ranks are read back from TREC runs, in which equal scores are ordered by passage id: BM25 and the fused ranking, which have many,
differ a little from what ``ctl eval`` prints. A table goes to standard error, one JSON object to standard output.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from _machine import describe_machine, versions
from numpy.typing import NDArray

from retriever.data.dpr import read_questions
from retriever.data.rankings import read_rankings
from retriever.evaluation.comparison import paired_difference

DEMO = Path(__file__).parents[1] / "data_scripts" / "demo.py"
ROWS = {"bm25": "BM25", "base": "base model", "simcse": "SimCSE", "dpr": "DPR", "hybrid": "BM25 + DPR"}
DEPTHS = (1, 5, 20, 100)


def run_demo(folder: Path, data: Path, seed: int, *, full: bool) -> None:
    """The demo with this seed; what it prints goes to standard error."""
    line = [sys.executable, str(DEMO), "--folder", str(folder), "--data", str(data), "--seed", str(seed)]
    subprocess.run(
        [*line, *(["--full"] if full else [])], check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL
    )


def gold_ranks(run: Path, questions: Path) -> NDArray[np.int64]:
    """(Q,) rank, from 0, of each question's gold passage in a TREC run; a million where it was not found."""
    rankings = dict(read_rankings(run))
    ranks = []
    for each in read_questions(questions):
        ids = rankings[each.query.id].ids
        ranks.append(ids.index(each.positive_ids[0]) if each.positive_ids[0] in ids else 1_000_000)
    return np.array(ranks)


def compare(folders: list[Path], data: Path) -> dict[str, dict[str, object]]:
    """Case → figures: each row's accuracy at each depth, and the paired difference from the base model."""
    questions = data / "test_questions.jsonl"
    ranks = {
        name: np.stack([gold_ranks(folder / "evaluation" / f"{name}.trec", questions) for folder in folders])
        for name in ROWS
    }  # (seeds, Q) each
    cases: dict[str, dict[str, object]] = {}
    for name, title in ROWS.items():
        for k in DEPTHS:
            ours, peer = (ranks[each] < k for each in (name, "base"))
            per_seed = 100 * ours.mean(1)
            difference = paired_difference(100.0 * ours, 100.0 * peer, seed=0)
            cases[f"{title} top-{k}"] = {
                "ours": round(float(per_seed.mean()), 2),
                "sd": round(float(per_seed.std(ddof=1)), 2) if len(folders) > 1 else None,
                "peer": round(float(100 * peer.mean()), 2),
                "ratio": round(float(per_seed.mean() / (100 * peer.mean())), 4),
                "unit": "% of questions",
                "difference": round(difference.mean, 2),
                "low": round(difference.low, 2),
                "high": round(difference.high, 2),
            }
    return cases


def print_cases(cases: dict[str, dict[str, object]]) -> None:
    """The table, for people."""
    print(f"{'':24}{'mean':>8}{'sd':>7}{'minus base':>12}   95 % interval", file=sys.stderr)
    for name, case in cases.items():
        interval = f"[{case['low']}, {case['high']}]"
        row = f"{name:24}{case['ours']:>8}{case['sd'] or '':>7}{case['difference']:>12}   {interval}"
        print(row, file=sys.stderr)


def main() -> None:
    """Run what is missing, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--full", action="store_true", help="the whole corpus: hours on a CPU")
    parser.add_argument("--seeds", default="42,1,2")
    parser.add_argument("--folder", type=Path, help="default: demo or demo-full")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")][: 1 if given.quick else None]
    folder = given.folder or Path("demo-full" if given.full else "demo")
    data = folder / "data"
    folders = [folder, *(folder / "seeds" / str(seed) for seed in seeds[1:])]
    for seed, folder in zip(seeds, folders, strict=True):
        run_demo(folder, data, seed, full=given.full)
    cases = compare(folders, data)
    print_cases(cases)
    result = {
        "benchmark": "python_docs_seeds",
        "machine": describe_machine(),
        "versions": versions(),
        "seeds": seeds,
        "cases": cases,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
