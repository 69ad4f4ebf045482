"""Distinct texts as numbered rows of tokens, made while the training data stream past: the text itself is not kept."""

import tempfile
from collections.abc import Callable, Hashable
from hashlib import blake2b
from itertools import pairwise
from typing import IO, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retriever.encoding.tokens import Tokens

BLOCK = 16_384
"""Texts tokenized at a time."""

SPILL_BYTES = 1 << 30
"""Tokens beyond this are kept in a temporary file (in ``TMPDIR``), memory-mapped."""

Text = TypeVar("Text", bound=Hashable)


class TokenTable(Generic[Text]):
    """Numbers distinct texts in the order in which they first come, and tokenizes them.

    A text costs its tokens, four bytes each, about a hundred bytes for its number, and eight for the hash of its tokens.

    Args:
        tokenize: texts → tokens.
        spill_bytes: of tokens in memory at most.
    """

    def __init__(self, tokenize: Callable[[list[Text]], Tokens], *, spill_bytes: int = SPILL_BYTES) -> None:
        self._tokenize, self._spill_bytes = tokenize, spill_bytes
        self._rows: dict[bytes, int] = {}
        self._waiting: list[Text] = []
        self._ids: list[NDArray[np.int32]] = []
        self._lengths: list[NDArray[np.int32]] = []
        self._hashes = bytearray()
        self._num_truncated = 0
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, text: Text) -> int:
        """The row of this text, a new one if it is new. Texts are the same if their 128-bit hashes are."""
        key = blake2b(repr(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self._rows)
            self._waiting.append(text)
            if len(self._waiting) == BLOCK:
                self._take_in()
        return row

    def tokens(self) -> Tokens:
        """Every row's tokens, (S,) int32."""
        self._take_in()
        lengths = np.concatenate([np.zeros(1, np.int32), *self._lengths])
        offsets = torch.from_numpy(lengths.astype(np.int64).cumsum())
        if self._file is None:
            ids = np.concatenate([np.zeros(0, np.int32), *self._ids])
        else:
            self._spill()
            ids = np.memmap(self._file, dtype=np.int32, mode="r+")
        return Tokens(torch.from_numpy(ids), offsets, self._num_truncated)

    def same(self) -> Tensor:
        """(len(self),) for each row the first row with the same tokens: the encoder does not tell such texts apart.

        They differ in case, in a title that the passage format leaves out, or beyond the length at which texts are cut. Tokens are
        the same if their 64-bit hashes are.
        """
        self._take_in()
        hashes = np.frombuffer(self._hashes, np.uint64)
        _, first, row = np.unique(hashes, return_index=True, return_inverse=True)
        return torch.from_numpy(first[row])

    def _take_in(self) -> None:
        """Tokenize the texts that wait."""
        if not self._waiting:
            return
        tokens = self._tokenize(self._waiting)
        self._waiting = []
        ids = tokens.ids.numpy().astype(np.int32)
        for start, end in pairwise(tokens.offsets.tolist()):
            self._hashes += blake2b(ids[start:end].tobytes(), digest_size=8).digest()
        self._ids.append(ids)
        self._lengths.append(tokens.lengths.numpy().astype(np.int32))
        self._num_truncated += tokens.num_truncated
        if sum(each.nbytes for each in self._ids) > self._spill_bytes:
            self._spill()

    def _spill(self) -> None:
        """Move the tokens in memory to the end of the file."""
        self._file = self._file or tempfile.TemporaryFile()
        for each in self._ids:
            self._file.write(each.tobytes())
        self._file.flush()
        self._ids = []
