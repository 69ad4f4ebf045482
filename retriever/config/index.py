"""``ctl encode``, ``ctl index`` and what is below it."""

from dataclasses import dataclass, fields
from pathlib import Path

from retriever.choices import (
    IndexRecipe,
    PassageFormat,
    PoolingRequest,
    RecipeRequest,
    VectorType,
)
from retriever.config.groups import Bm25Config, TwoEncodersConfig
from retriever.errors import InputError
from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class EncodingConfig(TwoEncodersConfig):
    """Encoding"""

    passages: Path = setting("DPR psgs_w100 .tsv, .jsonl of id, title, text, or BEIR corpus.jsonl.")
    model: str = setting(
        "The encoder: a run directory, a model folder, a Hugging Face name, or packaged:NAME."
    )
    pooling: PoolingRequest | None = setting(
        "Only for a plain Hugging Face folder, which declares none; cls_head: [CLS] through the checkpoint's own MLP.",
        default=None,
        source="what the model folder declares",
    )
    passage_format: PassageFormat | None = setting(
        "How title and text become one input.",
        default=None,
        source="what the model folder declares; else '{title}. {text}'",
    )
    max_length: int | None = setting(
        "Tokens per passage.", default=None, source="what the model folder declares", at_least=3
    )
    shard_size: int = setting(
        "Passages per shard: a killed run encodes the one again that it was at, and the one before if that was still being written.",
        default=20_000,
        source="minutes on a CPU",
        at_least=1,
    )
    workers: int = setting(
        "Processes that encode: one a GPU; on a CPU they share the cores. The result does not depend on it.",
        default=1,
        source="one device",
        at_least=1,
    )
    dtype: VectorType = setting(
        "Data type of the shards; fp16 halves the disk space, and rounds to 11 bits what an index is then made of.",
        default="fp32",
        source="exact",
    )


@dataclass(frozen=True, kw_only=True)
class EncodeConfig(EncodingConfig):
    """Output"""

    output: Path = setting(
        "The folder of the vectors; it must not exist, or be empty, unless it holds such vectors."
    )


@dataclass(frozen=True, kw_only=True)
class IndexConfig(Bm25Config, EncodingConfig):
    """Index"""

    output: Path = setting(
        "The index folder; it must not exist, or be empty, unless it holds unfinished shards."
    )
    vectors: Path | None = setting(
        "The folder that ctl encode made of the same passages with the same model; what is missing in it is encoded, and it "
        "is kept.",
        default=None,
        source="shards in the index folder, deleted at the end",
    )
    recipe: RecipeRequest = setting(
        "How the vectors are indexed; auto: exact search (flat) up to 200,000 passages, then what fits --max-memory and "
        "--target-recall. Whatever is not exact says so in every search, with the recall that was measured.",
        default="auto",
        source="README, index recipes",
    )
    lists: int | None = setting(
        "Lists of the ivf recipes.",
        default=None,
        source="the power of two at or below 4 · √passages",
        at_least=1,
    )
    max_memory: float | None = setting(
        "GB (10^9 bytes) that the vectors may take.", default=None, source="no limit", above=0
    )
    target_recall: float = setting(
        "Of a recipe that is not exact: the search is turned up until it finds this share of the 10 passages that exact search finds.",
        default=0.95,
        source="half a passage in ten",
        above=0,
        at_most=1,
    )
    questions: Path | None = setting(
        "Questions with which the recall is measured.",
        default=None,
        source="the first words of 500 passages stand in for questions",
    )
    bm25: bool = setting("Also build a BM25 index, for --mode bm25 and hybrid.", default=False)
    keep_shards: bool = setting("Keep the shard files after the index is built.", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.vectors is not None and self.keep_shards:
            raise InputError(
                "keep_shards is of shards in the index folder, and those of vectors are kept anyway"
            )
        if self.vectors is not None and self.vectors.resolve() == self.output.resolve():
            raise InputError("vectors and output are the same folder", path=self.output)
        for each in () if self.bm25 else fields(Bm25Config):
            if getattr(self, each.name) != each.default:
                raise InputError(f"{each.name} is of the BM25 index, which is not asked for: add --bm25")


@dataclass(frozen=True, kw_only=True)
class IndexModelConfig(Config):
    """Model"""

    index: Path = setting("The index folder.", positional=True)
    model: str | None = setting(
        "The model that the index was built with, if it lies elsewhere now.",
        default=None,
        source="the one that the index names, checked by fingerprint",
    )
    passage_model: str | None = setting(
        "The passages' model, when it is another one than the questions'.",
        default=None,
        source="what the index was built with",
    )
    device: str = setting(
        "auto, cpu, cuda, cuda:N or mps. Passages are encoded in the precision of the index.",
        default="auto",
        source="the GPU where there is one",
    )


@dataclass(frozen=True, kw_only=True)
class IndexAddConfig(IndexModelConfig):
    """Adding"""

    passages: Path = setting("Passages to add, in any format that ctl index reads.")
    replace: bool = setting(
        "A passage whose id is in the index already takes the place of the one that is there.", default=False
    )
    shard_size: int = setting(
        "Passages per shard: a killed run encodes the one again that it was at, and the one before if that was still being written.",
        default=20_000,
        source="minutes on a CPU",
        at_least=1,
    )


@dataclass(frozen=True, kw_only=True)
class IndexRemoveConfig(Config):
    """Removing"""

    index: Path = setting("The index folder.", positional=True)
    ids: tuple[str, ...] = setting("Ids of passages.", default=(), positional=True)
    ids_file: Path | None = setting("A text file of ids, one a line.", default=None)


@dataclass(frozen=True, kw_only=True)
class IndexCompactConfig(Config):
    """Compacting"""

    index: Path = setting("The index folder.", positional=True)


@dataclass(frozen=True, kw_only=True)
class IndexVerifyConfig(IndexModelConfig):
    """Verifying"""

    sample: int = setting(
        "Passages of each segment that are encoded again; 0: none, and no model is needed.",
        default=100,
        source="a second or two on a CPU",
        at_least=0,
    )


@dataclass(frozen=True, kw_only=True)
class IndexTuneConfig(IndexModelConfig):
    """Tuning"""

    questions: Path | None = setting(
        "Questions to measure with.",
        default=None,
        source="the first words of 500 passages stand in for questions",
    )
    recipes: tuple[IndexRecipe, ...] = setting(
        "Other recipes to build in memory and measure beside the index's own; may be repeated.", default=()
    )
    apply: bool = setting(
        "Set the index to the first setting of its own recipe that reaches --target-recall.", default=False
    )
    target_recall: float = setting(
        "With --apply: the share of the 10 passages that exact search finds.",
        default=0.95,
        source="half a passage in ten",
        above=0,
        at_most=1,
    )
    picture: Path | None = setting("Also draw the trade-off into this PNG (extra: plots).", default=None)
