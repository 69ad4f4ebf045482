"""What the scripts of benchmarks share around their cases: options, data, models, and the report."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from _alternation import say
from _machine import describe_machine, versions
from transformers import AutoTokenizer, BertConfig, BertModel

from retriever.data.files import write_json
from retriever.encoding.encoder import Encoder
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import EncoderSettings

PACKAGED = "packaged:all-MiniLM-L6-v2"
BERT_BASE = "BERT-base"
DEMO_DATA = Path("demo/data")
DOCUMENTATION = Path(__file__).parents[1] / "data_scripts" / "python_docs.py"
DOCUMENTATION_LIMITS = ("--max-passages=2500", "--max-train-questions=1500", "--max-sentences=4000")

Cases = dict[str, dict[str, object]]


def arguments(description: str, cases: Sequence[str]) -> argparse.ArgumentParser:
    """The options of all of them."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets; default: the demo's own texts")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="five short pairs a case, and on a CPU a quarter of the work: a trial, not a figure",
    )
    parser.add_argument(
        "--cases", default=",".join(cases), help="comma separated; default: all that can run here"
    )
    parser.add_argument("--pairs", type=int, help="pairs of windows; default: by script, quick: 5")
    parser.add_argument(
        "--window", type=int, help="optimiser steps in a window of training; default: by case and device"
    )
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
