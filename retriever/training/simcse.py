"""SimCSE (Gao et al., 2021): the same sentence twice under two dropout masks, or NLI pairs and triplets."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch

from retriever.choices import HeadMode
from retriever.config import TrainSimcseConfig
from retriever.data.files import require_new_folder
from retriever.data.simcse import read_simcse_examples
from retriever.data.sts import read_sts_task
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.errors import InputError
from retriever.evaluation.sts import evaluate_sts
from retriever.losses.info_nce import info_nce_objective
from retriever.protocols import Progress, no_progress
from retriever.records import SimcseExample, StsTask
from retriever.training.batches import Table, TrainingSet, known_positives
from retriever.training.load import add_head, load_for_training
from retriever.training.loop import DevEvaluation
from retriever.training.recipe import Recipe, run_recipe

logger = logging.getLogger(__name__)


def train_simcse(
    config: TrainSimcseConfig,
    *,
    progress: Progress = no_progress,
    on_run_directory: Callable[[Path], None] = lambda path: None,
) -> Path:
    """Train a sentence encoder.

    Args:
        config: what ``ctl train-simcse`` takes.
        progress: opens progress displays.
        on_run_directory: called with the run directory once it exists.

    Returns:
        The run directory.

    Raises:
        InputError: anything wrong with the files, the model or the settings; nothing is written then.
    """
    require_new_folder(config.output)
    examples = list(chain.from_iterable(read_simcse_examples(file) for file in config.train))
    supervised = _is_supervised(examples, config.train)
    task = None if config.dev is None else read_sts_task(config.dev, split="dev")
    torch.manual_seed(config.seed)
    encoder, declared = load_for_training(
        config.model,
        pooling=config.pooling,
        plain_similarity="cosine",
        device=config.device,
        precision=config.precision,
    )
    plain_head: HeadMode = "keep" if supervised else "train_only"
    if encoder.head is None:
        add_head(
            encoder,
            config.head or (plain_head if declared is None and encoder.settings.pooling == "cls" else "none"),
        )
    elif config.head not in (None, "keep"):
        raise InputError(
            f"model '{config.model}' has a head that belongs to it: --head {config.head} cannot be had"
        )
    encoder.settings = replace(encoder.settings, similarity="cosine")
    training_set = simcse_training_set(examples, encoder, max_length=config.max_length)
    num_hard_negatives = max(len(each.hard_negatives) for each in examples)
    recipe = Recipe(
        name=f"{'' if supervised else 'un'}supervised SimCSE on sentences of up to {config.max_length} tokens,",
        model=DualEncoder(encoder),
        training_set=training_set,
        num_hard_negatives=num_hard_negatives,
        objective=info_nce_objective(
            temperature=config.temperature,
            similarity="cosine",
            hard_negative_weight=config.hard_negative_weight,
        ),
        dev=None if task is None else _dev(encoder, task, config.eval_every),
    )
    return run_recipe(config, config.output, recipe, progress=progress, on_run_directory=on_run_directory)


def _is_supervised(examples: Sequence[SimcseExample], files: Sequence[Path]) -> bool:
    """Whether the examples have positives of their own; a mixture of both kinds is refused."""
    with_positive = sum(each.positive is not None for each in examples)
    if 0 < with_positive < len(examples):
        names = ", ".join(map(str, files))
        raise InputError(f"sentences without positives and pairs cannot be mixed in one run ({names})")
    return with_positive > 0


def simcse_training_set(
    examples: Sequence[SimcseExample], encoder: Encoder, *, max_length: int
) -> TrainingSet:
    """The examples over one table of distinct sentences, cut at ``max_length`` tokens."""
    table = Table[str]()
    anchor = [table.row(each.anchor) for each in examples]
    positive = [
        row if each.positive is None else table.row(each.positive)
        for row, each in zip(anchor, examples, strict=True)
    ]
    hard_negatives = [tuple(table.row(text) for text in each.hard_negatives) for each in examples]
    if repeated := len(anchor) - len(set(zip(anchor, positive, strict=True))):
        logger.warning("%d of %d training examples occur more than once", repeated, len(anchor))
    tokens = encoder.tokenize(table.keys(), max_length=max_length)
    return TrainingSet(
        anchors=tokens,
        passages=tokens,
        anchor=torch.tensor(anchor),
        positive=torch.tensor(positive),
        # the anchor itself is no negative of its own: paraphrase data hold (a, b) and (b, a)
        known_positives=known_positives(anchor, [list(each) for each in zip(positive, anchor, strict=True)]),
        hard_negatives=hard_negatives,
    )


def _dev(encoder: Encoder, task: StsTask, every: int) -> DevEvaluation:
    """STS Spearman, by the evaluator that ``ctl eval sts`` uses."""

    def evaluate() -> dict[str, float]:
        return evaluate_sts(encoder.encode, task, similarity=encoder.settings.similarity)

    return DevEvaluation(evaluate, "spearman_all", every)
