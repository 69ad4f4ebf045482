import io
import json
import math
import re
from contextlib import redirect_stdout

import pytest

from cli.output import print_json, print_line, print_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def screen_of_60_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def on_a_terminal(*table) -> str:
    with redirect_stdout(Terminal()) as screen:
        print_table(*table)
    return screen.getvalue()


def test_a_table_that_is_no_terminal_is_aligned_plain_text(capsys):
    print_table(
        "STS", ["task", "spearman", "pairs"], [["sts-b", 76.931, 1379], ["a longer name", 0.25, None]]
    )
    assert capsys.readouterr().out == (
        "STS\ntask           spearman  pairs\nsts-b          76.93     1379\na longer name  0.2500\n"
    )


def test_a_plain_table_is_never_cut_or_wrapped(capsys):
    passage = "word " * 200
    print_table("", ["text"], [[passage + "\n\tlast"]])
    assert capsys.readouterr().out == "text\n" + passage + "last\n"


def test_an_empty_table_shows_its_headings(capsys):
    print_table("nothing", ["rank", "id"], [])
    assert capsys.readouterr().out == "nothing\nrank  id\n"


def test_a_table_on_a_terminal_fits_it_and_shows_brackets_as_they_are():
    shown = on_a_terminal("[q]", ["rank", "text"], [[1, "a [bold]passage[/bold] " + "z" * 100], [2, "short"]])
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
    assert max(map(len, lines)) == 60
    assert "[bold]passage[/bold]" in shown and "[q]" in shown
    assert shown.count("z") == 100  # wrapped, not cut


def test_no_color_is_respected(monkeypatch):
    coloured = re.compile(r"\x1b\[[\d;]*3[0-7]m")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured.search(on_a_terminal("title", ["rank"], [[1]]))


def test_json_is_one_line_an_object_and_keeps_letters(capsys):
    print_json({"text": "Zoë\n東京", "scores": (1.5, 2)})
    print_json({})
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [{"text": "Zoë\n東京", "scores": [1.5, 2]}, {}]
    assert "東京" in lines[0]


def test_json_escapes_what_utf_8_cannot_hold(capsys):
    print_json({"folder": "caf\udce9"})
    line = capsys.readouterr().out
    assert json.loads(line) == {"folder": "caf\udce9"} and line.isascii()


def test_json_has_null_where_a_number_is_not_finite(capsys):
    print_json({"a": math.nan, "b": [math.inf, -math.inf, 1.0], "c": {"d": math.nan}})
    assert capsys.readouterr().out == '{"a": null, "b": [null, null, 1.0], "c": {"d": null}}\n'


def test_a_line_is_printed_as_it_is(capsys):
    print_line("runs/a b")
    assert capsys.readouterr().out == "runs/a b\n"
