"""One frozen dataclass per command. A setting is declared once, here: default, help, range, and where it comes from.

``cli/options.py`` makes the flags from these classes. The shared groups below are base classes, and each group is a panel
of ``--help``. Values come from the flags, then the ``--config`` file, then the defaults; ``resolve`` merges them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from retriever.choices import (
    Bm25Formula,
    DprPreset,
    HeadMode,
    IndexRecipe,
    PassageFormat,
    PoolingRequest,
    Precision,
    RecipeRequest,
    SearchMode,
    SimcsePreset,
    Similarity,
    TrackerName,
    VectorType,
)
from retriever.errors import InputError
from retriever.presets import DPR_PRESETS, SIMCSE_PRESETS, preset_values
from retriever.settings import Config, setting

BASE_MODEL = "packaged:all-MiniLM-L6-v2"


# Groups that several commands share. ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DeviceConfig(Config):
    """Device"""

    device: str = setting(
        "auto, cpu, cuda, cuda:N or mps. A device that is missing is an error.",
        default="auto",
        source="the GPU where there is one",
    )
    precision: Precision = setting(
        "bf16 runs the transformer in bfloat16 autocast; losses and stored embeddings stay fp32.",
        default="auto",
        source="bf16 where the device computes in it, else fp32",
    )


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(DeviceConfig):
    """Encoder"""

    model: str = setting(
        "A run directory, a model folder, a sentence-transformers folder, a Hugging Face folder or name, or packaged:NAME.",
        default=BASE_MODEL,
        source="small enough for a CPU, needs no download (extra: offline)",
    )
    pooling: PoolingRequest | None = setting(
        "How token states become one embedding; cls_head: [CLS] through the checkpoint's own MLP, as SimCSE's have one.",
        default=None,
        source="what the model folder declares; training from a plain Hugging Face folder: cls",
    )


@dataclass(frozen=True, kw_only=True)
class TwoEncodersConfig(DeviceConfig):
    """Two encoders"""

    passage_model: str | None = setting(
        "The passages' encoder when it is another model than --model, which then is the questions': DPR's two encoders are "
        "two models.",
        default=None,
        source="the same model for both; for an index that exists, what it was built with",
    )


@dataclass(frozen=True, kw_only=True)
class OptimConfig(Config):
    """Optimisation"""

    epochs: int = setting("Passes over the training data.", default=1, source="SimCSE, table A.1", at_least=1)
    max_steps: int | None = setting(
        "Stop after this many optimiser steps, whatever the epochs.", default=None, at_least=1
    )
    batch_size: int = setting(
        "Anchors per optimiser step and process; the other passages of the batch are the negatives.",
        default=64,
        source="SimCSE, table A.1 (BERT-base)",
        at_least=2,
    )
    learning_rate: float = setting(
        "Peak learning rate of AdamW.", default=3e-5, source="SimCSE, table A.1", above=0
    )
    warmup_ratio: float = setting(
        "Share of the steps in which the learning rate rises linearly; after it, it falls linearly to 0.",
        default=0.0,
        source="SimCSE scripts: no warm-up",
        at_least=0,
        below=1,
    )
    weight_decay: float = setting(
        "AdamW weight decay.", default=0.0, source="SimCSE and DPR scripts", at_least=0
    )
    max_grad_norm: float = setting(
        "Clip the gradient to this norm.", default=1.0, source="SimCSE scripts", above=0
    )
    eval_every: int = setting(
        "Steps between dev evaluations.", default=125, source="SimCSE scripts", at_least=1
    )
    seed: int = setting(
        "Seed of every random choice.", default=42, source="SimCSE scripts", at_least=0, at_most=2**32 - 1
    )
    seeds: str | None = setting(
        "Several seeds, such as 1,2,3: one run each, in OUTPUT/seed-1 and so on, and mean and standard deviation of their dev "
        "metrics in OUTPUT/results.json.",
        default=None,
    )
    patience: int | None = setting(
        "Stop after this many dev evaluations without a better one.",
        default=None,
        source="none, as in both papers' scripts",
        at_least=1,
    )
    chunk_tokens: str | None = setting(
        "GradCache: embed the batch in chunks of at most this many tokens, so that memory is that of a chunk and all negatives of "
        "the batch stay, at the price of a second forward; auto: about the largest chunk that fits. Gradient accumulation, which other "
        "trainers offer for large batches, adds no negatives.",
        default=None,
        source="none: the whole batch at once",
    )
    checkpoint_every: int = setting(
        "Steps between checkpoints, from which --resume goes on; one is also written every 10 minutes.",
        default=500,
        source="a checkpoint of BERT-base takes seconds",
        at_least=1,
    )
    resume: bool = setting(
        "Go on with the run in --output that was killed, with the settings that it was started with. On a CPU the result is "
        "that of the uninterrupted run, bit for bit.",
        default=False,
    )
    report_to: tuple[TrackerName, ...] = setting(
        "Also send the metrics to a tracker, tensorboard or wandb (extra: trackers); may be repeated.",
        default=(),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chunk_tokens not in (None, "auto") and not (
            str(self.chunk_tokens).isdecimal() and int(str(self.chunk_tokens)) > 0
        ):
            raise InputError(
                f"chunk_tokens must be auto or a number of tokens above 0, got '{self.chunk_tokens}'"
            )
        if self.seeds is not None:
            self.seed_list()

    def seed_list(self) -> list[int]:
        """The seeds of ``--seeds``; without it the one seed.

        Raises:
            InputError: they are no different whole numbers.
        """
        parts = [str(self.seed)] if self.seeds is None else [each.strip() for each in self.seeds.split(",")]
        if not all(each.isdecimal() and int(each) < 2**32 for each in parts) or len(
            set(map(int, parts))
        ) < len(parts):
            raise InputError(f"seeds must be different whole numbers such as 1,2,3, got '{self.seeds}'")
        return [int(each) for each in parts]

    @classmethod
    def resolve(cls, flags: Mapping[str, object], file: Path | None = None) -> Self:
        """As for every command; with ``resume`` the settings of the run that is there are the file."""
        if flags.get("seeds") is not None and flags.get("seed") is not None:
            raise InputError("seed is for one run and seeds for several: leave one out")
        if flags.get("resume") and file is None and isinstance(output := flags.get("output"), Path):
            begun = output / "config.json"
            if begun.is_file():
                file = begun
            elif "train" not in flags:
                raise InputError("there is no run to go on with", path=output)
        return super().resolve(flags, file)

    def to_json(self) -> dict[str, object]:
        """As for every command; whether a run was resumed is no setting of it."""
        return {name: value for name, value in super().to_json().items() if name != "resume"}


# One class per command. -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TrainSimcseConfig(EncoderConfig, OptimConfig):
    """SimCSE"""

    preset: SimcsePreset | None = setting(
        "The paper's settings by name, model included; other flags beat it.", default=None
    )
    train: tuple[Path, ...] = setting(
        "Training data; may be repeated. .txt: one sentence a line (unsupervised). .csv, .tsv, .jsonl, .parquet, .arrow or a "
        "data set of the hub, hf:OWNER/NAME[@CONFIG][:SPLIT]: pairs or triplets by column name (sent0, sent1, hard_neg or "
        "anchor, positive, negative)."
    )
    output: Path = setting("The run directory; it must not exist, or be empty.")
    dev: Path | None = setting(
        "STS file, folder with a dev file, or hf:OWNER/NAME, for evaluation at intervals; the best model is kept.",
        default=None,
    )
    head: HeadMode | None = setting(
        "Linear + tanh layer on the pooled embedding: none, keep (part of the saved model) or train_only.",
        default=None,
        source="what the model folder declares; training from a plain Hugging Face folder: train_only without, "
        "keep with supervision (SimCSE, table 6)",
    )
    max_length: int = setting("Tokens per sentence.", default=32, source="SimCSE, table A.1", at_least=3)
    temperature: float = setting(
        "Temperature of the softmax.", default=0.05, source="SimCSE, appendix D.1", above=0
    )
    hard_negative_weight: float = setting(
        "α of SimCSE Eq. 8 itself: the weight of an anchor's own hard negative in the denominator.",
        default=1.0,
        source="SimCSE, table 7",
        above=0,
    )
    mlm: bool = setting(
        "Also train masked language modelling on the same sentences, for transfer tasks; the model must have that head.",
        default=False,
        source="SimCSE, appendix D.2: helps transfer, costs STS",
    )
    mlm_weight: float = setting(
        "Weight of the masked-language-model loss, with --mlm.",
        default=0.1,
        source="SimCSE, appendix D.2",
        above=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.mlm and self.mlm_weight != type(self).mlm_weight:
            raise InputError(
                "mlm_weight weighs the masked-language-model loss, which is off: turn it on with --mlm"
            )

    @classmethod
    def other_defaults(cls, given: Mapping[str, object]) -> Mapping[str, object]:
        """The values of the preset that was named."""
        return preset_values(SIMCSE_PRESETS, given)


@dataclass(frozen=True, kw_only=True)
class TrainDprConfig(EncoderConfig, TwoEncodersConfig, OptimConfig):
    """DPR"""

    preset: DprPreset | None = setting(
        "The paper's settings by name, model included; other flags beat it.", default=None
    )
    train: tuple[Path, ...] = setting(
        "Training data; may be repeated. DPR JSON or JSONL, questions JSONL with positive_passage_id (needs --passages), such "
        "rows as .parquet, .arrow or hf:OWNER/NAME[@CONFIG][:SPLIT], or a BEIR folder (its qrels/train.tsv)."
    )
    output: Path = setting("The run directory; it must not exist, or be empty.")
    passages: Path | None = setting(
        "The corpus, for questions that name their positive by id; also fills the dev pool.", default=None
    )
    dev: Path | None = setting(
        "Questions like the training data, for evaluation at intervals; the best model is kept. Of a BEIR folder, "
        "qrels/dev.tsv.",
        default=None,
    )
    dev_pool_size: int = setting(
        "Dev questions are ranked against one fixed pool: all dev positives, then their hard negatives, first of each question "
        "first, then --passages, up to this many passages.",
        default=2000,
        source="a dev evaluation stays under a minute on 2 CPU cores",
        at_least=1,
    )
    shared_encoder: bool = setting(
        "One encoder for questions and passages, or two that start equal.",
        default=True,
        source="half the memory; the DPR paper uses two",
        flags="--shared-encoder/--two-encoders",
    )
    similarity: Similarity | None = setting(
        "cosine or dot product.",
        default=None,
        source="what the model folder declares; training from a plain Hugging Face folder: dot (DPR, table 6)",
    )
    temperature: float | None = setting(
        "Temperature of the softmax.",
        default=None,
        source="cosine: 0.05 (SimCSE); dot: 1 (DPR)",
        above=0,
    )
    num_hard_negatives: int = setting(
        "Hard negatives per question; a question without any takes its other negatives, as DPR does.",
        default=1,
        source="DPR, table 3",
        at_least=0,
    )
    num_other_negatives: int = setting(
        "Other (random) negatives per question, from negative_ctxs.",
        default=0,
        source="DPR conf/train",
        at_least=0,
    )
    num_gold_negatives: int = setting(
        "Positives of random other questions per question, besides those of the batch.",
        default=0,
        source="DPR, table 3: the batch's own are enough",
        at_least=0,
    )
    train_rate: tuple[float, ...] = setting(
        "How often an epoch goes through each --train file; give one a file. Each batch then comes from one file; without "
        "rates all files are mixed.",
        default=(),
        above=0,
    )
    passage_format: PassageFormat = setting(
        "How title and text become one input; saved with the model.",
        default="pair",
        source="DPR: [CLS] title [SEP] text",
    )
    query_max_length: int = setting(
        "Tokens per question.", default=64, source="longer than all NQ questions", at_least=3
    )
    passage_max_length: int = setting(
        "Tokens per passage.", default=256, source="DPR, section 4.2", at_least=3
    )
    query_prompt: str | None = setting(
        "Text put before each question, such as 'query: '; saved with the model.",
        default=None,
        source="what the model folder declares",
    )
    passage_prompt: str | None = setting(
        "Text put before each passage; saved with the model.",
        default=None,
        source="what the model folder declares",
    )
    learning_rate: float = setting(
        "Peak learning rate of AdamW.", default=2e-5, source="DPR conf/train", above=0
    )
    warmup_ratio: float = setting(
        "Share of the steps in which the learning rate rises linearly; after it, it falls linearly to 0.",
        default=0.1,
        source="Tevatron; DPR's 1,237 steps are 7 % of its NQ run",
        at_least=0,
        below=1,
    )
    max_grad_norm: float = setting(
        "Clip the gradient to this norm.", default=2.0, source="DPR conf/train", above=0
    )

    @classmethod
    def other_defaults(cls, given: Mapping[str, object]) -> Mapping[str, object]:
        """The values of the preset that was named."""
        return preset_values(DPR_PRESETS, given)


@dataclass(frozen=True, kw_only=True)
class MineConfig(Config):
    """Mining"""

    questions: Path = setting("Questions with answers or positive_passage_id, or DPR training JSON or JSONL.")
    passages: Path = setting("The corpus to mine from.")
    output: Path = setting("DPR JSONL to write: the questions with their positives and hard negatives.")
    depth: int = setting(
        "Passages taken from the search before filtering.", default=100, source="DPR section 3", at_least=1
    )
    num_hard_negatives: int = setting(
        "Hard negatives kept per question.", default=1, source="DPR, table 3", at_least=1
    )


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
class IndexConfig(EncodingConfig):
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
    bm25_formula: Bm25Formula = setting(
        "okapi: rank-bm25's BM25Okapi (k1 1.5, b 0.75, ε 0.25); lucene: Lucene's (k1 0.9, b 0.4, as in the DPR paper).",
        default="okapi",
    )
    keep_shards: bool = setting("Keep the shard files after the index is built.", default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bm25 and self.bm25_formula != type(self).bm25_formula:
            raise InputError("bm25_formula is of the BM25 index, which is not asked for: add --bm25")


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
        "auto, cpu, cuda, cuda:N or mps. The precision is that of the index.",
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
class EvalRetrievalConfig(TwoEncodersConfig):
    """Retrieval evaluation"""

    index: Path = setting("The index folder.")
    questions: Path = setting(
        "Questions JSONL (with answers or positive_passage_id), or BEIR queries.jsonl with --qrels."
    )
    qrels: Path | None = setting("BEIR or TREC qrels.", default=None)
    mode: SearchMode = setting("dense, bm25 or hybrid (both, by reciprocal rank fusion).", default="dense")
    model: str | None = setting(
        "The query encoder.",
        default=None,
        source="the model that the index was built with, checked by fingerprint",
    )
    k: int = setting("Depth of the rankings.", default=100, source="DPR: top-100", at_least=1)
    rankings: Path | None = setting("Write the rankings here, as a TREC run.", default=None)


@dataclass(frozen=True, kw_only=True)
class PlotConfig(Config):
    """Plot"""

    runs: tuple[Path, ...] = setting(
        "Run directories; several are drawn over each other, and so are the seeds of one.",
        positional=True,
    )
    output: Path | None = setting(
        "The picture, a .png; needed for several runs.",
        default=None,
        source="curves.png in the run directory",
    )


@dataclass(frozen=True, kw_only=True)
class InfoConfig(Config):
    """Info"""

    path: str = setting("A run directory, an index folder, or a model.", positional=True)
    bench: bool = setting(
        "Of an index: how long it takes to open, p50 and p95 of single questions, and questions a second in batches of 64.",
        default=False,
    )
