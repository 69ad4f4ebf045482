"""What ``ctl eval geometry`` measures of one model, and how: the policy, the hash of the texts, and the metrics as results hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retriever.choices import TextRole
from retriever.config.geometry import EvalGeometryConfig
from retriever.data.hashes import add_text
from retriever.encoding.dual_encoder import format_passages
from retriever.evaluation.embedding_space import Geometry, measure_geometry
from retriever.evaluation.results import Evaluation
from retriever.protocols import Progress
from retriever.records import Passage

if TYPE_CHECKING:
    from retriever.encoding.encoder import Encoder

Pairs = Sequence[tuple[Passage, Passage]]

POLICY = {
    "alignment": "STS pairs with a score above 4, squared distance (SimCSE)",
    "uniformity": "t = 2, all pairs of texts; a text that occurs twice counts twice",
    "mean_cosine": "all pairs of texts, exact",
    "spectrum": "normalised, uncentred embeddings divided by the root of their number",
    "effective_rank": "exp of the entropy of the singular values divided by their sum (Roy and Vetterli 2007)",
    "hubness": "skewness of the 10-occurrences by cosine, of different texts; ties share the last places",
    "intervals": "95 %, percentile bootstrap over texts, alignment's over pairs; uniformity and mean cosine to first order; "
    "none of spectrum and hubness: a text that is drawn twice is its own neighbour and no new direction",
}
"""How each measure is defined."""


def geometry_evaluation(
    config: EvalGeometryConfig,
    model: "Encoder",
    about: Mapping[str, object],
    texts: Sequence[Passage],
    positives: Pairs,
) -> Evaluation:
    """What is measured, and how: of which texts in which order, and of which pairs; ``about`` is what results say of the model."""
    digest = sha256()
    for part in (texts, [side for pair in positives for side in pair]):
        digest.update(len(part).to_bytes(8, "big"))
        for each in part:
            add_text(digest, each.title)
            add_text(digest, each.text)
    sources = {"sts": config.sts, "sentences": config.sentences, "passages": config.passages}
    task = next(each for each in (config.passages, config.sentences, config.sts) if each is not None)
    return Evaluation(
        suite="geometry",
        task=task.resolve().stem,
        policy={
            **POLICY,
            "sample": config.sample,
            "seed": config.seed,
            "precision": model.precision,
            "max_length": model.settings.max_length,
        },
        model=about,
        data={
            **{name: str(path) for name, path in sources.items() if path is not None},
            "sha256": digest.hexdigest(),
        },
    )


def measure_model(
    model: "Encoder",
    texts: Sequence[Passage],
    positives: Pairs,
    *,
    role: TextRole | None,
    progress: Progress,
) -> Geometry:
    """The geometry of a model's embeddings, whose lengths are those before normalisation.

    Args:
        model: left without normalisation.
        texts: as for ``measure_geometry``.
        positives: as for ``measure_geometry``.
        role: what the texts are embedded as, those of the pairs, too; None: as sentences.
        progress: of encoding.
    """
    model.settings = replace(model.settings, normalize=False)

    def embed(texts: Sequence[Passage]) -> NDArray[np.float32]:
        joined = format_passages(texts, model.settings.passage_format)
        return model.encode(*joined, role=role, progress=progress)

    return measure_geometry(embed, texts, positives)


def geometry_metrics(found: Geometry, total: int) -> dict[str, Any]:
    """Counts, each measure beside the ends of its interval if it has one, and the spectrum.

    Args:
        found: what was measured.
        total: texts that there were, before some were drawn.
    """
    values: dict[str, Any] = {
        "texts": found.texts,
        "texts_in_file": total,
        "distinct_texts": found.distinct_texts,
        "positive_pairs": found.positive_pairs,
        "dimension": found.dimension,
    }
    for name, each in found.measures.items():
        values[name] = each.value
        if each.low is not None:
            values |= {f"{name}_low": each.low, f"{name}_high": each.high}
    return values | {"singular_values": found.singular_values}
