"""``ctl plot`` and ``ctl info``."""

from dataclasses import dataclass
from pathlib import Path

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
