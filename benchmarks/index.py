"""What does an index take, of memory, disk and time, and does the plan that is printed beforehand say so?

    python benchmarks/index.py [--quick] [--cases NAME,NAME] [--output FILE]

``ctl index`` over synthetic vectors of 384 numbers (``_vectors.py``) that lie in shards as ``ctl encode`` leaves them, so that all but
the encoding is measured, in a process of its own: recipe ivf-sq8, passages of two words. ``ivf-sq8-1m`` is the peak of
anonymous memory above what the imports take, against a bound of 1.5 GB; ``plan-2m-disk`` and ``plan-2m-memory`` are the bytes of
2 million against those of the plan. ``plan-21m`` is the plan for Wikipedia's 21 million passages of 768 numbers on 24 GB, with
hours from the rates of that run. Here the peer is the bound or the plan.

A table goes to standard error, one JSON object to standard output.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _alternation import Worker, say
from _command import PACKAGED, Cases, arguments, chosen, report
from _vectors import Process

from retriever.choices import IndexRecipe
from retriever.data.arrow import PassageTable, write_passage_table
from retriever.data.corpus import read_passages
from retriever.encoding.shards import Shard, write_shard
from retriever.index.encode import encoded_by
from retriever.index.plan import Plan
from retriever.index.workers import PassageModel
from retriever.protocols import no_progress

DIMENSION, SHARD_SIZE = 384, 50_000
RECIPE: IndexRecipe = "ivf-sq8"
BOUND = 1_500
"""Megabytes above the baseline for a million vectors."""
WIKIPEDIA, WIKIPEDIA_DIMENSION, WIKIPEDIA_MEMORY = 21_015_324, 768, 24 * 10**9
CASES = {"ivf-sq8-1m": 1_000_000, "plan-2m": 2_000_000}


@dataclass(frozen=True)
class Job:
    """An index to build.

    Attributes:
        passages: file.
        vectors: folder of shards.
        output: index folder.
        windows: 1, which is the whole build.
        window: passages.
    """

    passages: Path
    vectors: Path
    output: Path
    window: int
    windows: int = 1


def build(line: Connection, job: Job) -> None:
    """Build as ``ctl index`` does, after the imports."""
    from retriever.config.index import IndexConfig
    from retriever.index.build import build_index

    line.send({})
    line.recv()
    line.send({})  # there is nothing to warm up
    line.recv()
    begun = time.perf_counter()
    build_index(
        IndexConfig(
            passages=job.passages,
            vectors=job.vectors,
            output=job.output,
            model=PACKAGED,
            recipe=RECIPE,
            shard_size=SHARD_SIZE,
            target_recall=0.01,  # the vectors are not those of the passages: questions cannot find them
        )
    )
    line.send({"seconds": time.perf_counter() - begun})
    line.recv()
    line.send({"device_peak": None})


def prepare(folder: Path, count: int) -> Job:
    """Passages and the shards that ``ctl encode`` would have made of them, were the vectors the model's."""
    job = Job(folder / "passages.jsonl", folder / "vectors", folder / "index", count)
    with job.passages.open("w", encoding="utf-8") as file:
        for number in range(count):
            file.write(json.dumps({"id": f"passage-{number}", "text": f"passage {number}"}) + "\n")
    model = PassageModel(PACKAGED, None, None, None, None, "auto", "auto").load()
    _, passages_sha256 = write_passage_table(folder / "table.arrow", read_passages(job.passages))

    def draw(missing: Sequence[Shard], advance: Callable[[int], None]) -> None:
        blocks = Process(DIMENSION).blocks(count, seed=1)
        for shard, vectors in zip(missing, blocks, strict=True):
            write_shard(shard, vectors, "fp32")

    table = PassageTable(folder / "table.arrow")
    vectors_of = encoded_by(
        model, job.vectors, shard_size=SHARD_SIZE, run=lambda table: draw, progress=no_progress
    )
    vectors_of(table, passages_sha256)
    return job


def measured(count: int) -> dict[str, Any]:
    """Build an index of so many vectors; → peak memory, bytes on the disk and seconds."""
    with TemporaryDirectory(prefix="index-") as made:
        say(f"{count} vectors: drawing")
        job = prepare(Path(made), count)
        say(f"{count} vectors: building")
        worker = Worker(build, job)
        seconds = worker.window()
        memory = worker.finish()["memory"] * 2**20
        disk = sum(each.stat().st_size for each in job.output.rglob("*") if each.is_file())
        arrow = sum(each.stat().st_size for each in job.output.rglob("*.arrow"))
        shutil.rmtree(job.output)
    return {
        "memory_bytes": memory,
        "disk_bytes": disk - arrow,  # passages are the user's, not the plan's
        "seconds": seconds,
    }


def against(ours: float, peer: float, unit: str, **more: object) -> dict[str, object]:
    """A case where less is better."""
    return {
        "ours": round(ours, 1),
        "peer": round(peer, 1),
        "ratio": round(peer / ours, 4),
        "unit": unit,
        **more,
    }


def main() -> None:
    """Run the cases, print."""
    given = arguments(__doc__, list(CASES)).parse_args()
    names = chosen(given, dict.fromkeys(CASES, False))
    cases: Cases = {}
    for name in names:
        count = CASES[name] // (10 if given.quick else 1)
        found = measured(count)
        plan = Plan.of(RECIPE, count=count, dimension=DIMENSION)
        more = {"seconds": round(found["seconds"], 1)}
        if name == "ivf-sq8-1m":
            cases[name] = against(
                found["memory_bytes"] / 1e6,
                BOUND,
                "MB at most, anonymous, above imports, against the bound",
                **more,
            )
            continue
        cases[f"{name}-disk"] = against(
            found["disk_bytes"] / 1e6,
            (plan.vector_bytes + plan.id_bytes) / 1e6,
            "MB, against the plan",
            **more,
        )
        cases[f"{name}-memory"] = against(
            found["memory_bytes"] / 1e6,
            plan.memory_bytes / 1e6,
            "MB at most, anonymous, above imports, against the plan",
        )
        large = Plan.of("auto", count=WIKIPEDIA, dimension=WIKIPEDIA_DIMENSION, max_memory=WIKIPEDIA_MEMORY)
        rate = sum(plan.work) / found["seconds"]  # of the whole build, all that is not a product included
        training, adding = large.seconds(rate)
        cases["plan-21m"] = against(
            large.memory_bytes / 1e9,
            WIKIPEDIA_MEMORY / 1e9,
            "GB of memory, planned, against the machine's",
            recipe=large.factory,
            files=large.num_files,
            disk_gb=round((large.vector_bytes + large.id_bytes) / 1e9, 1),
            shards_gb={dtype: round(large.shard_bytes(dtype) / 1e9, 1) for dtype in ("fp32", "fp16")},
            hours={"training": round(training / 3600, 2), "adding": round(adding / 3600, 2)},
        )
    report("index", given, cases)


if __name__ == "__main__":
    main()
