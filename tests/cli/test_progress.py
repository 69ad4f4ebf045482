import io
import logging
import re
from contextlib import redirect_stderr

import pytest

from cli.logs import StderrHandler
from cli.progress import ProgressBars, ProgressLines, make_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_phase_that_is_no_terminal_is_one_line_at_start_and_end(caplog):
    caplog.set_level(logging.INFO, "cli.progress")
    with ProgressLines()(12_000, "encode") as advance:
        advance(5_000)
        advance(7_000)
    assert caplog.messages[0] == "encode: 12,000 …"
    assert re.fullmatch(r"encode: 12,000 done in \d+\.\d s", caplog.messages[1])
    assert len(caplog.messages) == 2


def test_a_phase_of_unknown_length_names_no_total(caplog):
    caplog.set_level(logging.INFO, "cli.progress")
    with ProgressLines()(None, "read") as advance:
        advance(3)
    assert caplog.messages[0] == "read …"
    assert caplog.messages[1].startswith("read: 3 done in ")


def test_a_phase_that_fails_has_no_end_line(caplog):
    caplog.set_level(logging.INFO, "cli.progress")
    with pytest.raises(ZeroDivisionError), ProgressLines()(2, "encode"):
        raise ZeroDivisionError
    assert caplog.messages == ["encode: 2 …"]


def test_bars_are_chosen_on_a_terminal_only():
    with redirect_stderr(Terminal()):
        assert isinstance(make_progress(), ProgressBars)
    with redirect_stderr(io.StringIO()):
        assert isinstance(make_progress(), ProgressLines)


def test_bars_nest_and_write_to_stderr_only(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    progress = ProgressBars()
    with redirect_stderr(Terminal()) as screen:
        with progress(2, "train [a]") as step:
            step(1)
            with progress(None, "dev") as advance:
                advance(5)
            step(1)
    shown = screen.getvalue()
    assert "train [a]" in shown and "2/2" in shown
    assert "dev" in shown and "5/5" in shown
    assert progress.display is None and capsys.readouterr().out == ""


def test_bars_stop_when_the_phase_fails():
    progress = ProgressBars()
    with redirect_stderr(Terminal()), pytest.raises(ZeroDivisionError), progress(2, "train"):
        raise ZeroDivisionError
    assert progress.display is None and progress.open_phases == 0


def test_log_lines_stand_above_a_live_bar():
    logger = logging.getLogger("tests.progress")
    logger.propagate = False
    logger.addHandler(StderrHandler())
    with redirect_stderr(Terminal()) as screen, ProgressBars()(2, "train"):
        logger.warning("between")
    assert "warning: between\n" in screen.getvalue()
