"""Training examples as rows of token tables, and the batch of any step. Text is tokenized once, before the first step."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import accumulate

import torch
from torch import Tensor

from retriever.encoding.tokens import Tokens
from retriever.errors import InputError

EMPTY = -1
"""In place of a row: nothing is there."""


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

    @property
    def texts(self) -> list[Tokens]:
        """Anchors, positives and, where there are any, hard negatives."""
        return [self.anchor, self.positive, *([] if self.hard_negative is None else [self.hard_negative])]

    @property
    def num_tokens(self) -> int:
        """S, tokens in all texts together."""
        return sum(len(each.ids) for each in self.texts)


@dataclass(frozen=True)
class Ragged:
    """n lists of rows laid end to end.

    Attributes:
        rows: (T,) int64.
        offsets: (n+1,) int64; list i is ``rows[offsets[i]:offsets[i+1]]``.
    """

    rows: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, lists: Iterable[Sequence[int]]) -> "Ragged":
        """From Python's lists, taken one at a time."""
        rows, lengths = array("q"), array("q", [0])
        for each in lists:
            rows.extend(each)
            lengths.append(len(each))
        return cls(as_tensor(rows), as_tensor(lengths).cumsum(0))

    @classmethod
    def grouped(cls, keys: Tensor, rows: Tensor, count: int) -> "Ragged":
        """``count`` lists: list k has the different rows that stand beside key k."""
        keys, rows = distinct_pairs(keys, rows)  # sorted by key
        lengths = torch.bincount(keys, minlength=count)
        return cls(rows, torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]))

    def renumbered(self, numbers: Tensor) -> "Ragged":
        """``numbers[row]`` in place of each row."""
        return Ragged(numbers[self.rows], self.offsets)

    @property
    def lengths(self) -> Tensor:
        """(n,) rows in each list."""
        return self.offsets.diff()

    def padded(self, lists: Tensor) -> Tensor:
        """(B, longest): all rows of each of B lists, padded with -1; at least one column."""
        return self.take(lists, max(1, int(self.lengths[lists].max())), 0)

    def shuffled(self, seed: int) -> "Ragged":
        """Each list in a random order of its own."""
        keys = torch.rand(len(self.rows), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        lists = torch.repeat_interleave(torch.arange(len(self.lengths)), self.lengths)
        return Ragged(self.rows[torch.argsort(lists + keys)], self.offsets)

    def take(self, lists: Tensor, count: int, turn: int | Tensor) -> Tensor:
        """(B, count): the next ``count`` rows of each of B lists, going round; -1 where a list has fewer.

        Turn 0 takes the first ``count``, turn 1 the next, and so on: no row comes twice before each has come once. Of a tensor,
        (B,), each list has its own turn.
        """
        lengths = self.lengths[lists][:, None]  # (B, 1)
        place = torch.arange(count)
        begin = torch.as_tensor(turn).reshape(-1, 1) * count  # (B or 1, 1)
        source = self.offsets[:-1][lists][:, None] + (begin + place) % lengths.clamp(min=1)
        there = place < lengths  # (B, count)
        taken = self.rows[source.where(there, 0)] if len(self.rows) else torch.zeros(there.shape).long()
        return taken.where(there, EMPTY)


@dataclass(frozen=True)
class TrainingSet:
    """n examples over two token tables; SimCSE uses one table for both.

    Attributes:
        anchors: the anchor texts.
        passages: the positive and negative texts.
        anchor: (n,) row of each example's anchor.
        positive: (n,) row of the positive that it is trained towards.
        known_positives: for each row of ``anchors``, every positive that any example gives it.
        hard_negatives: rows of each example's hard negatives.
        other_negatives: rows of each example's other (random) negatives.
        parts: sizes of the data sets that lie in it one after the other.
    """

    anchors: Tokens
    passages: Tokens
    anchor: Tensor
    positive: Tensor
    known_positives: Ragged
    hard_negatives: Ragged
    other_negatives: Ragged
    parts: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.anchor)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over tokens and examples: equal fingerprints give equal batches."""
        digest = sha256()
        for tokens in (self.anchors, self.passages):
            for part in (tokens.ids, tokens.offsets):
                digest.update(part.numpy().data)
        lists = (self.known_positives, self.hard_negatives, self.other_negatives)
        for part in (self.anchor, self.positive, *(x for each in lists for x in (each.rows, each.offsets))):
            digest.update(part.numpy().data)
        digest.update(repr(list(self.parts)).encode())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Negatives:
    """How many negatives of each kind go with an anchor, besides the other anchors' passages.

    Attributes:
        hard: from the example's hard negatives.
        other: from its other negatives (DPR's ``negative_ctxs``).
        gold: positives of random other examples (DPR, table 3), which need not be in the batch.
        hardest_first: whether hard negatives are taken in the order of their list, not in a random order of each example's own.
    """

    hard: int = 0
    other: int = 0
    gold: int = 0
    hardest_first: bool = False

    @property
    def total(self) -> int:
        """K."""
        return self.hard + self.other + self.gold


class Sampler:
    """Which examples and which negatives make the batch of a step: a function of seed and step alone.

    So a run goes on at any step with the batches that it would have had, and every process knows its share without asking.

    Args:
        examples: what is drawn from.
        batch_size: B, examples per step and process.
        seed: of every choice.
        negatives: how many of each kind.
        rates: how often each part of the training set is gone through in an epoch; empty: once, all parts mixed.
        rank: which process this is.
        world_size: W; a step takes W·B examples.

    Raises:
        InputError: the examples do not fill one step.
    """

    def __init__(
        self,
        examples: TrainingSet,
        *,
        batch_size: int,
        seed: int,
        negatives: Negatives,
        rates: Sequence[float] = (),
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.examples, self.batch_size, self.seed, self.negatives = examples, batch_size, seed, negatives
        self.rank, self.world_size = rank, world_size
        hard = examples.hard_negatives
        self._hard = hard if negatives.hardest_first else hard.shuffled(seed)
        self._other = examples.other_negatives.shuffled(seed)
        sizes = examples.parts if rates else [len(examples)]
        starts = [0, *accumulate(sizes)]
        # first row, number of examples, examples per epoch
        self._parts = [
            (start, size, round(size * rate))
            for start, size, rate in zip(starts, sizes, rates or [1.0], strict=False)
        ]
        self.steps_per_epoch = sum(count // self.step_size for _, _, count in self._parts)
        for number, (_, size, count) in enumerate(self._parts, start=1):
            if count < self.step_size:
                of = "" if world_size == 1 else f" of {world_size} processes"
                place = f" of --train file {number} at rate {rates[number - 1]:g}" if rates else ""
                raise InputError(
                    f"{size} training examples{place} do not fill one batch of {self.step_size}{of}: lower --batch-size"
                )
        self._drawn: tuple[int, Tensor, Tensor, Tensor] | None = None

    @property
    def step_size(self) -> int:
        """W·B, examples in a step of all processes; what does not fill one at the end of an epoch is dropped."""
        return self.batch_size * self.world_size

    def batch(self, step: int) -> TokenBatch:
        """This process's batch of a step; steps are counted from 0 over all epochs."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, *self._draw(epoch))
        _, order, turns, shifts = self._drawn
        rows, turn = (
            each[place].reshape(self.world_size, self.batch_size)[self.rank] for each in (order, turns)
        )  # (B,) each
        found, ids = self.examples, self._negative_ids(rows, turn, shifts)
        return TokenBatch(
            anchor=found.anchors.select(found.anchor[rows]),
            positive=found.passages.select(found.positive[rows]),
            hard_negative=None if ids is None else found.passages.select(ids[ids != EMPTY]),
            positive_id=found.positive[rows],
            hard_negative_id=ids,
            known_positive_id=found.known_positives.padded(found.anchor[rows]),
        )

    def _draw(self, epoch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of each batch of an epoch and their turns, (steps, W·B) each, and a shift for each gold negative, (G,).

        Each part is gone through in one random order after another, whatever its rate: an epoch goes on where the one before
        ended, the examples that did not fill its last batch being left out. A row's turn is the number of its order.
        """
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        batches, turns = [], []
        for part, (start, size, count) in enumerate(self._parts):
            places = epoch * count + torch.arange(count // self.step_size * self.step_size)
            turn = places // size
            begin, end = int(turn[0]), int(turn[-1]) + 1
            rounds = torch.stack([self._order(part, number) for number in range(begin, end)])
            batches.append((rounds[turn - begin, places % size] + start).reshape(-1, self.step_size))
            turns.append(turn.reshape(-1, self.step_size))
        order, turn = torch.cat(batches), torch.cat(turns)
        if len(batches) > 1:
            mixed = torch.randperm(len(order), generator=generator)
            order, turn = order[mixed], turn[mixed]
        others = max(1, len(self.examples) - 1)
        first = torch.randint(others, (1,), generator=generator)
        return order, turn, 1 + (first + torch.arange(self.negatives.gold)) % others

    def _order(self, part: int, number: int) -> Tensor:
        """(size,) one of the random orders in which a part is gone through."""
        seed = (self.seed * 1_000_003 + number) ^ (part << 48)
        return torch.randperm(self._parts[part][1], generator=torch.Generator().manual_seed(seed))

    def _negative_ids(self, rows: Tensor, turn: Tensor, gold_shifts: Tensor) -> Tensor | None:
        """(B, K): the hard, other and gold negatives of the examples at these rows, the next of each by its turn, (B,)."""
        wanted, count = self.negatives, len(self.examples)
        if not wanted.total:
            return None
        return torch.cat(
            [
                self._hard.take(rows, wanted.hard, turn),
                self._other.take(rows, wanted.other, turn),
                self.examples.positive[(rows[:, None] + gold_shifts) % count],
            ],
            dim=1,
        )


def distinct_pairs(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) and (n,) numbers from 0, whose product of ranges fits 64 bits → the different pairs, in order.

    They are sorted as single numbers: as pairs, a million take seconds.
    """
    width = int(second.max()) + 1 if len(second) else 1
    pairs = torch.unique(first * width + second)
    return pairs // width, pairs % width


def as_tensor(numbers: "array[int]") -> Tensor:
    """64-bit numbers as a tensor; of none, too, which ``torch.frombuffer`` refuses."""
    return torch.frombuffer(numbers, dtype=torch.int64) if len(numbers) else torch.empty(0, dtype=torch.int64)
