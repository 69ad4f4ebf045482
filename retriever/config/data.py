"""``ctl data``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.choices import DataKind, FailOn, PassageFormat
from retriever.settings import Config, setting


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
