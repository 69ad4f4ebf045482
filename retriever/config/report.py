"""``ctl plot``, ``ctl map`` and ``ctl info``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.config.search import QueryModelConfig
from retriever.errors import InputError
from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class PlotConfig(Config):
    """Plot"""

    runs: tuple[Path, ...] = setting(
        "Run directories; several are drawn over each other, and so are the seeds of one.",
        positional=True,
    )
    output: Path | None = setting(
        "The picture, a .png; needed for several runs.",
        default=None,
        source="curves.png in the run directory",
    )


@dataclass(frozen=True, kw_only=True)
class InfoConfig(Config):
    """Info"""

    path: str = setting("A run directory, an index folder, or a model.", positional=True)
    bench: bool = setting(
        "Of an index: how long it takes to open, p50 and p95 of single questions, and questions a second in batches of 64.",
        default=False,
    )


@dataclass(frozen=True, kw_only=True)
class MapConfig(QueryModelConfig):
    """Map"""

    index: Path = setting("The index folder.", positional=True)
    question: str | None = setting(
        "Also show a question and what is found for it.", default=None, positional=True
    )
    output: Path = setting("The picture, a .png.")
    k: int = setting("Passages that are found for the question.", default=10, at_least=1)
    sample: int = setting(
        "Draw so many passages, chosen at random where there are more; they decide the plane.",
        default=5000,
        source="more are one cloud on a page",
        at_least=3,
    )
    seed: int = setting("Seed of the sample.", default=0, at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.question is None and (self.model is not None or self.passage_model is not None):
            raise InputError("model encodes the question, and there is none")
