"""DPR (Karpukhin et al., 2020): questions and passages, in-batch negatives and hard negatives."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch

from retriever.choices import Similarity
from retriever.config import TrainDprConfig
from retriever.data.corpus import read_passage_table
from retriever.data.dpr import read_dpr_examples
from retriever.data.files import require_new_folder
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.evaluation.average_rank import gold_ranks, rank_metrics
from retriever.losses.info_nce import info_nce_objective
from retriever.protocols import Progress, no_progress
from retriever.records import DprExample, Passage
from retriever.training.batches import Table, TrainingSet, known_positives
from retriever.training.load import load_for_training
from retriever.training.loop import DevEvaluation
from retriever.training.recipe import Recipe, run_recipe

logger = logging.getLogger(__name__)

DEFAULT_TEMPERATURE: dict[Similarity, float] = {"cosine": 0.05, "dot": 1.0}


def train_dpr(
    config: TrainDprConfig,
    *,
    progress: Progress = no_progress,
    on_run_directory: Callable[[Path], None] = lambda path: None,
) -> Path:
    """Train a dual encoder.

    Args:
        config: what ``ctl train-dpr`` takes.
        progress: opens progress displays.
        on_run_directory: called with the run directory once it exists.

    Returns:
        The run directory.

    Raises:
        InputError: anything wrong with the files, the model or the settings; nothing is written then.
    """
    require_new_folder(config.output)
    corpus = None if config.passages is None else read_passage_table(config.passages)
    examples = list(chain.from_iterable(read_dpr_examples(file, corpus) for file in config.train))
    dev_examples = None if config.dev is None else list(read_dpr_examples(config.dev, corpus))
    torch.manual_seed(config.seed)
    model = _load(config)
    similarity = model.query.settings.similarity
    num_hard_negatives = min(config.num_hard_negatives, max(len(each.hard_negatives) for each in examples))
    if num_hard_negatives < config.num_hard_negatives:
        logger.warning(
            "no question has more than %d hard negatives: training with that many", num_hard_negatives
        )
    dev = None
    if dev_examples is not None:
        pool = dev_pool(dev_examples, corpus or {}, config.dev_pool_size)
        dev = _dev(model, dev_examples, pool, config.eval_every)
    recipe = Recipe(
        name=f"DPR on questions of up to {config.query_max_length} and passages of up to {config.passage_max_length} tokens,",
        model=model,
        training_set=dpr_training_set(examples, model),
        num_hard_negatives=num_hard_negatives,
        objective=info_nce_objective(
            temperature=config.temperature or DEFAULT_TEMPERATURE[similarity], similarity=similarity
        ),
        dev=dev,
    )
    return run_recipe(config, config.output, recipe, progress=progress, on_run_directory=on_run_directory)


def _load(config: TrainDprConfig) -> DualEncoder:
    """One encoder or two, with the lengths, similarity and passage format that will be saved with them."""

    def one() -> Encoder:
        encoder, _ = load_for_training(
            config.model,
            pooling=config.pooling,
            plain_similarity="dot",
            max_length=config.passage_max_length,
            device=config.device,
            precision=config.precision,
        )
        similarity = config.similarity or encoder.settings.similarity
        encoder.settings = replace(
            encoder.settings,
            similarity=similarity,
            normalize=similarity == "cosine",
            query_max_length=min(config.query_max_length, encoder.settings.max_length),
            passage_format=config.passage_format,
        )
        return encoder

    return DualEncoder(one()) if config.shared_encoder else DualEncoder(one(), one())


def dpr_training_set(examples: Sequence[DprExample], model: DualEncoder) -> TrainingSet:
    """The examples over a table of distinct questions and a table of distinct passages.

    A question is trained towards its first positive (as DPR does); its others are never its negatives. Passages are the
    same when title and text are the same, whatever their ids say.
    """
    questions, passages = Table[str](), Table[tuple[str, str]]()

    def rows(found: Sequence[Passage]) -> list[int]:
        return [passages.row((each.title, each.text)) for each in found]

    anchor = [questions.row(each.query.text) for each in examples]
    positives = [rows(each.positives) for each in examples]
    hard_negatives = [tuple(rows(each.hard_negatives)) for each in examples]
    distinct = [Passage(str(row), text, title) for row, (title, text) in enumerate(passages.keys())]
    return TrainingSet(
        anchors=model.tokenize_queries(questions.keys()),
        passages=model.tokenize_passages(distinct),
        anchor=torch.tensor(anchor),
        positive=torch.tensor([own[0] for own in positives]),
        known_positives=known_positives(anchor, positives),
        hard_negatives=hard_negatives,
    )


def dev_pool(examples: Sequence[DprExample], corpus: Mapping[str, Passage], size: int) -> list[Passage]:
    """The fixed pool of the dev evaluation: all positives, all hard negatives, then the corpus in its order up to ``size``.

    The same for any number of processes: DPR's own pool grows with each.
    """
    pool: dict[tuple[str, str], Passage] = {}
    for each in examples:
        for passage in (*each.positives, *each.hard_negatives):
            pool.setdefault((passage.title, passage.text), passage)
    for passage in corpus.values():
        if len(pool) >= size:
            break
        pool.setdefault((passage.title, passage.text), passage)
    return list(pool.values())


def _dev(
    model: DualEncoder, examples: Sequence[DprExample], pool: Sequence[Passage], every: int
) -> DevEvaluation:
    """Average rank of the gold passage in the pool."""
    row = {(each.title, each.text): number for number, each in enumerate(pool)}
    positives = [[row[passage.title, passage.text] for passage in each.positives] for each in examples]
    texts = [each.query.text for each in examples]
    logger.info("dev: %d questions against a fixed pool of %d passages", len(texts), len(pool))

    def evaluate() -> dict[str, float]:
        queries, passages = model.encode_queries(texts), model.encode_passages(pool)
        return rank_metrics(gold_ranks(queries, passages, positives))

    return DevEvaluation(evaluate, "average_rank", every)
