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
from importlib.metadata import version
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
SEEDS = (SEED, 1, 2, 3, 4)
"""Of the last fit: its weights, batches and held-out items. SentEval has the first only; the others tell how much it says."""
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


class Classifiers:
    """One linear layer for each weight decay, learning side by side: SentEval seeds each anew, so that they see equal batches."""

    def __init__(self, features: int, classes: int, decays: Sequence[float], seed: int) -> None:
        torch.manual_seed(seed)
        first = nn.Linear(features, classes)
        self.weight = first.weight.detach().repeat(len(decays), 1, 1).requires_grad_()  # (decays, C, D)
        self.bias = first.bias.detach().repeat(len(decays), 1).requires_grad_()  # (decays, C)
        self.decays = torch.tensor(decays)
        self.optimizer = torch.optim.Adam([self.weight, self.bias], fused=True)

    def logits(self, x: Tensor) -> Tensor:
        """(N, D) → (N, C, decays)."""
        return torch.einsum("nd,gcd->ncg", x, self.weight) + self.bias.T

    def step(self, x: Tensor, y: Tensor) -> None:
        """Adam adds decay × weight to the gradient; here the loss does, as one optimiser has several decays."""
        losses = nn.functional.cross_entropy(
            self.logits(x), y[:, None].expand(-1, len(self.decays)), reduction="none"
        )
        squares = self.weight.square().sum((1, 2)) + self.bias.square().sum(1)
        loss = losses.mean(0).sum() + (self.decays * squares).sum() / 2
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def scores(self, items: Items) -> list[float]:
        """Accuracy of each decay."""
        with torch.no_grad():
            return (self.logits(items.x).argmax(1) == items.y[:, None]).double().mean(0).tolist()

    def state(self) -> tuple[Tensor, Tensor]:
        """A copy of all weights."""
        return self.weight.detach().clone(), self.bias.detach().clone()


def fit(
    train: Items, dev: Items | None, decays: Sequence[float], seed: int = SEED
) -> tuple[Classifiers, list[float]]:
    """For each decay the weights that were best on dev, or on 5 % of train held out, and their accuracy there."""
    random = np.random.RandomState(seed)
    classifiers = Classifiers(train.x.shape[1], train.classes, decays, seed)
    if dev is None:
        order, size = random.permutation(len(train.y)), int(HELD_OUT * len(train.y))
        train, dev = train[order[size:]], train[order[:size]]
    best, failures, running = [-1.0] * len(decays), [0] * len(decays), [True] * len(decays)
    weight, bias = classifiers.state()
    for _ in range(0, MAX_EPOCHS + 1, EPOCH_SIZE):
        for _ in range(EPOCH_SIZE):
            for rows in torch.as_tensor(random.permutation(len(train.y))).split(BATCH):
                classifiers.step(train.x[rows], train.y[rows])
        for each, accuracy in enumerate(classifiers.scores(dev)):
            if not running[each]:
                continue
            if accuracy > best[each]:
                best[each] = accuracy
                weight[each], bias[each] = (state[each] for state in classifiers.state())
                continue
            running[each] = failures[each] < TENACITY  # failures are not reset by an improvement
            failures[each] += 1
        if not any(running):
            break
    with torch.no_grad():
        classifiers.weight.copy_(weight)
        classifiers.bias.copy_(bias)
    return classifiers, best


def choose_decay(train: Items) -> float:
    """The first weight decay of the highest mean accuracy, of two decimals, in cross-validation."""
    accuracies = [fit(train[rest], train[fold], DECAYS)[1] for rest, fold in train.folds()]
    return DECAYS[int(np.argmax(np.round(100 * np.mean(accuracies, axis=0), 2)))]


def sentevals_accuracies(train: Items, test: Items | None) -> list[float]:
    """Accuracy times 100, of the test split, or without one the mean over nested folds; for each seed of the last fit."""
    if test is not None:
        decay = choose_decay(train)
        return [round(100 * fit(train, None, [decay], seed)[0].scores(test)[0], 2) for seed in SEEDS]
    scores = []
    for rest, fold in train.folds():
        scores.append(sentevals_accuracies(train[rest], train[fold]))
        print(f"fold {len(scores)} of {FOLDS}: {scores[-1]}", file=sys.stderr, flush=True)
    return [round(float(each), 2) for each in np.mean(scores, axis=0)]


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
    peers = sentevals_accuracies(train, test)
    low, high = ours.interval()
    return {
        "ours": round(ours.accuracy, 2),
        "peer": peers[0],
        "peer_by_seed": dict(zip(SEEDS, peers, strict=True)),
        "peer_mean": round(float(np.mean(peers)), 2),
        "difference_to_mean": round(ours.accuracy - float(np.mean(peers)), 2),
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
    result |= {"versions": versions() | {"scikit-learn": version("scikit-learn")}, "cases": cases}
    print(json.dumps(result, indent=2))
    if given.output is not None:
        write_json(given.output, result)


if __name__ == "__main__":
    main()
