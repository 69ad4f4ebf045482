"""How fast are texts embedded, against sentence-transformers with the same model and texts?

    python benchmarks/encode.py [--data DIR] [--quick] [--cases NAME,NAME] [--output FILE]

``passages`` and ``sentences``: packaged:all-MiniLM-L6-v2, we as we come (bf16 where the device computes in it), the peer as it comes
(``-vs-default``, fp32) and with its weights in bf16 (``-vs-bf16``). ``passages-fp32`` and ``sentences-fp32``: both in fp32.
``bert-base-h200``: BERT-base's shape with random weights on a GPU, passages cut at 128 tokens, both in bf16. Batches of 32 are the
peer's default on a CPU; on a GPU it gets 128. Beside the speed stands what the precision costs: the worst cosine of either
side's vectors with the peer's own in fp32, for the packaged model.

Passages: ``DIR/qa/squad1_dev``, else ``DIR/passages.jsonl``; sentences: STS-B's test set in ``DIR/sts/STSBenchmark``, else
``DIR/train_sentences.txt``. A table goes to standard error, one JSON object to standard output.
"""

import argparse
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from _alternation import alternate, begin, compared, take_turns
from _command import BERT_BASE, PACKAGED, Cases, arguments, chosen, data_folder, model_folder, report
from _matmul import matmul_flops, matmul_seconds
from _turns import device_peak, synchronize
from transformers import AutoConfig

from retriever.choices import Precision
from retriever.data.corpus import read_passages
from retriever.data.lines import read_lines
from retriever.data.sts import read_sts_task
from retriever.encoding.dual_encoder import format_passages

WIKIPEDIA = 21_015_324
"""Passages of DPR's corpus."""


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        texts: passages or sentences.
        peer: what the peer's weights are in.
        ours: our precision; auto: as we come.
        model: the packaged one, or BERT-base's shape with random weights.
        max_length: tokens at which both cut.
        cuda: it needs a GPU.
    """

    texts: str
    peer: Precision
    ours: Precision = "auto"
    model: str = PACKAGED
    max_length: int = 256
    cuda: bool = False


CASES = {
    "passages-vs-default": Case("passages", "fp32"),
    "passages-vs-bf16": Case("passages", "bf16"),
    "passages-fp32-vs-default": Case("passages", "fp32", ours="fp32"),
    "sentences-vs-default": Case("sentences", "fp32"),
    "sentences-vs-bf16": Case("sentences", "bf16"),
    "sentences-fp32-vs-default": Case("sentences", "fp32", ours="fp32"),
    "bert-base-h200-vs-bf16": Case("passages", "bf16", "bf16", BERT_BASE, 128, cuda=True),
}
COUNT = {"passages": 512, "sentences": 2500}
"""Texts in a window on a CPU: some seconds for the faster side."""
CUDA_COUNT = 20_000


@dataclass(frozen=True)
class Job:
    """What both sides embed.

    Attributes:
        model: folder.
        texts: a JSON list.
        output: where the vectors go, ``ours.npy`` and ``peer.npy``.
        ours: our precision.
        peer: the peer's.
        max_length: tokens at which both cut.
        window: texts in a window, which are all of them.
        windows: how many times they are embedded, after once to warm up.
    """

    model: str
    texts: Path
    output: Path
    ours: Precision
    peer: Precision
    max_length: int
    window: int
    windows: int


def encode_ours(line: Connection, job: Job) -> None:
    """Embed as ``ctl`` does; then tell in which precision, and how many tokens that was."""
    from retriever.encoding.encoder import Encoder

    begin(line)
    texts = read_texts(job)
    encoder = Encoder.load(job.model, max_length=job.max_length, precision=job.ours)
    encode_in_turns(line, job, lambda: encoder.encode(texts), "ours")
    line.send(
        {
            "precision": encoder.precision,
            "tokens": len(encoder.tokenize(texts).ids),
            "device_peak": device_peak(),
        }
    )


def encode_peer(line: Connection, job: Job) -> None:
    """Embed with sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    begin(line)
    texts = read_texts(job)
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[job.peer]
    model = SentenceTransformer(job.model, model_kwargs={"dtype": dtype})
    model.max_seq_length = job.max_length
    batch_size = 128 if torch.cuda.is_available() else 32

    def encode() -> np.ndarray:
        return np.asarray(model.encode(texts, batch_size=batch_size, show_progress_bar=False), np.float32)

    encode_in_turns(line, job, encode, "peer")
    line.send({"precision": job.peer, "device_peak": device_peak()})


def read_texts(job: Job) -> list[str]:
    """The texts of a job."""
    texts: list[str] = json.loads(job.texts.read_text(encoding="utf-8"))
    return texts


def encode_in_turns(line: Connection, job: Job, encode: Callable[[], np.ndarray], name: str) -> None:
    """All texts once in each window; the vectors of the first time are kept."""

    def encode_whole() -> None:
        encode()
        synchronize()

    take_turns(line, job, encode_whole, first=lambda: np.save(job.output / f"{name}.npy", encode()))


def texts_of(data: Path, kind: str) -> list[str]:
    """All passages as title and text, or all sentences."""
    if kind == "passages":
        file = data / "qa" / "squad1_dev" / "passages.tsv"
        passages = list(read_passages(file if file.exists() else data / "passages.jsonl"))
        return format_passages(passages, "{title}. {text}")[0]
    folder = data / "sts" / "STSBenchmark"
    if not folder.is_dir():
        return [line for _, line in read_lines(data / "train_sentences.txt") if line.strip()]
    pairs = [pair for subset in read_sts_task(folder).subsets.values() for pair in subset]
    return list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))


def run_case(name: str, given: argparse.Namespace, data: Path) -> dict[str, object]:
    """One of ``CASES``."""
    case, cuda = CASES[name], torch.cuda.is_available()
    texts = texts_of(data, case.texts)
    random.Random(0).shuffle(texts)
    count = CUDA_COUNT if cuda else COUNT[case.texts]
    count //= 4 if given.quick else 1
    texts = (texts * (1 + count // len(texts)))[:count]
    with TemporaryDirectory(prefix="encode-") as made:
        scratch = Path(made)
        (scratch / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        job = Job(
            model=model_folder(case.model, scratch, given.tokenizer),
            texts=scratch / "texts.json",
            output=scratch,
            ours=case.ours,
            peer=case.peer,
            max_length=case.max_length,
            window=len(texts),
            windows=given.pairs or (5 if given.quick else 7),
        )
        found = alternate(name, (encode_ours, job), (encode_peer, job))
        vectors = {side: np.load(scratch / f"{side}.npy") for side in ("ours", "peer")}
        precise = vectors["peer"] if case.peer == "fp32" else peer_in_fp32(job)
        config = AutoConfig.from_pretrained(job.model)
    precision, tokens = found.our_report["precision"], found.our_report["tokens"]
    dtype, device = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision], "cuda" if cuda else "cpu"
    sampled = min(tokens, 65_536)  # of the matrix products: as many rows as fill the device
    seconds = matmul_seconds(config, sampled, device=device, dtype=dtype, training=False)
    flops = matmul_flops(config, sampled, training=False)
    rate = len(texts) / median(found.ours)
    return {
        **compared(
            found,
            job,
            job,
            f"{case.texts} per second",
            memory="MiB, " + ("most that tensors held" if cuda else "anonymous, above imports"),
        ),
        "texts": len(texts),
        "tokens_per_text": round(tokens / len(texts), 2),
        "precision": {"ours": precision, "peer": case.peer},
        "worst_cosine_to_fp32": {
            side: round(float((each * precise).sum(1).min()), 6) for side, each in vectors.items()
        },
        "largest_difference_to_fp32": {
            side: float(f"{np.abs(each - precise).max():.2g}") for side, each in vectors.items()
        },
        "matmul": {
            "tflops": round(flops / seconds / 1e12, 3),
            "share_reached": round(seconds / sampled * tokens / median(found.ours), 4),
        },
        **({"minutes_for_wikipedia": round(WIKIPEDIA / rate / 60, 1)} if case.cuda else {}),
    }


def peer_in_fp32(job: Job) -> np.ndarray:
    """The peer's vectors of the same texts in fp32."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(job.model)
    model.max_seq_length = job.max_length
    return np.asarray(model.encode(read_texts(job), show_progress_bar=False), np.float32)


def main() -> None:
    """Run the cases, print."""
    given = arguments(__doc__, list(CASES)).parse_args()
    names = chosen(given, {name: case.cuda for name, case in CASES.items()})
    with data_folder(given.data) as data:
        cases: Cases = {name: run_case(name, given, data) for name in names}
    report("encode", given, cases)


if __name__ == "__main__":
    main()
