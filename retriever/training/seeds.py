"""One run, or one for each seed: results on one seed alone say little (SimCSE's move by two points)."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import TypeVar

from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.data.files import require_new_folder, write_json
from retriever.data.folders import locked, remove
from retriever.errors import InputError
from retriever.protocols import Progress
from retriever.training.processes import Processes
from retriever.training.recipe import Surroundings
from retriever.training.run_directory import (
    LOCK,
    MINED,
    RunDirectory,
    is_begun,
    is_empty_but_for_the_lock,
    require_resumable,
)
from retriever.training.trackers import require_installed

logger = logging.getLogger(__name__)

TrainConfig = TypeVar("TrainConfig", TrainSimcseConfig, TrainDprConfig)


def train_with_each_seed(
    config: TrainConfig,
    train: Callable[[TrainConfig, Surroundings], Path],
    *,
    progress: Progress,
    on_run_directory: Callable[[Path], None],
) -> Path:
    """Check the output, start the processes, and train once, or in ``OUTPUT/seed-N`` for each seed.

    A run that is finished is not trained again, so that several seeds are resumed like one.

    Returns:
        ``config.output``.

    Raises:
        InputError: the output holds something and ``resume`` is off, or holds a run with other settings.
    """
    processes = Processes.start(config.device)
    processes.on_main(lambda: _check(config, processes.count))
    surroundings = Surroundings(
        output=config.output, processes=processes, progress=progress, on_run_directory=on_run_directory
    )
    if config.seeds is None:
        keep = partial(_keep_settings, config)
        _train_one(config, train, replace(surroundings, keep_settings=keep))
        return config.output
    with _no_trace_unless_begun(config, processes):
        _train_all(config, train, surroundings)
    return config.output


def _train_all(
    config: TrainConfig, train: Callable[[TrainConfig, Surroundings], Path], surroundings: Surroundings
) -> None:
    """A run for each seed, and what they have in common."""

    def first_run(path: Path) -> None:
        """What the user gave is right, or there would be no run directory: now the settings may be kept."""
        if not (config.output / "config.json").exists():
            write_json(config.output / "config.json", config.to_json())
        surroundings.on_run_directory(path)

    runs: dict[int, Path] = {}
    for seed in config.seed_list():
        one = replace(config, seed=seed, seeds=None, output=config.output / f"seed-{seed}")
        logger.info("seed %d", seed)
        of_seed = replace(
            surroundings,
            output=one.output,
            on_run_directory=first_run,
            first_seed=next(iter(runs.values()), None),
            keep_settings=partial(_keep_settings, config, one),
        )
        _train_one(one, train, of_seed)
        runs[seed] = one.output
    if surroundings.processes.is_main:
        write_json(config.output / "results.json", _summary(runs))


def _keep_settings(*configs: TrainSimcseConfig | TrainDprConfig) -> None:
    """Of runs that have not begun: the others keep those of their start."""
    for each in configs:
        if not any(map(is_begun, (each.output, *each.output.glob("seed-*")))):
            write_json(each.output / "config.json", each.to_json())


@contextmanager
def _no_trace_unless_begun(
    config: TrainSimcseConfig | TrainDprConfig, processes: Processes
) -> Iterator[None]:
    """Of several seeds: without a run the settings of all are not kept, either."""
    folder, settings = config.output, config.output / "config.json"
    there, kept = folder.exists(), settings.exists()
    try:
        yield
    except InputError:
        begun = any(is_begun(folder / f"seed-{seed}") for seed in config.seed_list())
        if processes.is_main and not kept and not begun:
            settings.unlink(missing_ok=True)
            if not there:
                with suppress(OSError):
                    folder.rmdir()
        raise


def _check(config: TrainSimcseConfig | TrainDprConfig, num_processes: int) -> None:
    """What can be wrong before anything is loaded: trackers, and the folder of all seeds."""
    for tracker in config.report_to:
        require_installed(tracker)
    if config.patience is not None and config.dev is None:
        raise InputError("patience counts dev evaluations, and there are none: pass dev data, --dev FILE")
    if config.dev is None and config.eval_every != type(config).eval_every and config.preset is None:
        logger.warning("without --dev there is no evaluation: --eval-every does nothing")
    if config.preset is not None:
        logger.info("preset %s%s", config.preset, _deviations(config))
    if config.preset and num_processes > 1:
        logger.warning(
            "--preset %s: its batch size, %d, is that of all processes together in the paper, and of each one here",
            config.preset,
            config.batch_size,
        )
    if config.seeds is not None:
        _goes_on(config)


def _deviations(config: TrainSimcseConfig | TrainDprConfig) -> str:
    """What the run has otherwise than its preset, in words: a preset that is only half applied is no preset."""
    settings = config.to_json()
    values = config.other_defaults(settings)
    others = [
        f"{name} {settings[name]} (preset: {value})"
        for name, value in values.items()
        if settings[name] != value
    ]
    return f", but {', '.join(others)}" if others else ""


def _goes_on(config: TrainSimcseConfig | TrainDprConfig) -> bool:
    """Whether there is a run to go on with in the output; else the output is new, or an error."""
    if config.resume:
        return require_resumable(config.output, config.to_json())
    if any((config.output / each).exists() for each in ("config.json", MINED)):
        raise InputError(
            "holds a run that was begun: --resume goes on with it, another --output starts anew",
            path=config.output,
        )
    if not is_empty_but_for_the_lock(config.output):
        require_new_folder(config.output)
    return False


def _train_one(
    config: TrainConfig, train: Callable[[TrainConfig, Surroundings], Path], surroundings: Surroundings
) -> None:
    """One run, unless it is finished already."""
    processes = surroundings.processes
    with ExitStack() as at_end:
        goes_on = processes.on_main(lambda: at_end.enter_context(_sole_writer(config)))
        finished = bool(goes_on) and (config.output / "results.json").is_file()
        if processes.from_main(int(finished)):
            logger.info("%s is finished already", config.output)
            # a kill may have come after the results and before this
            RunDirectory(config.output, writes=processes.is_main).forget_checkpoint()
            return
        train(config, surroundings)


@contextmanager
def _sole_writer(config: TrainSimcseConfig | TrainDprConfig) -> Iterator[bool]:
    """Hold the run directory for this process alone, from before anything in it is looked at; → whether there is a run to go on with.

    What an error stops before the run has begun leaves the disk as it was.
    """
    run = config.output
    _goes_on(config)  # a folder that holds something else is not touched
    made = [each for each in (run, *run.parents) if not each.exists()]
    run.mkdir(parents=True, exist_ok=True)
    try:
        with locked(run / LOCK, "another process trains here"):
            before = set(run.iterdir())
            try:
                yield _goes_on(config)
            except InputError:
                if not is_begun(run):
                    remove(set(run.iterdir()) - before)
                raise
            finally:
                (run / LOCK).unlink(missing_ok=True)
    except InputError:
        for each in made:
            with suppress(OSError):  # it holds something
                each.rmdir()
        raise


def _summary(runs: Mapping[int, Path]) -> dict[str, object]:
    """Mean and standard deviation over the seeds of the best dev metrics."""
    metrics: dict[str, list[float]] = {}
    for seed, run in runs.items():
        best = RunDirectory(run).saved_best()
        for name, value in ({} if best is None else best.metrics).items():
            if value is not None:
                metrics.setdefault(name, []).append(value)
                logger.info("seed %d: dev %s %.4g", seed, name, value)
    summary = {
        name: {"mean": mean(values), "sd": stdev(values) if len(values) > 1 else None, "values": values}
        for name, values in metrics.items()
    }
    for name, each in summary.items():
        spread = "" if each["sd"] is None else f" ± {each['sd']:.2g}"
        logger.info("%d seeds: dev %s %.4g%s", len(metrics[name]), name, each["mean"], spread)
    started = [
        seed for seed, run in runs.items() if (best := RunDirectory(run).saved_best()) and best.step == 0
    ]
    if summary and started:
        logger.warning(
            "of %d seeds %d never improved on the model that they started from: their values are its own",
            len(runs),
            len(started),
        )
    if not summary:
        logger.warning("no dev data: there is nothing to compare the seeds by; pass --dev")
    return {"seeds": list(runs), "dev": summary}
