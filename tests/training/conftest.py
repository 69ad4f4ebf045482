"""A small supervised SimCSE run for the tests of what happens around the steps."""

from pathlib import Path

import pytest

from retriever.config.training import TrainSimcseConfig
from tests.conftest import WORDS
from tests.tiny import triplets


@pytest.fixture
def train(tmp_path: Path) -> Path:
    rows = ["sent0\tsent1\thard_neg_0\thard_neg_1"]
    for each in triplets(WORDS, 40):
        hard = [*each.hard_negatives, ""][:2]
        rows.append("\t".join([each.anchor, each.positive or "", *hard]))
    path = tmp_path / "train.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    path = tmp_path / "dev.tsv"
    rows = [
        f"{number % 5}\t{each.anchor}\t{each.positive}" for number, each in enumerate(triplets(WORDS, 12))
    ]
    path.write_text("score\tsentence1\tsentence2\n" + "\n".join(rows) + "\n")
    return path


def config_of(train: Path, output: Path, model: Path, **options: object) -> TrainSimcseConfig:
    """Thirteen steps in three epochs with dropout, a learning rate that matters, and a checkpoint every other step."""
    settings = {
        "max_length": 16,
        "batch_size": 8,
        "epochs": 3,
        "max_steps": 13,
        "learning_rate": 1e-3,
        "warmup_ratio": 0.3,
        "checkpoint_every": 2,
        "eval_every": 3,
        "device": "cpu",
        "precision": "fp32",
    }
    return TrainSimcseConfig(train=(train,), output=output, model=str(model), **{**settings, **options})
