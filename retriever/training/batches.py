"""Training examples as rows of token tables, and the batches of an epoch. Text is tokenized once, before the first step."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from retriever.encoding.tokens import Tokens
from retriever.errors import InputError

EMPTY = -1
"""In place of a row: nothing is there."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class TokenBatch:
    """One batch before the encoder.

    Attributes:
        anchor: B texts.
        positive: B texts.
        hard_negative: the hard negatives that exist, in the order of ``hard_negative_id``, or None when K is 0.
        positive_id: (B,) rows of the passage table.
        hard_negative_id: (B, K) rows of the passage table, -1 where an example has fewer than K; None when K is 0.
        known_positive_id: (B, P) rows of the passage table, -1 padded.
    """

    anchor: Tokens
    positive: Tokens
    hard_negative: Tokens | None
    positive_id: Tensor
    hard_negative_id: Tensor | None
    known_positive_id: Tensor

    def __len__(self) -> int:
        return len(self.anchor)


@dataclass(frozen=True)
class TrainingSet:
    """n examples over two token tables; SimCSE uses one table for both.

    Attributes:
        anchors: the anchor texts.
        passages: the positive and hard negative texts.
        anchor: (n,) row of each example's anchor.
        positive: (n,) row of the positive that it is trained towards.
        known_positives: (n, P) rows of every positive of its anchor, -1 padded.
        hard_negatives: n tuples of rows, of any length.
    """

    anchors: Tokens
    passages: Tokens
    anchor: Tensor
    positive: Tensor
    known_positives: Tensor
    hard_negatives: Sequence[tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.anchor)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Full batches in an epoch; the ragged rest is dropped, so every step has the same number of negatives.

        Raises:
            InputError: there is not one full batch.
        """
        if len(self) < batch_size:
            raise InputError(
                f"{len(self)} training examples do not fill one batch of {batch_size}: lower --batch-size"
            )
        return len(self) // batch_size

    def epoch(
        self, epoch: int, *, seed: int, batch_size: int, num_hard_negatives: int
    ) -> Iterator[TokenBatch]:
        """The batches of one epoch: order and choice of hard negatives depend on seed and epoch alone."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(len(self), generator=generator)
        for rows in order[: self.steps_per_epoch(batch_size) * batch_size].split(batch_size):
            yield self.batch(rows, num_hard_negatives=num_hard_negatives, generator=generator)

    def batch(self, rows: Tensor, *, num_hard_negatives: int, generator: torch.Generator) -> TokenBatch:
        """The examples at these rows; each takes a random ``num_hard_negatives`` of its hard negatives."""
        hard_ids = None
        if num_hard_negatives:
            hard_ids = torch.full((len(rows), num_hard_negatives), EMPTY)
            for place, row in enumerate(rows.tolist()):
                all_of_it = torch.tensor(self.hard_negatives[row], dtype=torch.int64)
                chosen = all_of_it[torch.randperm(len(all_of_it), generator=generator)[:num_hard_negatives]]
                hard_ids[place, : len(chosen)] = chosen
        return TokenBatch(
            anchor=self.anchors.select(self.anchor[rows]),
            positive=self.passages.select(self.positive[rows]),
            hard_negative=None if hard_ids is None else self.passages.select(hard_ids[hard_ids != EMPTY]),
            positive_id=self.positive[rows],
            hard_negative_id=hard_ids,
            known_positive_id=self.known_positives[rows],
        )


def padded_rows(rows: Sequence[Sequence[int]]) -> Tensor:
    """Ragged rows → (n, longest) int64, padded with -1; at least one column."""
    widest = max(1, max(map(len, rows), default=0))
    return torch.tensor([[*row, *[EMPTY] * (widest - len(row))] for row in rows], dtype=torch.int64).reshape(
        -1, widest
    )


class Table(Generic[Key]):
    """Numbers distinct things in the order in which they first come."""

    def __init__(self) -> None:
        self._rows: dict[Key, int] = {}

    def row(self, key: Key) -> int:
        """The row of this thing, a new one if it is new."""
        return self._rows.setdefault(key, len(self._rows))

    def keys(self) -> list[Key]:
        """The things, by row."""
        return list(self._rows)


def known_positives(anchor: Sequence[int], positive: Sequence[Sequence[int]]) -> Tensor:
    """(n, P): for each example the positives of every example with the same anchor, -1 padded."""
    together: dict[int, dict[int, None]] = {}
    for row, positives in zip(anchor, positive, strict=True):
        together.setdefault(row, {}).update(dict.fromkeys(positives))
    return padded_rows([list(together[row]) for row in anchor])
