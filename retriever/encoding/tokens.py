"""Ragged token ids: the only form in which text travels to the encoder. Padding, if any, is the encoder's affair."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from retriever.errors import InputError


@dataclass(frozen=True)
class Tokens:
    """N token sequences laid end to end.

    Attributes:
        ids: (S,) token ids, special tokens included; int64, or int32 in a large table.
        offsets: (N+1,) int64 on the CPU; text n is ``ids[offsets[n]:offsets[n+1]]``.
        num_truncated: how many of the texts were cut at the maximum length.
    """

    ids: Tensor
    offsets: Tensor
    num_truncated: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """(N,) tokens per text, on the CPU."""
        return self.offsets.diff()

    def to(self, device: torch.device) -> "Tokens":
        """The same tokens with the ids on another device; offsets stay on the CPU, where batches are planned."""
        return Tokens(self.ids.to(device, non_blocking=True), self.offsets, self.num_truncated)

    def select(self, rows: Sequence[int] | Tensor) -> "Tokens":
        """The texts at these rows, in this order, as int64."""
        rows = torch.as_tensor(rows, dtype=torch.int64)
        lengths = self.lengths[rows]
        offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        source = torch.repeat_interleave(self.offsets[rows] - offsets[:-1], lengths) + torch.arange(
            int(offsets[-1])
        )
        return Tokens(self.ids[source.to(self.ids.device)].long(), offsets)

    def longest_first(self) -> Tensor:
        """(N,) rows in the order in which texts of like length run together; equal lengths keep their order."""
        return torch.argsort(self.lengths, descending=True, stable=True)

    def split(self, max_tokens: int) -> Iterator["Tokens"]:
        """Consecutive runs of texts with at most ``max_tokens`` tokens each; a longer text is alone in its run."""
        offsets: list[int] = self.offsets.tolist()
        start = 0
        for row in range(1, len(offsets)):
            if row == len(offsets) - 1 or offsets[row + 1] - offsets[start] > max_tokens:
                yield Tokens(
                    self.ids[offsets[start] : offsets[row]], self.offsets[start : row + 1] - offsets[start]
                )
                start = row

    def padded(self, pad_id: int) -> tuple[Tensor, Tensor]:
        """(N, L) ids and (N, L) bool mask, padded on the right to the longest text."""
        lengths = self.lengths.to(self.ids.device)  # (N,)
        mask = torch.arange(int(self.lengths.max()), device=self.ids.device) < lengths[:, None]  # (N, L)
        ids = self.ids.new_full(mask.shape, pad_id)
        ids[mask] = self.ids
        return ids, mask

    @staticmethod
    def concatenate(parts: Sequence["Tokens"]) -> "Tokens":
        """All texts of the parts, in order."""
        shifts = [0, *accumulate(int(part.offsets[-1]) for part in parts)]
        offsets = [part.offsets[1:] + shift for part, shift in zip(parts, shifts, strict=False)]
        return Tokens(
            torch.cat([part.ids for part in parts]),
            torch.cat([torch.zeros(1, dtype=torch.int64), *offsets]),
            sum(part.num_truncated for part in parts),
        )


def prepare(
    texts: Sequence[str], titles: Sequence[str] | None = None, *, prompt: str = "", lowercase: bool = False
) -> tuple[list[str], list[str] | None]:
    """Texts, and titles if there are any, as the tokenizer gets them: the prompt before what comes first, lower case if so set."""
    texts, titles = list(texts), list(titles) if titles is not None else None
    if prompt:
        first = titles if titles is not None else [""] * len(texts)
        texts = [text if title else prompt + text for title, text in zip(first, texts, strict=True)]
        titles = None if titles is None else [prompt + title if title else "" for title in titles]
    if lowercase:
        texts = [text.lower() for text in texts]
        titles = None if titles is None else [title.lower() for title in titles]
    return texts, titles


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    titles: Sequence[str] | None = None,
    *,
    max_length: int,
) -> Tokens:
    """Texts, or title and text pairs, → ragged ids with the tokenizer's special tokens.

    A pair becomes ``[CLS] title [SEP] text [SEP]``; a passage without title is encoded alone. When a pair is too long, the
    longer half is cut first (as in DPR's tensorizer). No segment ids are made: DPR gives both segments id 0.

    Raises:
        InputError: ``max_length`` leaves no room beside the special tokens.
    """
    if not texts:
        return Tokens(torch.empty(0, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    if titles is None or not any(titles):
        return _tokenize(tokenizer, list(texts), None, max_length)
    if all(titles):
        return _tokenize(tokenizer, list(titles), list(texts), max_length)
    order = sorted(range(len(texts)), key=lambda row: not titles[row])
    count = sum(map(bool, titles))
    pairs, alone = order[:count], order[count:]
    both = Tokens.concatenate(
        [
            _tokenize(tokenizer, [titles[row] for row in pairs], [texts[row] for row in pairs], max_length),
            _tokenize(tokenizer, [texts[row] for row in alone], None, max_length),
        ]
    )
    back = both.select(torch.argsort(torch.tensor(order)))
    return Tokens(back.ids, back.offsets, both.num_truncated)


def _tokenize(
    tokenizer: PreTrainedTokenizerBase, first: list[str], second: list[str] | None, max_length: int
) -> Tokens:
    """One call of the tokenizer, its lists laid end to end."""
    special = tokenizer.num_special_tokens_to_add(pair=second is not None)
    if max_length <= special:
        what = "a text" if second is None else "title and text"
        raise InputError(
            f"a length of {max_length} leaves no token for {what}: the tokenizer adds {special} of its own"
        )
    batch = tokenizer(
        first,
        second,
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    rows: list[list[int]] = batch["input_ids"]
    if batch.encodings is not None:
        cut = sum(bool(encoding.overflowing) for encoding in batch.encodings)
    else:  # tokenizers written in Python do not tell: a text that fills the length counts as cut
        cut = sum(len(row) >= max_length for row in rows)
    offsets = torch.tensor([0, *accumulate(map(len, rows))], dtype=torch.int64)
    return Tokens(torch.tensor([each for row in rows for each in row], dtype=torch.int64), offsets, cut)
