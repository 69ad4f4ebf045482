"""The one training loop: steps, dev evaluations, checkpoints. It knows no recipe."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from retriever.choices import Similarity
from retriever.evaluation.direction import larger_is_better
from retriever.protocols import Progress
from retriever.training.checkpoint import Best, State, save_checkpoint
from retriever.training.monitor import LOG_EVERY, Monitor
from retriever.training.processes import Processes
from retriever.training.run_directory import RunDirectory
from retriever.training.step import Training, take_step

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 600
"""A checkpoint is written after as long, however few steps that is."""


@dataclass(frozen=True)
class DevEvaluation:
    """How a model is judged while it trains.

    Attributes:
        evaluate: → metrics.
        metric: the one that decides; its direction is that of ``larger_is_better``.
        every: steps between evaluations.
        patience: training ends after this many evaluations without a better one; None: never.
    """

    evaluate: Callable[[], dict[str, float]]
    metric: str
    every: int
    patience: int | None = None

    def better(self, new: Best, old: Best | None) -> bool:
        """Whether a new value of the metric beats the best so far; a value that is no number never does."""
        value = new.metrics[self.metric]
        if math.isnan(value) or old is None:
            return not math.isnan(value)
        before = old.metrics[self.metric]
        return value > before if larger_is_better(self.metric) else value < before


class Checkpoints:
    """When a checkpoint is due: every so many steps, and when minutes have passed since the last.

    Args:
        every: steps.
        circumstances: as for ``save_checkpoint``.
        step: of the checkpoint that training goes on from; 0: there is none.
    """

    def __init__(self, every: int, circumstances: Mapping[str, object], step: int = 0) -> None:
        self.every, self.circumstances, self.step = every, circumstances, step
        self._saved = time.monotonic()

    def due(self, step: int, processes: Processes) -> bool:
        """Whether to write one now; the same in every process. When it is written changes nothing of what is computed."""
        if step % self.every == 0:
            return True
        return step % LOG_EVERY == 0 and bool(
            processes.from_main(time.monotonic() - self._saved > CHECKPOINT_SECONDS)
        )

    def written(self, step: int) -> None:
        """Begin to count the minutes anew."""
        self.step, self._saved = step, time.monotonic()


def fit(
    training: Training,
    state: State,
    run: RunDirectory,
    *,
    save: Callable[[Path], None],
    dev: DevEvaluation | None,
    similarity: Similarity,
    checkpoints: Checkpoints,
    progress: Progress,
) -> State:
    """Train; keep the best model by the dev metric, judged before the first step, at intervals and after the last.

    Without dev data, or when the dev metric never is a number, the last model is kept. The end has its checkpoint, too: what comes
    after it may fail, and the steps are not to be taken again.

    Args:
        training: what takes a step.
        state: where to begin; changed on the way.
        run: where metrics, checkpoints and the model go.
        save: writes the model into a folder.
        dev: the dev evaluation.
        similarity: by which embeddings are compared in the metrics.
        checkpoints: when to write one, and what it says of the circumstances.
        progress: one tick a step.

    Returns:
        Where training ended.

    Raises:
        InputError: the loss stops being a number, or the memory does not suffice. What was saved stays.
    """
    evaluation_seconds = None
    if dev is not None and state.step == 0:
        seconds = _judge(training, state, run, save, dev)
        evaluation_seconds = seconds * -(-training.total_steps // dev.every)
    monitor = Monitor(run, training, similarity, step=state.step, evaluation_seconds=evaluation_seconds)
    training.module.train()
    with progress(training.total_steps, "train") as advance:
        advance(state.step)
        while state.step < training.total_steps and not _lost_patience(dev, state):
            result = take_step(training, state.step)
            state.step += 1
            monitor.add(state.step, result)
            advance(1)
            last = state.step == training.total_steps
            judged = dev is not None and (state.step % dev.every == 0 or last)
            saved = not last and checkpoints.due(state.step, training.processes)
            if judged or saved or last or state.step % LOG_EVERY == 0:
                monitor.flush(state.step)
            with monitor.paused():
                if judged and dev is not None:
                    _judge(training, state, run, save, dev)
                    training.module.train()
                if saved:
                    _save_checkpoint(training, state, run, checkpoints)
                    if dev is None:  # a model to use, whatever becomes of the rest
                        run.save_model(save, Best(state.step, {}))
    if state.step > checkpoints.step:
        _save_checkpoint(training, state, run, checkpoints)
    if state.best is None and training.processes.is_main:
        run.save_model(save, Best(state.step, {}))
        reason = "no dev data" if dev is None else f"dev {dev.metric} was never a number"
        logger.warning("%s: kept the last model (step %d)", reason, state.step)
    return state


def _lost_patience(dev: DevEvaluation | None, state: State) -> bool:
    """Whether the dev metric has not improved for as long as was asked."""
    if dev is None or dev.patience is None or state.evaluations_since_best < dev.patience:
        return False
    logger.info("step %d: no better for %d evaluations: stopped", state.step, dev.patience)
    return True


def _judge(
    training: Training, state: State, run: RunDirectory, save: Callable[[Path], None], dev: DevEvaluation
) -> float:
    """Evaluate, in the main process; save the model if it is the best so far. → the seconds it took."""
    began = time.perf_counter()

    def judge() -> None:
        new = Best(state.step, dev.evaluate())
        better = dev.better(new, state.best)
        run.log_metrics({"step": state.step, "dev": new.metrics, "best": better})
        readable = ", ".join(f"{name} {value:.4g}" for name, value in new.metrics.items())
        logger.info("step %d: dev %s%s", state.step, readable, ", best so far" if better else "")
        state.evaluations_since_best = 0 if better else state.evaluations_since_best + 1
        if not better:
            return
        state.best = new
        saved = run.saved_best()  # before a kill, perhaps, and better: this run comes to it again, or never
        if saved is None or not saved.metrics or not dev.better(saved, new):
            run.save_model(save, new)
        elif saved.step <= state.step:
            logger.info(
                "the model of step %d, saved before the run was killed, is better and stays", saved.step
            )

    training.processes.on_main(judge)
    state.evaluations_since_best = training.processes.from_main(state.evaluations_since_best)
    return time.perf_counter() - began


def _save_checkpoint(training: Training, state: State, run: RunDirectory, checkpoints: Checkpoints) -> None:
    """Keep where training stands, in the main process: the others hold the same."""
    training.processes.on_main(
        lambda: save_checkpoint(
            run.checkpoint, training.module, training.optimizer, state, checkpoints.circumstances
        )
    )
    checkpoints.written(state.step)
