"""``ctl eval rankings``."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cli.eval_kept import keep_and_show, show_kept
from cli.progress import make_progress
from retriever.config.retrieval import EvalRankingsConfig

if TYPE_CHECKING:
    from retriever.data.question_set import QuestionSet
    from retriever.evaluation.retrieval import RetrievalResult
    from retriever.records import Passage


def rankings(config: EvalRankingsConfig, as_json: bool = False) -> None:
    """Judge rankings that were made elsewhere, a TREC run or DPR's results, as ``ctl eval retrieval`` judges a search."""
    from retriever.data.question_set import QuestionSet
    from retriever.evaluation.retrieval_evaluation import rankings_evaluation

    asked = QuestionSet.read(config.questions, config.qrels, config.split)
    evaluation = rankings_evaluation(config, asked)
    if not show_kept(config, evaluation, as_json=as_json):
        result = evaluate(config, asked)
        keep_and_show(config, evaluation, result, asked.texts(), as_json=as_json)


def evaluate(config: EvalRankingsConfig, asked: "QuestionSet") -> "RetrievalResult":
    """Read the rankings one by one and judge them."""
    from retriever.data.ranking_files import read_ranking_file
    from retriever.evaluation.retrieval import evaluate_rankings
    from retriever.evaluation.retrieval_evaluation import policy_of

    with passages_of(config, asked) as passages:
        return evaluate_rankings(
            read_ranking_file(config.rankings, asked.questions),
            questions=asked.questions,
            qrels=asked.qrels,
            passages=passages,
            metrics=config.metrics,
            k=config.k,
            policy=policy_of(config),
            source=asked.judgements_file,
            progress=make_progress(),
        )


@contextmanager
def passages_of(config: EvalRankingsConfig, asked: "QuestionSet") -> "Iterator[Mapping[str, Passage] | None]":
    """What of the corpus the judges need: to read answers all of it, from a temporary folder; else the relevant passages."""
    from retriever.data.corpus import read_passages
    from retriever.index.passage_store import PassageStore, Recent, write_passage_store

    if config.passages is None:
        yield None
        return
    questions = asked.questions or []
    if asked.qrels is None and all(each.answers for each in questions):
        with TemporaryDirectory(prefix="ctl-passages-", ignore_cleanup_errors=True) as folder:
            write_passage_store(Path(folder), read_passages(config.passages))
            yield Recent(PassageStore(Path(folder)))
        return
    by_query = (each.positive_ids for each in questions) if asked.qrels is None else asked.qrels.values()
    relevant = {passage for each in by_query for passage in each}
    yield {each.id: each for each in read_passages(config.passages) if each.id in relevant}
