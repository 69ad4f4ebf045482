"""How fast are vectors searched, against FAISS as it comes?

    python benchmarks/search.py [--quick] [--cases NAME,NAME] [--output FILE]

Synthetic vectors, 500,000 of 384 numbers (``_vectors.py``), the best 10. ``flat-N``: exact search, N questions a call, ours against a
FAISS flat index with its own defaults. ``recall-single`` and ``recall-batch``: our recipe for high recall (ivf-pq), turned up to
recall@10 of .98 as ``ctl index`` does, against FAISS's IVF-flat of the same number of lists with the fewest probes that reach the same
recall; one question a call, or 1,000. ``exact-h200-1`` and ``exact-h200-1024``: exact search in torch over 10 million half-precision
vectors of 768 numbers on a GPU, against one read of them at the bandwidth of a copy, and against a plain product and top-k.

A table goes to standard error, one JSON object to standard output.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import faiss
import numpy as np
import torch
from _alternation import Outcome, alternate, begin, compared, say, take_turns
from _command import Cases, arguments, chosen, report
from _vectors import Process
from numpy.typing import NDArray

from retriever.index.exact import ExactSearch
from retriever.index.faiss_index import FaissIndex
from retriever.index.parts import Parts
from retriever.index.recall import Truth
from retriever.index.recipes import RECIPES, Settings, default_lists, factory_of
from retriever.index.sample import train

COUNT, DIMENSION, K = 500_000, 384, 10
QUESTIONS, TARGET = 1_000, 0.98
FLAT = {1: 30, 8: 10, 64: 3, 300: 1, 1000: 1}
"""Questions a call → calls in a window."""
GPU_COUNT, GPU_DIMENSION = 10_000_000, 768
GPU_BATCHES = (1, 1024)
RECALL = {"recall-single-vs-ivf-flat": 1, "recall-batch-vs-ivf-flat": QUESTIONS}
REPEATS = 7

Search = Callable[[NDArray[np.float32], int], object]


@dataclass(frozen=True)
class Job:
    """What one side searches.

    Attributes:
        vectors: a .npy file to make a flat index of, or a FAISS file.
        queries: a .npy file.
        count: vectors in the file.
        settings: of a search, by FAISS's names.
        batch: questions a call.
        window: questions in a window.
        windows: how many windows.
    """

    vectors: Path
    queries: Path
    count: int
    settings: Settings
    batch: int
    window: int
    windows: int


def search_ours(line: Connection, job: Job) -> None:
    """Search as ``ctl`` does."""
    begin(line)
    if job.vectors.suffix == ".npy":
        index = FaissIndex(DIMENSION)
        index.add(np.load(job.vectors))
    else:
        index = FaissIndex.load([job.vectors], job.count)
        index.set_search(job.settings)
    search_in_turns(line, job, index.search)


def search_faiss(line: Connection, job: Job) -> None:
    """Search with FAISS and nothing else."""
    begin(line)
    if job.vectors.suffix == ".npy":
        index: faiss.Index = faiss.IndexFlatIP(DIMENSION)
        index.add(np.load(job.vectors))
    else:
        index = faiss.read_index(str(job.vectors))
        for name, value in job.settings.items():
            faiss.ParameterSpace().set_index_parameter(index, name, value)
    search_in_turns(line, job, index.search)


def search_in_turns(line: Connection, job: Job, search: Search) -> None:
    """The same questions in every window, after one call to warm up."""
    queries = np.load(job.queries)[: job.window]
    calls = [queries[start : start + job.batch] for start in range(0, len(queries), job.batch)]
    take_turns(line, job, lambda: [search(call, K) for call in calls], first=lambda: search(calls[0], K))
    line.send({"device_peak": None})


def against(job: Job, found: Outcome, peer: Job, **more: object) -> dict[str, object]:
    """Questions a second on either side, and memory."""
    unit = f"questions per second, {job.batch} a call"
    memory = "MiB, anonymous, above imports"
    return compared(found, job, peer, unit, memory=memory, vectors=job.count, **more)


def flat(name: str, batch: int, files: "Files", windows: int) -> dict[str, object]:
    """Exact search."""
    job = Job(files.vectors, files.queries, files.count, {}, batch, batch * FLAT[batch], windows)
    return against(job, alternate(name, (search_ours, job), (search_faiss, job)), job)


def at_equal_recall(name: str, batch: int, files: "Files", windows: int) -> dict[str, object]:
    """Our recipe for high recall against IVF-flat."""
    found = files.approximate()
    window = QUESTIONS if batch > 1 else 200
    ours, peer = (
        Job(each.file, files.queries, files.count, each.settings, batch, window, windows) for each in found
    )
    return against(
        ours,
        alternate(name, (search_ours, ours), (search_faiss, peer)),
        peer,
        **{"recall@10": {side: round(each.recall, 4) for side, each in zip(SIDES, found, strict=True)}},
        settings={side: dict(each.settings) for side, each in zip(SIDES, found, strict=True)},
        factory={side: each.factory for side, each in zip(SIDES, found, strict=True)},
        build_seconds={side: round(each.seconds, 1) for side, each in zip(SIDES, found, strict=True)},
        bytes_per_vector={
            side: round(each.file.stat().st_size / files.count, 1)
            for side, each in zip(SIDES, found, strict=True)
        },
    )


SIDES = ("ours", "peer")


@dataclass(frozen=True)
class Approximate:
    """An index that is not exact, turned up."""

    file: Path
    factory: str
    settings: Settings
    recall: float
    seconds: float


class Files:
    """Vectors, queries and indexes in a folder, made when they are needed."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.vectors, self.queries = folder / "vectors.npy", folder / "queries.npy"
        process = Process(DIMENSION)
        np.save(self.vectors, process.draw(count, seed=1))
        np.save(self.queries, process.draw(QUESTIONS, seed=2))
        self._approximate: tuple[Approximate, Approximate] | None = None

    def approximate(self) -> tuple[Approximate, Approximate]:
        """Ours and the peer's, at equal recall."""
        if self._approximate is None:
            self._approximate = self._made()
        return self._approximate

    def _made(self) -> tuple[Approximate, Approximate]:
        vectors, queries = np.load(self.vectors, mmap_mode="r"), np.load(self.queries)
        truth = Truth.of_queries(queries, Parts.of([vectors]), torch.device("cpu"))
        lists = default_lists(self.count)

        factory = factory_of("ivf-pq", dimension=DIMENSION, count=self.count, lists=None)
        file, index, seconds = self._built("ours.faiss", factory, vectors)
        settings, recall = truth.turn_up(index, RECIPES["ivf-pq"].ladder(lists), TARGET)
        say(f"{dict(settings)}: recall@10 {recall:.4f}")
        ours = Approximate(file, factory, settings, recall, seconds)

        factory = f"IVF{lists},Flat"
        file, index, seconds = self._built("peer.faiss", factory, vectors)
        low, high = 1, lists  # the fewest probes that reach our recall, by halving
        while low < high:
            middle = (low + high) // 2
            index.set_search({"nprobe": middle})
            low, high = (low, middle) if truth.recall_of(index) >= recall else (middle + 1, high)
        settings = {"nprobe": low}
        index.set_search(settings)
        reached = truth.recall_of(index)
        say(f"{settings}: recall@10 {reached:.4f}")
        return ours, Approximate(file, factory, settings, reached, seconds)

    def _built(self, name: str, factory: str, vectors: NDArray[np.float32]) -> tuple[Path, FaissIndex, float]:
        """An index in a file, and the seconds that training and adding took."""
        say(f"building {factory}")
        begun = time.perf_counter()
        index = FaissIndex(DIMENSION, factory)
        train(index, Parts.of([vectors]))
        index.add(vectors)
        seconds = time.perf_counter() - begun
        index.save(self.folder / name)
        return self.folder / name, index, seconds


def exact_on_gpu(batch: int, count: int) -> dict[str, object]:
    """Our exact search in torch against its bound, one read of all vectors, or for a batch a plain product and top-k."""
    device = torch.device("cuda")
    generator = torch.Generator(device).manual_seed(0)
    corpus = np.empty((count, GPU_DIMENSION), np.float16)
    step = 500_000
    for start in range(0, count, step):
        block = torch.randn(min(step, count - start), GPU_DIMENSION, device=device, generator=generator)
        corpus[start : start + step] = torch.nn.functional.normalize(block, dim=1).half().cpu().numpy()
    queries = torch.nn.functional.normalize(
        torch.randn(batch, GPU_DIMENSION, device=device, generator=generator), dim=1
    )
    ours = ExactSearch([corpus], device)
    asked = queries.cpu().numpy()
    plain = torch.from_numpy(corpus).to(device)
    copied = torch.empty_like(plain[: count // 4])

    def read() -> None:
        copied.copy_(plain[: count // 4])

    def naive() -> None:
        for part in queries.half().split(256):  # all scores of more do not fit
            (part @ plain.T).topk(K, dim=1)

    seconds = {"ours": gpu_seconds(lambda: ours.search(asked, K))}
    bandwidth = 2 * copied.nbytes / gpu_seconds(read)  # a copy reads and writes
    seconds["read"] = plain.nbytes / bandwidth
    seconds["naive"] = gpu_seconds(naive)
    peer = "read" if batch == 1 else "naive"
    return {
        "ours": round(batch / seconds["ours"], 1),
        "peer": round(batch / seconds[peer], 1),
        "ratio": round(seconds[peer] / seconds["ours"], 4),
        "unit": f"questions per second, {batch} a call, against "
        + ("one read of the corpus" if batch == 1 else "a plain product and top-k"),
        "vectors": count,
        "ms": {side: round(1000 * each, 3) for side, each in seconds.items()},
        "copy_bandwidth_tb_s": round(bandwidth / 1e12, 3),
    }


def gpu_seconds(run: Callable[[], object]) -> float:
    """Median seconds of a run, waited for."""

    def once() -> float:
        torch.cuda.synchronize()
        begun = time.perf_counter()
        run()
        torch.cuda.synchronize()
        return time.perf_counter() - begun

    once()
    return median(once() for _ in range(REPEATS))


def main() -> None:
    """Run the cases, print."""
    flats = {f"flat-{batch}-vs-default": batch for batch in FLAT}
    on_gpu = {f"exact-h200-{batch}-vs-{'read' if batch == 1 else 'naive'}": batch for batch in GPU_BATCHES}
    needs_cuda = {**dict.fromkeys([*flats, *RECALL], False), **dict.fromkeys(on_gpu, True)}
    given = arguments(__doc__, list(needs_cuda)).parse_args()
    names = chosen(given, needs_cuda)
    windows = given.pairs or (5 if given.quick else 7)
    cases: Cases = {}
    if on_cpu := [name for name in names if name not in on_gpu]:
        with TemporaryDirectory(prefix="search-") as made:
            files = Files(Path(made), COUNT // 5 if given.quick else COUNT)
            for name in on_cpu:
                run, batch = (flat, flats[name]) if name in flats else (at_equal_recall, RECALL[name])
                cases[name] = run(name, batch, files, windows)
    for name in names:
        if name in on_gpu:
            cases[name] = exact_on_gpu(on_gpu[name], GPU_COUNT // 10 if given.quick else GPU_COUNT)
    report("search", given, cases)


if __name__ == "__main__":
    main()
