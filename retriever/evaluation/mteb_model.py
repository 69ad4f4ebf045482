"""A model of ours for ``mteb.evaluate``: mteb 2's encoder protocol, with our prompts, lengths and passage format (extra ``mteb``)."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retriever.encoding.dual_encoder import DualEncoder
from retriever.errors import InputError
from retriever.records import Passage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mteb.models.model_meta import ModelMeta


class MtebModel:
    """Usable as ``mteb.evaluate(MtebModel("runs/dpr"), tasks)``.

    mteb says of a text that it is a query, a document or neither; the first two get the prompts and lengths of a question and a
    passage, a document's title and body are joined by the model's passage format, and the third is what ``ctl eval sts`` encodes.

    Args:
        model_name: as for ``DualEncoder.load``.
        revision: taken for mteb's sake; the revision is the model's fingerprint, by which mteb keeps its results apart.
        device: auto, cpu, cuda, cuda:N or mps.
        settings: further arguments of ``DualEncoder.load``.

    Raises:
        InputError: no such model, or mteb is not installed.
    """

    def __init__(
        self,
        model_name: str,
        revision: str | None = None,
        *,
        device: str | None = None,
        **settings: Any,  # noqa: ANN401  (whatever DualEncoder.load takes)
    ) -> None:
        try:
            import mteb  # noqa: F401
        except ImportError:
            raise InputError("mteb is not installed: pip install 'contrastive-text-learning[mteb]'") from None
        self.model = DualEncoder.load(model_name, device=device or "auto", **settings)

    def encode(
        self,
        inputs: Iterable[Mapping[str, Sequence[str]]],
        *,
        task_metadata: Any,  # noqa: ANN401  (mteb's)
        hf_split: str,
        hf_subset: str,
        prompt_type: str | None = None,
        **settings: object,
    ) -> NDArray[np.float32]:
        """All texts → (N, D) float32. The batches of ``inputs`` do not count: ours are made of texts of like length.

        Raises:
            InputError: texts that are neither queries nor documents, and two encoders.
        """
        batches = list(inputs)
        if prompt_type == "query":
            return self.model.encode_queries(_column(batches, "text"))
        if prompt_type == "document":
            return self.model.encode_passages(_passages(batches))
        if not self.model.shared:
            name = getattr(task_metadata, "name", "this task")
            raise InputError(
                f"{name} has texts of one kind, and this model has an encoder each for questions and passages"
            )
        return self.model.query.encode(_column(batches, "text"))

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:  # noqa: ANN401  (arrays or tensors, as mteb has them)
        """(N, D) and (M, D) → (N, M)."""
        from mteb import similarity_functions

        cosine = self.model.query.settings.similarity == "cosine"
        function = similarity_functions.cos_sim if cosine else similarity_functions.dot_score
        return function(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:  # noqa: ANN401  (as above)
        """(N, D) and (N, D) → (N,)."""
        from mteb import similarity_functions

        cosine = self.model.query.settings.similarity == "cosine"
        function = (
            similarity_functions.pairwise_cos_sim if cosine else similarity_functions.pairwise_dot_score
        )
        return function(embeddings1, embeddings2)

    @cached_property
    def mteb_model_meta(self) -> ModelMeta:
        """What mteb writes beside its results."""
        from mteb.models.model_meta import ModelMeta

        passage = self.model.passage
        name = re.sub(r"[^\w.-]+", "-", Path(passage.name).name) or "model"
        return ModelMeta.create_empty(
            overwrites={
                "name": f"ctl/{name}",
                "revision": self.model.fingerprint,
                "n_parameters": sum(each.numel() for each in self.model.parameters()),
                "max_tokens": passage.settings.max_length,
                "embed_dim": self.model.dimension,
                "similarity_fn_name": passage.settings.similarity,
                "framework": ["PyTorch"],
                "use_instructions": any(passage.settings.prompts.values()),
            }
        )


def _column(batches: Sequence[Mapping[str, Sequence[str]]], name: str) -> list[str]:
    return list(chain.from_iterable(each[name] for each in batches))


def _passages(batches: Sequence[Mapping[str, Sequence[str]]]) -> list[Passage]:
    """Title and body apart; mteb's own ``text`` is the two joined by a space."""
    found = []
    for batch in batches:
        bodies = batch.get("body", batch["text"])
        titles = batch.get("title", [""] * len(bodies)) if "body" in batch else [""] * len(bodies)
        found += [Passage("", body, title) for title, body in zip(titles, bodies, strict=True)]
    return found
