"""Settings that several commands share; each group is a panel of ``--help``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from retriever.choices import Bm25Formula, PoolingRequest, Precision, TrackerName
from retriever.errors import InputError
from retriever.settings import Config, setting

BASE_MODEL = "packaged:all-MiniLM-L6-v2"


@dataclass(frozen=True, kw_only=True)
class DeviceConfig(Config):
    """Device"""

    device: str = setting(
        "auto, cpu, cuda, cuda:N or mps. A device that is missing is an error.",
        default="auto",
        source="the GPU where there is one",
    )
    precision: Precision = setting(
        "bf16 runs the transformer in bfloat16 autocast; losses and stored embeddings stay fp32.",
        default="auto",
        source="bf16 where the device computes in it, else fp32",
    )


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(DeviceConfig):
    """Encoder"""

    model: str = setting(
        "A run directory, a model folder, a sentence-transformers folder, a Hugging Face folder or name, or packaged:NAME.",
        default=BASE_MODEL,
        source="small enough for a CPU, needs no download (extra: offline)",
    )
    pooling: PoolingRequest | None = setting(
        "How token states become one embedding; cls_head: [CLS] through the checkpoint's own MLP, as SimCSE's have one.",
        default=None,
        source="what the model folder declares; training from a plain Hugging Face folder: cls",
    )


@dataclass(frozen=True, kw_only=True)
class TwoEncodersConfig(DeviceConfig):
    """Two encoders"""

    passage_model: str | None = setting(
        "The passages' encoder when it is another model than --model, which then is the questions': DPR's two encoders are "
        "two models.",
        default=None,
        source="the same model for both; for an index that exists, what it was built with",
    )


@dataclass(frozen=True, kw_only=True)
class Bm25Config(Config):
    """BM25"""

    bm25_formula: Bm25Formula = setting(
        "okapi: rank-bm25's BM25Okapi (k1 1.5, b 0.75, ε 0.25); lucene: Lucene's (k1 0.9, b 0.4, as in the DPR paper).",
        default="okapi",
    )
    bm25_stemmer: str | None = setting(
        "Snowball's stems in a language: english, german and 30 more (extra: languages).",
        default=None,
        source="words as they are",
    )
    bm25_stop_words: str | None = setting(
        "none, a language (extra: languages; english: Lucene's 33 words), or a file of one word a line. They are dropped from "
        "passages and questions.",
        default=None,
        source="the stemmer's language; without one english; with --bm25-tokenizer none",
    )
    bm25_tokenizer: Path | None = setting(
        "A tokenizer.json that cuts texts into words, for languages without spaces; the index keeps a copy.",
        default=None,
        source="runs of letters and digits, in lower case",
    )


@dataclass(frozen=True, kw_only=True)
class OptimConfig(Config):
    """Optimisation"""

    epochs: int = setting("Passes over the training data.", default=1, source="SimCSE, table A.1", at_least=1)
    max_steps: int | None = setting(
        "Stop after this many optimiser steps, if the epochs have not ended before.", default=None, at_least=1
    )
    batch_size: int = setting(
        "Anchors per optimiser step and process; the other passages of the batch are the negatives.",
        default=64,
        source="SimCSE, table A.1 (BERT-base)",
        at_least=2,
    )
    learning_rate: float = setting(
        "Peak learning rate of AdamW.", default=3e-5, source="SimCSE, table A.1", above=0
    )
    warmup_ratio: float = setting(
        "Share of the steps in which the learning rate rises linearly; after it, it falls linearly to 0.",
        default=0.0,
        source="SimCSE scripts: no warm-up",
        at_least=0,
        below=1,
    )
    weight_decay: float = setting(
        "AdamW weight decay.", default=0.0, source="SimCSE and DPR scripts", at_least=0
    )
    max_grad_norm: float = setting(
        "Clip the gradient to this norm.", default=1.0, source="SimCSE scripts", above=0
    )
    eval_every: int = setting(
        "Steps between dev evaluations.", default=125, source="SimCSE scripts", at_least=1
    )
    seed: int = setting(
        "Seed of every random choice.", default=42, source="SimCSE scripts", at_least=0, at_most=2**32 - 1
    )
    seeds: str | None = setting(
        "Several seeds, such as 1,2,3: one run each, in OUTPUT/seed-1 and so on, and mean and standard deviation of their dev "
        "metrics in OUTPUT/results.json.",
        default=None,
    )
    patience: int | None = setting(
        "Stop after this many dev evaluations without a better one.",
        default=None,
        source="none, as in both papers' scripts",
        at_least=1,
    )
    chunk_tokens: str | None = setting(
        "GradCache: embed the batch in chunks of at most this many tokens, so that memory is that of a chunk and all negatives of "
        "the batch stay, at the price of a second forward; auto: about the largest chunk that fits. Gradient accumulation, which other "
        "trainers offer for large batches, adds no negatives.",
        default=None,
        source="none: the whole batch at once",
    )
    checkpoint_every: int = setting(
        "Steps between checkpoints, from which --resume goes on; one is also written every 10 minutes.",
        default=500,
        source="a checkpoint of BERT-base takes seconds",
        at_least=1,
    )
    resume: bool = setting(
        "Go on with the run in --output that was killed, with the settings that it was started with. On a CPU the result is "
        "that of the uninterrupted run, bit for bit.",
        default=False,
    )
    report_to: tuple[TrackerName, ...] = setting(
        "Also send the metrics to a tracker, tensorboard or wandb (extra: trackers); may be repeated.",
        default=(),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chunk_tokens not in (None, "auto") and not (
            str(self.chunk_tokens).isdecimal() and int(str(self.chunk_tokens)) > 0
        ):
            raise InputError(
                f"chunk_tokens must be auto or a number of tokens above 0, got '{self.chunk_tokens}'"
            )
        if self.seeds is not None:
            self.seed_list()

    def seed_list(self) -> list[int]:
        """The seeds of ``--seeds``; without it the one seed.

        Raises:
            InputError: they are no different whole numbers.
        """
        parts = [str(self.seed)] if self.seeds is None else [each.strip() for each in self.seeds.split(",")]
        if not all(each.isdecimal() and int(each) < 2**32 for each in parts) or len(
            set(map(int, parts))
        ) < len(parts):
            raise InputError(f"seeds must be different whole numbers such as 1,2,3, got '{self.seeds}'")
        return [int(each) for each in parts]

    @classmethod
    def resolve(cls, flags: Mapping[str, object], file: Path | None = None) -> Self:
        """As for every command; with ``resume`` the settings of the run that is there are the file."""
        if flags.get("seeds") is not None and flags.get("seed") is not None:
            raise InputError("seed is for one run and seeds for several: leave one out")
        if flags.get("resume") and file is None and isinstance(output := flags.get("output"), Path):
            begun = output / "config.json"
            if begun.is_file():
                file = begun
                cls._require_own(begun)
            elif "train" not in flags:
                raise InputError("there is no run to go on with", path=output)
        resolved = super().resolve(flags, file)
        if flags.get("seed") is not None and resolved.seeds is not None:
            raise InputError(f"seed is for one run, and {file} has seeds {resolved.seeds}: leave one out")
        return resolved

    @classmethod
    def _require_own(cls, file: Path) -> None:
        """InputError if the settings of a run have one that only another command knows."""
        try:
            values = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            return  # who reads them is told
        if isinstance(values, dict) and (
            others := sorted(values.keys() - {each.name for each in fields(cls)})
        ):
            raise InputError(
                f"holds a run of another command: its settings have {others[0]}, which this one does not know",
                path=file.parent,
            )

    def to_json(self) -> dict[str, object]:
        """As for every command; whether a run was resumed is no setting of it."""
        return {name: value for name, value in super().to_json().items() if name != "resume"}
