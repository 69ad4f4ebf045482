"""``ctl search``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.config.fusion import ModeConfig
from retriever.config.groups import TwoEncodersConfig
from retriever.errors import InputError
from retriever.settings import setting


@dataclass(frozen=True, kw_only=True)
class QueryModelConfig(TwoEncodersConfig):
    """Index"""

    model: str | None = setting(
        "The query encoder.",
        default=None,
        source="the model that the index was built with, checked by fingerprint",
    )


@dataclass(frozen=True, kw_only=True)
class ModeModelConfig(ModeConfig, QueryModelConfig):
    """Index"""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = (
            "passage_model" if self.passage_model is not None else "model" if self.model is not None else ""
        )
        if given and set(self.modes()) == {"bm25"}:
            raise InputError(f"{given} is of modes dense and hybrid, and the mode is bm25")


@dataclass(frozen=True, kw_only=True)
class SearchedIndexConfig(ModeModelConfig):
    """Index"""

    index: Path = setting("The index folder.")


@dataclass(frozen=True, kw_only=True)
class SearchConfig(ModeModelConfig):
    """Search"""

    index: Path = setting("The index folder.", positional=True)
    question: str | None = setting(
        "The question; none: a prompt that keeps the model loaded.", default=None, positional=True
    )
    questions: Path | None = setting("Questions file; one result object a question.", default=None)
    k: int = setting("Passages per question.", default=10, at_least=1)
    explain: bool = setting(
        "Show which words made the BM25 score of each hit; of modes bm25 and hybrid.", default=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.explain and self.mode == "dense":
            raise InputError("explain shows the words of a BM25 score: it needs --mode bm25 or hybrid")
