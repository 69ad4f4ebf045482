"""A question encoder and a passage encoder: one and the same, or two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from retriever.choices import PassageFormat, PoolingRequest, Precision, TextRole
from retriever.data.files import read_json, write_json
from retriever.encoding.encoder import Encoder
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import DUAL_ENCODER_FILE
from retriever.encoding.tokens import Tokens
from retriever.errors import InputError
from retriever.protocols import Progress, no_progress
from retriever.records import Passage

FORMAT_VERSION = 1


class DualEncoder(nn.Module):
    """Embeds questions and passages into one space; two encoders are told what each of them embeds, and save it.

    Args:
        query: the question encoder.
        passage: the passage encoder; the same object as ``query`` when they share their weights.
        query_length: tokens per question where the settings have no length of questions, as ``Encoder.tokenize`` takes them; None:
            as many as the question encoder takes of any text.

    Raises:
        InputError: the two give embeddings of different size, or for different similarities.
    """

    def __init__(
        self, query: Encoder, passage: Encoder | None = None, *, query_length: int | None = None
    ) -> None:
        super().__init__()
        self.query, self.query_length = query, query_length
        self.passage = query if passage is None else passage
        if self.query.dimension != self.passage.dimension:
            raise InputError(
                f"the question encoder gives {self.query.dimension} dimensions, "
                f"the passage encoder {self.passage.dimension}"
            )
        if self.query.settings.similarity != self.passage.settings.similarity:
            raise InputError(
                f"the question encoder's similarity is {self.query.settings.similarity}, "
                f"the passage encoder's {self.passage.settings.similarity}"
            )
        self.query.settings = replace(self.query.settings, role=None if self.shared else "query")
        self.passage.settings = replace(self.passage.settings, role=None if self.shared else "passage")

    @property
    def shared(self) -> bool:
        """Whether questions and passages go through the same weights."""
        return self.query is self.passage

    @classmethod
    def load(
        cls,
        name: str | Path,
        passage_name: str | Path | None = None,
        *,
        pooling: PoolingRequest | None = None,
        max_length: int | None = None,
        passage_format: PassageFormat | None = None,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> DualEncoder:
        """Load any model: a dual encoder's folder (``query/`` and ``passage/``), two models, or one encoder for both.

        Args:
            name: as for ``Encoder.load``; a dual encoder's folder, too.
            passage_name: the passages' model when it is another one, such as DPR's context encoder.
            pooling: as for ``Encoder.load``.
            max_length: tokens per passage, instead of what the folder declares; questions are cut where they are without it.
            passage_format: how title and text become one input, instead of what the folder declares.
            device: auto, cpu, cuda, cuda:N or mps.
            precision: auto, bf16 or fp32.

        Raises:
            InputError: as for ``Encoder.load``, or an encoder that is not made for what it is to embed.
        """
        query_at = half(name, "query")
        shared = passage_name is None and query_at == str(name)
        passage = Encoder.load(
            name if shared else half(passage_name or name, "passage"),
            pooling=pooling,
            max_length=max_length,
            passage_format=passage_format,
            device=device,
            precision=precision,
        )
        passage.name = str(passage_name or name)
        if shared:
            require_role(passage, None)
            return cls(passage, query_length=passage.declared_length)
        query = Encoder.load(query_at, pooling=pooling, device=device, precision=precision)
        query.name = str(name)
        require_role(query, "query")
        require_role(passage, "passage")
        return cls(query, passage)

    def save(self, folder: str | Path) -> None:
        """Write one model folder when shared, else ``query/``, ``passage/`` and ``dual_encoder.json``."""
        folder = Path(folder)
        if self.shared:
            self.query.save(folder)
            (folder / DUAL_ENCODER_FILE).unlink(missing_ok=True)
            return
        self.query.save(folder / "query")
        self.passage.save(folder / "passage")
        write_json(folder / DUAL_ENCODER_FILE, {"format_version": FORMAT_VERSION})

    @property
    def dimension(self) -> int:
        """D, the embedding size."""
        return self.passage.dimension

    @property
    def fingerprint(self) -> str:
        """As ``Encoder.fingerprint``; over both encoders when there are two."""
        if self.shared:
            return self.query.fingerprint
        return sha256(f"{self.query.fingerprint} {self.passage.fingerprint}".encode()).hexdigest()

    def describe(self) -> str:
        """One line for people."""
        if self.shared:
            return self.query.describe()
        return f"two encoders, questions: {self.query.name}, passages: {self.passage.describe()}"

    def tokenize_passages(self, passages: Sequence[Passage]) -> Tokens:
        """N passages → ragged ids, title and text joined by the passage format."""
        return self.passage.tokenize(
            *format_passages(passages, self.passage.settings.passage_format), role="passage"
        )

    def tokenize_queries(self, texts: Sequence[str]) -> Tokens:
        """N questions → ragged ids."""
        return self.query.tokenize(texts, role="query", max_length=self._query_length)

    def encode_queries(
        self, texts: Sequence[str], *, progress: Progress = no_progress
    ) -> NDArray[np.float32]:
        """N questions → (N, D) float32, in the caller's order; unit length when the similarity is cosine."""
        embeddings = self.query.encode(texts, role="query", max_length=self._query_length, progress=progress)
        return comparable(embeddings, self.query)

    @property
    def _query_length(self) -> int | None:
        own = self.query.settings.query_max_length
        return self.query_length if own is None else own

    def encode_passages(
        self, passages: Sequence[Passage], *, progress: Progress = no_progress
    ) -> NDArray[np.float32]:
        """N passages → (N, D) float32, in the caller's order; unit length when the similarity is cosine."""
        texts, titles = format_passages(passages, self.passage.settings.passage_format)
        embeddings = self.passage.encode(texts, titles, role="passage", progress=progress)
        return comparable(embeddings, self.passage)


def comparable(embeddings: NDArray[np.float32], encoder: Encoder) -> NDArray[np.float32]:
    """Embeddings whose inner product is the encoder's similarity."""
    if encoder.settings.similarity == "dot" or encoder.settings.normalize:
        return embeddings
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)


def half(name: str | Path, role: TextRole) -> str:
    """What ``Encoder.load`` takes for this role: the model itself, or a subfolder of a dual encoder's folder."""
    file = locate_model(str(name)) / DUAL_ENCODER_FILE
    if not file.is_file():
        return str(name)
    layout = read_json(file)
    if not isinstance(layout, dict) or layout.get("format_version") != FORMAT_VERSION:
        raise InputError(f"expected a dual encoder of format version {FORMAT_VERSION}", path=file)
    return str(file.parent / role)


def require_role(encoder: Encoder, role: TextRole | None) -> None:
    """Raise InputError when an encoder is to embed (None: both) what it is not made for.

    The original DPR loads either encoder's weights for either role and says nothing.
    """
    made_for = encoder.settings.role
    if made_for in (None, role):
        return
    embeds = {"query": "questions", "passage": "passages"}[made_for]
    remedy = {
        "query": "name the passages' encoder with --passage-model",
        "passage": "name the questions' encoder with --model, and this one with --passage-model",
    }[made_for]
    raise InputError(f"model '{encoder.name}' is one of two encoders and embeds {embeds} only: {remedy}")


JOIN: dict[PassageFormat, Callable[[str, str], str]] = {
    "{title}. {text}": lambda title, text: f"{title}. {text}",
    "{title} {text}": lambda title, text: f"{title} {text}",
    "{text}": lambda title, text: text,
}
"""How each passage format but ``pair`` makes one string of title and text."""


def format_passages(
    passages: Sequence[Passage], passage_format: PassageFormat
) -> tuple[list[str], list[str] | None]:
    """Passages → texts, and titles when the two are a pair."""
    formatted = [format_passage(each, passage_format) for each in passages]
    titles = [title for title, _ in formatted] if passage_format == "pair" else None
    return [text for _, text in formatted], titles


def format_passage(passage: Passage, passage_format: PassageFormat) -> tuple[str, str]:
    """Title and text as they go into an encoder, the title empty unless the two are a pair; without title a passage is its text alone."""
    if passage_format == "pair":
        return passage.title, passage.text
    return "", JOIN[passage_format](passage.title, passage.text) if passage.title else passage.text
