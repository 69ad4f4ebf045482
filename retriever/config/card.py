"""``ctl card``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class CardConfig(Config):
    """Card"""

    model: Path = setting(
        "A run directory or a model folder, into which the card is written.", positional=True
    )
    results: tuple[Path, ...] = setting(
        "A folder of results of this model (ctl eval … --output), which join those that the card has; may be repeated.",
        default=(),
    )
