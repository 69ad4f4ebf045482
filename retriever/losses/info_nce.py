"""SimCSE's and DPR's loss: softmax cross-entropy of each anchor over its candidates. The two papers differ in arguments only.

SimCSE Eq. 4, 5, 8 (Gao et al., 2021): cosine, temperature 0.05. DPR Eq. 2 (Karpukhin et al., 2020): dot product, temperature 1.
"""

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from retriever.choices import Similarity
from retriever.losses.embedding_batch import EmbeddingBatch, Objective
from retriever.losses.similarity import similarity_matrix

FEW = 8
"""Known positives of an anchor, at most, that are compared one by one; more are looked up, which makes a GPU wait."""

BLOCK = 2**22
"""Scores held at a time. Beyond, they are made again in the backward, row by row: B × C grows with the square of the batch."""


def info_nce(
    anchor: Tensor,
    positive: Tensor,
    hard_negative: Tensor | None = None,
    *,
    extra_negative: Tensor | None = None,
    exclude: Tensor | None = None,
    hard_negative_weight: float = 1.0,
    temperature: float,
    similarity: Similarity,
) -> Tensor:
    """Mean over anchors of −log softmax of the own positive among C = B + B·K + M candidates.

    Args:
        anchor: (B, D).
        positive: (B, D); row i belongs to anchor i, and is a negative of the others.
        hard_negative: (B, K, D); those of every anchor are negatives of every anchor (SimCSE Eq. 5).
        extra_negative: (M, D) negatives of every anchor.
        exclude: (B, C) bool, see ``exclusion_mask``; columns in the order positives, hard negatives, extra negatives.
        hard_negative_weight: α of SimCSE Eq. 8 itself, on an anchor's own hard negatives (SimCSE's code takes ln α).
        temperature: divides the similarity.
        similarity: cosine or dot.

    Returns:
        () float32.

    Raises:
        ValueError: shapes do not fit together.
    """
    size, dimension = anchor.shape
    if positive.shape != anchor.shape:
        raise ValueError(
            f"anchors {tuple(anchor.shape)} and positives {tuple(positive.shape)} differ in shape"
        )
    columns = [positive]
    if hard_negative is not None:
        if hard_negative.shape[0] != size:
            raise ValueError(
                f"{size} anchors with hard negatives {tuple(hard_negative.shape)}, expected (B, K, D)"
            )
        columns.append(hard_negative.reshape(-1, dimension))
    if extra_negative is not None:
        columns.append(extra_negative)
    candidates = torch.cat(columns).float()  # (C, D)
    if exclude is not None and exclude.shape != (size, len(candidates)):
        raise ValueError(f"exclusion mask {tuple(exclude.shape)} for scores {(size, len(candidates))}")

    of_rows = partial(
        _sum_over,
        anchor=anchor,
        candidates=candidates,
        own=hard_negative.shape[1] if hard_negative is not None and hard_negative_weight != 1.0 else 0,
        own_weight=hard_negative_weight,
        exclude=exclude,
        temperature=temperature,
        similarity=similarity,
    )
    step = max(1, BLOCK // len(candidates))
    if step >= size:
        return of_rows(slice(0, size)) / size
    blocks = [slice(start, min(start + step, size)) for start in range(0, size, step)]
    losses = [checkpoint(of_rows, rows, use_reentrant=False, preserve_rng_state=False) for rows in blocks]
    return torch.stack(losses).sum() / size


def _sum_over(
    rows: slice,
    *,
    anchor: Tensor,
    candidates: Tensor,
    own: int,
    own_weight: float,
    exclude: Tensor | None,
    temperature: float,
    similarity: Similarity,
) -> Tensor:
    """The loss of some of the anchors, not yet a mean; ``own`` is K where an anchor's own hard negatives are weighted, else 0."""
    logits = similarity_matrix(anchor[rows], candidates, similarity) / temperature  # (rows, C)
    target = torch.arange(rows.start, rows.stop, device=logits.device)
    if own:
        logits = logits + _own_hard_negatives(target, len(anchor), own, len(candidates)) * math.log(
            own_weight
        )
    if exclude is not None:  # after scaling: −inf divided by a temperature has no gradient
        logits = logits.masked_fill(exclude[rows], float("-inf"))
    return cross_entropy(logits, target, reduction="sum")


def _own_hard_negatives(anchors: Tensor, size: int, num_hard: int, num_candidates: int) -> Tensor:
    """(rows,) numbers of anchors → (rows, C) bool: the candidate is one of the anchor's own hard negatives."""
    place = torch.arange(num_candidates, device=anchors.device) - size  # from 0 among the hard negatives
    return place // num_hard == anchors[:, None]


def exclusion_mask(positive_id: Tensor, known_positive_id: Tensor, candidate_id: Tensor) -> Tensor:
    """Which candidates are no negatives of which anchor: copies of its positive, its other positives, empty slots.

    Args:
        positive_id: (B,) ids of the positives, which are the first B candidates.
        known_positive_id: (B, P), -1 padded.
        candidate_id: (C,), -1 for an empty slot.

    Returns:
        (B, C) bool, never True at an anchor's own positive.
    """
    size = len(positive_id)
    exclude = (positive_id[:, None] == candidate_id) | (candidate_id == -1)  # (B, C)
    if known_positive_id.shape[1] <= FEW:
        for known in known_positive_id.T:  # all at once they would take P times the memory of the scores
            exclude |= known[:, None] == candidate_id
    else:
        exclude[_occurrences(known_positive_id, candidate_id)] = True
    own = torch.arange(size, device=exclude.device)
    exclude[own, own] = False
    return exclude


def _occurrences(known: Tensor, candidate_id: Tensor) -> tuple[Tensor, Tensor]:
    """(B, P) ids, -1 padded → row and candidate of each place where one of the row's ids stands among the (C,) candidates'."""
    rows, columns = (known != -1).nonzero(as_tuple=True)
    in_order, place = candidate_id.sort()
    wanted = known[rows, columns]
    first = torch.searchsorted(in_order, wanted)
    count = torch.searchsorted(in_order, wanted, right=True) - first
    rows, first, count = (each[count > 0] for each in (rows, first, count))
    ends = count.cumsum(0)
    nth = torch.arange(int(count.sum()), device=count.device) - (ends - count).repeat_interleave(count)
    return rows.repeat_interleave(count), place[first.repeat_interleave(count) + nth]


def info_nce_of_batch(
    batch: EmbeddingBatch, *, temperature: float, similarity: Similarity, hard_negative_weight: float
) -> Tensor:
    """``info_nce`` with the exclusion mask that the batch's ids ask for."""
    _, candidate_id = batch.candidates()
    return info_nce(
        batch.anchor,
        batch.positive,
        batch.hard_negative,
        extra_negative=batch.extra_negative,
        exclude=exclusion_mask(batch.positive_id, batch.known_positive_id, candidate_id),
        hard_negative_weight=hard_negative_weight,
        temperature=temperature,
        similarity=similarity,
    )


def info_nce_objective(
    *, temperature: float, similarity: Similarity, hard_negative_weight: float = 1.0
) -> Objective:
    """The objective with its numbers set."""
    return partial(
        info_nce_of_batch,
        temperature=temperature,
        similarity=similarity,
        hard_negative_weight=hard_negative_weight,
    )
