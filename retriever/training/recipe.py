"""From a recipe's parts to a finished run directory: what SimCSE and DPR share around the loop."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from retriever.config import OptimConfig
from retriever.encoding.dual_encoder import DualEncoder
from retriever.losses.embedding_batch import Objective
from retriever.protocols import Progress
from retriever.training.batches import TokenBatch, TrainingSet
from retriever.training.embedder import Embedder
from retriever.training.loop import Best, DevEvaluation, Optimization, fit
from retriever.training.optimizer import linear_schedule, make_optimizer
from retriever.training.run_directory import RunDirectory

logger = logging.getLogger(__name__)

TRUNCATED_SHARE = 0.05
"""A larger share of cut texts than this is worth a warning."""


@dataclass(frozen=True)
class Recipe:
    """What makes a run SimCSE or DPR.

    Attributes:
        name: for people.
        model: trained in place and saved.
        training_set: the tokenized examples.
        num_hard_negatives: K.
        objective: the loss.
        dev: the dev evaluation, or None.
    """

    name: str
    model: DualEncoder
    training_set: TrainingSet
    num_hard_negatives: int
    objective: Objective
    dev: DevEvaluation | None


def run_recipe(
    config: OptimConfig,
    output: Path,
    recipe: Recipe,
    *,
    progress: Progress,
    on_run_directory: Callable[[Path], None],
) -> Path:
    """Make the run directory, train, and write the results.

    Raises:
        InputError: fewer examples than one batch, or the loss stops being a number.
    """
    steps_per_epoch = recipe.training_set.steps_per_epoch(config.batch_size)
    total_steps = min(config.epochs * steps_per_epoch, config.max_steps or config.epochs * steps_per_epoch)
    query = recipe.model.query
    environment = {"device": str(query.device), "precision": query.precision, "seed": config.seed}
    run = RunDirectory(output, config=config.to_json(), environment=environment)
    on_run_directory(output)
    _announce(config, recipe, total_steps)
    optimizer = make_optimizer(
        recipe.model, learning_rate=config.learning_rate, weight_decay=config.weight_decay
    )
    optimization = Optimization(
        optimizer,
        linear_schedule(optimizer, total_steps=total_steps, warmup_ratio=config.warmup_ratio),
        max_grad_norm=config.max_grad_norm,
        total_steps=total_steps,
    )
    best = fit(
        Embedder(recipe.model),
        recipe.objective,
        _all_epochs(config, recipe),
        optimization,
        run,
        save=recipe.model.save,
        dev=recipe.dev,
        progress=progress,
    )
    _finish(run, best, total_steps)
    return output


def _all_epochs(config: OptimConfig, recipe: Recipe) -> Iterator[TokenBatch]:
    """Batches without end, epoch after epoch; the loop stops."""
    epoch = 0
    while True:
        yield from recipe.training_set.epoch(
            epoch,
            seed=config.seed,
            batch_size=config.batch_size,
            num_hard_negatives=recipe.num_hard_negatives,
        )
        epoch += 1


def _announce(config: OptimConfig, recipe: Recipe, total_steps: int) -> None:
    """Say what is about to happen, and warn of what will hurt."""
    logger.info("%s from %s", recipe.name, recipe.model.describe())
    negatives = config.batch_size * (1 + recipe.num_hard_negatives) - 1
    logger.info(
        "%d examples, %d steps of %d, seed %d; each anchor has up to %d negatives (gradient accumulation adds none)",
        len(recipe.training_set),
        total_steps,
        config.batch_size,
        config.seed,
        negatives,
    )
    found = recipe.training_set
    tables = {"anchors": found.anchors, "passages": found.passages}
    for name, texts in tables.items() if found.anchors is not found.passages else [("texts", found.passages)]:
        if texts.num_truncated > TRUNCATED_SHARE * len(texts):
            share = 100 * texts.num_truncated / len(texts)
            logger.warning(
                "%.0f %% of the training %s are longer than the maximum length and are cut", share, name
            )
    short = sum(len(each) < recipe.num_hard_negatives for each in recipe.training_set.hard_negatives)
    if short:
        logger.warning("%d examples have fewer than %d hard negatives", short, recipe.num_hard_negatives)


def _finish(run: RunDirectory, best: Best | None, total_steps: int) -> None:
    """Write results.json, and say which model was kept."""
    if best is None:
        run.save_results({"steps": total_steps, "model": "last", "dev": None})
        return
    run.save_results({"steps": total_steps, "model": "best", "best_step": best.step, "dev": best.metrics})
    if best.step == 0:
        logger.warning("training never improved on the model it started from: that one is kept")
    else:
        logger.info("kept the model of step %d", best.step)
