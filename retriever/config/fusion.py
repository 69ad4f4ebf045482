"""How a search combines vectors and words, and ``ctl tune-fusion``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.choices import FusionMethod, FusionMetric, SearchMode
from retriever.config.index import IndexModelConfig
from retriever.errors import InputError
from retriever.settings import Config, setting

FUSION_FIELDS = {
    "fusion": "method",
    "fusion_weight": "weight",
    "fusion_depth": "depth",
    "rrf_k": "rrf_k",
}
"""Setting → attribute of ``Fusion``."""


@dataclass(frozen=True, kw_only=True)
class ModeConfig(Config):
    """Mode"""

    mode: SearchMode = setting("dense, bm25 or hybrid (both, fused).", default="dense")
    fusion: FusionMethod | None = setting(
        "Of mode hybrid. zscore, minmax: scores on one scale a question, added; weighted: scores as they are, added; rrf: by ranks.",
        default=None,
        source="what ctl tune-fusion --apply chose for the index, else zscore: benchmarks/hybrid_quality.py",
    )
    fusion_weight: float | None = setting(
        "How much the dense side counts beside BM25.",
        default=None,
        source="as above, else 1.4 (rrf: 1); weighted has none",
        above=0,
    )
    fusion_depth: int | None = setting(
        "Hits of each side that are fused; k where that is more.",
        default=None,
        source="1000, as Cormack et al. 2009; fewer change the scale of zscore and minmax",
        at_least=1,
    )
    rrf_k: int | None = setting(
        "Of rrf: how little the first ranks count more than later ones.",
        default=None,
        source="60: Cormack et al. 2009",
        at_least=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in FUSION_FIELDS if getattr(self, name) is not None]
        if given and "hybrid" not in self.modes():
            raise InputError(f"{given[0]} is of mode hybrid, and the mode is {' and '.join(self.modes())}")

    def modes(self) -> tuple[SearchMode, ...]:
        """In which modes is searched."""
        return (self.mode,)

    def fusion_settings(self) -> dict[str, str | float]:
        """Attribute of ``Fusion`` → value, of those that were given."""
        return {
            attribute: value
            for name, attribute in FUSION_FIELDS.items()
            if (value := getattr(self, name)) is not None
        }


@dataclass(frozen=True, kw_only=True)
class TuneFusionConfig(IndexModelConfig):
    """Tuning of fusion"""

    questions: Path = setting(
        "Questions to measure with (with answers or positive_passage_id, or BEIR queries.jsonl with --qrels); not those of the test."
    )
    qrels: Path | None = setting("BEIR or TREC qrels.", default=None)
    metric: FusionMetric = setting("What is to be highest.", default="accuracy@1", source="DPR: top-1")
    depth: int = setting(
        "Hits of each side that are fused.", default=1000, source="Cormack et al. 2009", at_least=10
    )
    apply: bool = setting("Let mode hybrid of the index use the best from now on.", default=False)
