"""``ctl data``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retriever.choices import DataFormat, LastBlock
from retriever.errors import InputError
from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class SplitConfig(Config):
    """Splitting"""

    documents: Path = setting(
        "A .txt, .md, .html or .pdf file (text also as .gz), or a folder of them, and of folders.",
        positional=True,
    )
    output: Path = setting("The passages to write: .tsv (as DPR's psgs_w100.tsv) or .jsonl.")
    words: int = setting(
        "Words of a passage; in Chinese, Japanese, Thai, Lao, Burmese and Khmer: letters.",
        default=100,
        source="DPR section 4.1",
        at_least=1,
        at_most=100_000,
    )
    overlap: int = setting(
        "Words at a passage's end with which the next begins.", default=0, source="DPR: disjoint", at_least=0
    )
    last_block: LastBlock = setting(
        "A document's last words, where they make no whole passage: join them to the passage before if they are less "
        "than a quarter of one, keep them as a passage, or wrap: fill up with the document's beginning, as DPR did.",
        default="join",
        source="a few words are a poor passage, and repeated ones a second copy",
    )
    sentences: bool = setting(
        "Passages of whole sentences, as many as make up to --words.",
        default=False,
        source="DPR cuts anywhere",
    )
    headings: bool = setting(
        "Add the nearest heading above a passage to its title: 'Title: Heading'.", default=False
    )
    as_text: tuple[str, ...] = setting("Another suffix to read as plain text, such as .rst.", default=())
    keep_duplicates: bool = setting("Keep files with the bytes of one before.", default=False)
    skip_unreadable: bool = setting(
        "Pass over files that cannot be read or are not UTF-8, instead of stopping at the first.",
        default=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.overlap >= self.words:
            raise InputError(f"overlap must be below the number of words, {self.words}, got {self.overlap}")
        if self.sentences and self.last_block == "wrap":
            raise InputError(
                "last_block wrap fills up with words and would cut sentences: leave out --sentences"
            )
        for suffix in self.as_text:
            if not suffix.startswith(".") or len(suffix) < 2:
                raise InputError(f"as_text must be a suffix with its dot, such as .rst, got '{suffix}'")


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
