"""Both trainings beside sentence-transformers' trainer and loss: the same texts and settings give the same weights.

Dropout is off, and each step's batch is the whole file, so that neither trainer's random numbers nor its order of rows matter.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.encoding.encoder import Encoder
from retriever.training.dpr import train_dpr
from retriever.training.simcse import train_simcse
from tests.conftest import WORDS
from tests.tiny import triplets

ROWS, STEPS = 16, 12
SETTINGS = {"learning_rate": 1e-3, "max_grad_norm": 1.0}
OURS = {
    **SETTINGS,
    "batch_size": ROWS,
    "epochs": STEPS,
    "temperature": 0.05,
    "warmup_ratio": 0.0,
    "device": "cpu",
    "precision": "fp32",
}
EXAMPLES = triplets(WORDS, ROWS)


@pytest.fixture
def undropped(model_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "undropped"
    shutil.copytree(model_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def vectors_of_peer(model: Path, columns: dict[str, list[str]], folder: Path) -> np.ndarray:
    peer = SentenceTransformer(str(model), device="cpu")
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=ROWS,
        num_train_epochs=STEPS,
        lr_scheduler_type="linear",
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **SETTINGS,
    )
    loss = MultipleNegativesRankingLoss(peer, scale=20)
    SentenceTransformerTrainer(
        model=peer, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss
    ).train()
    return peer.encode([each.anchor for each in EXAMPLES])


def assert_trained_alike(run: Path, peer: np.ndarray, begun: Path) -> None:
    """Equal directions (a model trained with cosine gives unit vectors), while training moved them by far more than they differ."""
    anchors = [each.anchor for each in EXAMPLES]
    before, after, expected = (
        each / np.linalg.norm(each, axis=1, keepdims=True)
        for each in (
            *(Encoder.load(each, device="cpu", precision="fp32").encode(anchors) for each in (begun, run)),
            peer,
        )
    )
    assert np.abs(after - before).mean() > 0.02
    np.testing.assert_allclose(after, expected, atol=1e-5)


@pytest.mark.parametrize("hard", [0, 1, 2])
def test_dpr(undropped: Path, tmp_path: Path, hard: int) -> None:
    rows, columns = [], {name: [] for name in ("anchor", "positive", "negative_1", "negative_2")[: 2 + hard]}
    for each in EXAMPLES:
        positive, *negatives = (
            {"title": text.split()[0], "text": text} for text in (each.positive, *each.hard_negatives[:hard])
        )
        rows.append({"question": each.anchor, "positive_ctxs": [positive], "hard_negative_ctxs": negatives})
        written = (f"{passage['title']}. {passage['text']}" for passage in (positive, *negatives))
        for column, text in zip(columns.values(), (each.anchor, *written), strict=True):
            column.append(text)
    train = tmp_path / "train.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in rows))
    train_dpr(
        TrainDprConfig(
            train=(train,),
            output=tmp_path / "run",
            model=str(undropped),
            num_hard_negatives=hard,
            query_max_length=32,
            passage_max_length=32,
            similarity="cosine",
            passage_format="{title}. {text}",
            **OURS,
        )
    )
    assert_trained_alike(tmp_path / "run", vectors_of_peer(undropped, columns, tmp_path / "peer"), undropped)


@pytest.mark.parametrize("views", [1, 2, 3])
def test_simcse(undropped: Path, tmp_path: Path, views: int) -> None:
    """Unsupervised, the peer is given each sentence twice, as its users do."""
    anchors = [each.anchor for each in EXAMPLES]
    positives = [each.positive for each in EXAMPLES] if views > 1 else anchors
    columns = {"anchor": anchors, "positive": positives}
    if views > 2:
        columns["negative"] = [each.hard_negatives[0] for each in EXAMPLES]
    names = list(columns)[:views]
    rows = zip(*(columns[name] for name in names), strict=True)
    train = tmp_path / ("train.jsonl" if views > 1 else "train.txt")
    lines = (json.dumps(dict(zip(names, row, strict=True))) if views > 1 else row[0] for row in rows)
    train.write_text("".join(f"{line}\n" for line in lines))
    train_simcse(
        TrainSimcseConfig(train=(train,), output=tmp_path / "run", model=str(undropped), head="none", **OURS)
    )
    assert_trained_alike(tmp_path / "run", vectors_of_peer(undropped, columns, tmp_path / "peer"), undropped)
