"""``ctl train-simcse`` and ``ctl train-dpr``."""

import logging
from pathlib import Path

from cli.logs import is_main_process, log_to
from cli.output import print_line
from cli.progress import make_progress
from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.errors import InputError

LOG_FILE = "log.txt"

logger = logging.getLogger(__name__)


def train_simcse(config: TrainSimcseConfig) -> None:
    """Train a sentence encoder with SimCSE, unsupervised from sentences or supervised from pairs and triplets."""
    from retriever.training.simcse import train_simcse as train

    finished(train(config, progress=make_progress(), on_run_directory=log_into))


def train_dpr(config: TrainDprConfig) -> None:
    """Train a question and a passage encoder with DPR, from questions with positive and hard negative passages."""
    from retriever.training.dpr import train_dpr as train

    finished(train(config, progress=make_progress(), on_run_directory=log_into))


def log_into(run: Path) -> None:
    """Called as soon as the run directory exists."""
    log_to(run / LOG_FILE)


def finished(output: Path) -> None:
    """Write the model cards and print where the run lies, once for all processes."""
    if is_main_process():
        write_cards(output)
        print_line(str(output))


def write_cards(output: Path) -> None:
    """A card for the model of each seed; whatever is wrong with a card, the training is done."""
    from retriever.reporting.card_facts import card_of
    from retriever.reporting.model_card import write_card

    runs = [output] if (output / "model").is_dir() else sorted(output.glob("seed-*"))
    for run in runs:
        try:
            write_card(*card_of(run))
        except (InputError, OSError) as error:
            logger.warning("no model card was written: %s", error)
