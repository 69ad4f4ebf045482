"""``ctl compare`` and ``ctl report``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.errors import InputError
from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class MethodConfig(Config):
    """Comparison"""

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


@dataclass(frozen=True, kw_only=True)
class CompareConfig(MethodConfig):
    """Systems"""

    systems: tuple[str, ...] = setting(
        "Two systems or more, by the folders that ctl eval --output wrote: FOLDER, NAME=FOLDER, or, of several training seeds, "
        "NAME=FOLDER,FOLDER,FOLDER.",
        positional=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.systems) == 1:
            raise InputError("systems: a comparison needs two or more")


@dataclass(frozen=True, kw_only=True)
class ReportConfig(MethodConfig):
    """Report"""

    results: tuple[str, ...] = setting(
        "Systems as ctl compare takes them (FOLDER, NAME=FOLDER, NAME=FOLDER,FOLDER), run directories, whose training curves are "
        "drawn, and files of what ctl index tune --json printed.",
        positional=True,
    )
    output: Path = setting("The page, an .html.")
    title: str = setting("Its title.", default="Evaluation report")
    pictures: Path | None = setting(
        "Also write each picture as a PNG into this folder.", default=None, source="in the page alone"
    )
    items: int = setting(
        "Show this many of the items that moved most, for each comparison.",
        default=5,
        source="a screen's worth",
        at_least=0,
    )
