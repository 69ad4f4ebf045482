"""Negatives from every process of a training run, with exact gradients.

Each process scores its own anchors against the candidates of all. The gradient that a candidate receives from another
process's anchors travels back to the process that embedded it. With the mean over processes of their gradients (what
data-parallel training does anyway) the result is the gradient of one process with the whole batch: no rank offset, no factor W.
"""

from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from retriever.losses.embedding_batch import EmbeddingBatch, Objective


class _Gather(torch.autograd.Function):
    """(N, D) of each process → (W, N, D) on each; backward sums what the processes want of each row."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ANN401  (PyTorch's context)
        """All processes' rows, by rank."""
        gathered = rows.new_empty(dist.get_world_size(), *rows.shape)
        dist.all_gather(list(gathered.unbind()), rows.contiguous())
        return gathered

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401  (PyTorch's context)
        """The gradient of this process's rows, from every process's loss."""
        total = gradient.clone(memory_format=torch.contiguous_format)  # autograd's own may be shared
        dist.all_reduce(total)
        return total[dist.get_rank()]


def gather_rows(rows: Tensor) -> Tensor:
    """(N, D) → (W, N, D), differentiable; N is the same in every process."""
    gathered: Tensor = _Gather.apply(rows)
    return gathered


def rows_from_other_ranks(rows: Tensor) -> Tensor:
    """(N, …) → ((W−1)·N, …): what the other processes hold, by rank; differentiable where rows are."""
    gathered = gather_rows(rows)
    rank = dist.get_rank()
    return torch.cat([gathered[:rank], gathered[rank + 1 :]]).flatten(0, 1)


def with_candidates_of_all(batch: EmbeddingBatch) -> EmbeddingBatch:
    """The batch with the candidates of the other processes as extra negatives of every anchor.

    Ids are rows of tables that every process builds alike, so that one process's positives are recognised in another's batch.
    """
    rows, ids = batch.candidates()
    extra, extra_id = rows_from_other_ranks(rows), rows_from_other_ranks(ids)
    if batch.extra_negative is not None and batch.extra_negative_id is not None:
        extra = torch.cat([batch.extra_negative, extra])
        extra_id = torch.cat([batch.extra_negative_id, extra_id])
    return replace(batch, extra_negative=extra, extra_negative_id=extra_id)


def across_processes(objective: Objective) -> Objective:
    """The objective of the batch with the candidates of all processes."""

    def of_all(batch: EmbeddingBatch) -> Tensor:
        return objective(with_candidates_of_all(batch))

    return of_all
