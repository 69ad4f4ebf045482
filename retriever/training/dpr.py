"""DPR (Karpukhin et al., 2020): questions and passages, in-batch negatives and hard negatives."""

import logging
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch

from retriever.choices import Similarity
from retriever.config.training import TrainDprConfig
from retriever.data.beir import BeirFolder
from retriever.data.corpus import read_passages
from retriever.data.dpr import locate_dpr_examples, read_dpr_examples, read_named_positives
from retriever.data.hub import at_split
from retriever.encoding.dual_encoder import DualEncoder, format_passage, half, require_role
from retriever.encoding.encoder import Encoder
from retriever.encoding.locate import locate_model
from retriever.errors import InputError
from retriever.inspection.rows import DprCheck
from retriever.losses.info_nce import info_nce_objective
from retriever.protocols import Progress, no_progress
from retriever.records import DprExample, Passage
from retriever.search.mine_corpus import known_of
from retriever.training.batches import Negatives, Ragged, TrainingSet, as_tensor
from retriever.training.dev import PoolDev, dev_pool
from retriever.training.load import load_for_training
from retriever.training.mined import with_hard_negatives
from retriever.training.recipe import Recipe, Surroundings, run_recipe
from retriever.training.seeds import train_with_each_seed
from retriever.training.token_table import TokenTable

logger = logging.getLogger(__name__)

ANSWERS_SAMPLED = 64
"""Of so many questions one is asked whether its passages contain its answer: looking takes a third as long as tokenizing."""

MINE = {"hard": " (ctl mine finds them)", "other": ""}
"""What to do about missing negatives."""

DEFAULT_TEMPERATURE: dict[Similarity, float] = {"cosine": 0.05, "dot": 1.0}


def train_dpr(
    config: TrainDprConfig,
    *,
    progress: Progress = no_progress,
    on_run_directory: Callable[[Path], None] = lambda path: None,
) -> Path:
    """Train a dual encoder, once or with each of several seeds.

    Args:
        config: what ``ctl train-dpr`` takes.
        progress: opens progress displays.
        on_run_directory: called with each run directory once it exists.

    Returns:
        ``config.output``: the run directory, or the folder of those of all seeds.

    Raises:
        InputError: anything wrong with the files, the model or the settings; nothing is written then.
    """
    return train_with_each_seed(config, _train, progress=progress, on_run_directory=on_run_directory)


def _train(config: TrainDprConfig, surroundings: Surroundings) -> Path:
    """One run."""
    for name in (config.model, config.passage_model):
        if name is not None:
            locate_model(name)
    for file in config.train:
        known_of(file)  # one that is not there is told before the model is loaded
    corpus = _needed_passages(config)
    dev_examples = None if config.dev is None else list(read_dpr_examples(config.dev, corpus, split="dev"))
    torch.manual_seed(config.seed)
    model = _load(config, surroundings.processes.device)
    dev = None
    if dev_examples is not None and config.dev is not None:
        others = corpus
        if others is None and config.dev.is_dir():
            others = _passages_of(BeirFolder.find(config.dev, "dev").corpus, set(), config)
        pool = dev_pool(dev_examples, others or {}, config.dev_pool_size, config.passage_format)
        temperature = _temperature(config, model.query.settings.similarity)
        dev = PoolDev(config.dev, dev_examples, pool, temperature, config.passage_format)
    train = with_hard_negatives(config, surroundings)
    return _train_on(config, surroundings, train, corpus, model, dev)


def _train_on(
    config: TrainDprConfig,
    surroundings: Surroundings,
    train: Sequence[Path],
    corpus: Mapping[str, Passage] | None,
    model: DualEncoder,
    dev: PoolDev | None,
) -> Path:
    """One run, on these files."""
    check = DprCheck(
        sampled=ANSWERS_SAMPLED,
        wants_hard=config.num_hard_negatives > 0,
        wants_other=config.num_other_negatives > 0,
    )
    files = [check.watch(file, locate_dpr_examples(file, corpus)) for file in train]
    similarity = model.query.settings.similarity
    training_set = dpr_training_set(
        files,
        model,
        keep_hard=config.num_hard_negatives > 0,
        keep_other=config.num_other_negatives > 0,
    )
    recipe = Recipe(
        name=f"DPR on questions of up to {config.query_max_length} and passages of up to {config.passage_max_length} tokens,",
        model=model,
        training_set=training_set,
        negatives=_negatives(config, training_set),
        rates=config.train_rate,
        objective=info_nce_objective(temperature=_temperature(config, similarity), similarity=similarity),
        similarity=similarity,
        dev=dev,
        files={"train": train, "passages": config.passages, "dev": config.dev},
        warnings=check.warnings(),
    )
    return run_recipe(config, recipe, surroundings)


def _temperature(config: TrainDprConfig, similarity: Similarity) -> float:
    return config.temperature or DEFAULT_TEMPERATURE[similarity]


def _needed_passages(config: TrainDprConfig) -> dict[str, Passage] | None:
    """Of ``--passages`` what questions name, and what may fill the dev pool."""
    if config.passages is None:
        return None
    files = [at_split(each, "train") for each in config.train if not each.is_dir()]
    if config.dev is not None and not config.dev.is_dir():
        files.append(at_split(config.dev, "dev"))
    named = set(chain.from_iterable(map(read_named_positives, files)))
    return _passages_of(config.passages, named, config)


def _passages_of(corpus: Path, named: Set[str], config: TrainDprConfig) -> dict[str, Passage]:
    """The named passages, and the first ones until those that differ fill a dev pool, in file order: a corpus may be larger than memory."""
    count = 0 if config.dev is None else config.dev_pool_size
    found: dict[str, Passage] = {}
    different: set[tuple[str, str]] = set()
    for each in read_passages(corpus):
        if len(different) < count:
            different.add(format_passage(each, config.passage_format))
            found[each.id] = each
        elif each.id in named:
            found[each.id] = each
    return found


def _negatives(config: TrainDprConfig, training_set: TrainingSet) -> Negatives:
    """As many of each kind as asked, or as the data have."""
    there = {
        "hard": int(training_set.hard_negatives.lengths.max()),
        "other": int(training_set.other_negatives.lengths.max()),
    }
    asked = {"hard": config.num_hard_negatives, "other": config.num_other_negatives}
    for kind, most in there.items():
        if most < asked[kind]:
            logger.warning(
                "no question has more than %d %s negatives: training with that many%s", most, kind, MINE[kind]
            )
    others = len(training_set) - 1
    if config.num_gold_negatives > others:
        raise InputError(
            f"num_gold_negatives must be at most {others}, the number of other questions, got {config.num_gold_negatives}"
        )
    return Negatives(
        hard=min(asked["hard"], there["hard"]),
        other=min(asked["other"], there["other"]),
        gold=config.num_gold_negatives,
        hardest_first=config.hardest_first,
    )


def _load(config: TrainDprConfig, device: str) -> DualEncoder:
    """One encoder or two, with the lengths, similarity and passage format that will be saved with them."""
    asked = {"query": config.query_prompt, "passage": config.passage_prompt}
    prompts = {role: prompt for role, prompt in asked.items() if prompt is not None}

    def one(name: str) -> Encoder:
        encoder, _ = load_for_training(
            name,
            pooling=config.pooling,
            plain_similarity="dot",
            max_length=max(config.passage_max_length, config.query_max_length),
            device=device,
            precision=config.precision,
        )
        similarity = config.similarity or encoder.settings.similarity
        encoder.settings = replace(
            encoder.settings,
            similarity=similarity,
            normalize=similarity == "cosine" or (encoder.settings.normalize and config.similarity is None),
            max_length=config.passage_max_length,
            query_max_length=config.query_max_length,
            passage_format=config.passage_format,
            prompts={**encoder.settings.prompts, **prompts},
        )
        return encoder

    if config.shared_encoder:
        if half(config.model, "query") != config.model:
            raise InputError(f"model '{config.model}' holds two encoders: --two-encoders trains both")
        encoder = one(config.model)
        require_role(encoder, None)
        return DualEncoder(encoder)
    query = one(half(config.model, "query"))
    passage = one(half(config.passage_model or config.model, "passage"))
    require_role(query, "query")
    require_role(passage, "passage")
    return DualEncoder(query, passage)


def dpr_training_set(
    files: Iterable[Iterable[DprExample]],
    model: DualEncoder,
    *,
    keep_hard: bool = True,
    keep_other: bool = False,
) -> TrainingSet:
    """The examples over a table of distinct questions and a table of distinct passages; they are read once and not kept.

    A question is trained towards its first positive (as DPR does); its others are never its negatives. Passages, and questions,
    are the same when the encoder gets the same tokens, whatever their ids and titles say. A question without hard negatives takes
    its other ones (as DPR does).

    Args:
        files: the data sets, each a part of the training set.
        model: tokenizes them.
        keep_hard: hard negatives are wanted.
        keep_other: other negatives are wanted; DPR's files hold fifty a question.
    """
    questions = TokenTable[str](model.tokenize_queries)
    passages = TokenTable[tuple[str, str]](
        lambda texts: model.tokenize_passages([Passage("", text, title) for title, text in texts])
    )
    anchors, firsts, known_anchors, known = array("q"), array("q"), array("q"), array("q")
    other_lists: list[array[int]] = []
    parts: list[int] = []

    def rows(found: Iterable[Passage]) -> "array[int]":
        return array("q", [passages.row((each.title, each.text)) for each in found])

    def hard_negatives() -> Iterator["array[int]"]:
        for examples in files:
            before = len(anchors)
            for each in examples:
                positives = rows(each.positives)
                anchors.append(questions.row(each.query.text))
                firsts.append(positives[0])
                known.extend(positives)
                known_anchors.extend([anchors[-1]] * len(positives))
                other_lists.append(rows(each.other_negatives if keep_other else ()))
                yield rows(each.trained_negatives if keep_hard else ())
            parts.append(len(anchors) - before)

    hard = Ragged.of(hard_negatives())
    same_question, same_passage = questions.same(), passages.same()
    return TrainingSet(
        anchors=questions.tokens(),
        passages=passages.tokens(),
        anchor=same_question[as_tensor(anchors)],
        positive=same_passage[as_tensor(firsts)],
        known_positives=Ragged.grouped(
            same_question[as_tensor(known_anchors)], same_passage[as_tensor(known)], count=len(questions)
        ),
        hard_negatives=hard.renumbered(same_passage),
        other_negatives=Ragged.of(other_lists).renumbered(same_passage),
        parts=parts,
    )
