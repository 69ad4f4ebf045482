import logging
import re

import pytest

from cli.logs import StderrHandler, configure_logs, log_to


@pytest.fixture(autouse=True)
def clean_loggers():
    """Every test starts without our handlers, and leaves none."""
    root = logging.getLogger()
    before = list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in ("retriever", "cli")}
    root.handlers = [each for each in before if not isinstance(each, StderrHandler)]
    yield
    for each in root.handlers:
        if isinstance(each, logging.FileHandler):
            each.close()
    root.handlers = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_information_of_ours_is_a_plain_line_on_stderr_and_warnings_are_named(capsys):
    configure_logs()
    logging.getLogger("retriever.training").info("step %d", 3)
    logging.getLogger("retriever.index").warning("slow disk")
    logging.getLogger("other.library").info("chatter")
    logging.getLogger("other.library").warning("beware")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "step 3\nwarning: slow disk\nwarning: beware\n")


def test_configuring_twice_shows_each_line_once(capsys):
    configure_logs()
    configure_logs()
    logging.getLogger("retriever").info("once")
    assert capsys.readouterr().err == "once\n"


def test_only_the_first_process_of_a_machine_shows_information(capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    configure_logs()
    logging.getLogger("retriever").info("said by rank 0")
    logging.getLogger("retriever").warning("my own trouble")
    assert capsys.readouterr().err == "warning: my own trouble\n"


def test_a_runs_log_file_gets_the_same_records_with_time_and_level(tmp_path, capsys):
    configure_logs()
    log_to(tmp_path / "log.txt")
    logging.getLogger("retriever.training").info("naïve step")
    line = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO retriever.training: naïve step\n", line)
    assert capsys.readouterr().err == "naïve step\n"


def test_a_resumed_run_appends_to_its_log(tmp_path):
    (tmp_path / "log.txt").write_text("before\n")
    configure_logs()
    log_to(tmp_path / "log.txt")
    logging.getLogger("retriever").info("after")
    assert (tmp_path / "log.txt").read_text().startswith("before\n")
    assert (tmp_path / "log.txt").read_text().endswith("after\n")
