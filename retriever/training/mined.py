"""Hard negatives for training questions that come without: mined with BM25 before the training, and kept in the run."""

import logging
import shutil
from collections.abc import Sequence
from math import ceil
from pathlib import Path

from retriever.config.mining import MineConfig
from retriever.config.training import TrainDprConfig
from retriever.data.beir import BeirFolder
from retriever.data.files import file_sha256, read_json, write_json
from retriever.data.hub import at_split
from retriever.data.json_record import read_records
from retriever.errors import InputError
from retriever.search.mine_corpus import known_of, mine_corpus
from retriever.training.recipe import Surroundings
from retriever.training.run_directory import MINED, is_begun

logger = logging.getLogger(__name__)

CACHE = "cache"
MOST_MINED = 30
"""Hard negatives a question; DPR's files hold 30 to 50 of BM25's."""


def with_hard_negatives(config: TrainDprConfig, surroundings: Surroundings) -> list[Path]:
    """The training files, where what was mined takes the place of files whose questions bring no passages.

    A run that is resumed uses what was mined at its start, and further seeds what the first one mined.

    Raises:
        InputError: a file or line that is wrong.
    """
    if not config.mine or config.num_hard_negatives == 0:
        return list(config.train)
    folder = _folder(surroundings)
    to_mine = {
        number: (each, folder / f"{number}.jsonl", corpus)
        for number, each in enumerate(config.train)
        if (corpus := _corpus_of(each, config)) is not None
    }
    surroundings.processes.on_main(lambda: _mine(config, list(to_mine.values()), folder, surroundings))
    return [to_mine[number][1] if number in to_mine else each for number, each in enumerate(config.train)]


def _folder(surroundings: Surroundings) -> Path:
    """Where what is mined lies: in the run, or in that of the first of several seeds, also when another one is resumed alone."""
    run = surroundings.output
    own = (surroundings.first_seed or run) / MINED
    if surroundings.first_seed is None and is_begun(run) and not own.exists():
        return next(run.parent.glob(f"seed-*/{MINED}"), own)
    return own


def _corpus_of(questions: Path, config: TrainDprConfig) -> Path | None:
    """Where to mine for these questions: in the corpus of their BEIR folder, or in ``--passages``.

    None: they bring passages or hard negatives, as the first of them says, or their positives would be guessed from answers, which
    ``ctl mine`` does where it is asked to.
    """
    if questions.is_dir():
        return BeirFolder.find(questions, "train").corpus
    if config.passages is None or known_of(questions) != "positive ids":
        return None
    first = next(read_records(at_split(questions, "train")))
    return None if first.values.get("hard_negative_ctxs") else config.passages


def _files_of(questions: Path) -> list[Path]:
    """What mining reads of them, besides the corpus."""
    if not questions.is_dir():
        return [questions]
    found = BeirFolder.find(questions, "train")
    return [found.queries, found.qrels]


def _count(config: TrainDprConfig) -> int:
    """Hard negatives a question: the hardest ones, as many as the epochs draw of others."""
    turns = ceil(config.epochs * max(config.train_rate, default=1.0))
    return max(config.num_hard_negatives, min(MOST_MINED, turns * config.num_hard_negatives))


def _mine(
    config: TrainDprConfig,
    to_mine: Sequence[tuple[Path, Path, Path]],
    folder: Path,
    surroundings: Surroundings,
) -> None:
    """Write what is not there yet, of each (questions, output, corpus)."""
    for questions, file, corpus in to_mine:
        folder.mkdir(parents=True, exist_ok=True)
        surroundings.keep_settings()
        mine = MineConfig(
            questions=questions,
            passages=corpus,
            output=file,
            num_hard_negatives=_count(config),
            keep_negatives=True,
            cache=folder / CACHE,
        )
        made_of = {
            **{name: str(value) for name, value in mine.to_json().items() if name not in ("output", "cache")},
            **{str(each): file_sha256(each) for each in (corpus, *_files_of(questions)) if each.is_file()},
        }
        before = file.with_suffix(".json")
        same = before.exists() and read_json(before) == made_of
        begun = is_begun(folder.parent)
        if begun and not before.exists():
            raise InputError(
                "the hard negatives that the run mined when it began are gone: begin anew with another --output",
                path=file,
            )
        if begun and not same:
            raise InputError(
                "the questions, or the corpus, are others than those that the run mined its hard negatives for when it began: put them "
                "back, or begin anew with another --output",
                path=questions,
            )
        if same and file.exists():
            logger.info("%s: hard negatives as they were mined before the run was killed", file)
            continue
        logger.info("%s has no hard negatives: mining them with BM25 (--no-mine: train without)", questions)
        file.unlink(missing_ok=True)
        write_json(before, made_of)
        report = mine_corpus(mine, progress=surroundings.progress)
        logger.info("%d hard negatives for %d questions: %s", report.kept, report.questions, file)
    shutil.rmtree(folder / CACHE, ignore_errors=True)
