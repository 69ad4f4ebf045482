"""``ctl eval geometry``."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.encoders import about, load_encoder
from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from cli.results import results_object
from retriever.choices import TextRole
from retriever.config.geometry import EvalGeometryConfig
from retriever.errors import InputError

if TYPE_CHECKING:
    from retriever.encoding.encoder import Encoder
    from retriever.evaluation.results import Evaluation
    from retriever.records import Passage

Texts = tuple[list["Passage"], int, list[tuple["Passage", "Passage"]]]
"""Texts, how many there were before some were drawn, and positive pairs."""
Metrics = dict[str, Any]

logger = logging.getLogger(__name__)


def geometry(config: EvalGeometryConfig, as_json: bool = False) -> None:
    """Where a model puts texts, without labels: alignment, uniformity, anisotropy, spectrum, hubness and lengths; models side by side."""
    from retriever.evaluation.geometry_evaluation import geometry_evaluation

    require_models(config.model)
    texts, total, positives = texts_of(config)
    measured: list[Metrics] = []
    for name in config.model:
        model = load(config, name)
        evaluation = geometry_evaluation(config, model, about(model), texts, positives)
        measured.append(measured_metrics(config, model, evaluation, (texts, total, positives)))
        if as_json:
            print_json(geometry_results(evaluation, measured[-1]))
    if not as_json:
        show(config, measured)


def require_models(names: "Sequence[str]") -> None:
    """Before the first is measured, not after it."""
    from retriever.encoding.locate import locate_model

    for name in names:
        locate_model(name)


def texts_of(config: EvalGeometryConfig) -> "Texts":
    """The texts that are measured, how many there were, and the positive pairs."""
    from retriever.data.corpus import read_passages
    from retriever.data.sample import sample_items
    from retriever.data.sts import read_sts_pairs
    from retriever.evaluation.embedding_space import as_text, positive_pairs

    pairs = [] if config.sts is None else read_sts_pairs(config.sts)
    positives = positive_pairs(pairs)
    if pairs and not positives:
        raise InputError("no pair has a score above 4, so there is no alignment", path=config.sts)
    texts: Iterator[Passage]
    if config.passages is not None:
        texts = read_passages(config.passages)
    elif config.sentences is not None:
        texts = map(as_text, read_sentences(config.sentences))
    else:
        texts = (as_text(each) for pair in pairs for each in (pair.first, pair.second))
    drawn, total = sample_items(texts, config.sample, seed=config.seed)
    if len(drawn) < total:
        logger.info("%d of %d texts are drawn (--sample)", len(drawn), total)
    return drawn, total, positives


def read_sentences(path: Path) -> Iterator[str]:
    """The sentences of a file that holds nothing else."""
    from retriever.data.simcse import read_simcse_examples

    for example in read_simcse_examples(path):
        if example.positive is not None or example.hard_negatives:
            raise InputError("holds pairs, not sentences: geometry needs a single column", path=path)
        yield example.anchor


def load(config: EvalGeometryConfig, name: str) -> "Encoder":
    """One of the models, which has to embed what is measured."""
    model = load_encoder(config, name)
    if config.passages is not None and model.settings.role == "query":
        raise InputError(f"model '{name}' is one of two encoders and embeds questions only, no passages")
    return model


def measured_metrics(
    config: EvalGeometryConfig, model: "Encoder", evaluation: "Evaluation", drawn: "Texts"
) -> Metrics:
    """The metrics, those that --output has already or new ones."""
    from retriever.evaluation.geometry_evaluation import geometry_metrics, measure_model
    from retriever.evaluation.suite import TaskResult, run_suite

    texts, total, positives = drawn
    role: TextRole | None = None if config.passages is None else "passage"

    def evaluate(task: str) -> TaskResult:
        found = measure_model(model, texts, positives, role=role, progress=make_progress())
        return TaskResult(geometry_metrics(found, total))

    task = evaluation.task
    metrics, _ = run_suite({task: evaluation}, evaluate, output=config.output, replace_stored=config.replace)
    return metrics[task]


def geometry_results(evaluation: "Evaluation", metrics: Metrics) -> dict[str, object]:
    """The JSON of results of one model."""
    return results_object(
        evaluation.suite,
        {evaluation.task: metrics},
        policy=evaluation.policy,
        model=evaluation.model,
        data=evaluation.data,
    )


def show(config: EvalGeometryConfig, measured: Sequence[Metrics]) -> None:
    """A row a measure, the models side by side."""
    from retriever.evaluation.embedding_space import MEANINGS

    columns = ["measure"]
    for name in config.model:
        columns += [name, "95 % from", "to"]
    rows: list[list[Cell]] = []
    for name in MEANINGS:
        cells: list[Cell] = [name]
        for each in measured:
            cells += cells_of(each, name)
        if any(cell is not None for cell in cells[1:]):
            rows.append([*cells, MEANINGS[name]])
    first = measured[0]
    title = (
        f"{first['texts']:,} of {first['texts_in_file']:,} texts ({first['distinct_texts']:,} different), "
        f"{first['positive_pairs']:,} positive pairs"
    )
    print_table(title, [*columns, "meaning"], rows)


def cells_of(metrics: Mapping[str, Any], name: str) -> list[Cell]:
    """Value and interval; skewness of hubs is not defined where all texts are one point."""
    if name not in metrics:
        return [None, None, None]
    value = metrics[name]
    low, high = (metrics.get(f"{name}_{end}") for end in ("low", "high"))
    return ["undefined" if value is None or value != value else value, low, high]
