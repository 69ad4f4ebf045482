"""What ``ctl eval retrieval`` and ``ctl eval rankings`` print and keep: the results, what stands behind them, and what --output has."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cli.output import Cell, print_json, print_table
from cli.results import results_object
from retriever.config.results import ResultFolderConfig

if TYPE_CHECKING:
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
    from retriever.evaluation.retrieval_evaluation import items_of, metrics_of

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
