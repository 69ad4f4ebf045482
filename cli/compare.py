"""``ctl compare``."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from retriever.config.comparison import CompareConfig, MethodConfig
from retriever.errors import InputError
from retriever.versions import versions

if TYPE_CHECKING:
    from retriever.evaluation.compare import Comparison, Method
    from retriever.evaluation.systems import System

POLICY = {
    "difference": "first - second",
    "interval": "95 %, percentile bootstrap over items, and over a system's seeds",
    "p": "two-sided paired randomisation test: values (of STS: ranks, standard scores) swapped within items at random",
    "corrected": "Holm, over all comparisons here",
}
COLUMNS = (
    "task",
    "metric",
    "first",
    "second",
    "first's",
    "second's",
    "difference",
    "95 % from",
    "to",
    "p",
    "p (Holm)",
)


def compare(config: CompareConfig, as_json: bool = False) -> None:
    """Compare systems by the results that ctl eval --output kept: which differences are real, and on which items they lie."""
    from retriever.evaluation.compare import compare_systems

    systems = read_systems(config.systems)
    made = compare_systems(systems, method_of(config), progress=make_progress())
    if as_json:
        print_json(json_of(config, systems, made))
        return
    title = f"first - second; p by {config.resamples:,} random swaps, corrected by Holm for {len(made)} tests; intervals are not corrected"
    print_table(title, COLUMNS, [row_of(each) for each in made])
    show_moved(made)


def method_of(config: MethodConfig) -> "Method":
    """The settings of a comparison."""
    from retriever.evaluation.compare import Method

    return Method(
        metrics=config.metric,
        common=config.common,
        items=config.items,
        resamples=config.resamples,
        seed=config.seed,
    )


def read_systems(arguments: Sequence[str]) -> "list[System]":
    """The systems, their names being different."""
    from retriever.evaluation.systems import System

    systems = [System.read(name, folders) for name, folders in map(parse_system, arguments)]
    names = [each.name for each in systems]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(f"two systems are called '{name}': name them, as in NAME={arguments[place]}")
    return systems


def parse_system(argument: str) -> tuple[str, list[Path]]:
    """``NAME=FOLDER,FOLDER`` → name and folders; a folder that is there may have = and commas in its own name."""
    name, equals, rest = argument.partition("=")
    if Path(argument).is_dir() or not equals:
        return argument.rstrip("/"), [Path(argument)]
    folders = [rest] if Path(rest).is_dir() else rest.split(",")
    if not name or not all(folders):
        raise InputError(f"a system is FOLDER, NAME=FOLDER or NAME=FOLDER,FOLDER, got '{argument}'")
    return name, [Path(each) for each in folders]


def row_of(each: "Comparison") -> list[Cell]:
    """A comparison as a row; beside the mean of several seeds stands their standard deviation."""
    from retriever.evaluation.direction import with_direction

    found = each.difference
    values = [
        value if deviation is None else f"{value:.4g} ± {deviation:.2g}"
        for value, deviation in (
            (each.first_value, each.first_deviation),
            (each.second_value, each.second_deviation),
        )
    ]
    task = f"{each.suite}/{each.task}"
    return [task, with_direction(each.metric), each.first, each.second, *values, found.mean, found.low, found.high, found.p_value,
            each.corrected]  # fmt: skip


def show_moved(made: "Sequence[Comparison]") -> None:
    """For each comparison the items that moved most."""
    from retriever.evaluation.direction import with_direction

    for each in made:
        if each.moved:
            counts = (
                f"equal on {each.equal} of {each.items}"
                if each.better is None
                else f"{each.first} better on {each.better}, equal on {each.equal}, worse on {each.worse} of {each.items}"
            )
            title = f"\n{each.suite}/{each.task}, {with_direction(each.metric)}: moved most; {counts}"
            rows = [(one.change, one.first, one.second, one.id, one.text) for one in each.moved]
            print_table(title, ("change", each.first, each.second, "id", "text"), rows)


def json_of(
    config: CompareConfig, systems: "Sequence[System]", made: "Sequence[Comparison]"
) -> dict[str, object]:
    """Comparisons, each with its numbers, and what stands behind them."""
    return {
        "comparisons": list(flat(made)),
        "policy": {**POLICY, "resamples": config.resamples, "seed": config.seed, "common": config.common},
        "systems": {
            each.name: [{"folder": str(folder), "model": results["model"]} for folder, results in each.seeds]
            for each in systems
        },
        "versions": versions(),
    }


def flat(made: "Sequence[Comparison]") -> Iterator[dict[str, object]]:
    """The difference's own numbers beside the others."""
    for each in made:
        values = asdict(each)
        found = values.pop("difference")
        yield {**values, "difference": found.pop("mean"), **found}
