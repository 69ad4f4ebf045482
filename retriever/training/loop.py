"""The one training loop. It knows batches, an embedder, an objective and a dev metric, and no recipe."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from retriever.errors import InputError
from retriever.losses.embedding_batch import Objective
from retriever.protocols import Progress
from retriever.training.batches import TokenBatch
from retriever.training.run_directory import RunDirectory

logger = logging.getLogger(__name__)

LOG_EVERY = 10
"""Steps between lines of ``metrics.jsonl``: reading the loss waits for the device."""

LARGER_IS_BETTER = {"spearman_all": True, "average_rank": False}


@dataclass(frozen=True)
class DevEvaluation:
    """How a model is judged while it trains.

    Attributes:
        evaluate: → metrics.
        metric: the one that decides; its direction is in ``LARGER_IS_BETTER``.
        every: steps between evaluations.
    """

    evaluate: Callable[[], dict[str, float]]
    metric: str
    every: int

    def better(self, new: float, old: float | None) -> bool:
        """Whether a new value of the metric beats the best so far; a value that is no number never does."""
        if math.isnan(new) or old is None:
            return not math.isnan(new)
        return new > old if LARGER_IS_BETTER[self.metric] else new < old


@dataclass(frozen=True)
class Optimization:
    """The optimiser, its schedule, and when it ends."""

    optimizer: Optimizer
    schedule: LRScheduler
    max_grad_norm: float
    total_steps: int


@dataclass
class Best:
    """The best dev metrics so far."""

    step: int
    metrics: dict[str, float]


def fit(
    embedder: nn.Module,
    objective: Objective,
    batches: Iterator[TokenBatch],
    optimization: Optimization,
    run: RunDirectory,
    *,
    save: Callable[[Path], None],
    dev: DevEvaluation | None,
    progress: Progress,
) -> Best | None:
    """Train; keep the best model by the dev metric, judged before the first step, at intervals and after the last.

    Without dev data, or when the dev metric never is a number, the last model is kept.

    Args:
        embedder: tokens → embeddings; its parameters are trained.
        objective: embeddings → loss.
        batches: at least ``optimization.total_steps`` of them.
        optimization: optimiser, schedule, clipping, number of steps.
        run: where metrics and the model go.
        save: writes the model into a folder.
        dev: the dev evaluation.
        progress: one tick a step.

    Returns:
        The best step and its dev metrics; None when the last model was kept.

    Raises:
        InputError: the loss stops being a number. What was saved stays.
    """
    best = None if dev is None else _judge(dev, 0, None, run, save)
    window = _Window(run)
    embedder.train()
    with progress(optimization.total_steps, "train") as advance:
        for step in range(1, optimization.total_steps + 1):
            batch = next(batches)
            window.learning_rate = float(optimization.schedule.get_last_lr()[0])
            window.add(step, batch, *_train_step(embedder, objective, batch, optimization))
            advance(1)
            if dev is not None and (step % dev.every == 0 or step == optimization.total_steps):
                window.flush(step)
                best = _judge(dev, step, best, run, save)
                embedder.train()
                window.since = time.perf_counter()
        window.flush(optimization.total_steps)
    if best is None:
        run.save_model(save)
        reason = "no dev data" if dev is None else f"dev {dev.metric} was never a number"
        logger.warning("%s: kept the last model (step %d)", reason, optimization.total_steps)
    return best


def _train_step(
    embedder: nn.Module, objective: Objective, batch: TokenBatch, optimization: Optimization
) -> tuple[torch.Tensor, torch.Tensor]:
    """One update; → loss and gradient norm before clipping, both still on the device."""
    loss = objective(embedder(batch))
    loss.backward()
    norm = clip_grad_norm_(embedder.parameters(), optimization.max_grad_norm)
    optimization.optimizer.step()
    optimization.schedule.step()
    optimization.optimizer.zero_grad(set_to_none=True)
    return loss.detach(), norm


def _judge(
    dev: DevEvaluation, step: int, best: Best | None, run: RunDirectory, save: Callable[[Path], None]
) -> Best | None:
    """Evaluate; save the model if it is the best so far."""
    metrics = dev.evaluate()
    value = metrics[dev.metric]
    better = dev.better(value, None if best is None else best.metrics[dev.metric])
    run.log_metrics({"step": step, "dev": metrics, "best": better})
    logger.info("step %d: dev %s%s", step, _readable(metrics), ", best so far" if better else "")
    if not better:
        return best
    run.save_model(save)
    return Best(step, metrics)


def _readable(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())


class _Window:
    """Collects losses on the device and writes their mean every few steps."""

    def __init__(self, run: RunDirectory) -> None:
        self.run, self.learning_rate = run, 0.0
        self.losses: list[torch.Tensor] = []
        self.norms: list[torch.Tensor] = []
        self.examples = self.tokens = 0
        self.since = time.perf_counter()

    def add(self, step: int, batch: TokenBatch, loss: torch.Tensor, norm: torch.Tensor) -> None:
        self.losses.append(loss)
        self.norms.append(norm)
        self.examples += len(batch)
        parts = [
            batch.anchor,
            batch.positive,
            *([] if batch.hard_negative is None else [batch.hard_negative]),
        ]
        self.tokens += sum(len(part.ids) for part in parts)
        if step % LOG_EVERY == 0:
            self.flush(step)

    def flush(self, step: int) -> None:
        if not self.losses:
            return
        losses, norms = torch.stack(self.losses), torch.stack(self.norms)
        if not bool(torch.isfinite(losses).all() and torch.isfinite(norms).all()):
            raise InputError(
                f"loss or gradient is not a number any more (step {step}): lower --learning-rate or use --precision fp32"
            )
        if bool((losses == 0).any()):
            logger.warning("step %d: the loss is exactly 0: there is nothing to learn in these batches", step)
        seconds = time.perf_counter() - self.since
        self.run.log_metrics(
            {
                "step": step,
                "loss": float(losses.mean()),
                "gradient_norm": float(norms.mean()),
                "learning_rate": self.learning_rate,
                "examples_per_second": round(self.examples / seconds, 2),
                "tokens_per_second": round(self.tokens / seconds, 1),
            }
        )
        self.losses, self.norms, self.examples, self.tokens = [], [], 0, 0
        self.since = time.perf_counter()
