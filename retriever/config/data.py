"""``ctl data``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retriever.choices import DataFormat
from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(Config):
    """Conversion"""

    input: Path = setting("File, folder or data set (hf:NAME) to convert.", positional=True)
    to: DataFormat = setting("Format to write.")
    output: Path = setting(
        "File to write; a folder for beir, msmarco, tevatron-ids and ctl, which must be new or empty."
    )
    from_: DataFormat | None = setting("Format of INPUT.", default=None, source="by what is in it")
    passages: Path | None = setting(
        "The corpus: looked up where questions only name their passages, and written where OUTPUT has one.",
        default=None,
    )
    split: Literal["train", "dev", "test"] | None = setting(
        "Which questions of INPUT, if it has several splits, and what OUTPUT calls them.",
        default=None,
        source="the only one there is; train",
    )
    join_titles: bool = setting(
        "Put a passage's title and a space before its text; else a format without titles drops them.",
        default=False,
        flags="--join-titles/--keep-titles-apart",
    )
    num_hard_negatives: int | None = setting(
        "For triplets: a row for each positive, with exactly so many hard negatives; 0 writes pairs.",
        default=None,
        source="a row for each positive and hard negative",
        at_least=0,
    )
