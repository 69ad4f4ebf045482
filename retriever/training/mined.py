"""Hard negatives for training questions that come without: mined with BM25 before the training, and kept in the run."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retriever.config.mining import MineConfig
from retriever.config.training import TrainDprConfig
from retriever.data.files import file_sha256, read_json, write_json
from retriever.errors import InputError
from retriever.search.mine_corpus import known_of, mine_corpus
from retriever.training.recipe import Surroundings

logger = logging.getLogger(__name__)

FOLDER, CACHE = "mined", "cache"
NUM_MINED = 30
"""Hard negatives a question, of which each epoch draws others; DPR's files hold 30 to 50 of BM25's."""


def with_hard_negatives(config: TrainDprConfig, surroundings: Surroundings) -> list[Path]:
    """The training files, where what was mined takes the place of files whose questions bring no passages.

    A run that is resumed uses what was mined at its start, and further seeds what the first one mined.

    Raises:
        InputError: a file or line that is wrong.
    """
    if not config.mine or config.passages is None or config.num_hard_negatives == 0:
        return list(config.train)
    folder = (surroundings.first_seed or surroundings.output) / FOLDER
    files = [
        folder / f"{number}.jsonl" if known_of(each) == "positive ids" else each
        for number, each in enumerate(config.train)
    ]  # where answers alone are known, the positives would be guessed: ctl mine does that where it is asked to
    surroundings.processes.on_main(lambda: _mine(config, files, folder, surroundings))
    return files


def _mine(config: TrainDprConfig, files: list[Path], folder: Path, surroundings: Surroundings) -> None:
    """Write what is not there yet."""
    for questions, file in zip(config.train, files, strict=True):
        if questions == file:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        mine = MineConfig(
            questions=questions,
            passages=config.passages,
            output=file,
            num_hard_negatives=max(NUM_MINED, config.num_hard_negatives),
            cache=folder / CACHE,
        )
        made_of = {
            **{name: str(value) for name, value in mine.to_json().items()},
            **{
                str(each): file_sha256(each)
                for each in (questions, config.passages)
                if each and each.is_file()
            },
        }
        if file.exists() and read_json(file.with_suffix(".json")) == made_of:
            logger.info("%s: hard negatives as they were mined before the run was killed", file)
            continue
        logger.info("%s has no hard negatives: mining them with BM25 (--no-mine: train without)", questions)
        file.unlink(missing_ok=True)
        write_json(file.with_suffix(".json"), made_of)
        report = mine_corpus(mine, progress=surroundings.progress)
        logger.info("%d hard negatives for %d questions: %s", report.kept, report.questions, file)
    shutil.rmtree(folder / CACHE, ignore_errors=True)


@contextmanager
def no_trace_unless_begun(run: Path) -> Iterator[None]:
    """Remove what was mined when the training cannot begin, so that the folder is free for the next attempt."""
    made_here = not run.exists()
    try:
        yield
    except InputError:
        if not (run / "config.json").exists():
            shutil.rmtree(run if made_here else run / FOLDER, ignore_errors=True)
        raise
