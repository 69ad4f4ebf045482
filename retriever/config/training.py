"""``ctl train-simcse`` and ``ctl train-dpr``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retriever.choices import DprPreset, HeadMode, PassageFormat, SimcsePreset, Similarity
from retriever.config.groups import EncoderConfig, OptimConfig, TwoEncodersConfig
from retriever.errors import InputError
from retriever.presets import DPR_PRESETS, SIMCSE_PRESETS, preset_values
from retriever.settings import setting


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
        "first, then --passages or the corpus of --dev's BEIR folder, up to this many passages.",
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
    hardest_first: bool = setting(
        "Take a question's hard negatives in the order of the file, the first ones in the first epoch, the next in the next; or in a "
        "random order, which meets fewer of the false negatives that are among the hardest of unfiltered files.",
        default=False,
        source="DPR shuffles them",
        flags="--hardest-first/--shuffle-hard-negatives",
    )
    mine: bool = setting(
        "Mine hard negatives with BM25 for training questions that come without: in --passages, those of a BEIR folder in its own "
        "corpus; and keep them in OUTPUT/mined. ctl mine has more ways to do it.",
        default=True,
        source="DPR, table 3: the largest gain of all",
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
        at_most=1000,
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_rate and len(self.train_rate) != len(self.train):
            raise InputError(
                f"train_rate must be given once a --train file: {len(self.train_rate)} rates for {len(self.train)} files"
            )
        if self.shared_encoder and self.passage_model is not None:
            raise InputError(
                "shared_encoder is for one model, and passage_model names a second: leave one out (--two-encoders)"
            )

    @classmethod
    def other_defaults(cls, given: Mapping[str, object]) -> Mapping[str, object]:
        """The values of the preset that was named; two models are two encoders."""
        two = {} if given.get("passage_model") is None else {"shared_encoder": False}
        return {**preset_values(DPR_PRESETS, given), **two}
