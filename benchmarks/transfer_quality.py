"""Transfer accuracy with scikit-learn's logistic regression, beside SentEval's own classifier on the same embeddings.

    python benchmarks/transfer_quality.py --data FOLDER --tasks TREC,MRPC

SentEval's classifier in the settings that SimCSE reports (kfold 10, nhid 0, Adam, batch 64, tenacity 5, epoch_size 4): one linear
layer that learns by mini-batches and stops early, its weight decay chosen from 1e-5 … 1e-2 by cross-validation, on 95 % of the
training items in the end. Written anew from senteval/tools/{classifier,validation}.py of facebookresearch/SentEval, nothing being
shared with retriever/evaluation: order, features, folds and choice are made here a second time. Both get the same texts.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _machine import describe_machine, versions
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn

from retriever.data.files import write_json
from retriever.data.transfer import find_transfer_tasks, read_transfer_task
from retriever.encoding.encoder import Encoder
from retriever.evaluation.transfer import evaluate_transfer
from retriever.records import LabelledText, TransferTask

SEED, FOLDS = 1111, 10
DECAYS = (1e-5, 1e-4, 1e-3, 1e-2)
BATCH, EPOCH_SIZE, TENACITY, MAX_EPOCHS, HELD_OUT = 64, 4, 5, 200, 0.05


@dataclass(frozen=True)
class Items:
    """(N, D) features and (N,) class numbers of C classes."""

    x: Tensor
    y: Tensor
    classes: int

    def __getitem__(self, rows: NDArray[np.int64]) -> "Items":
        chosen = torch.as_tensor(rows)
        return Items(self.x[chosen], self.y[chosen], self.classes)

    def folds(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows of the rest and of each fold."""
        yield from StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(self.x, self.y)


def score(model: nn.Linear, items: Items) -> float:
    """Accuracy."""
    with torch.no_grad():
        return float((model(items.x).argmax(1) == items.y).float().mean())


def fit(train: Items, dev: Items | None, decay: float) -> tuple[nn.Linear, float]:
    """The model that was best on dev, or on 5 % of train held out, and its accuracy there."""
    torch.manual_seed(SEED)
    random = np.random.RandomState(SEED)
    model = nn.Linear(train.x.shape[1], train.classes)
    if dev is None:
        order, size = random.permutation(len(train.y)), int(HELD_OUT * len(train.y))
        train, dev = train[order[size:]], train[order[:size]]
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=decay, fused=True)
    best, state, failures, epochs = -1.0, model.state_dict(), 0, 0
    while epochs <= MAX_EPOCHS:
        for _ in range(EPOCH_SIZE):
            for rows in torch.as_tensor(random.permutation(len(train.y))).split(BATCH):
                loss = nn.functional.cross_entropy(model(train.x[rows]), train.y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        epochs += EPOCH_SIZE
        accuracy = score(model, dev)
        if accuracy > best:
            best, state = accuracy, {name: each.clone() for name, each in model.state_dict().items()}
            continue
        if failures >= TENACITY:  # which an improvement does not reset
            break
        failures += 1
    model.load_state_dict(state)
    return model, best


def choose_decay(train: Items) -> float:
    """The first weight decay of the highest mean accuracy, of two decimals, in cross-validation."""
    means = [
        round(
            100 * float(np.mean([fit(train[rest], train[fold], decay)[1] for rest, fold in train.folds()])), 2
        )
        for decay in DECAYS
    ]
    return DECAYS[int(np.argmax(means))]


def sentevals_accuracy(train: Items, test: Items | None) -> float:
    """Accuracy times 100: of the test split, or without one the mean over nested folds."""
    if test is not None:
        return 100 * score(fit(train, None, choose_decay(train))[0], test)
    scores = []
    for rest, fold in train.folds():
        scores.append(
            round(100 * score(fit(train[rest], None, choose_decay(train[rest]))[0], train[fold]), 2)
        )
        print(f"fold {len(scores)} of {FOLDS}: {scores[-1]}", file=sys.stderr, flush=True)
    return float(np.mean(scores))


def items_of(
    texts: Sequence[LabelledText], vectors: dict[str, NDArray[np.float32]], labels: list[str]
) -> Items:
    """In SentEval's order, by words and label."""
    ordered = sorted(
        texts, key=lambda each: (len(each.first.split()), len((each.second or "").split()), each.label)
    )
    u = torch.tensor(np.stack([vectors[each.first] for each in ordered]))
    if ordered[0].second is not None:
        v = torch.tensor(np.stack([vectors[each.second or ""] for each in ordered]))
        u = torch.cat([(u - v).abs(), u * v], 1)
    return Items(u, torch.tensor([labels.index(each.label) for each in ordered]), len(labels))


def both(task: TransferTask, encoder: Encoder) -> dict[str, object]:
    """Our accuracy and SentEval's, with the seconds that classifiers took."""
    parts = (task.train, task.test)
    texts = {
        text for part in parts for each in part for text in (each.first, each.second) if text is not None
    }
    vectors = dict(zip(texts, encoder.encode(list(texts)), strict=True))
    begun = time.perf_counter()
    ours = evaluate_transfer(lambda names: np.stack([vectors[name] for name in names]), [task])[task.name]
    between = time.perf_counter()
    labels = sorted({each.label for each in task.train})
    train, test = (items_of(part, vectors, labels) if part else None for part in parts)
    assert train is not None
    peer = sentevals_accuracy(train, test)
    low, high = ours.interval()
    return {
        "ours": round(ours.accuracy, 2),
        "peer": round(peer, 2),
        "difference": round(ours.accuracy - peer, 2),
        "interval": [round(low, 2), round(high, 2)],
        "chosen_c": ours.chosen,
        "seconds": {"ours": round(between - begun, 1), "peer": round(time.perf_counter() - between, 1)},
        "unit": "accuracy × 100",
    }


def main() -> None:
    """Run the tasks, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="as DATA of ctl eval transfer")
    parser.add_argument("--tasks", help="comma separated; default: all that need no dev split")
    parser.add_argument("--model", default="packaged:all-MiniLM-L6-v2")
    parser.add_argument("--output", type=Path, help="also write the result here")
    given = parser.parse_args()
    encoder = Encoder.load(given.model, precision="fp32")
    cases = {}
    for files in find_transfer_tasks([given.data]):
        if "dev" in files.files or (given.tasks and files.name not in given.tasks.split(",")):
            continue
        cases[files.name] = both(read_transfer_task(files), encoder)
        print(files.name, cases[files.name], file=sys.stderr, flush=True)
    result = {"benchmark": "transfer_quality", "model": given.model, "machine": describe_machine()}
    result |= {"versions": versions(), "cases": cases}
    print(json.dumps(result, indent=2))
    if given.output is not None:
        write_json(given.output, result)


if __name__ == "__main__":
    main()
