"""Search by embeddings."""

from collections.abc import Sequence

from retriever.protocols import EncodeTexts, VectorIndex
from retriever.records import Ranking


class DenseSearcher:
    """Encodes questions and asks a vector index.

    Args:
        encode: questions → (Q, D) vectors of the index's space.
        index: the passages' vectors.
    """

    def __init__(self, encode: EncodeTexts, index: VectorIndex) -> None:
        self.encode, self.index = encode, index

    def search(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """One ranking a question, at most k passages each."""
        return self.index.search(self.encode(queries), k) if queries else []
