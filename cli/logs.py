"""Where log records go: plain lines on stderr, and a run's log.txt. The library itself configures nothing."""

import logging
import os
import sys
from pathlib import Path
from typing import TextIO

OURS = ("retriever", "cli")


class StderrHandler(logging.Handler):
    """Writes to whatever ``sys.stderr`` is at the moment, so that lines go above a live progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line; information stands as it is, anything graver is named."""
        try:
            line = self.format(record)
            if record.levelno > logging.INFO:
                line = f"{record.levelname.lower()}: {line}"
            stream: TextIO = sys.stderr
            stream.write(line + "\n")
            stream.flush()
        except Exception:
            self.handleError(record)


def configure_logs() -> None:
    """Show our loggers from INFO and everybody else's from WARNING on stderr; a second call changes nothing.

    Under torchrun only the main process shows them, since all of them would say the same; the others show errors.
    """
    root = logging.getLogger()
    if any(isinstance(each, StderrHandler) for each in root.handlers):
        return
    root.addHandler(StderrHandler())
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO if is_main_process() else logging.ERROR)


def is_main_process() -> bool:
    """Whether this is the one process, or the first of those that torchrun started."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"


def log_to(path: Path) -> None:
    """Also append every record to this file, with its time and level, and to no other any more; the folder must exist."""
    root = logging.getLogger()
    for each in root.handlers:
        if isinstance(each, logging.FileHandler):
            root.removeHandler(each)
            each.close()
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
