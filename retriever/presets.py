"""The papers' settings by name: ``--preset NAME``. Flags and config files beat a preset, a preset beats the defaults."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Settings of one published model.

    Attributes:
        values: setting → value.
        source: where the values come from.
    """

    values: Mapping[str, object]
    source: str


def _simcse(model: str, *, supervised: bool, batch_size: int, learning_rate: float, epochs: int) -> Preset:
    """One column of the paper's table of hyper-parameters; all share length, temperature, and a schedule without warm-up."""
    return Preset(
        {
            "model": model,
            "pooling": "cls",
            "head": "keep" if supervised else "train_only",
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "epochs": epochs,
            "max_length": 32,
            "temperature": 0.05,
            "warmup_ratio": 0.0,
            "weight_decay": 0.0,
            "max_grad_norm": 1.0,
            "eval_every": 125,
            "seed": 42,
        },
        "Gao et al. 2021, table A.1 and the official repository's README; head: table 6; the rest: its training scripts",
    )


SIMCSE_PRESETS: dict[str, Preset] = {
    "simcse-unsup-bert-base": _simcse(
        "google-bert/bert-base-uncased", supervised=False, batch_size=64, learning_rate=3e-5, epochs=1
    ),
    "simcse-unsup-bert-large": _simcse(
        "google-bert/bert-large-uncased", supervised=False, batch_size=64, learning_rate=1e-5, epochs=1
    ),
    "simcse-unsup-roberta-base": _simcse(
        "FacebookAI/roberta-base", supervised=False, batch_size=512, learning_rate=1e-5, epochs=1
    ),
    "simcse-unsup-roberta-large": _simcse(
        "FacebookAI/roberta-large", supervised=False, batch_size=512, learning_rate=3e-5, epochs=1
    ),
    "simcse-sup-bert-base": _simcse(
        "google-bert/bert-base-uncased", supervised=True, batch_size=512, learning_rate=5e-5, epochs=3
    ),
    "simcse-sup-bert-large": _simcse(
        "google-bert/bert-large-uncased", supervised=True, batch_size=512, learning_rate=1e-5, epochs=3
    ),
    "simcse-sup-roberta-base": _simcse(
        "FacebookAI/roberta-base", supervised=True, batch_size=512, learning_rate=5e-5, epochs=3
    ),
    "simcse-sup-roberta-large": _simcse(
        "FacebookAI/roberta-large", supervised=True, batch_size=512, learning_rate=1e-5, epochs=3
    ),
}

DPR_PRESETS: dict[str, Preset] = {
    "dpr-nq-bert-base": Preset(
        {
            "model": "google-bert/bert-base-uncased",
            "pooling": "cls",
            "shared_encoder": False,
            "similarity": "dot",
            "temperature": 1.0,
            "batch_size": 128,
            "num_hard_negatives": 1,
            "passage_format": "pair",
            "query_max_length": 256,
            "passage_max_length": 256,
            "learning_rate": 2e-5,
            "warmup_ratio": 0.06723,
            "weight_decay": 0.0,
            "max_grad_norm": 2.0,
            "epochs": 40,
            "eval_every": 460,
            "seed": 12345,
        },
        "Karpukhin et al. 2020, section 5; the official conf/train/biencoder_nq.yaml: 1,237 warm-up steps of 40 × 460; an evaluation an epoch",
    )
}


def preset_values(presets: Mapping[str, Preset], given: Mapping[str, object]) -> Mapping[str, object]:
    """The values of the preset that the settings name; none, if they name none or one that is not known."""
    found = presets.get(str(given.get("preset")))
    return {} if found is None else found.values
