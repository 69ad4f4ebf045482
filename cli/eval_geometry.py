"""``ctl eval geometry``."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
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
    import numpy as np
    from numpy.typing import NDArray

    from retriever.encoding.encoder import Encoder
    from retriever.evaluation.embedding_space import Geometry
    from retriever.evaluation.results import Evaluation
    from retriever.records import Passage

Pairs = Sequence[tuple["Passage", "Passage"]]
Metrics = dict[str, Any]

logger = logging.getLogger(__name__)

SUITE = "geometry"
POLICY = {
    "alignment": "STS pairs with a score above 4, squared distance (SimCSE)",
    "uniformity": "t = 2, all pairs of texts; a text that occurs twice counts twice",
    "mean_cosine": "all pairs of texts, exact",
    "spectrum": "normalised, uncentred embeddings divided by the root of their number",
    "effective_rank": "exp of the entropy of the singular values divided by their sum (Roy and Vetterli 2007)",
    "hubness": "skewness of the 10-occurrences by cosine, of different texts; ties share the last places",
    "intervals": "95 %, percentile bootstrap over texts, alignment's over pairs; uniformity and mean cosine to first order; "
    "none of spectrum and hubness: a text that is drawn twice is its own neighbour and no new direction",
}
"""How each measure is defined."""


def geometry(config: EvalGeometryConfig, as_json: bool = False) -> None:
    """Where a model puts texts, without labels: alignment, uniformity, anisotropy, spectrum, hubness and lengths; models side by side."""
    require_models(config.model)
    texts, total, positives = texts_of(config)
    measured: list[Metrics] = []
    for name in config.model:
        model = load(config, name)
        evaluation = geometry_evaluation(config, model, texts, positives)
        measured.append(geometry_metrics(config, model, evaluation, (texts, total, positives)))
        if as_json:
            print_json(geometry_results(evaluation, measured[-1]))
    if not as_json:
        show(config, measured)


def require_models(names: "Sequence[str]") -> None:
    """Before the first is measured, not after it."""
    from retriever.encoding.locate import locate_model

    for name in names:
        locate_model(name)


def texts_of(
    config: EvalGeometryConfig,
) -> "tuple[list[Passage], int, list[tuple[Passage, Passage]]]":
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


def geometry_evaluation(
    config: EvalGeometryConfig, model: "Encoder", texts: "Sequence[Passage]", positives: Pairs
) -> "Evaluation":
    """What is measured, and how: of which texts in which order, and of which pairs."""
    from retriever.data.hashes import add_text
    from retriever.evaluation.results import Evaluation

    digest = sha256()
    for part in (texts, [side for pair in positives for side in pair]):
        digest.update(len(part).to_bytes(8, "big"))
        for each in part:
            add_text(digest, each.title)
            add_text(digest, each.text)
    sources = {"sts": config.sts, "sentences": config.sentences, "passages": config.passages}
    task = next(each for each in (config.passages, config.sentences, config.sts) if each is not None)
    return Evaluation(
        suite=SUITE,
        task=task.resolve().stem,
        policy={
            **POLICY,
            "sample": config.sample,
            "seed": config.seed,
            "precision": model.precision,
            "max_length": model.settings.max_length,
        },
        model=about(model),
        data={
            **{name: str(path) for name, path in sources.items() if path is not None},
            "sha256": digest.hexdigest(),
        },
    )


def geometry_metrics(
    config: EvalGeometryConfig,
    model: "Encoder",
    evaluation: "Evaluation",
    measured: "tuple[Sequence[Passage], int, Pairs]",
) -> Metrics:
    """The metrics, those that --output has already or new ones."""
    from retriever.evaluation.results import stored_metrics, write_results

    stored = config.output and stored_metrics(config.output, evaluation, replace=config.replace)
    if stored:
        return stored
    texts, total, positives = measured
    metrics = metrics_of(measure(config, model, texts, positives), total)
    if config.output is not None:
        write_results(config.output, evaluation, metrics)
    return metrics


def measure(
    config: EvalGeometryConfig, model: "Encoder", texts: "Sequence[Passage]", positives: Pairs
) -> "Geometry":
    """The geometry of a model's embeddings, whose lengths are those before normalisation."""
    from retriever.encoding.dual_encoder import format_passages
    from retriever.evaluation.embedding_space import measure_geometry

    model.settings = replace(model.settings, normalize=False)

    def embed(texts: "Sequence[Passage]") -> "NDArray[np.float32]":
        joined = format_passages(texts, model.settings.passage_format)
        role: TextRole | None = None if config.passages is None else "passage"
        return model.encode(*joined, role=role, progress=make_progress())

    return measure_geometry(embed, texts, positives)


def metrics_of(found: "Geometry", total: int) -> Metrics:
    """Counts, each measure beside the ends of its interval if it has one, and the spectrum."""
    values: Metrics = {
        "texts": found.texts,
        "texts_in_file": total,
        "distinct_texts": found.distinct_texts,
        "positive_pairs": found.positive_pairs,
        "dimension": found.dimension,
    }
    for name, each in found.measures.items():
        values[name] = each.value
        if each.low is not None:
            values |= {f"{name}_low": each.low, f"{name}_high": each.high}
    return values | {"singular_values": found.singular_values}


def geometry_results(evaluation: "Evaluation", metrics: Metrics) -> dict[str, object]:
    """The JSON of results of one model."""
    return results_object(
        SUITE,
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
