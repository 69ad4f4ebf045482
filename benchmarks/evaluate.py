"""How fast, and in how much memory, are rankings judged, against pytrec_eval on whole dicts?

    python benchmarks/evaluate.py [--quick] [--cases NAME,NAME] [--output FILE]

Made rankings of 100 passages a query, and one to three relevant passages a query, half of them among the 100.
``judge-1m``: a million queries, streamed, judged by qrels in memory; peak anonymous memory, qrels included, against a bound of 2 GB.
``file-vs-pytrec_eval``: 10,000 queries in a TREC run, from the file to means; ours with bootstrap intervals and a check of every line, the peer
with its own parser, the whole run in a dict. Both have the metrics of ``ctl eval retrieval`` with qrels; before any turn is timed,
both must have the same means (but of the reciprocal rank, which the peer has of whole rankings only).

A table goes to standard error, one JSON object to standard output.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _alternation import Worker, alternate, begin, compared, say, take_turns
from _command import Cases, arguments, chosen, report

from retriever.records import Qrels, Ranking

COUNT, MILLION = 10_000, 1_000_000
DEPTH, PASSAGES = 100, 10_000_000
BOUND = 2_000
"""Megabytes for a million queries."""
MEASURES = {"ndcg_cut.10", "recall.100", "recip_rank", "map", "success.1,5,20,100"}
SAME = {
    "ndcg@10": "ndcg_cut_10",
    "recall@100": "recall_100",
    "map": "map",
    **{f"accuracy@{k}": f"success_{k}" for k in (1, 5, 20, 100)},
}
"""Ours → theirs; their reciprocal rank has no cut-off, and is another metric than mrr@10."""
CASES = ("judge-1m", "file-vs-pytrec_eval")


@dataclass(frozen=True)
class Job:
    """What one side does.

    Attributes:
        run: the TREC run.
        count: queries.
        window: queries in a window.
        windows: how many windows.
    """

    run: Path
    count: int
    window: int
    windows: int


def made_rankings(count: int) -> Iterator[tuple[str, Ranking]]:
    """Rankings of random passages."""
    generator, scores = np.random.default_rng(1), np.linspace(1, 0, DEPTH)
    for query in range(count):
        first, step = generator.integers(PASSAGES), 2 * generator.integers(PASSAGES // DEPTH) + 1
        ids = [f"p{each}" for each in ((first + step * np.arange(DEPTH)) % PASSAGES).tolist()]
        yield f"q{query}", Ranking(ids, scores)


def made_qrels(count: int) -> Qrels:
    """Of the relevant passages of the same queries about half are in their rankings."""
    generator = np.random.default_rng(2)
    found: Qrels = {}
    for query, ranking in made_rankings(count):
        places = generator.integers(2 * DEPTH, size=1 + generator.integers(3)).tolist()
        found[query] = {
            ranking.ids[place] if place < DEPTH else f"r{query}-{place}": 1 + place % 2 for place in places
        }
    return found


def judge_stream(line: Connection, job: Job) -> None:
    """A million rankings that nothing holds."""
    import pytrec_eval  # noqa: F401  (imported before the baseline is taken)

    from retriever.evaluation.retrieval import evaluate_rankings

    begin(line)
    line.send({})
    line.recv()
    qrels = made_qrels(job.count)
    begun = time.perf_counter()
    evaluate_rankings(made_rankings(job.count), qrels=qrels)
    line.send({"seconds": time.perf_counter() - begun})
    line.recv()
    line.send({"device_peak": None})


def our_means(run: Path, qrels: Qrels) -> dict[str, float]:
    """From the file to means and intervals."""
    from retriever.data.rankings import read_rankings
    from retriever.evaluation.retrieval import evaluate_rankings

    return evaluate_rankings(read_rankings(run), qrels=qrels).metrics


def means_of_the_peer(run: Path, qrels: Qrels) -> dict[str, float]:
    """pytrec_eval's own parser, and all of it at once."""
    import pytrec_eval

    with run.open(encoding="utf-8") as file:
        found = pytrec_eval.parse_run(file)
    values = pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(found)
    names = next(iter(values.values()))
    return {name: float(np.mean([each[name] for each in values.values()])) for name in names}


def require_same_means(ours: Mapping[str, float], peer: Mapping[str, float]) -> None:
    """Stop where the two sides do not do the same work."""
    differing = [
        name for name, theirs in SAME.items() if not np.allclose(ours[name], peer[theirs], rtol=1e-9)
    ]
    if differing:
        sys.exit(f"error: the two sides differ in {', '.join(differing)}: {dict(ours)}, {dict(peer)}")


def judge_file(line: Connection, job: Job) -> None:
    """Our side."""
    import pytrec_eval  # noqa: F401  (imported before the baseline is taken)

    import retriever.evaluation.retrieval  # noqa: F401

    begin(line)
    qrels = made_qrels(job.count)
    take_turns(line, job, lambda: our_means(job.run, qrels), first=lambda: our_means(job.run, qrels))
    line.send({"device_peak": None})


def judge_with_peer(line: Connection, job: Job) -> None:
    """The peer's side."""
    import pytrec_eval  # noqa: F401  (as above)

    begin(line)
    qrels = made_qrels(job.count)
    take_turns(
        line, job, lambda: means_of_the_peer(job.run, qrels), first=lambda: means_of_the_peer(job.run, qrels)
    )
    line.send({"device_peak": None})


def million(count: int) -> Cases:
    """The memory of a million queries."""
    say(f"judging {count} rankings")
    worker = Worker(judge_stream, Job(Path(), count, count, 1))
    seconds = worker.window()
    memory = worker.finish()["memory"] * 2**20
    begun = time.perf_counter()
    made = sum(1 for _ in made_rankings(count))  # what the making itself took
    seconds -= time.perf_counter() - begun
    return {
        "judge-1m": {
            "ours": round(memory / 1e6),
            "peer": BOUND,
            "ratio": round(BOUND * 1e6 / memory, 3),
            "unit": f"MB at most, anonymous, above imports, for {made} queries x top-{DEPTH}, against the bound",
            "seconds": round(seconds, 1),
            "queries_per_second": round(made / seconds),
        }
    }


def main() -> None:
    """Run the cases, print."""
    from retriever.data.rankings import write_rankings

    given = arguments(__doc__, CASES).parse_args()
    names = chosen(given, dict.fromkeys(CASES, False))
    count = COUNT // 10 if given.quick else COUNT
    cases: Cases = {}
    if "judge-1m" in names:
        cases |= million(MILLION // 100 if given.quick else MILLION)
    if "file-vs-pytrec_eval" in names:
        with TemporaryDirectory(prefix="evaluate-") as made:
            job = Job(Path(made) / "run.trec", count, count, given.pairs or 5)
            write_rankings(job.run, made_rankings(count), "made")
            qrels = made_qrels(count)
            require_same_means(our_means(job.run, qrels), means_of_the_peer(job.run, qrels))
            del qrels
            found = alternate("file-vs-pytrec_eval", (judge_file, job), (judge_with_peer, job))
            cases["file-vs-pytrec_eval"] = compared(
                found,
                job,
                job,
                f"queries x top-{DEPTH} judged per second, from a TREC run to means",
                memory="MiB, anonymous, above imports",
                queries=count,
            )
    report("evaluate", given, cases)


if __name__ == "__main__":
    main()
