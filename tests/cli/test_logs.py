import logging
import re

import pytest

from cli.logs import StderrHandler, configure_logs, is_main_process, log_to


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


def test_of_several_processes_only_the_main_one_shows_more_than_errors(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert is_main_process()  # a leftover: there is no other process
    monkeypatch.setenv("WORLD_SIZE", "2")
    configure_logs()
    logging.getLogger("retriever").info("said by the main process")
    logging.getLogger("retriever").warning("by it as well")
    logging.getLogger("retriever").error("my own trouble")
    assert capsys.readouterr().err == "error: my own trouble\n"


def test_the_log_of_the_next_run_is_the_only_one_from_then_on(tmp_path):
    configure_logs()
    for name in ("first.txt", "second.txt"):
        log_to(tmp_path / name)
        logging.getLogger("retriever").info("line of %s", name)
    assert "second" not in (tmp_path / "first.txt").read_text()
    assert "second" in (tmp_path / "second.txt").read_text()


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
