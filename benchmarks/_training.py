"""Training against sentence-transformers: two processes on the same data that take turns, and what came of it.

Shared by ``train_simcse.py`` and ``train_dpr.py``. Each side runs its own training function once, from its own start; a window
of optimiser steps is timed by wall clock at its two ends, and while one side's window runs the other side sleeps. We tokenize
everything before the first step, the peer in every step: our share of that, for one epoch, is added to our windows.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

import torch
from _alternation import alternate
from _command import PACKAGED
from _matmul import matmul_flops, matmul_seconds
from _ours import train_ours
from _peer import train_peer
from _turns import Job
from transformers import AutoConfig

CUDA_WINDOW = 50
"""Optimiser steps in a window on a GPU: half a second of the fastest case."""

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


def scaled(given: argparse.Namespace, size: int) -> int:
    """A batch size, a quarter of it in a trial on a CPU."""
    return size // 4 if given.quick and not torch.cuda.is_available() else size


def pace(given: argparse.Namespace, window: int) -> dict[str, Any]:
    """Steps before the first window, in a window, and how many windows; ``window`` is what the case has on a CPU."""
    if torch.cuda.is_available():
        window = CUDA_WINDOW
    window = given.window or (max(1, window // 4) if given.quick else window)
    return {"warmup": max(2, window), "window": window, "windows": given.pairs or (5 if given.quick else 9)}


def sample(rows: Sequence[Row], batch_size: int, steps: int) -> list[Row]:
    """As many examples as the steps use, at most one epoch, in random order; always the same ones."""
    if len(rows) < batch_size:
        sys.exit(f"error: {len(rows)} examples do not fill a batch of {batch_size}")
    return random.Random(0).sample(rows, min(len(rows) // batch_size, steps) * batch_size)
