"""``ctl eval``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.choices import StsSimilarity
from retriever.config.groups import EncoderConfig
from retriever.config.results import ResultFolderConfig
from retriever.settings import setting


@dataclass(frozen=True, kw_only=True)
class EvalStsConfig(ResultFolderConfig, EncoderConfig):
    """STS evaluation"""

    data: tuple[Path, ...] = setting(
        "STS files, or folders, SentEval's or ours: with train/dev/test files the test file, else each file a subset of one task; or a "
        "folder of such folders.",
        positional=True,
    )
    similarity: StsSimilarity = setting(
        "How two embeddings are compared; euclidean and manhattan: distances, the smaller the more similar.",
        default="cosine",
        source="SentEval, SBERT, SimCSE",
    )
    model: str = setting(
        "The encoder: a run directory, a model folder, a Hugging Face name, or packaged:NAME."
    )
    max_length: int | None = setting(
        "Tokens per sentence.", default=None, source="what the model folder declares", at_least=3
    )


@dataclass(frozen=True, kw_only=True)
class EvalTransferConfig(ResultFolderConfig, EncoderConfig):
    """Transfer evaluation"""

    data: tuple[Path, ...] = setting(
        "Tables of labels and texts: a file is a task for cross-validation, a folder of train, (dev) and test one with splits, any "
        "other folder a family of tasks; also SentEval's own folders.",
        positional=True,
    )
    model: str = setting(
        "The encoder: a run directory, a model folder, a Hugging Face name, or packaged:NAME."
    )
    max_length: int | None = setting(
        "Tokens per text.", default=None, source="what the model folder declares", at_least=3
    )
    folds: int = setting(
        "Folds of the cross-validation, and of the one inside each that chooses the penalty.",
        default=10,
        source="kfold of SentEval's and SimCSE's reported results",
        at_least=2,
    )
    seed: int = setting("Seed of the folds.", default=1111, source="SentEval", at_least=0, at_most=2**32 - 1)
