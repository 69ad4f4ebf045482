"""SimCSE (Gao et al., 2021): the same sentence twice under two dropout masks, or NLI pairs and triplets."""

import logging
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch

from retriever.choices import HeadMode
from retriever.config.training import TrainSimcseConfig
from retriever.data.simcse import OneKind
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.encoding.masked_language_model import MaskedLanguageModel
from retriever.errors import InputError
from retriever.inspection.rows import SimcseCheck
from retriever.losses.info_nce import info_nce_objective
from retriever.protocols import Progress, no_progress
from retriever.records import SimcseExample
from retriever.training.batches import Negatives, Ragged, TrainingSet, as_tensor
from retriever.training.dev import StsDev
from retriever.training.load import add_head, load_for_training
from retriever.training.recipe import Recipe, Surroundings, run_recipe
from retriever.training.seeds import train_with_each_seed
from retriever.training.token_table import TokenTable

logger = logging.getLogger(__name__)


def train_simcse(
    config: TrainSimcseConfig,
    *,
    progress: Progress = no_progress,
    on_run_directory: Callable[[Path], None] = lambda path: None,
) -> Path:
    """Train a sentence encoder, once or with each of several seeds.

    Args:
        config: what ``ctl train-simcse`` takes.
        progress: opens progress displays.
        on_run_directory: called with each run directory once it exists.

    Returns:
        ``config.output``: the run directory, or the folder of those of all seeds.

    Raises:
        InputError: anything wrong with the files, the model or the settings; nothing is written then.
    """
    return train_with_each_seed(config, _train, progress=progress, on_run_directory=on_run_directory)


def _train(config: TrainSimcseConfig, surroundings: Surroundings) -> Path:
    """One run."""
    check, kind = SimcseCheck(), OneKind()
    examples = chain.from_iterable(check.watch(file, kind.locate(file)) for file in config.train)
    first = next(examples)  # a file that is not there is an error before the model is loaded
    supervised = first.positive is not None
    if config.preset is not None and supervised != config.preset.startswith("simcse-sup-"):
        wanted, found = ("sentences", "pairs")[:: 1 if supervised else -1]
        raise InputError(
            f"preset {config.preset} is for {wanted}, the training data are {found}", path=config.train[0]
        )
    dev = None if config.dev is None else StsDev(config.dev)
    torch.manual_seed(config.seed)
    encoder = _load(config, surroundings.processes.device, supervised=supervised)
    masked = MaskedLanguageModel.load(encoder, config.model) if config.mlm else None
    training_set = simcse_training_set(chain([first], examples), encoder, max_length=config.max_length)
    if config.hard_negative_weight != 1 and not len(training_set.hard_negatives.rows):
        raise InputError(
            "hard_negative_weight weighs hard negatives, and the training data have none",
            path=config.train[0],
        )
    recipe = Recipe(
        name=f"{'' if supervised else 'un'}supervised SimCSE on sentences of up to {config.max_length} tokens,",
        model=DualEncoder(encoder),
        training_set=training_set,
        negatives=Negatives(hard=int(training_set.hard_negatives.lengths.max())),
        objective=info_nce_objective(
            temperature=config.temperature,
            similarity="cosine",
            hard_negative_weight=config.hard_negative_weight,
        ),
        similarity="cosine",
        masked_language_model=masked,
        masked_language_model_weight=config.mlm_weight,
        dev=dev,
        files={"train": config.train, "dev": config.dev},
        warnings=check.warnings(),
    )
    return run_recipe(config, recipe, surroundings)


def _load(config: TrainSimcseConfig, device: str, *, supervised: bool) -> Encoder:
    """The encoder with the head that it is trained with."""
    encoder, declared = load_for_training(
        config.model,
        pooling=config.pooling,
        plain_similarity="cosine",
        device=device,
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
    encoder.settings = replace(
        encoder.settings,
        similarity="cosine",
        max_length=max(
            encoder.settings.max_length, config.max_length
        ),  # it is judged on all that it is trained on
    )
    return encoder


def simcse_training_set(
    examples: Iterable[SimcseExample], encoder: Encoder, *, max_length: int
) -> TrainingSet:
    """The examples over one table of distinct sentences, cut at ``max_length`` tokens; they are read once and not kept.

    Sentences are the same when the encoder gets the same tokens.
    """
    table = TokenTable[str](lambda texts: encoder.tokenize(texts, max_length=max_length))
    anchors, positives = array("q"), array("q")

    def hard_negatives() -> Iterator[list[int]]:
        for each in examples:
            anchors.append(table.row(each.anchor))
            positives.append(anchors[-1] if each.positive is None else table.row(each.positive))
            yield [table.row(text) for text in each.hard_negatives]

    hard = Ragged.of(hard_negatives())
    same = table.same()
    anchor, positive = same[as_tensor(anchors)], same[as_tensor(positives)]
    tokens = table.tokens()
    return TrainingSet(
        anchors=tokens,
        passages=tokens,
        anchor=anchor,
        positive=positive,
        # the anchor itself is no negative of its own: paraphrase data hold (a, b) and (b, a)
        known_positives=Ragged.grouped(
            torch.cat([anchor, anchor]), torch.cat([positive, anchor]), count=len(table)
        ),
        hard_negatives=hard.renumbered(same),
        other_negatives=Ragged.of(() for _ in range(len(anchor))),
    )
