"""``ctl eval slices``."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cli.output import print_json
from cli.progress import make_progress
from cli.search import open_index
from cli.slice_tables import Sliced, show_contrasts, show_slices, slices_results
from retriever.config.slices import EvalSlicesConfig

if TYPE_CHECKING:
    from retriever.data.question_set import QuestionSet
    from retriever.evaluation.retrieval import RetrievalResult
    from retriever.index.opened import OpenIndex
    from retriever.protocols import Searcher
    from retriever.records import Passage, Qrels, Question

logger = logging.getLogger(__name__)


def slices(config: EvalSlicesConfig, as_json: bool = False) -> None:
    """On which questions a search does well and on which it does not.

    By length and first word of the question, by overlap (the share of its words that its gold passage holds), by length of the
    gold passage, and by whether the model reads all of it; with --against beside another search.
    """
    found = evaluate(config)
    if found.unjudged:
        total = found.unjudged + len(found.questions)
        logger.warning("%d of %d questions cannot be judged and are in no slice", found.unjudged, total)
    if as_json:
        print_json(slices_results(config, found))
        return
    show_slices(config, found)
    if found.other is not None:
        show_contrasts(config, found, found.other)


def evaluate(config: EvalSlicesConfig) -> Sliced:
    """Search in one mode or in both, and slice the questions that are judged."""
    from retriever.data.question_set import QuestionSet
    from retriever.evaluation.retrieval_evaluation import judging_data, require_answers_judge
    from retriever.evaluation.slices import slices_of

    asked = QuestionSet.read(config.questions, config.qrels, config.split)
    require_answers_judge(config, asked)
    every = asked.questions or []
    judgeable = judgeable_questions(every, asked.qrels)
    results, passages, about = ask(config, asked, judgeable)
    judged = set(results[0].question_ids)
    questions = [each for each in judgeable if each.query.id in judged]
    gold = gold_passages(config, questions, asked.qrels, passages)
    sliced = slices_of(
        [each.query.text for each in questions],
        gold,
        cut_by_model(config, passages, gold),
        bins=config.bins,
        least=config.least,
    )
    other = results[1] if len(results) > 1 else None
    about |= {
        "task": asked.name,
        "data": {"index": str(config.index), **judging_data(asked), **about["data"]},
    }
    return Sliced(results[0], other, questions, gold, sliced, len(every) - len(questions), about)


def words_alone(config: EvalSlicesConfig) -> bool:
    """Whether no model searches."""
    return config.modes() == ("bm25",)


def judgeable_questions(questions: "Sequence[Question]", qrels: "Qrels | None") -> "Sequence[Question]":
    """Questions with a gold passage where any has one, else those with answers; with qrels all, which the evaluation sorts out."""
    if qrels is not None:
        return questions
    with_gold = [each for each in questions if each.positive_ids]
    return with_gold or [each for each in questions if each.answers] or questions


def ask(
    config: EvalSlicesConfig, asked: "QuestionSet", questions: "Sequence[Question]"
) -> "tuple[list[RetrievalResult], OpenIndex, dict[str, Any]]":
    """The evaluation of each mode with some of the questions, the passages, and what was searched; the index, and its model, are opened once for both."""
    from retriever.evaluation.judges import ANSWER_METRICS
    from retriever.evaluation.retrieval import evaluate_retrieval
    from retriever.evaluation.retrieval_evaluation import policy_of, precision_of
    from retriever.search.hybrid import HybridSearcher

    searcher, passages = open_index(config, config.mode if config.against is None else "hybrid")
    searchers: dict[str, Searcher] = {config.mode: searcher}
    if isinstance(searcher, HybridSearcher):
        searchers = {"hybrid": searcher, "dense": searcher.dense, "bm25": searcher.bm25}
    answered = f"accuracy@{config.k}"
    results = [
        evaluate_retrieval(
            searchers[mode],
            questions,
            qrels=asked.qrels,
            passages=passages,
            metrics=() if answered in ANSWER_METRICS else (answered,),
            k=config.k,
            policy=policy_of(config),
            source=asked.judgements_file,
            progress=make_progress(),
        )
        for mode in config.modes()
    ]
    about: dict[str, Any] = {
        "model": asdict(passages.manifest.model),
        "data": {"index_sha256": passages.generation.manifest_sha256},
        "precision": precision_of(config, *config.modes()),
        "approximate": None if words_alone(config) else passages.manifest.recall,
        "fusion": None,
    }
    if "hybrid" in config.modes() and isinstance(searcher, HybridSearcher):
        about["fusion"] = searcher.fusion.to_json()
    return results, passages, about


def gold_passages(
    config: EvalSlicesConfig, questions: "Sequence[Question]", qrels: "Qrels | None", passages: "OpenIndex"
) -> "list[Passage | None]":
    """One gold passage a question, the best that the index has; None: it has none of them."""
    known: dict[str, Passage] = {}
    gold: list[Passage | None] = []
    for question in questions:
        ids: Sequence[str] = question.positive_ids
        if qrels is not None:
            grades = qrels[question.query.id]
            ids = sorted((id for id, grade in grades.items() if grade > 0), key=lambda id: -grades[id])
        if config.self_hits == "drop":
            ids = [id for id in ids if id != question.query.id]
        first = next((id for id in ids if id in known or id in passages), None)
        if first is not None and first not in known:
            known[first] = passages[first]
        gold.append(None if first is None else known[first])
    return gold


def cut_by_model(
    config: EvalSlicesConfig, passages: "OpenIndex", gold: "Sequence[Passage | None]"
) -> list[bool | None] | None:
    """Whether the index's model cuts each gold passage; None where no model searches."""
    if words_alone(config):
        return None
    from retriever.encoding.token_counts import token_counter

    manifest = passages.manifest
    count = token_counter(
        config.passage_model
        or manifest.model.locate_passage_model(config.index)
        or config.model
        or manifest.model.locate(config.index),
        "passage",
        manifest.passage_format,
    )
    distinct = {each.id: each for each in gold if each is not None}
    tokens = count([(each.title, each.text) for each in distinct.values()])
    cut = {each: number > manifest.max_length for each, number in zip(distinct, tokens, strict=True)}
    return [None if each is None else cut[each.id] for each in gold]
