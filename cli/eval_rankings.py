"""``ctl eval rankings``."""

from typing import TYPE_CHECKING

from cli.eval_kept import judging_data, judging_settings, keep_and_show, policy_of, show_kept
from cli.progress import make_progress
from retriever.config.retrieval import EvalRankingsConfig

if TYPE_CHECKING:
    from retriever.data.question_set import QuestionSet
    from retriever.evaluation.results import Evaluation
    from retriever.evaluation.retrieval import RetrievalResult


def rankings(config: EvalRankingsConfig, as_json: bool = False) -> None:
    """Judge rankings that were made elsewhere, a TREC run or DPR's results, as ``ctl eval retrieval`` judges a search."""
    from retriever.data.question_set import QuestionSet

    asked = QuestionSet.read(config.questions, config.qrels, config.split)
    evaluation = rankings_evaluation(config, asked)
    if not show_kept(config, evaluation, as_json=as_json):
        result = evaluate(config, asked)
        keep_and_show(config, evaluation, result, asked.texts(), as_json=as_json)


def evaluate(config: EvalRankingsConfig, asked: "QuestionSet") -> "RetrievalResult":
    """Read the rankings one by one and judge them."""
    from retriever.data.corpus import read_passage_table
    from retriever.data.ranking_files import read_ranking_file
    from retriever.evaluation.retrieval import evaluate_rankings

    return evaluate_rankings(
        read_ranking_file(config.rankings),
        questions=asked.questions,
        qrels=asked.qrels,
        passages=None if config.passages is None else read_passage_table(config.passages),
        metrics=config.metrics,
        k=config.k,
        policy=policy_of(config),
        progress=make_progress(),
    )


def rankings_evaluation(config: EvalRankingsConfig, asked: "QuestionSet") -> "Evaluation":
    """What is evaluated and how: the rankings stand for the model, of which nothing else is known."""
    from retriever.data.files import file_sha256
    from retriever.data.hub import is_hub_name
    from retriever.evaluation.results import Evaluation

    return Evaluation(
        suite="retrieval",
        task=asked.name,
        policy={
            **judging_settings(config),
            "corpus_sha256": None
            if config.passages is None or is_hub_name(config.passages)
            else file_sha256(config.passages),
        },
        model={
            "name": config.rankings.name,
            "fingerprint": f"rankings:{file_sha256(config.rankings)}",
            "mode": "rankings",
        },
        data={
            "rankings": str(config.rankings),
            "passages": None if config.passages is None else str(config.passages),
            **judging_data(asked),
        },
    )
