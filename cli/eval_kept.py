"""``ctl eval retrieval --output``: the results that a folder keeps, and those that it has already."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import Cell, print_json, print_table
from cli.results import INTERVALS, results_object
from retriever.config.evaluation import EvalRetrievalConfig

if TYPE_CHECKING:
    from retriever.evaluation.results import Evaluation
    from retriever.evaluation.retrieval import RetrievalResult

NO_POLICY = (
    "mode",
    "index",
    "questions",
    "qrels",
    "rankings",
    "output",
    "replace",
    "device",
    "model",
    "passage_model",
)
"""Settings that say where things are, and the mode, which the model tells; all others, also those yet to come, can move a number."""


def show_kept(config: EvalRetrievalConfig, *, as_json: bool) -> bool:
    """Print the results that --output has already; False: they are to be made (also where --rankings asks for the rankings)."""
    from retriever.evaluation.results import stored_metrics

    if config.output is None:
        return False
    evaluation = retrieval_evaluation(config)
    metrics = stored_metrics(config.output, evaluation, replace=config.replace)
    if metrics is None or config.rankings is not None:
        return False
    if as_json:
        print_json(
            results_object(
                evaluation.suite,
                {evaluation.task: metrics},
                policy=evaluation.policy,
                model=evaluation.model,
                data=evaluation.data,
            )
        )
        return True
    rows: list[list[Cell]] = [
        [name, value, metrics[f"{name}_low"], metrics[f"{name}_high"]]
        for name, value in metrics.items()
        if f"{name}_low" in metrics
    ]
    print_table(f"retrieval, as {config.output} has it", ["metric", "value", "95 % from", "to"], rows)
    return True


def keep_retrieval(config: EvalRetrievalConfig, result: "RetrievalResult") -> None:
    """Write the metrics, and those of every question, into --output, if there is one."""
    from retriever.data.dpr import read_questions
    from retriever.evaluation.results import write_results

    if config.output is None:
        return
    texts = {each.query.id: each.query.text for each in read_questions(config.questions)}
    evaluation = retrieval_evaluation(config, judged_by=result.judged_by)
    write_results(config.output, evaluation, metrics_of(result), items_of(result, texts))


def metrics_of(result: "RetrievalResult") -> dict[str, float]:
    """Each metric beside the ends of its interval, as for STS."""
    values: dict[str, float] = {"questions": len(result.question_ids), **result.metrics}
    for name, (low, high) in result.intervals.items():
        values |= {f"{name}_low": low, f"{name}_high": high}
    return values


def items_of(result: "RetrievalResult", texts: dict[str, str]) -> Iterator[dict[str, object]]:
    """Each question's own values."""
    for row, question_id in enumerate(result.question_ids):
        values = {name: float(each[row]) for name, each in result.per_query.items()}
        yield {"id": question_id, "text": texts[question_id], **values}


def retrieval_evaluation(config: EvalRetrievalConfig, **found: str) -> "Evaluation":
    """What is evaluated and how, known before any question is searched; ``found`` is what only the evaluation tells of the policy.

    Raises:
        InputError: no index, questions or judgements.
    """
    from retriever.data.files import file_sha256
    from retriever.data.rankings import read_qrels
    from retriever.encoding.device import choose_device, choose_precision
    from retriever.evaluation.results import Evaluation
    from retriever.index.layout import current_generation, read_manifest

    generation = current_generation(config.index)
    manifest = read_manifest(config.index, generation)
    settings = {name: value for name, value in config.to_json().items() if name not in NO_POLICY}
    fingerprint = manifest.model.fingerprint
    passages = [each.passages_sha256 for each in manifest.segments]
    removed = file_sha256(generation.removed) if manifest.removed else None
    qrels = None if config.qrels is None else sha256_of([read_qrels(config.qrels)])
    return Evaluation(
        suite="retrieval",
        task=config.questions.stem,
        policy={
            **settings,
            "precision": choose_precision(config.precision, choose_device(config.device)),
            "approximate": None if config.mode == "bm25" else manifest.recall,
            "intervals": INTERVALS,
            "unjudged_passages": "not relevant",
            **found,
        },
        model={
            **asdict(manifest.model),
            "fingerprint": fingerprint if config.mode == "dense" else f"{config.mode}:{fingerprint}",
            "mode": config.mode,
        },
        data={
            "index": str(config.index),
            "questions": str(config.questions),
            "qrels": None if config.qrels is None else str(config.qrels),
            "sha256": sha256_of([questions_of(config.questions), qrels, passages, removed]),
            "index_sha256": generation.manifest_sha256,
        },
    )


def questions_of(path: Path) -> str:
    """SHA-256 of the questions with what they are judged by, whatever their format."""
    from retriever.data.dpr import read_questions

    return sha256_of(
        [each.query.id, each.query.text, each.answers, each.positive_ids] for each in read_questions(path)
    )


def sha256_of(values: Iterable[object]) -> str:
    """Of their JSON, one a line."""
    digest = hashlib.sha256()
    for each in values:
        digest.update(json.dumps(each).encode() + b"\n")
    return digest.hexdigest()
