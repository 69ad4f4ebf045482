"""One run, or one for each seed: results on one seed alone say little (SimCSE's move by two points)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import TypeVar

from retriever.config import TrainDprConfig, TrainSimcseConfig
from retriever.data.files import read_json, require_new_folder, write_json
from retriever.errors import InputError
from retriever.protocols import Progress
from retriever.training.processes import Processes
from retriever.training.recipe import Surroundings
from retriever.training.run_directory import require_resumable

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
    config = replace(config, device=processes.device)
    if processes.is_main and not config.resume:
        require_new_folder(config.output)
    if config.seeds is None:
        return _train_one(config, train, processes, progress, on_run_directory)
    if processes.is_main and not require_resumable(config.output, config.to_json()):
        config.output.mkdir(parents=True, exist_ok=True)
        write_json(config.output / "config.json", config.to_json())
    runs = {}
    for seed in config.seed_list():
        one = replace(config, seed=seed, seeds=None, output=config.output / f"seed-{seed}")
        logger.info("seed %d", seed)
        runs[seed] = _train_one(one, train, processes, progress, on_run_directory)
    if processes.is_main:
        write_json(config.output / "results.json", _summary(runs))
    return config.output


def _train_one(
    config: TrainConfig,
    train: Callable[[TrainConfig, Surroundings], Path],
    processes: Processes,
    progress: Progress,
    on_run_directory: Callable[[Path], None],
) -> Path:
    """One run, unless it is finished already."""
    goes_on = config.resume and processes.is_main and require_resumable(config.output, config.to_json())
    finished = goes_on and (config.output / "results.json").is_file()
    if processes.from_main(int(finished)):
        logger.info("%s is finished already", config.output)
        return config.output
    surroundings = Surroundings(
        output=config.output, processes=processes, progress=progress, on_run_directory=on_run_directory
    )
    return train(config, surroundings)


def _summary(runs: Mapping[int, Path]) -> dict[str, object]:
    """Mean and standard deviation over the seeds of the best dev metrics."""
    metrics: dict[str, list[float]] = {}
    for seed, run in runs.items():
        results = read_json(run / "results.json")
        if not isinstance(results, dict):
            raise InputError("expected the results of a run", path=run / "results.json")
        for name, value in (results["dev"] or {}).items():
            metrics.setdefault(name, []).append(value)
            logger.info("seed %d: dev %s %.4g", seed, name, value)
    summary = {
        name: {"mean": mean(values), "sd": stdev(values) if len(values) > 1 else None, "values": values}
        for name, values in metrics.items()
        if all(isinstance(value, float | int) for value in values)
    }
    for name, each in summary.items():
        logger.info("%d seeds: dev %s %.4g ± %.2g", len(runs), name, each["mean"], each["sd"] or 0)
    return {"seeds": list(runs), "dev": summary}
