"""What ``ctl eval slices`` prints: tables, or JSON."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cli.output import Cell, print_table
from cli.results import results_object
from retriever.config.slices import EvalSlicesConfig

if TYPE_CHECKING:
    from retriever.evaluation.retrieval import RetrievalResult
    from retriever.evaluation.slices import Contrast, Group, Interval, Slice
    from retriever.records import Passage, Question

logger = logging.getLogger(__name__)

POLICY = {
    "gold_passage": "the first positive in the index; of qrels the one of the highest grade",
    "bins": "quantiles; equal values are never parted; small bins are joined to the smaller neighbour",
    "first_word": "words of fewer than --least questions, or of fewer than 1 % of all, are merged",
    "intervals": "95 %, percentile bootstrap over the questions of a group; not corrected for the number of groups",
}


@dataclass(frozen=True)
class Sliced:
    """What the command has to show."""

    result: "RetrievalResult"
    other: "RetrievalResult | None"
    questions: "list[Question]"
    gold: "list[Passage | None]"
    slices: "list[Slice]"
    unjudged: int
    about: "Mapping[str, Any]"


def metrics_shown(config: EvalSlicesConfig, result: "RetrievalResult") -> list[str]:
    """Accuracy at k, and the reciprocal rank where it is measured."""
    return [name for name in (f"accuracy@{config.k}", "mrr@10") if name in result.per_query]


def show_slices(config: EvalSlicesConfig, found: Sliced) -> None:
    """A row a group."""
    from retriever.evaluation.slices import score_group

    names = metrics_shown(config, found.result)
    values = {name: found.result.per_query[name] for name in names}
    rows: list[list[Cell]] = []
    for each in found.slices:
        for group in each.groups:
            scores = score_group(group, values)
            rows.append(
                [each.name, group.label, len(group.rows), *(x for name in names for x in scores[name])]
            )
    columns = [column for name in names for column in (name, "95 % from", "to")]
    title = f"{config.mode}, judged by {found.result.judged_by}"
    print_table(title, ["slice", "group", "questions", *columns], rows)
    for each in found.slices:
        if each.merged:
            what = "first words" if each.name == "first_word" else "bins"
            logger.info("%s: %d %s with too few questions are merged (--least)", each.name, each.merged, what)


def show_contrasts(config: EvalSlicesConfig, found: Sliced, other: "RetrievalResult") -> None:
    """A row a group, and examples of both sides."""
    rows: list[list[Cell]] = []
    for each in found.slices:
        for group in each.groups:
            one = contrast_of(config, found, other, group)
            counts = (one.both, one.first_only, one.second_only, one.neither)
            rows.append([each.name, group.label, *counts, *one.difference])
    sides = [f"only {config.mode}", f"only {config.against}"]
    difference = f"{config.mode} - {config.against}"
    columns = ["slice", "group", "both", *sides, "neither", difference, "95 % from", "to"]
    print_table(f"questions answered in the first {config.k}", columns, rows)
    shown: list[list[Cell]] = [
        [side, example["id"], example["question"], example["gold"]]
        for side, examples in zip(sides, examples_of(config, found, other), strict=True)
        for example in examples
    ]
    if shown:
        print_table("examples, highest ranked first", ["found by", "id", "question", "gold passage"], shown)


def contrast_of(
    config: EvalSlicesConfig, found: Sliced, other: "RetrievalResult", group: "Group"
) -> "Contrast":
    """The two modes on one group."""
    from retriever.evaluation.slices import contrast_group

    name = f"accuracy@{config.k}"
    return contrast_group(group, found.result.per_query[name], other.per_query[name])


def examples_of(
    config: EvalSlicesConfig, found: Sliced, other: "RetrievalResult"
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Questions that only the one mode answers, and such that only the other does."""
    from retriever.evaluation.slices import clearest

    name = f"accuracy@{config.k}"

    def side(winner: "RetrievalResult", loser: "RetrievalResult") -> list[dict[str, str]]:
        values = winner.per_query
        rank = values.get("mrr@10", values[name])
        return [
            example(found.questions[row], found.gold[row])
            for row in clearest(values[name], loser.per_query[name], rank, config.examples)
        ]

    return side(found.result, other), side(other, found.result)


def example(question: "Question", gold: "Passage | None") -> dict[str, str]:
    """A question to look at."""
    shown = "" if gold is None else gold.title or gold.text[:80]
    return {"id": question.query.id, "question": question.query.text, "gold": shown}


def slices_results(config: EvalSlicesConfig, found: Sliced) -> dict[str, object]:
    """The JSON of results: a list of groups with every metric, and with --against the counts of both sides."""
    from retriever.evaluation.slices import MEANINGS, score_group

    groups = []
    for each in found.slices:
        for group in each.groups:
            row = group_json(each, group) | flat(score_group(group, found.result.per_query))
            if found.other is not None:
                contrast = contrast_of(config, found, found.other, group)
                row["against"] = asdict(contrast) | flat({"difference": contrast.difference})
            groups.append(row)
    values: dict[str, object] = {
        "questions": len(found.questions),
        "unjudged": found.unjudged,
        "counts": dict(found.result.counts),
        "groups": groups,
    }
    if found.other is not None:
        values["counts_against"] = dict(found.other.counts)
        first, second = examples_of(config, found, found.other)
        values["examples"] = {f"only_{config.mode}": first, f"only_{config.against}": second}
    return results_object(
        "slices",
        {found.about["task"]: values},
        policy={
            **POLICY,
            **found.result.policy.to_json(),
            "slices": MEANINGS,
            "judged_by": found.result.judged_by,
            "k": config.k,
            "least": config.least,
            "answered": f"accuracy@{config.k}",
            "approximate": found.about["approximate"],
            "fusion": found.about["fusion"],
            "precision": found.about["precision"],
        },
        model={"mode": config.mode, "against": config.against, **found.about["model"]},
        data=found.about["data"],
    )


def group_json(own: "Slice", group: "Group") -> dict[str, object]:
    """What a group is."""
    return {
        "slice": own.name,
        "group": group.label,
        "from": group.low,
        "to": group.high,
        "questions": len(group.rows),
    }


def flat(scores: "Mapping[str, Interval]") -> dict[str, object]:
    """Metric, metric_low and metric_high."""
    return {
        name + end: value
        for name, interval in scores.items()
        for end, value in zip(("", "_low", "_high"), interval, strict=True)
    }
