"""What ``ctl eval retrieval`` and ``ctl eval rankings`` measure, and how: the policy, the hashes of the data, and a result as results hold it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from retriever.config.results import INTERVALS
from retriever.config.retrieval import EvalRankingsConfig, EvalRetrievalConfig, PolicyConfig
from retriever.config.search import SearchedIndexConfig
from retriever.data.corpus import read_passages
from retriever.data.files import file_sha256
from retriever.data.hub import is_hub_name
from retriever.data.question_set import QuestionSet
from retriever.data.ranking_files import is_dpr_results
from retriever.errors import InputError
from retriever.evaluation.policy import RetrievalPolicy
from retriever.evaluation.results import Evaluation
from retriever.evaluation.retrieval import RetrievalResult
from retriever.index.layout import current_generation, read_manifest
from retriever.search.hybrid import choose_fusion

SUITE = "retrieval"


def retrieval_evaluation(config: EvalRetrievalConfig, asked: QuestionSet) -> Evaluation:
    """What is evaluated of an index and how, known before any question is searched.

    Raises:
        InputError: no index, or a choice that moves nothing.
    """
    if config.rankings is None or not is_dpr_results(
        config.rankings
    ):  # which say of each passage whether it has an answer
        require_answers_judge(config, asked)
    generation = current_generation(config.index)
    manifest = read_manifest(config.index, generation)
    fingerprint = manifest.model.fingerprint
    removed = file_sha256(generation.removed) if manifest.removed else None
    corpus = sha256_of([*(each.passages_sha256 for each in manifest.segments), removed])
    hybrid = config.mode == "hybrid"
    return Evaluation(
        suite=SUITE,
        task=asked.name,
        policy={
            **judging_settings(config),
            "corpus_sha256": corpus,
            "precision": precision_of(config, config.mode),
            "approximate": None if config.mode == "bm25" else manifest.recall,
            "fusion": choose_fusion(manifest.fusion, config.fusion_settings()).to_json() if hybrid else None,
        },
        model={
            **asdict(manifest.model),
            "fingerprint": fingerprint if config.mode == "dense" else f"{config.mode}:{fingerprint}",
            "mode": config.mode,
        },
        data={
            "index": str(config.index),
            **judging_data(asked),
            "index_sha256": generation.manifest_sha256,
        },
    )


def rankings_evaluation(config: EvalRankingsConfig, asked: QuestionSet) -> Evaluation:
    """What is evaluated of a file and how: the rankings stand for the model, of which nothing else is known.

    Raises:
        InputError: a choice that moves nothing.
    """
    require_answers_judge(config, asked)
    return Evaluation(
        suite=SUITE,
        task=asked.name,
        policy={
            **judging_settings(config),
            "corpus_sha256": None if config.passages is None else corpus_sha256(config.passages),
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


def policy_of(config: PolicyConfig) -> RetrievalPolicy:
    """The choices."""
    return RetrievalPolicy(
        ties=config.ties,
        unjudged=config.unjudged,
        self_hits=config.self_hits,
        answer_match=config.answer_match,
    )


def require_answers_judge(config: PolicyConfig, asked: QuestionSet) -> None:
    """InputError where it is said how answers are looked for, and qrels judge."""
    if config.answer_match != "string" and asked.qrels is not None:
        raise InputError(
            f"answer_match {config.answer_match} is how answers are looked for, and here the qrels judge",
            path=asked.qrels_file,
        )


def judging_settings(config: EvalRetrievalConfig | EvalRankingsConfig) -> dict[str, object]:
    """Every choice in judging that moves a number, and which numbers are asked for."""
    return {
        "k": config.k,
        "metrics": list(config.metrics) or "default",
        **policy_of(config).to_json(),
        "intervals": INTERVALS,
    }


def precision_of(config: SearchedIndexConfig, *modes: str | None) -> str | None:
    """In which numbers the questions are encoded; None where no model searches."""
    # loads torch, which rankings do without
    from retriever.encoding.device import choose_device, choose_precision

    if not {"dense", "hybrid"} & set(modes):
        return None
    return choose_precision(config.precision, choose_device(config.device))


def judging_data(asked: QuestionSet) -> dict[str, object]:
    """Where questions and judgements lie, and hashes of their content: ``sha256`` is of what judges, by which results can be compared.

    The order of questions and judgements in their files moves nothing, and counts for no hash.
    """
    questions = sorted(asked.questions or [], key=lambda each: each.query.id)
    judges: Iterable[object] = (
        ([each.query.id, each.answers, sorted(each.positive_ids)] for each in questions)
        if asked.qrels is None
        else ([each, sorted(asked.qrels[each].items())] for each in sorted(asked.qrels))
    )
    return {
        "questions": None if asked.questions_file is None else str(asked.questions_file),
        "qrels": None if asked.qrels_file is None else str(asked.qrels_file),
        "sha256": sha256_of(judges),
        "questions_sha256": sha256_of([each.query.id, each.query.text] for each in questions),
    }


def corpus_sha256(passages: Path) -> str:
    """Of the file; of a data set, which is none, the content of its passages."""
    if not is_hub_name(passages):
        return file_sha256(passages)
    return sha256_of([each.id, each.title, each.text] for each in read_passages(passages))


def sha256_of(values: Iterable[object]) -> str:
    """Of their JSON, one a line."""
    digest = hashlib.sha256()
    for each in values:
        digest.update(json.dumps(each).encode() + b"\n")
    return digest.hexdigest()


def metrics_of(result: RetrievalResult) -> dict[str, float]:
    """Each metric beside the ends of its interval, as for STS; before them what was counted."""
    values: dict[str, float] = {"questions": len(result.question_ids), **result.counts, **result.metrics}
    for name, (low, high) in result.intervals.items():
        values |= {f"{name}_low": low, f"{name}_high": high}
    return values


def items_of(result: RetrievalResult, texts: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Each question's own values, with its text where ``texts`` has it."""
    for row, question_id in enumerate(result.question_ids):
        text = {"text": texts[question_id]} if question_id in texts else {}
        values = {name: float(each[row]) for name, each in result.per_query.items()}
        yield {"id": question_id, **text, **values}
