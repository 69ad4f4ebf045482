"""``ctl search``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.choices import SearchMode
from retriever.config.groups import TwoEncodersConfig
from retriever.settings import setting


@dataclass(frozen=True, kw_only=True)
class SearchConfig(TwoEncodersConfig):
    """Search"""

    index: Path = setting("The index folder.", positional=True)
    question: str | None = setting(
        "The question; none: a prompt that keeps the model loaded.", default=None, positional=True
    )
    questions: Path | None = setting("Questions file; one result object a question.", default=None)
    k: int = setting("Passages per question.", default=10, at_least=1)
    mode: SearchMode = setting("dense, bm25 or hybrid (both, by reciprocal rank fusion).", default="dense")
    model: str | None = setting(
        "The query encoder.",
        default=None,
        source="the model that the index was built with, checked by fingerprint",
    )
