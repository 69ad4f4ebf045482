"""From a recipe's parts to a finished run directory: what SimCSE and DPR share around the loop."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from retriever.choices import Similarity
from retriever.config.groups import OptimConfig
from retriever.data.metrics import METRICS_FILE
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import weights_sha256
from retriever.encoding.locate import source_of
from retriever.encoding.masked_language_model import MaskedLanguageModel
from retriever.errors import InputError
from retriever.losses.across_processes import across_processes
from retriever.losses.embedding_batch import Objective
from retriever.protocols import Progress, no_progress
from retriever.training.announce import announce, facts_of
from retriever.training.batches import Negatives, Sampler, TrainingSet
from retriever.training.checkpoint import State, load_checkpoint
from retriever.training.chunk_size import largest_chunk
from retriever.training.dev import DevData, dev_evaluation
from retriever.training.embedder import Embedder
from retriever.training.finish import finish
from retriever.training.loop import Checkpoints, fit
from retriever.training.masked_language_model import MaskedLanguageModelLoss
from retriever.training.optimizer import linear_schedule, make_optimizer
from retriever.training.processes import Processes
from retriever.training.run_directory import WHOLE, RunDirectory, described_files
from retriever.training.step import AuxiliaryBackward, Training
from retriever.training.trackers import open_trackers

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What makes a run SimCSE or DPR.

    Attributes:
        name: for people.
        model: trained in place and saved.
        training_set: the tokenized examples.
        negatives: how many of each kind go with an anchor.
        rates: as for ``Sampler``.
        objective: the loss of one process.
        similarity: by which the loss compares.
        masked_language_model: the encoder with its head, for the auxiliary loss; None: no such loss.
        masked_language_model_weight: of that loss.
        dev: the dev data, or None.
        files: what is read, by what it is for.
        warnings: what is wrong with the training data, for people.
    """

    name: str
    model: DualEncoder
    training_set: TrainingSet
    negatives: Negatives
    rates: Sequence[float] = ()
    objective: Objective
    similarity: Similarity
    masked_language_model: MaskedLanguageModel | None = None
    masked_language_model_weight: float = 0.0
    dev: DevData | None
    files: Mapping[str, Sequence[Path] | Path | None]
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a recipe runs: its folder, its processes, and who is told.

    Attributes:
        output: the run directory.
        processes: that train together.
        progress: opens progress displays.
        on_run_directory: called with the run directory once it exists.
        first_seed: of several seeds, the run of the first one, once it is there.
        keep_settings: writes what ``--resume`` needs, where something is to be kept before the training begins.
    """

    output: Path
    processes: Processes
    progress: Progress = no_progress
    on_run_directory: Callable[[Path], None] = lambda path: None
    first_seed: Path | None = None
    keep_settings: Callable[[], None] = lambda: None


def run_recipe(config: OptimConfig, recipe: Recipe, surroundings: Surroundings) -> Path:
    """Make the run directory, or go on in one that was begun; train, and write the results.

    Raises:
        InputError: fewer examples than one batch, a checkpoint that cannot be read, or the loss stops being a number.
    """
    processes, query = surroundings.processes, recipe.model.query
    run = RunDirectory(surroundings.output, writes=processes.is_main)
    training = _training(config, recipe, processes)
    circumstances = {
        "processes": processes.count,
        "precision": query.precision,
        "training data": recipe.training_set.fingerprint[:16],
        "dev data": None if recipe.dev is None else recipe.dev.sha256[:16],
    }
    dev = None if recipe.dev is None else dev_evaluation(recipe.dev, recipe.model, config)
    encoders = dict.fromkeys((query, recipe.model.passage))  # one, where it is shared
    transformers = (each.transformer for each in encoders)  # a new head's weights are the seed's
    beginning = {**circumstances, "starting weights": weights_sha256(*transformers)[:16]}
    found = load_checkpoint(run.checkpoint, training.module, training.optimizer, circumstances)
    if found is None:  # begins, perhaps again: nothing but the data and the model decides what it becomes
        run.require_same(beginning)
        if surroundings.first_seed is not None:
            RunDirectory(surroundings.first_seed).require_same(beginning)
    state = _begin(processes, found or State(chunk_tokens=run.first_chunk_tokens))
    chunk_tokens = _chunk_tokens(config.chunk_tokens, training, state, recipe.masked_language_model)
    training = replace(training, chunk_tokens=chunk_tokens)
    environment = {
        "device": str(query.device),
        "seed": config.seed,
        **beginning,
        "chunk_tokens": training.chunk_tokens,
        "recipe": recipe.name.rstrip(","),
        "model_sources": _model_sources(config),
    }
    with ExitStack() as at_end:
        processes.on_main(
            lambda: _open(
                run, config, {**environment, "files": described_files(recipe.files)}, surroundings, at_end
            )
        )
        logger.info("%s from %s", recipe.name, recipe.model.describe())
        announce(training, recipe.training_set, recipe.negatives, recipe.warnings)
        processes.on_main(lambda: _go_on(run, state, recipe, resumed=found is not None))
        fit(
            training,
            state,
            run,
            save=recipe.model.save,
            dev=dev,
            similarity=recipe.similarity,
            checkpoints=Checkpoints(config.checkpoint_every, circumstances, state.step),
            progress=surroundings.progress if processes.is_main else no_progress,
        )
        training.free_optimizer()  # the kept model is loaded beside this one
        processes.on_main(
            lambda: finish(
                run,
                state.step,
                recipe.dev,
                device=str(query.device),
                precision=query.precision,
                facts={"seed": config.seed, "examples": len(recipe.training_set)},
            )
        )
    return surroundings.output


def _model_sources(config: OptimConfig) -> dict[str, str]:
    """Where the models that training begins with come from, which only this moment knows of a name."""
    names = {key: value for key, value in config.to_json().items() if key in ("model", "passage_model")}
    return {key: source_of(name) for key, name in names.items() if isinstance(name, str)}


def _training(config: OptimConfig, recipe: Recipe, processes: Processes) -> Training:
    """What takes the steps, at the first of them; in chunks or not is still open."""
    sampler = Sampler(
        recipe.training_set,
        batch_size=config.batch_size,
        seed=config.seed,
        negatives=recipe.negatives,
        rates=recipe.rates,
        rank=processes.rank,
        world_size=processes.count,
    )
    total_steps = config.epochs * sampler.steps_per_epoch
    if config.max_steps is not None:
        total_steps = min(total_steps, config.max_steps)
    embedder, masked = Embedder(recipe.model), recipe.masked_language_model
    module = embedder if masked is None else nn.ModuleList([embedder, masked])
    processes.equalize(module)

    def learning_rate(step: int) -> float:
        share = linear_schedule(step, total_steps=total_steps, warmup_ratio=config.warmup_ratio)
        return config.learning_rate * share

    return Training(
        embedder=embedder,
        module=module,
        objective=recipe.objective if processes.count == 1 else across_processes(recipe.objective),
        auxiliary=None if masked is None else _auxiliary(masked, recipe, config.seed, processes),
        sampler=sampler,
        optimizer=make_optimizer(
            module, learning_rate=config.learning_rate, weight_decay=config.weight_decay
        ),
        learning_rate=learning_rate,
        max_grad_norm=config.max_grad_norm,
        total_steps=total_steps,
        chunk_tokens=None,
        seed=config.seed,
        processes=processes,
    )


def _auxiliary(
    masked: MaskedLanguageModel, recipe: Recipe, seed: int, processes: Processes
) -> AuxiliaryBackward:
    """The masked-language-model loss, with masks of its own in each process."""
    loss = MaskedLanguageModelLoss(masked, seed=seed * processes.count + processes.rank)
    weight = recipe.masked_language_model_weight
    return lambda batch, step, chunk_tokens: loss.backward(
        batch, step=step, chunk_tokens=chunk_tokens, weight=weight
    )


def _begin(processes: Processes, state: State) -> State:
    """Where training begins, at the same step in every process."""
    if processes.from_main(state.step) != state.step:
        raise InputError(
            f"process {processes.rank} finds another checkpoint than the main one: the run must lie where all can read it"
        )
    return state


def _chunk_tokens(
    asked: str | None, training: Training, state: State, masked: MaskedLanguageModel | None
) -> int | None:
    """The number that ``--chunk-tokens`` stands for; None: batches go through the encoder whole.

    What ``auto`` found when the run began holds when it goes on: other chunks would have other dropout masks.
    """
    if asked != "auto":
        state.chunk_tokens = None
        return None if asked is None else int(asked)
    if state.chunk_tokens is None:
        batch = training.sampler.batch(state.step)
        chunk = largest_chunk(training.embedder, batch, masked=masked, processes=training.processes.count)
        found = training.processes.least(chunk or WHOLE)
        state.chunk_tokens = found
    if state.chunk_tokens == WHOLE:
        logger.info("--chunk-tokens auto: a whole batch fits")
        return None
    logger.info("--chunk-tokens auto: %d tokens at a time fit", state.chunk_tokens)
    return state.chunk_tokens


def _open(
    run: RunDirectory,
    config: OptimConfig,
    environment: Mapping[str, object],
    surroundings: Surroundings,
    at_end: ExitStack,
) -> None:
    """Trackers first: one that does not start leaves no run that was begun."""
    run.trackers = open_trackers(config.report_to, run.path, config.to_json())
    for tracker in run.trackers:
        at_end.callback(tracker.finish)
    run.start(config=config.to_json(), environment=environment)
    surroundings.on_run_directory(run.path)


def _go_on(run: RunDirectory, state: State, recipe: Recipe, *, resumed: bool) -> None:
    """Bring the metrics to the step that training goes on from."""
    if resumed:
        logger.info("going on after step %d", state.step)
        run.forget_metrics_after(state.step)
    else:
        if (run.path / METRICS_FILE).exists():
            logger.info("the run was killed before its first checkpoint: it begins again")
            run.forget_metrics_after(-1)
        run.log_metrics(facts_of(recipe.training_set))
