"""How fast does unsupervised SimCSE train, against sentence-transformers on the same sentences?

    python benchmarks/train_simcse.py [--data DIR] [--quick] [--cases NAME,NAME] [--output FILE]

Batches of 64 sentences, each its own positive, of up to 32 tokens, cosine at temperature 0.05. ``minilm-vs-default`` is the peer
as it comes (fp32), ``minilm-vs-bf16`` the peer with ``bf16``; we train as we come, in bf16 where the device computes in it.
``bert-base-h200-vs-bf16`` runs BERT-base's shape on a GPU. ``gradcache-4096`` is our own: the peak memory of a step of 4,096
sentences in chunks against that of a plain step with as many tokens as one chunk, and ``gradcache-4096-time`` the speed of
chunked against plain steps of a batch for which the plain one has the memory.

Sentences: ``DIR/unsup/*.txt``, else ``DIR/train_sentences.txt``. A table goes to standard error, one JSON object to standard output.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from _alternation import alternate
from _command import BERT_BASE, PACKAGED, Cases, arguments, chosen, data_folder, model_folder, report
from _ours import train_ours
from _training import Case, compare, pace, sample, scaled, speed
from _turns import Job

from retriever.data.lines import read_lines

UNIT = "sentences per second"
GRADCACHE = "gradcache-4096"
CASES = {
    "minilm-vs-default": Case(window=10, bf16=False),
    "minilm-vs-bf16": Case(window=10),
    "bert-base-h200-vs-bf16": Case(model=BERT_BASE, window=10, cuda=True),
}


def write_sentences(data: Path, scratch: Path, *, batch_size: int, steps: int) -> dict[str, Any]:
    """A sample of the sentences, for us as a text file and for the peer as two equal columns."""
    files = sorted((data / "unsup").glob("*.txt")) or [data / "train_sentences.txt"]
    lines = (line.strip() for file in files for _, line in read_lines(file))
    sentences = sample([line for line in lines if line], batch_size, steps)
    train, columns = scratch / "sentences.txt", scratch / "columns.json"
    train.write_text("\n".join(sentences), encoding="utf-8")
    columns.write_text(json.dumps({"anchor": sentences, "positive": sentences}), encoding="utf-8")
    return {"train": train, "columns": columns}


def make_job(data: Path, scratch: Path, model: str, batch_size: int, pace: dict[str, Any]) -> Job:
    """What both sides train on."""
    steps = pace["warmup"] + pace["window"] * pace["windows"]
    files = write_sentences(data, scratch, batch_size=batch_size, steps=steps)
    return Job(
        recipe="simcse",
        model=model,
        output=scratch,
        batch_size=batch_size,
        max_length=32,
        **files,
        **pace,
    )


def against_peer(name: str, given: argparse.Namespace, data: Path) -> dict[str, object]:
    """One of ``CASES``."""
    case = CASES[name]
    with TemporaryDirectory(prefix="simcse-") as made:
        model = model_folder(case.model, Path(made), given.tokenizer)
        job = make_job(data, Path(made), model, scaled(given, case.batch_size), pace(given, case.window))
        found = compare(name, replace(job, bf16=case.bf16), UNIT)
    rates = {side: float(str(found[side])) for side in ("ours", "peer")}
    return {
        **found,
        "minutes_for_a_million": {side: round(1e6 / rate / 60, 2) for side, rate in rates.items()},
    }


def gradcache(given: argparse.Namespace, data: Path) -> Cases:
    """Chunked against plain steps, ours both: time where both fit, then memory at 4,096 sentences."""
    cuda = torch.cuda.is_available()
    model_name, small, chunk = (BERT_BASE, 1024, 16_384) if cuda else (PACKAGED, 256, 4096)
    small, large, chunk = (scaled(given, size) for size in (small, 4096, chunk))
    once = {"warmup": 1, "window": 1, "windows": 1}
    with TemporaryDirectory(prefix="gradcache-") as made:
        model = model_folder(model_name, Path(made), given.tokenizer)
        scratch = [Path(made) / part for part in ("chunked", "plain", "step", "chunk")]
        for each in scratch:
            each.mkdir()
        plain = make_job(data, scratch[1], model, small, pace(given, 4))
        chunked = replace(plain, chunk_tokens=chunk, output=scratch[0])
        found = alternate(f"{GRADCACHE}-time", (train_ours, chunked), (train_ours, plain))
        chunk_size = round(chunk / found.our_report["tokens_per_example"])
        step = replace(make_job(data, scratch[2], model, large, once), chunk_tokens=chunk)
        alone = make_job(data, scratch[3], model, chunk_size, {**once, "window": 4})
        peaks = alternate(GRADCACHE, (train_ours, step), (train_ours, alone))
    ours, peer = peaks.our_report["memory"], peaks.peer_report["memory"]
    settings = {"model": model_name, "chunk_tokens": chunk, "precision": found.our_report["precision"]}
    unit = f"{UNIT}, chunked against plain"
    return {
        GRADCACHE: {
            "ours": round(ours),
            "peer": round(peer),
            "ratio": round(peer / ours, 4),
            "unit": f"MiB at most, a step of {large} sentences against one of its chunks alone",
            "batch_size": {"ours": large, "peer": chunk_size},
            **settings,
        },
        f"{GRADCACHE}-time": {**speed(chunked, found.ours, found.peer, unit), **settings},
    }


def main() -> None:
    """Run the cases, print."""
    given = arguments(__doc__, [*CASES, GRADCACHE]).parse_args()
    names = chosen(given, {**{name: case.cuda for name, case in CASES.items()}, GRADCACHE: False})
    cases: Cases = {}
    with data_folder(given.data) as data:
        for name in names:
            cases.update(
                gradcache(given, data) if name == GRADCACHE else {name: against_peer(name, given, data)}
            )
    report("train_simcse", given, cases)


if __name__ == "__main__":
    main()
