"""Collects what the steps saw on the device, and writes a line of metrics every few steps: reading it waits for the device."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from retriever.choices import Similarity
from retriever.errors import InputError
from retriever.losses.across_processes import with_candidates_of_all
from retriever.readable import readable_time
from retriever.training.health import Warnings, embedding_health, peak_memory
from retriever.training.run_directory import RunDirectory
from retriever.training.step import StepResult, Training

logger = logging.getLogger(__name__)

LOG_EVERY = 10
"""Steps between lines of ``metrics.jsonl``."""

WARM_UP, TIMED, SOON = 2, 3, 10.0
"""Steps that say nothing of the speed, since allocators and kernels are being set up; steps that are timed at least; and the
seconds after which the forecast does not wait for the first line of metrics."""


class Monitor:
    """Metrics, warnings and the forecast of a run.

    Args:
        run: gets the lines.
        training: what takes the steps.
        similarity: by which embeddings are compared.
        step: the steps done before.
        evaluation_seconds: what all dev evaluations that are to come will take; None: not known.
    """

    def __init__(
        self,
        run: RunDirectory,
        training: Training,
        similarity: Similarity,
        *,
        step: int,
        evaluation_seconds: float | None,
    ) -> None:
        self.run, self.training, self.similarity = run, training, similarity
        self.begun, self.evaluation_seconds = step, evaluation_seconds
        self._warnings = Warnings()
        self._forecast_due = True
        self._timed_from = (0, 0.0)  # step, time
        self._clear()

    def _clear(self) -> None:
        self._losses: list[Tensor] = []
        self._auxiliary_losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._latest: StepResult | None = None
        self._examples = self._tokens = 0
        self._since = time.perf_counter()

    def add(self, step: int, result: StepResult) -> None:
        """Take in the step with this number, counted from 1."""
        self._losses.append(result.loss)
        self._norms.append(result.gradient_norm)
        if result.auxiliary_loss is not None:
            self._auxiliary_losses.append(result.auxiliary_loss)
        self._latest = result
        self._examples += len(result.batch)
        self._tokens += result.batch.num_tokens
        done = step - self.begun
        if done == WARM_UP:
            self._synchronize()
            self._timed_from = (step, time.perf_counter())
        if done >= WARM_UP + TIMED and time.perf_counter() - self._timed_from[1] > SOON:
            self._forecast(step)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done inside is not training time."""
        before = time.perf_counter()
        yield
        lost = time.perf_counter() - before
        self._since += lost
        self._timed_from = (self._timed_from[0], self._timed_from[1] + lost)

    def flush(self, step: int) -> None:
        """Write the mean of the steps since the last line, look for what is wrong, and begin anew.

        Raises:
            InputError: loss or gradient is no number any more.
        """
        if self._latest is None:
            return
        processes = self.training.processes
        losses = processes.mean(torch.stack(self._losses))
        norms = torch.stack(self._norms)
        if not bool(torch.isfinite(losses).all() and torch.isfinite(norms).all()):
            raise InputError(
                f"loss or gradient is not a number any more (step {step}): lower --learning-rate or use --precision fp32"
            )
        embeddings = self._latest.embeddings
        if processes.count > 1:
            embeddings = with_candidates_of_all(embeddings)
        health = embedding_health(embeddings, self.similarity)
        metrics = dict(zip(health, processes.mean(torch.stack(list(health.values()))).tolist(), strict=True))
        if step - self.begun >= WARM_UP + TIMED:
            self._forecast(step)
        seconds = time.perf_counter() - self._since
        line = {
            "step": step,
            "epoch": round(step / self.training.sampler.steps_per_epoch, 4),
            "loss": float(losses.mean()),
            "gradient_norm": float(norms.mean()),
            "learning_rate": self.training.learning_rate(step - 1),
            **metrics,
            "examples_per_second": round(processes.count * self._examples / seconds, 2),
            "tokens_per_second": round(processes.count * self._tokens / seconds, 1),
            "peak_memory_bytes": peak_memory(self.training.device),
        }
        if self._auxiliary_losses:
            line["auxiliary_loss"] = float(processes.mean(torch.stack(self._auxiliary_losses)).mean())
        self.run.log_metrics(line)
        self._warnings.check(step, metrics, zero_loss=bool((losses == 0).any()))
        self._clear()

    def _forecast(self, step: int) -> None:
        """Say once how long the run will take, and what memory it has taken."""
        if not self._forecast_due:
            return
        self._forecast_due = False
        self._synchronize()
        from_step, from_time = self._timed_from
        per_step = (time.perf_counter() - from_time) / (step - from_step)
        left = self.training.total_steps - step
        if not left:
            return
        evaluations = self.evaluation_seconds
        logger.info(
            "%s a step: the %d steps that are left will take about %s%s; peak memory so far %.1f GB",
            readable_time(per_step),
            left,
            readable_time(left * per_step),
            f", their dev evaluations {readable_time(evaluations)}" if evaluations else "",
            peak_memory(self.training.device) / 1e9,
        )

    def _synchronize(self) -> None:
        if self.training.device.type == "cuda":
            torch.cuda.synchronize(self.training.device)
