"""What ``ctl eval retrieval`` and ``ctl eval rankings`` print and keep: the results, what stands behind them, and what --output has."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cli.output import Cell, print_json, print_table
from cli.results import INTERVALS, results_object
from retriever.config.results import ResultFolderConfig
from retriever.config.retrieval import EvalRankingsConfig, EvalRetrievalConfig, PolicyConfig
from retriever.config.search import SearchedIndexConfig

if TYPE_CHECKING:
    from retriever.data.question_set import QuestionSet
    from retriever.evaluation.policy import RetrievalPolicy
    from retriever.evaluation.results import Evaluation
    from retriever.evaluation.retrieval import RetrievalResult


def show_kept(
    config: ResultFolderConfig, evaluation: "Evaluation", *, as_json: bool, again: bool = False
) -> bool:
    """Print the results that --output has already; False: they are to be made, or made ``again`` for what is not kept.

    Raises:
        InputError: --output cannot hold them.
    """
    from retriever.evaluation.results import stored_result

    if config.output is None:
        return False
    stored = stored_result(config.output, evaluation, replace=config.replace)
    if stored is None or again:
        return False
    kept = stored.evaluation
    title = f"retrieval, judged by {kept.policy.get('judged_by')}, as {config.output} has it"
    show(kept, stored.metrics, title, as_json=as_json, made_with=stored.versions)
    return True


def keep_and_show(
    config: ResultFolderConfig,
    evaluation: "Evaluation",
    result: "RetrievalResult",
    texts: Mapping[str, str],
    *,
    as_json: bool,
) -> None:
    """Write the metrics, and those of every question, into --output, if there is one; print them, also where they cannot be written."""
    from retriever.evaluation.results import write_results

    known = replace(evaluation, policy={**evaluation.policy, "judged_by": result.judged_by})
    metrics = metrics_of(result)
    try:
        if config.output is not None:
            write_results(config.output, known, metrics, items_of(result, texts))
    finally:
        show(known, metrics, f"retrieval, judged by {result.judged_by}", as_json=as_json)


def show(
    evaluation: "Evaluation",
    metrics: Mapping[str, Any],
    title: str,
    *,
    as_json: bool,
    made_with: Mapping[str, str] | None = None,
) -> None:
    """The metrics with their intervals."""
    if as_json:
        about = {name: getattr(evaluation, name) for name in ("policy", "model", "data")}
        tasks = {evaluation.task: metrics}
        print_json(results_object(evaluation.suite, tasks, **about, made_with=made_with))
        return
    rows: list[list[Cell]] = [
        [name, value, metrics[f"{name}_low"], metrics[f"{name}_high"]]
        for name, value in metrics.items()
        if f"{name}_low" in metrics
    ]
    print_table(title, ["metric", "value", "95 % from", "to"], rows)


def metrics_of(result: "RetrievalResult") -> dict[str, float]:
    """Each metric beside the ends of its interval, as for STS; before them what was counted."""
    values: dict[str, float] = {"questions": len(result.question_ids), **result.counts, **result.metrics}
    for name, (low, high) in result.intervals.items():
        values |= {f"{name}_low": low, f"{name}_high": high}
    return values


def items_of(result: "RetrievalResult", texts: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Each question's own values."""
    for row, question_id in enumerate(result.question_ids):
        text = {"text": texts[question_id]} if question_id in texts else {}
        values = {name: float(each[row]) for name, each in result.per_query.items()}
        yield {"id": question_id, **text, **values}


def policy_of(config: PolicyConfig) -> "RetrievalPolicy":
    """The choices."""
    from retriever.evaluation.policy import RetrievalPolicy

    return RetrievalPolicy(
        ties=config.ties,
        unjudged=config.unjudged,
        self_hits=config.self_hits,
        answer_match=config.answer_match,
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
    from retriever.encoding.device import choose_device, choose_precision

    if not {"dense", "hybrid"} & set(modes):
        return None
    return choose_precision(config.precision, choose_device(config.device))


def judging_data(asked: "QuestionSet") -> dict[str, object]:
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


def sha256_of(values: Iterable[object]) -> str:
    """Of their JSON, one a line."""
    digest = hashlib.sha256()
    for each in values:
        digest.update(json.dumps(each).encode() + b"\n")
    return digest.hexdigest()
