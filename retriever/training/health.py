"""What tells a healthy training run from a broken one, measured on its own batches: numbers, and warnings with a remedy."""

import logging
import sys
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize

from retriever.choices import Similarity
from retriever.losses.embedding_batch import EmbeddingBatch
from retriever.losses.info_nce import exclusion_mask
from retriever.losses.similarity import similarity_matrix

logger = logging.getLogger(__name__)

COLLAPSED_COSINE, SETTLED_STEP = 0.99, 100
"""Random pairs that are this alike mean that everything is mapped to one point; some models start so, and need some steps."""

WORSE_UNIFORMITY = 0.5
"""A rise of uniformity over its first value that is no fluctuation any more."""

SAMPLE = 512
"""Anchors of a batch whose embeddings are looked at; their order is random."""

MANY_DUPLICATES = 0.05
"""Share of positives that other examples of the batch have too: each is a negative less than the batch size promises."""


@torch.no_grad()
def embedding_health(batch: EmbeddingBatch, similarity: Similarity) -> dict[str, Tensor]:
    """Numbers of one training batch, dropout on; each is () on the batch's device.

    * ``in_batch_accuracy``: share of anchors to which no candidate is as similar as their own positive.
    * ``alignment``, ``uniformity``: Wang & Isola's, of the anchors and positives, and of the anchors.
    * ``mean_cosine``: of pairs of anchors.
    * ``embedding_std``: standard deviation of a coordinate of the normalised anchors, mean over the coordinates; 1/√D when they
      point everywhere, 0 when they are one point.
    * ``duplicate_positives``: share of positives that are a candidate more than once.

    Candidates are those that the batch has: with ``extra_negative`` those of all processes. Of a large batch ``SAMPLE`` anchors are
    looked at, so that watching costs less memory than training.
    """
    size = min(SAMPLE, len(batch.anchor))
    anchors, positive_id = batch.anchor[:size], batch.positive_id[:size]
    anchor, positive = normalize(anchors, dim=-1), normalize(batch.positive[:size], dim=-1)  # (size, D)
    candidates, candidate_id = batch.candidates()
    scores = similarity_matrix(anchors, candidates, similarity)  # (size, C)
    own = scores.diagonal().clone()
    scores.masked_fill_(exclusion_mask(positive_id, batch.known_positive_id[:size], candidate_id), -torch.inf)
    scores.fill_diagonal_(-torch.inf)
    cosine = anchor @ anchor.T  # (size, size)
    pairs = cosine[~torch.eye(size, dtype=torch.bool, device=cosine.device)]
    copies = (positive_id[:, None] == candidate_id).sum(1)  # (size,)
    return {
        "in_batch_accuracy": (own > scores.amax(1)).float().mean(),
        "alignment": (anchor - positive).square().sum(1).mean(),
        "uniformity": (-2 * (2 - 2 * pairs)).exp().mean().log(),
        "mean_cosine": pairs.mean(),
        "embedding_std": anchor.std(0).mean(),
        "duplicate_positives": (copies > 1).float().mean(),
    }


class Warnings:
    """Says once what is wrong with a run, and what to do about it."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._first_uniformity: float | None = None

    def check(self, step: int, metrics: Mapping[str, float], *, zero_loss: bool) -> None:
        """Look at the metrics of the steps since the last look."""
        uniformity = metrics["uniformity"]
        if self._first_uniformity is None:
            self._first_uniformity = uniformity
        if zero_loss:
            self._say(
                "zero",
                "the loss is exactly 0: there is nothing to learn in these batches; harder negatives help",
                step,
            )
        if metrics["mean_cosine"] > COLLAPSED_COSINE and step >= SETTLED_STEP:
            self._say(
                "collapse",
                f"the embeddings have collapsed to one point (mean cosine {metrics['mean_cosine']:.3f}): "
                "lower --learning-rate, raise --batch-size, or start from another model",
                step,
            )
        if uniformity > self._first_uniformity + WORSE_UNIFORMITY:
            self._say(
                "uniformity",
                f"uniformity got worse, from {self._first_uniformity:.2f} to {uniformity:.2f}: "
                "a lower --learning-rate or --temperature spreads the embeddings",
                step,
            )
        if metrics["duplicate_positives"] > MANY_DUPLICATES:
            self._say(
                "duplicates",
                f"{metrics['duplicate_positives']:.0%} of the positives occur more than once in a batch, so that many anchors have "
                "fewer negatives than the batch size says: the training data repeat them, or name them as negatives of others",
                step,
            )

    def _say(self, kind: str, warning: str, step: int) -> None:
        if kind not in self._said:
            self._said.add(kind)
            logger.warning("step %d: %s", step, warning)


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has held at most: of the GPU's memory on a GPU, else of the machine's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # which Windows does not have

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
