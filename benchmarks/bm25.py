"""How fast, and in how much memory, does BM25 count and search, against bm25s and rank-bm25?

    python benchmarks/bm25.py [--quick] [--cases NAME,NAME] [--output FILE]

Made texts: passages of about 100 words from a Zipf-Mandelbrot law over 400,000 words, questions of about 9 words from the same law.
``search-vs-bm25s`` and ``search-vs-rank-bm25``: 100,000 passages, the best 100, from strings to ids; ours and bm25s with its numba kernel
both memory-mapped, rank-bm25 in memory. ``build-vs-bm25s``: the same passages, from strings to an index on the disk.
``build-1m``: a million passages, peak anonymous memory against a bound of 1.5 GB. ``plan-21m``: Wikipedia's 21 million passages by the
bytes and rates of that run, against a machine of 24 GB.

Our side searches with the loops that Numba compiles (extra ``fast``), where there is Numba; the warm-up lasts until they are
compiled. bm25s is not installed with the rest: ``pip install bm25s``. A table goes to standard error, one JSON object to standard
output.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from _alternation import Worker, alternate, begin, compared, say, take_turns
from _command import Cases, arguments, chosen, report
from numpy.typing import NDArray

from retriever.lexical.analyser import Analyser
from retriever.lexical.words import WORD
from retriever.protocols import no_progress
from retriever.records import Passage

COUNT, MILLION, WIKIPEDIA = 100_000, 1_000_000, 21_015_324
WORDS, LENGTH, QUESTION_LENGTH = 400_000, 100, 9
QUESTIONS, K = 1_000, 100
BOUND = 1_500
"""Megabytes for a million passages."""
CASES = ("search-vs-bm25s", "search-vs-rank-bm25", "build-vs-bm25s", "build-1m")


@dataclass(frozen=True)
class Job:
    """What one side does.

    Attributes:
        folder: of the index.
        count: passages.
        window: questions, or passages to index, in a window.
        windows: how many windows.
    """

    folder: Path
    count: int
    window: int
    windows: int


def law() -> NDArray[np.float64]:
    """Zipf-Mandelbrot: probability of a word by rank."""
    found = 1 / (np.arange(1, WORDS + 1) + 2.7) ** 1.05
    return found / found.sum()


def texts(count: int, length: int, seed: int) -> Iterator[str]:
    """Texts of about so many words."""
    generator, cumulative = np.random.default_rng(seed), np.cumsum(law())
    for start in range(0, count, 10_000):
        lengths = generator.poisson(length, min(10_000, count - start)).clip(min=1)
        words = np.searchsorted(cumulative, generator.random(int(lengths.sum()))).clip(max=WORDS - 1)
        for part in np.split(words, np.cumsum(lengths)[:-1]):
            yield " ".join(f"w{word}" for word in part)


class Made(Sequence[Passage]):
    """Passages in memory, or, with ``lean``, drawn anew in runs as they are asked for: then they cost no memory."""

    def __init__(self, count: int, *, lean: bool = False) -> None:
        self._count, self._texts = count, None if lean else list(texts(count, LENGTH, seed=1))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401
        if not isinstance(place, slice):
            raise TypeError("slices only")
        start, stop, _ = place.indices(self._count)
        found = self._texts[start:stop] if self._texts else texts(stop - start, LENGTH, seed=start)
        return [Passage(str(start + row), text) for row, text in enumerate(found)]


def same_in_turns(line: Connection, job: Job, work: Callable[[], object]) -> None:
    """The same work in every window, after once to warm up."""
    take_turns(line, job, work, first=work)
    line.send({"device_peak": None})


def build_ours(line: Connection, job: Job) -> None:
    """Count, and write blocks and statistics, as ``ctl index --bm25`` does."""
    begin(line)
    passages = Made(job.count)
    same_in_turns(line, job, lambda: write_ours(passages, job.folder / "ours"))


def write_ours(passages: Sequence[Passage], folder: Path) -> None:
    """Blocks and statistics in a folder."""
    import shutil

    from retriever.lexical.block import Block
    from retriever.lexical.bm25 import Bm25Settings, block_folders, count_blocks, save_statistics
    from retriever.lexical.formula import Statistics

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    count_blocks(passages, folder / "blocks", Analyser(), passages_sha256="made", progress=no_progress)
    blocks = [Block.load(each) for each in block_folders(folder / "blocks")]
    nothing = [np.empty(0, np.int64)] * len(blocks)
    (folder / "statistics").mkdir()
    save_statistics(folder / "statistics", Bm25Settings("okapi", Analyser()), Statistics.of(blocks, nothing))


def search_ours(line: Connection, job: Job) -> None:
    """From strings to ids, mapped."""
    from retriever.lexical.block import Block
    from retriever.lexical.bm25 import block_folders, load_statistics
    from retriever.lexical.formula import Formula
    from retriever.lexical.search import COMPILED_FROM, Bm25, Bm25Searcher

    begin(line)
    settings, statistics = load_statistics(job.folder / "ours" / "statistics")
    blocks = [Block.load(each) for each in block_folders(job.folder / "ours" / "blocks")]
    nothing = [np.empty(0, np.int64)] * len(blocks)
    bm25 = Bm25(blocks, nothing, Formula(settings.formula, statistics))
    ids = np.array([str(row) for row in range(job.count)], object)
    searcher = Bm25Searcher(bm25, settings.analyser, lambda rows: ids[rows].tolist(), int)
    asked = list(texts(job.window, QUESTION_LENGTH, seed=2))

    def search() -> object:
        return searcher.search(asked, K)

    def warm_up() -> None:
        for _ in range(ceil(COMPILED_FROM / (job.count * job.window))):
            search()

    take_turns(line, job, search, first=warm_up)
    line.send({"device_peak": None})


def build_bm25s(line: Connection, job: Job) -> None:
    """bm25s: tokenize, index, save."""
    begin(line)
    corpus = [each.text for each in Made(job.count)[:]]
    same_in_turns(line, job, lambda: write_bm25s(corpus, job.folder / "bm25s"))


def write_bm25s(corpus: Sequence[str], folder: Path) -> None:
    """An index of rank-bm25's method, words cut as ours are."""
    import bm25s

    index = bm25s.BM25(method="robertson", k1=1.5, b=0.75, backend="numba")
    index.index(
        bm25s.tokenize(corpus, token_pattern=WORD.pattern, stopwords=None, show_progress=False),
        show_progress=False,
    )
    index.save(str(folder))


def search_bm25s(line: Connection, job: Job) -> None:
    """From strings to ids, mapped, with its numba kernel."""
    import bm25s

    begin(line)
    index = bm25s.BM25.load(str(job.folder / "bm25s"), mmap=True)
    index.activate_numba_scorer()
    ids = np.array([str(row) for row in range(job.count)])
    asked = list(texts(job.window, QUESTION_LENGTH, seed=2))

    def search() -> object:
        tokens = bm25s.tokenize(asked, token_pattern=WORD.pattern, stopwords=None, show_progress=False)
        return index.retrieve(tokens, corpus=ids, k=K, show_progress=False, n_threads=1)

    same_in_turns(line, job, search)


def search_rank_bm25(line: Connection, job: Job) -> None:
    """From strings to ids, in memory."""
    from rank_bm25 import BM25Okapi

    begin(line)
    analyser = Analyser()
    index = BM25Okapi([analyser(each.text) for each in Made(job.count)[:]])
    ids = [str(row) for row in range(job.count)]
    asked = list(texts(job.window, QUESTION_LENGTH, seed=2))
    same_in_turns(line, job, lambda: [index.get_top_n(analyser(each), ids, n=K) for each in asked])


def build_lean(line: Connection, job: Job) -> None:
    """Count passages that cost no memory themselves."""
    from retriever.lexical import bm25  # noqa: F401  (imported before the baseline is taken)

    begin(line)
    line.send({})
    line.recv()
    begun = time.perf_counter()
    write_ours(Made(job.count, lean=True), job.folder / "ours")
    line.send({"seconds": time.perf_counter() - begun})
    line.recv()
    line.send({"device_peak": None})


def against(name: str, unit: str, ours: Any, peer: Any, count: int) -> dict[str, object]:  # noqa: ANN401
    """One comparison, each side its function and its job."""
    memory = "MiB, anonymous, above imports; passages in memory where they are indexed"
    return compared(alternate(name, ours, peer), ours[1], peer[1], unit, memory=memory, passages=count)


def size_of(folder: Path) -> int:
    """Bytes of a folder."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def million(scratch: Path, count: int) -> Cases:
    """A million passages, and what 21 million would take."""
    job = Job(scratch, count, count, 1)
    say(f"counting {count} passages")
    worker = Worker(build_lean, job)
    seconds = worker.window()
    memory = worker.finish()["memory"] * 2**20
    size = size_of(scratch / "ours")
    begun = time.perf_counter()
    drawn = sum(1 for _ in texts(count, LENGTH, seed=1))  # what the drawing itself took
    seconds -= time.perf_counter() - begun
    scale = WIKIPEDIA / drawn
    return {
        "build-1m": {
            "ours": round(memory / 1e6),
            "peer": BOUND,
            "ratio": round(BOUND * 1e6 / memory, 3),
            "unit": f"MB at most, anonymous, above imports, for {count} passages, against the bound",
            "seconds": round(seconds, 1),
            "bytes_per_passage": round(size / count, 1),
        },
        "plan-21m": {
            "ours": round(memory / 1e9, 2),
            "peer": 24,
            "ratio": round(24e9 / memory, 3),
            "unit": "GB of memory for counting 21 million passages, one block after the other, against the machine's",
            "disk_gb": round(scale * size / 1e9, 1),
            "hours": round(scale * seconds / 3600, 2),
            "cores": 1,
        },
    }


def main() -> None:
    """Run the cases, print."""
    given = arguments(__doc__, CASES).parse_args()
    names = chosen(given, dict.fromkeys(CASES, False))
    count = COUNT // 10 if given.quick else COUNT
    windows = given.pairs or (5 if given.quick else 7)
    cases: Cases = {}
    with TemporaryDirectory(prefix="bm25-") as made:
        scratch = Path(made)
        job, build = Job(scratch, count, QUESTIONS, windows), Job(scratch, count, count, windows)
        if "build-vs-bm25s" in names or "search-vs-bm25s" in names:
            cases["build-vs-bm25s"] = against(
                "build-vs-bm25s",
                "passages indexed per second",
                (build_ours, build),
                (build_bm25s, build),
                count,
            )
            sizes = {side: round(size_of(scratch / side) / count) for side in ("ours", "bm25s")}
            cases["build-vs-bm25s"]["bytes_per_passage"] = sizes
        unit = f"questions per second, the best {K}"
        if "search-vs-bm25s" in names:
            cases["search-vs-bm25s"] = against(
                "search-vs-bm25s", unit, (search_ours, job), (search_bm25s, job), count
            )
        if "search-vs-rank-bm25" in names:
            if not (scratch / "ours").is_dir():
                write_ours(Made(count), scratch / "ours")
            few = Job(scratch, count, 5, windows)
            cases["search-vs-rank-bm25"] = against(
                "search-vs-rank-bm25", unit, (search_ours, job), (search_rank_bm25, few), count
            )
        if "build-1m" in names:
            cases.update(million(scratch, MILLION // 10 if given.quick else MILLION))
    report("bm25", given, cases)


if __name__ == "__main__":
    main()
