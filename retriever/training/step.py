"""One optimiser step: a batch through the encoder, its loss, and the update."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from retriever.errors import InputError
from retriever.losses.embedding_batch import EmbeddingBatch, Objective
from retriever.training.batches import Sampler, TokenBatch
from retriever.training.embedder import Embedder
from retriever.training.grad_cache import REPLAY_TOLERANCE, cached_backward
from retriever.training.processes import Processes

AuxiliaryBackward = Callable[[TokenBatch, int, int | None], Tensor]
"""(batch, step, chunk_tokens) → a second loss, (), whose gradient it has added to the parameters: one that needs tokens, such as MLM."""


TF32_DEVICES = ("cuda",)
"""Where products of fp32 numbers may be made of their first ten bits, while a step is taken."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything that takes a step.

    Attributes:
        embedder: tokens → embeddings.
        module: holds every parameter that is trained: the embedder, and what an auxiliary loss adds.
        objective: embeddings → loss.
        auxiliary: a second loss, or None.
        sampler: the batches.
        optimizer: its learning rate is set before each step.
        learning_rate: by step, counted from 0.
        max_grad_norm: the gradient is clipped to it.
        total_steps: where training ends.
        chunk_tokens: a batch of more tokens goes through GradCache in chunks of as many; None: never.
        seed: of dropout.
        processes: that train together.
    """

    embedder: Embedder
    module: nn.Module
    objective: Objective
    auxiliary: AuxiliaryBackward | None
    sampler: Sampler
    optimizer: Optimizer
    learning_rate: Callable[[int], float]
    max_grad_norm: float
    total_steps: int
    chunk_tokens: int | None
    seed: int
    processes: Processes

    @property
    def device(self) -> torch.device:
        """Where the encoder computes."""
        return self.embedder.model.query.device

    def free_optimizer(self) -> None:
        """No step follows: its state, twice the weights, makes room."""
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer.state.clear()


@dataclass(frozen=True)
class StepResult:
    """What one step saw; tensors are still on the device, so that reading them can wait.

    Attributes:
        loss: of the objective, ().
        auxiliary_loss: of the auxiliary loss, (), or None.
        gradient_norm: before clipping, ().
        embeddings: of the batch, without graph.
        batch: the tokens.
    """

    loss: Tensor
    auxiliary_loss: Tensor | None
    gradient_norm: Tensor
    embeddings: EmbeddingBatch
    batch: TokenBatch


def take_step(training: Training, step: int) -> StepResult:
    """The update of a step, counted from 0.

    Everything random is a function of seed, process and step: the batch by its sampler, dropout by the seed set here. So a run
    that is resumed at any step repeats what the uninterrupted one did.

    Raises:
        InputError: the device's memory does not suffice.
    """
    batch = training.sampler.batch(step)
    torch.manual_seed(_dropout_seed(training.seed, training.processes.rank, step))
    try:
        with _tensor_float_32(training.device):
            loss, embeddings = _backward(training, batch)
            auxiliary = None
            if training.auxiliary is not None:
                auxiliary = training.auxiliary(batch, step, training.chunk_tokens)
        norm = _update(training, step)
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"step {step + 1} does not fit into the memory of {training.device}: {_smaller(training, batch)}"
        ) from error
    return StepResult(loss, auxiliary, norm, embeddings, batch)


@contextmanager
def _tensor_float_32(device: torch.device) -> Iterator[None]:
    """On a GPU, TF32 inside for what is not in bf16 and not the loss's own scores; evaluation is never in it."""
    before = torch.get_float32_matmul_precision()
    if device.type in TF32_DEVICES:
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _smaller(training: Training, batch: TokenBatch) -> str:
    """What to do about a batch that does not fit: a number, as ``--chunk-tokens auto`` may be what failed."""
    longest = max(int(each.lengths.max()) for each in batch.texts)
    tried = min(batch.num_tokens, training.chunk_tokens or batch.num_tokens)
    if tried <= longest:
        return "not even one text at a time does; a shorter maximum length or a smaller model may"
    return (
        f"--chunk-tokens {max(longest, tried // 2)} keeps the batch and its negatives, and embeds it in chunks that fit; "
        "with --resume, too"
    )


def _update(training: Training, step: int) -> Tensor:
    """Average the gradients over the processes, clip, and let the optimiser step; → the norm before clipping."""
    parameters = [each for each in training.module.parameters() if each.requires_grad]
    training.processes.average_gradients(parameters)
    norm = clip_grad_norm_(parameters, training.max_grad_norm)
    for group in training.optimizer.param_groups:
        group["lr"] = training.learning_rate(step)
    training.optimizer.step()
    training.optimizer.zero_grad(set_to_none=True)
    return norm


def _backward(training: Training, batch: TokenBatch) -> tuple[Tensor, EmbeddingBatch]:
    """Loss and embeddings, their gradient added to the parameters."""
    if training.chunk_tokens is not None and batch.num_tokens > training.chunk_tokens:
        loss, embeddings, difference = cached_backward(
            training.embedder, batch, training.objective, chunk_tokens=training.chunk_tokens
        )
        if not bool(difference < REPLAY_TOLERANCE) and bool(torch.isfinite(loss)):
            raise RuntimeError(
                f"the second forward of GradCache differs from the first by {float(difference):.3f}: the gradient would be wrong"
            )
        return loss, embeddings
    embedded = training.embedder(batch)
    loss = training.objective(embedded)
    loss.backward()
    return loss.detach(), embedded.detach()


def _dropout_seed(seed: int, rank: int, step: int) -> int:
    """One seed for each process and step; neighbours share no low bits, which some generators would show."""
    return (seed * 0x9E3779B97F4A7C15 + rank * 0xBF58476D1CE4E5B9 + (step + 1) * 0x94D049BB133111EB) % 2**63
