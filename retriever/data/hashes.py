"""64-bit hashes of strings, the same on every machine."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Digest(Protocol):
    """A hash of ``hashlib``."""

    def update(self, data: bytes, /) -> None:
        """More bytes."""
        ...


def add_text(digest: Digest, text: str) -> None:
    """Let a text count for a digest, so that no two lists of texts read alike."""
    encoded = text.encode("utf-8", "surrogatepass")
    digest.update(len(encoded).to_bytes(8, "big") + encoded)


def hashes_of(strings: Iterable[str]) -> NDArray[np.uint64]:
    """(n,) hashes: of ten million strings two are alike with a probability of one in three hundred thousand."""
    digests = (blake2b(each.encode("utf-8", "surrogatepass"), digest_size=8).digest() for each in strings)
    return np.fromiter((int.from_bytes(each, "little") for each in digests), np.uint64)
