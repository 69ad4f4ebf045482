"""``ctl eval slices``."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from cli.output import print_json
from cli.progress import make_progress
from cli.slice_tables import Sliced, show_contrasts, show_slices, slices_results
from retriever.choices import SearchMode
from retriever.config.slices import EvalSlicesConfig

if TYPE_CHECKING:
    from retriever.evaluation.retrieval import RetrievalResult
    from retriever.index.opened import OpenIndex
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
    from retriever.data.dpr import read_questions
    from retriever.data.rankings import read_qrels
    from retriever.evaluation.slices import slices_of

    every = list(read_questions(config.questions))
    qrels = None if config.qrels is None else read_qrels(config.qrels)
    asked = judgeable(every, qrels)
    result, fusion, passages = ask(config, config.mode, asked, qrels)
    other, other_fusion = (None, None)
    if config.against is not None:
        other, other_fusion, _ = ask(config, config.against, asked, qrels)
    judged = set(result.question_ids)
    questions = [each for each in asked if each.query.id in judged]
    gold = gold_passages(questions, qrels, passages)
    sliced = slices_of(
        [each.query.text for each in questions],
        gold,
        cut_by_model(config, passages, gold),
        bins=config.bins,
        least=config.least,
    )
    about = {
        "model": asdict(passages.manifest.model),
        "approximate": None if words_alone(config) else passages.manifest.recall,
        "fusion": fusion or other_fusion,
    }
    return Sliced(result, other, questions, gold, sliced, len(every) - len(questions), about)


def words_alone(config: EvalSlicesConfig) -> bool:
    """Whether no model searches."""
    return {config.mode, config.against} <= {"bm25", None}


def judgeable(questions: "Sequence[Question]", qrels: "Qrels | None") -> "Sequence[Question]":
    """Questions with a gold passage where any has one, else those with answers; with qrels all, which the evaluation sorts out."""
    if qrels is not None:
        return questions
    with_gold = [each for each in questions if each.positive_ids]
    return with_gold or [each for each in questions if each.answers] or questions


def ask(
    config: EvalSlicesConfig, mode: SearchMode, questions: "Sequence[Question]", qrels: "Qrels | None"
) -> "tuple[RetrievalResult, Mapping[str, object] | None, OpenIndex]":
    """The evaluation of one mode, its fusion if it is hybrid, and the passages."""
    from retriever.evaluation.retrieval import evaluate_retrieval
    from retriever.search.hybrid import HybridSearcher
    from retriever.search.open import open_index

    searcher, passages = open_index(
        config.index,
        mode=mode,
        fusion=config.fusion_settings() if mode == "hybrid" else None,
        model=config.model,
        passage_model=config.passage_model,
        device=config.device,
        precision=config.precision,
    )
    result = evaluate_retrieval(
        searcher, questions, qrels=qrels, passages=passages, k=config.k, progress=make_progress()
    )
    fusion = searcher.fusion.to_json() if isinstance(searcher, HybridSearcher) else None
    return result, fusion, passages


def gold_passages(
    questions: "Sequence[Question]", qrels: "Qrels | None", passages: "OpenIndex"
) -> "list[Passage | None]":
    """One gold passage a question, the best that the index has; None: it has none of them."""
    known: dict[str, Passage] = {}
    gold: list[Passage | None] = []
    for question in questions:
        ids: Sequence[str] = question.positive_ids
        if qrels is not None:
            grades = qrels[question.query.id]
            ids = sorted((id for id, grade in grades.items() if grade > 0), key=lambda id: -grades[id])
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
    from retriever.encoding.truncation import are_cut
    from retriever.index.model import load_model

    model = load_model(
        config.index,
        passages.manifest,
        model=config.model,
        passage_model=config.passage_model,
        device=config.device,
        precision=config.precision,
        for_passages=True,
    )
    distinct = {each.id: each for each in gold if each is not None}
    cut = dict(zip(distinct, are_cut(model, list(distinct.values())), strict=True))
    return [None if each is None else cut[each.id] for each in gold]
