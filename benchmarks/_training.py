"""Training against sentence-transformers: two processes on the same data that take turns, and what came of it.

Shared by ``train_simcse.py`` and ``train_dpr.py``. Each side runs its own training function once, from its own start; a window
of optimiser steps is timed by wall clock at its two ends, and while one side's window runs the other side sleeps. We tokenize
everything before the first step, the peer in every step: our share of that, for one epoch, is added to our windows.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from _alternation import alternate, say
from _machine import describe_machine, versions
from _matmul import matmul_flops, matmul_seconds
from _ours import train_ours
from _peer import train_peer
from _turns import Job
from transformers import AutoConfig, AutoTokenizer, BertConfig, BertModel

from retriever.data.files import write_json
from retriever.encoding.encoder import Encoder
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import EncoderSettings

PACKAGED = "packaged:all-MiniLM-L6-v2"
BERT_BASE = "BERT-base"
CUDA_WINDOW = 50
"""Optimiser steps in a window on a GPU: half a second of the fastest case."""
DEMO_DATA = Path("demo/data")
DOCUMENTATION = Path(__file__).parents[1] / "data_scripts" / "python_docs.py"
DOCUMENTATION_LIMITS = ("--max-passages=2500", "--max-train-questions=1500", "--max-sentences=4000")

Cases = dict[str, dict[str, object]]
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison.

    Attributes:
        model: the packaged one, or BERT-base's shape with random weights.
        batch_size: examples per optimiser step.
        window: optimiser steps in a window, on a CPU.
        bf16: whether the peer's ``bf16`` is on.
        num_hard_negatives: per question.
        cuda: it needs a GPU.
    """

    model: str = PACKAGED
    batch_size: int = 64
    window: int
    bf16: bool = True
    num_hard_negatives: int = 0
    cuda: bool = False


def compare(name: str, job: Job, unit: str) -> dict[str, object]:
    """One case against sentence-transformers: speed, memory, and what proves that the work was the same."""
    found = alternate(name, (train_ours, job), (train_peer, job))
    preparing = found.our_report["preparation_seconds_a_step"] * job.window
    ours = [seconds + preparing for seconds in found.ours]
    tokens = {"ours": found.our_report["tokens_per_example"], "peer": found.peer_report["tokens_per_example"]}
    memory = {"ours": found.our_report["memory"], "peer": found.peer_report["memory"]}
    return {
        **speed(job, ours, found.peer, unit),
        "preparation_ms_a_step": round(1000 * found.our_report["preparation_seconds_a_step"], 3),
        "tokens_per_example": {side: round(count, 2) for side, count in tokens.items()},
        "peer_padded_tokens_per_example": round(found.peer_report["padded_tokens_per_example"], 2),
        "precision": {"ours": found.our_report["precision"], "peer": found.peer_report["precision"]},
        "peer_loop": found.peer_report["loop"],
        "memory": {
            **{side: round(size) for side, size in memory.items()},
            "ratio": round(memory["peer"] / memory["ours"], 3),
            "unit": "MiB, "
            + ("most that tensors held" if torch.cuda.is_available() else "anonymous, above imports"),
        },
        "matmul": matmul_share(
            job.model,
            round(tokens["ours"] * job.batch_size),
            found.our_report["precision"],
            median(found.ours) / job.window,
        ),
    }


def speed(job: Job, ours: Sequence[float], peer: Sequence[float], unit: str) -> dict[str, object]:
    """Seconds of the windows → examples per second, and the median of the pairwise ratios with their range."""
    examples = job.batch_size * job.window
    ratios = [theirs / own for own, theirs in zip(ours, peer, strict=True)]
    return {
        "ours": round(examples / median(ours), 2),
        "peer": round(examples / median(peer), 2),
        "ratio": round(median(ratios), 4),
        "lowest": round(min(ratios), 4),
        "highest": round(max(ratios), 4),
        "unit": unit,
        "pairs": len(ratios),
        "steps_a_window": job.window,
        "batch_size": job.batch_size,
        "ms_a_step": {
            "ours": round(1000 * median(ours) / job.window, 2),
            "peer": round(1000 * median(peer) / job.window, 2),
        },
    }


def matmul_share(model: str, tokens: int, precision: str, step_seconds: float) -> dict[str, object]:
    """What the model's linear layers alone would take at this many tokens, and our step's share of that rate."""
    config, dtype = (
        AutoConfig.from_pretrained(model),
        {"bf16": torch.bfloat16, "fp32": torch.float32}[precision],
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.inference_mode():
        seconds = matmul_seconds(config, tokens, device=device, dtype=dtype)
    return {
        "tokens": tokens,
        "ms": round(1000 * seconds, 2),
        "tflops": round(matmul_flops(config, tokens) / seconds / 1e12, 3),
        "share_reached": round(seconds / step_seconds, 4),
    }


# What the two scripts share around their cases. --------------------------------------------------------------------------


def arguments(description: str, cases: Sequence[str]) -> argparse.ArgumentParser:
    """The options of both scripts."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets; default: the demo's own texts")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="five short pairs a case, and on a CPU a quarter of the batch: a trial, not a figure",
    )
    parser.add_argument(
        "--cases", default=",".join(cases), help="comma separated; default: all that can run here"
    )
    parser.add_argument("--pairs", type=int, help="pairs of windows; default: 9, quick: 5")
    parser.add_argument("--window", type=int, help="optimiser steps in a window; default: by case and device")
    parser.add_argument(
        "--tokenizer", help="folder whose vocabulary BERT-base gets; default: the packaged model's"
    )
    parser.add_argument("--output", type=Path, help="also write the result here")
    return parser


def chosen(given: argparse.Namespace, needs_cuda: Mapping[str, bool]) -> list[str]:
    """The cases asked for that can run here."""
    names = given.cases.split(",")
    if unknown := [name for name in names if name not in needs_cuda]:
        sys.exit(f"error: no case '{unknown[0]}' (known: {', '.join(needs_cuda)})")
    left_out = [name for name in names if needs_cuda[name] and not torch.cuda.is_available()]
    for name in left_out:
        say(f"{name}: left out, there is no CUDA device")
    return [name for name in names if name not in left_out]


def scaled(given: argparse.Namespace, size: int) -> int:
    """A batch size, a quarter of it in a trial on a CPU."""
    return size // 4 if given.quick and not torch.cuda.is_available() else size


def pace(given: argparse.Namespace, window: int) -> dict[str, Any]:
    """Steps before the first window, in a window, and how many windows; ``window`` is what the case has on a CPU."""
    if torch.cuda.is_available():
        window = CUDA_WINDOW
    window = given.window or (max(1, window // 4) if given.quick else window)
    return {"warmup": max(2, window), "window": window, "windows": given.pairs or (5 if given.quick else 9)}


@contextmanager
def data_folder(given: Path | None) -> Iterator[Path]:
    """The folder asked for; else the demo's texts, Python's own documentation, made in a temporary folder if missing."""
    if given is not None or (DEMO_DATA / "SOURCE.json").exists():
        yield given or DEMO_DATA
        return
    with TemporaryDirectory(prefix="documentation-") as made:
        folder = Path(made) / "data"
        line = [sys.executable, str(DOCUMENTATION), "--output", str(folder), *DOCUMENTATION_LIMITS]
        subprocess.run(line, check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL)
        yield folder


def sample(rows: Sequence[Row], batch_size: int, steps: int) -> list[Row]:
    """As many examples as the steps use, at most one epoch, in random order; always the same ones."""
    if len(rows) < batch_size:
        sys.exit(f"error: {len(rows)} examples do not fill a batch of {batch_size}")
    return random.Random(0).sample(rows, min(len(rows) // batch_size, steps) * batch_size)


def model_folder(model: str, scratch: Path, tokenizer: str | None) -> str:
    """The packaged model's folder, or one of BERT-base's shape with random weights, which is made in ``scratch``."""
    if model != BERT_BASE:
        return str(locate_model(model))
    folder = scratch / "bert-base"
    if not folder.exists():
        torch.manual_seed(0)
        encoder = Encoder(
            BertModel(BertConfig(), add_pooling_layer=False),
            AutoTokenizer.from_pretrained(tokenizer or locate_model(PACKAGED)),
            EncoderSettings(pooling="mean", max_length=512),
        )
        encoder.save(folder)
    return str(folder)


def print_cases(cases: Cases) -> None:
    """The table, for people."""
    say(f"{'':30}{'ours':>10}{'peer':>10}{'ratio':>8}   range")
    for name, case in cases.items():
        row = f"{name:30}{case['ours']:>10}{case['peer']:>10}{case['ratio']:>8}"
        spread = f"   [{case['lowest']}, {case['highest']}]" if "lowest" in case else "  "
        say(f"{row}{spread} {case['unit']}")
        memory = case.get("memory")
        if isinstance(memory, dict):
            say(
                f"{'  memory':30}{memory['ours']:>10}{memory['peer']:>10}{memory['ratio']:>8}   {memory['unit']}"
            )


def report(benchmark: str, given: argparse.Namespace, cases: Cases) -> None:
    """The table on standard error, the JSON object on standard output and, if asked for, in a file."""
    print_cases(cases)
    result = {
        "benchmark": benchmark,
        "machine": describe_machine(),
        "versions": versions(),
        "quick": given.quick,
        "cases": cases,
    }
    print(json.dumps(result, indent=2))
    if given.output is not None:
        write_json(given.output, result)
