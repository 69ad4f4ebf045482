"""What a run says before its first step, for people and as the first line of its metrics."""

import logging
from collections.abc import Sequence

from retriever.encoding.tokens import Tokens
from retriever.inspection.texts import TRUNCATED_SHARE
from retriever.training.batches import Negatives, TrainingSet
from retriever.training.step import Training

logger = logging.getLogger(__name__)


def facts_of(training_set: TrainingSet) -> dict[str, object]:
    """What holds for the whole run, as the first line of its metrics."""
    tables = _tables(training_set)
    texts = sum(map(len, tables.values()))
    return {
        "step": 0,
        "examples": len(training_set),
        "truncated_share": round(sum(each.num_truncated for each in tables.values()) / texts, 6),
    }


def _tables(found: TrainingSet) -> dict[str, Tokens]:
    """The token tables of a training set, by what they hold."""
    if found.anchors is found.passages:
        return {"texts": found.passages}
    return {"anchors": found.anchors, "passages": found.passages}


def announce(
    training: Training, examples: TrainingSet, negatives: Negatives, warnings: Sequence[str]
) -> None:
    """Say what is about to happen, and warn of what will hurt."""
    sampler = training.sampler
    logger.info(
        "%d examples, %d steps of %d%s, seed %d; each anchor has up to %d negatives (gradient accumulation adds none)",
        len(examples),
        training.total_steps,
        sampler.step_size,
        f" by {sampler.world_size} processes" if sampler.world_size > 1 else "",
        training.seed,
        sampler.step_size * (1 + negatives.total) - 1,
    )
    for warning in warnings:
        logger.warning("%s", warning)
    for name, texts in _tables(examples).items():
        if texts.num_truncated > TRUNCATED_SHARE * len(texts):
            share = 100 * texts.num_truncated / len(texts)
            logger.warning(
                "%.0f %% of the training %s are longer than the maximum length and are cut: raise it, or split them",
                share,
                name,
            )
    kinds = {
        "hard": (negatives.hard, examples.hard_negatives),
        "other": (negatives.other, examples.other_negatives),
    }
    for kind, (wanted, found) in kinds.items():
        if short := int((found.lengths < wanted).sum()):
            logger.warning(
                "%d examples have fewer than %d %s negatives: they train with what they have",
                short,
                wanted,
                kind,
            )
