"""``ctl compare``."""

from dataclasses import dataclass

from retriever.errors import InputError
from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class CompareConfig(Config):
    """Comparison"""

    systems: tuple[str, ...] = setting(
        "Two systems or more, by the folders that ctl eval --output wrote: FOLDER, NAME=FOLDER, or, of several training seeds, "
        "NAME=FOLDER,FOLDER,FOLDER.",
        positional=True,
    )
    metric: tuple[str, ...] = setting(
        "Compare by this metric only; may be repeated. Fewer tests need less correction.",
        default=(),
        source="all that the items have",
    )
    items: int = setting("Show this many of the items that moved most, for each row.", default=0, at_least=0)
    common: bool = setting(
        "Where the systems have not the same items: compare those that all have, and say how many are left out.",
        default=False,
    )
    resamples: int = setting(
        "Bootstrap resamples, and random swaps of the test, each.",
        default=10_000,
        source="p-values to .005 around .05",
        at_least=100,
    )
    seed: int = setting("Seed of both.", default=0, at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.systems) == 1:
            raise InputError("systems: a comparison needs two or more")
