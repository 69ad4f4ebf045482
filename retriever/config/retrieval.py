"""``ctl eval retrieval`` and ``ctl eval rankings``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.choices import AnswerMatch, SelfHitPolicy, Split, TiePolicy, UnjudgedPolicy
from retriever.config.results import ResultFolderConfig
from retriever.config.search import SearchedIndexConfig
from retriever.errors import InputError
from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class QrelsConfig(Config):
    """Questions"""

    qrels: Path | None = setting(
        "BEIR or TREC qrels, which then judge.", default=None, source="of a BEIR folder those of --split"
    )
    split: Split = setting("Of a BEIR folder: which qrels.", default="test")


@dataclass(frozen=True, kw_only=True)
class QuestionsConfig(QrelsConfig):
    """Questions"""

    questions: Path = setting(
        "Questions (with answers or positive_passage_id), BEIR queries.jsonl with --qrels, or a BEIR folder."
    )


@dataclass(frozen=True, kw_only=True)
class PolicyConfig(Config):
    """Judging"""

    ties: TiePolicy = setting(
        "Equal scores: in the order of the ranking, or by id, the largest first.", default="ranking"
    )
    unjudged: UnjudgedPolicy = setting(
        "Passages that the qrels do not judge: not relevant, or left out of the ranking first, as trec_eval -J does.",
        default="not_relevant",
        source="trec_eval, BEIR",
    )
    self_hits: SelfHitPolicy = setting(
        "A passage with the question's own id: as any other, or left out, as BEIR does, and its judgement with it.",
        default="keep",
        source="trec_eval; ids of questions and passages may be equal by chance",
    )
    answer_match: AnswerMatch = setting(
        "Answers are strings, looked for as DPR's tokens in a row, or regular expressions, as in CuratedTREC.",
        default="string",
        source="DPR",
    )


@dataclass(frozen=True, kw_only=True)
class JudgingConfig(PolicyConfig):
    """Judging"""

    metrics: tuple[str, ...] = setting(
        "accuracy@k (or success@k), recall@k, precision@k, ndcg@k, mrr@k, map@k, ndcg, mrr or map, for any k; may be repeated.",
        default=(),
        source="qrels: ndcg@10, recall@100, mrr@10, map; all: accuracy@1, 5, 20, 100",
    )


@dataclass(frozen=True, kw_only=True)
class EvalRetrievalConfig(ResultFolderConfig, SearchedIndexConfig, QuestionsConfig, JudgingConfig):
    """Retrieval evaluation"""

    k: int = setting("Depth of the rankings.", default=100, source="DPR: top-100", at_least=1)
    rankings: Path | None = setting(
        "Write the rankings here: .json or .jsonl as DPR's results, with texts and answers, else as a TREC run.",
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class EvalRankingsConfig(ResultFolderConfig, QrelsConfig, JudgingConfig):
    """Evaluation of rankings"""

    rankings: Path = setting("A TREC run, or DPR's results (.json, .jsonl).", positional=True)
    questions: Path | None = setting(
        "Questions that count; they judge, by positive_passage_id or answers, where there are no --qrels. Or a BEIR folder.",
        default=None,
        source="all queries of the qrels",
    )
    passages: Path | None = setting(
        "The corpus: for answers, where it is copied into a temporary folder, and to tell of relevant passages that it lacks.",
        default=None,
    )
    k: int | None = setting(
        "Only the first k passages of each ranking count.", default=None, source="all", at_least=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.questions is None and self.qrels is None:
            raise InputError("qrels or --questions must say what is relevant")
