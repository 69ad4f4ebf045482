"""``ctl data``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.choices import DataFormat, DataKind, FailOn, LastBlock, PassageFormat, Split
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
    split: Split | None = setting(
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


@dataclass(frozen=True, kw_only=True)
class DataCheckConfig(Config):
    """Check"""

    train: tuple[Path, ...] = setting("Training data of ctl train-dpr or ctl train-simcse.", positional=True)
    kind: DataKind | None = setting(
        "What the training data are for.",
        default=None,
        source="dpr if the first record has a question, or of a BEIR folder; else simcse",
    )
    dev: Path | None = setting(
        "Held out: questions (dpr), or an STS file or folder, or .txt sentences (simcse).", default=None
    )
    test: tuple[Path, ...] = setting("Held out, as --dev; may be repeated.", default=())
    passages: Path | None = setting("The corpus: looks up positives, and is looked at itself.", default=None)
    model: str | None = setting(
        "Count tokens with this model's tokenizer, to tell how many texts are cut.", default=None
    )
    batch_size: int = setting(
        "Rows in a batch, for the expected number of false in-batch negatives.",
        default=64,
        source="as for training",
        at_least=2,
    )
    query_max_length: int = setting("Tokens per question.", default=64, source="ctl train-dpr", at_least=3)
    passage_max_length: int = setting("Tokens per passage.", default=256, source="ctl train-dpr", at_least=3)
    passage_format: PassageFormat = setting(
        "How title and text become one input.", default="pair", source="ctl train-dpr"
    )
    max_length: int = setting("Tokens per sentence.", default=32, source="ctl train-simcse", at_least=3)
    near_duplicate: float = setting(
        "Texts are near-duplicates from this Jaccard similarity of their runs of three words on.",
        default=0.8,
        source="a word more in ten at an end, or another word in thirty; from .6 on, 'a child is riding a horse' is 'a bike'",
        at_least=0.1,
        at_most=1,
    )
    fail_on: FailOn = setting(
        "Exit code 3 if there is a finding of this severity, or a graver one.",
        default="error",
        source="warnings are for people to look at",
    )
