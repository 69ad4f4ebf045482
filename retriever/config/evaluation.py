"""``ctl eval``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.config.fusion import ModeConfig
from retriever.config.groups import EncoderConfig, TwoEncodersConfig
from retriever.settings import setting


@dataclass(frozen=True, kw_only=True)
class EvalStsConfig(EncoderConfig):
    """STS evaluation"""

    data: tuple[Path, ...] = setting(
        "STS files, or folders: with train/dev/test files the test file, else each file a subset of one task.",
        positional=True,
    )
    model: str = setting(
        "The encoder: a run directory, a model folder, a Hugging Face name, or packaged:NAME."
    )
    max_length: int | None = setting(
        "Tokens per sentence.", default=None, source="what the model folder declares", at_least=3
    )


@dataclass(frozen=True, kw_only=True)
class EvalRetrievalConfig(ModeConfig, TwoEncodersConfig):
    """Retrieval evaluation"""

    index: Path = setting("The index folder.")
    questions: Path = setting(
        "Questions JSONL (with answers or positive_passage_id), or BEIR queries.jsonl with --qrels."
    )
    qrels: Path | None = setting("BEIR or TREC qrels.", default=None)
    model: str | None = setting(
        "The query encoder.",
        default=None,
        source="the model that the index was built with, checked by fingerprint",
    )
    k: int = setting("Depth of the rankings.", default=100, source="DPR: top-100", at_least=1)
    rankings: Path | None = setting("Write the rankings here, as a TREC run.", default=None)
