"""What the benchmarks of quality share: our command line, sentence-transformers' trainer with the same settings, the report."""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from _machine import describe_machine, versions

from retriever.data.files import write_json
from retriever.encoding.device import choose_precision

BATCH_SIZE = 64
TEMPERATURE = 0.05
PRECISION = choose_precision("auto", torch.device("cpu"))


def ctl(command: str, *switches: str, **settings: object) -> None:
    """One command line, what it says going to standard error; a setting of True is a switch."""
    flags: list[str] = []
    for name, value in settings.items():
        flags += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    subprocess.run(
        [sys.executable, "-m", "cli", command, *switches, *flags],
        check=True,
        stdout=sys.stderr,
        stdin=subprocess.DEVNULL,
    )


def train_with_peer(
    model: Any,  # noqa: ANN401  (the peer's types are not needed to read this file)
    columns: Mapping[str, Sequence[str]],
    output: Path,
    *,
    callbacks: Sequence[Any] = (),
    **settings: Any,  # noqa: ANN401
) -> None:
    """sentence-transformers' trainer, MultipleNegativesRankingLoss, one epoch unless ``settings`` say otherwise.

    In bf16 where the CPU computes in it, as we train by ourselves.

    Args:
        model: a ``SentenceTransformer``, trained in place.
        columns: anchor, positive and perhaps negative texts.
        output: a folder for what the trainer writes.
        callbacks: of the trainer.
        settings: of ``SentenceTransformerTrainingArguments``.
    """
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(output),
        per_device_train_batch_size=BATCH_SIZE,
        bf16=PRECISION == "bf16",
        use_cpu=True,
        dataloader_drop_last=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **{"num_train_epochs": 1, "max_grad_norm": 1.0, **settings},
    )
    SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(dict(columns)),
        loss=MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE),
        callbacks=list(callbacks),
    ).train()


def arguments(description: str, systems: Sequence[str]) -> argparse.ArgumentParser:
    """The options of these scripts."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument(
        "--work", type=Path, required=True, help="what is done is kept here, and not done again"
    )
    parser.add_argument("--systems", default=",".join(systems), help="comma separated")
    parser.add_argument("--seeds", default="1,2,3", help="comma separated")
    parser.add_argument("--quick", action="store_true", help="one seed, a few steps: a trial, not a figure")
    parser.add_argument("--output", type=Path, help="also write the result here")
    return parser


def seeds_of(given: argparse.Namespace) -> list[int]:
    """The seeds asked for; of a trial the first alone."""
    return [int(seed) for seed in given.seeds.split(",")][: 1 if given.quick else None]


def standard_errors(ours: Sequence[float], peer: Sequence[float]) -> float | None:
    """How many of its standard errors the difference of two means over seeds is; None: a mean of one seed has none."""
    if len(ours) < 2 or len(peer) < 2:
        return None
    error = (stdev(ours) ** 2 / len(ours) + stdev(peer) ** 2 / len(peer)) ** 0.5
    return round((mean(ours) - mean(peer)) / error, 2) if error else None


def report(
    benchmark: str, given: argparse.Namespace, settings: Mapping[str, object], cases: Mapping[str, object]
) -> None:
    """One JSON object to standard output and, if asked for, to a file."""
    result = {
        "benchmark": benchmark,
        "machine": describe_machine(),
        "versions": versions(),
        "quick": given.quick,
        "settings": {"precision": PRECISION, **settings},
        "seeds": seeds_of(given),
        "cases": cases,
    }
    print(json.dumps(result, indent=2))
    if given.output is not None:
        write_json(given.output, result)
