"""``ctl mine``."""

from dataclasses import dataclass, fields
from pathlib import Path

from retriever.config.groups import Bm25Config, DeviceConfig
from retriever.errors import InputError
from retriever.settings import Config, setting

BM25 = "bm25"


@dataclass(frozen=True, kw_only=True)
class FilterConfig(Config):
    """Filters"""

    drop_positives: bool = setting(
        "Reject the known positives of a question, and passages with the same text.",
        default=True,
        flags="--drop-positives/--allow-positives",
    )
    drop_answers: bool = setting(
        "Reject passages that contain an answer, as DPR's matcher decides.",
        default=True,
        source="DPR, section 3",
        flags="--drop-answers/--allow-answers",
    )
    drop_near_duplicates: bool = setting(
        "Reject near-duplicates of a positive.",
        default=True,
        flags="--drop-near-duplicates/--allow-near-duplicates",
    )
    near_duplicate: float = setting(
        "A near-duplicate shares this part of the runs of three words with a positive, or more (Jaccard).",
        default=0.8,
        source="a sentence changed in ten; overlapping windows of one text stay",
        above=0,
        at_most=1,
    )
    first_rank: int = setting(
        "Reject what ranks before this: the first ones are unlabelled positives most often.",
        default=1,
        at_least=1,
    )
    max_share: float | None = setting(
        "Reject what scores above this share of the positive's score; 0.95 in NV-Retriever. Where the positive is not among the "
        "--depth passages, everything scores above it.",
        default=None,
        above=0,
        at_most=1,
    )
    min_margin: float | None = setting(
        "Reject what scores less than this below the positive.", default=None, at_least=0
    )
    cross_encoder: str | None = setting(
        "A sentence-transformers CrossEncoder, folder or hub name, that reads what is left (extra: rerank).",
        default=None,
    )
    cross_encoder_below: float = setting(
        "With --cross-encoder: reject what it gives this or more, the sigmoid of its score.",
        default=0.1,
        source="RocketQA",
        above=0,
        at_most=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.drop_near_duplicates and self.near_duplicate != type(self).near_duplicate:
            raise InputError("near_duplicate is of a filter that is off: leave --allow-near-duplicates out")
        if self.cross_encoder is None and self.cross_encoder_below != type(self).cross_encoder_below:
            raise InputError(
                "cross_encoder_below is of a cross-encoder, and there is none: add --cross-encoder"
            )


@dataclass(frozen=True, kw_only=True)
class MineConfig(FilterConfig, Bm25Config, DeviceConfig):
    """Mining"""

    questions: Path = setting(
        "Questions with answers or positive_passage_id, DPR training JSON or JSONL, or a BEIR folder."
    )
    passages: Path | None = setting(
        "The corpus to mine from.", default=None, source="the passages of the first index among --searcher"
    )
    output: Path = setting("DPR JSONL to write: the questions with their positives and hard negatives.")
    searcher: tuple[str, ...] = setting(
        "What ranks the passages: bm25; an index folder (INDEX@bm25 and INDEX@hybrid: its other modes); or a model or run, "
        "with which the passages are encoded first. May be repeated.",
        default=(),
        source=BM25,
    )
    share: tuple[float, ...] = setting(
        "Of several searchers: which part of the hard negatives comes from each; give one a searcher.",
        default=(),
        source="equal parts",
        above=0,
    )
    depth: int = setting(
        "Passages taken from each search before filtering.", default=100, source="DPR section 3", at_least=1
    )
    num_hard_negatives: int = setting(
        "Hard negatives kept per question.", default=1, source="DPR, table 3", at_least=1
    )
    keep_negatives: bool = setting(
        "The hard negatives that the questions have stay, before the mined ones: for a second round.",
        default=False,
    )
    cache: Path | None = setting(
        "Where passages, counted words, vectors and searches are kept, so that other filters take seconds; may be deleted.",
        default=None,
        source="OUTPUT.cache",
    )
    audit: Path | None = setting(
        "Also write a page, .html, with a sample of questions: which passages were kept and rejected, and why.",
        default=None,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share and len(self.share) != len(self.searchers()):
            raise InputError(
                f"share must be given once a --searcher: {len(self.share)} shares for {len(self.searchers())} searchers"
            )
        if self.first_rank > self.depth:
            raise InputError(
                f"first_rank {self.first_rank} is beyond --depth {self.depth}: nothing would be left"
            )
        if self.passages is None and BM25 in self.searchers():
            raise InputError(
                "passages is required with --searcher bm25; INDEX@bm25 searches the words of an index"
            )
        for each in () if BM25 in self.searchers() else fields(Bm25Config):
            if getattr(self, each.name) != each.default:
                raise InputError(f"{each.name} is of --searcher bm25, which is not asked for")

    def searchers(self) -> tuple[str, ...]:
        """The searchers, those that are the default among them."""
        return self.searcher or (BM25,)
