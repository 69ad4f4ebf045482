import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import pytest
import typer
from typer.testing import CliRunner

from cli.main import app as ctl
from cli.options import add_command
from retriever.config.evaluation import EvalStsConfig
from retriever.config.geometry import EvalGeometryConfig
from retriever.config.index import IndexConfig
from retriever.config.mining import MineConfig
from retriever.config.report import InfoConfig, PlotConfig
from retriever.config.retrieval import EvalRetrievalConfig
from retriever.config.search import SearchConfig
from retriever.config.slices import EvalSlicesConfig
from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.errors import InputError
from retriever.settings import Config, setting

COMMANDS = {
    ("train-simcse",): TrainSimcseConfig,
    ("train-dpr",): TrainDprConfig,
    ("mine",): MineConfig,
    ("index",): IndexConfig,
    ("search",): SearchConfig,
    ("eval", "sts"): EvalStsConfig,
    ("eval", "retrieval"): EvalRetrievalConfig,
    ("eval", "slices"): EvalSlicesConfig,
    ("eval", "geometry"): EvalGeometryConfig,
    ("info",): InfoConfig,
    ("plot",): PlotConfig,
}


@dataclass(frozen=True, kw_only=True)
class OvenConfig(Config):
    """Oven"""

    heat: float = setting("Degrees.", default=180.0, source="the recipe", above=0)
    door: bool = setting("The door.", default=True, flags="--shut/--open")
    light: bool = setting("The light.", default=False)


@dataclass(frozen=True, kw_only=True)
class BakeConfig(OvenConfig):
    """Baking"""

    cakes: tuple[Path, ...] = setting("What to bake.", positional=True)
    spice: tuple[Path, ...] = setting("Spices [many].", default=())
    shape: Literal["round", "long"] = setting("The shape.", default="round")
    max_minutes: int | None = setting("When to stop.", default=None, at_least=1)
    heat: float = setting("Degrees.", default=200.0, source="cakes want more", above=0)


def bake(arguments: list[str], *, with_json: bool = False) -> tuple[BakeConfig, dict[str, bool]]:
    """What the command function is called with."""
    seen: list[tuple[BakeConfig, dict[str, bool]]] = []

    def plain(config: BakeConfig) -> None:
        """Bake cakes."""
        seen.append((config, {}))

    def json_too(config: BakeConfig, as_json: bool = False) -> None:
        """Bake cakes."""
        seen.append((config, {"as_json": as_json}))

    app = typer.Typer(rich_markup_mode=None)
    add_command(app, "bake", json_too if with_json else plain)
    app(arguments, standalone_mode=False)
    return seen[0]


def help_of(app: typer.Typer, *command: str) -> str:
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    return result.output


def squeezed(text: str) -> str:
    """Without white space: help is wrapped, at hyphens too."""
    return re.sub(r"\s", "", text)


def test_without_flags_the_defaults_hold():
    config, _ = bake(["plum"])
    assert config == BakeConfig(cakes=(Path("plum"),))
    assert (config.heat, config.door, config.spice) == (200.0, True, ())


def test_flags_are_the_field_names_in_kebab_case():
    config, _ = bake(
        [
            "plum",
            "pear",
            "--spice",
            "a",
            "--spice",
            "b",
            "--shape",
            "long",
            "--max-minutes",
            "5",
            "--heat",
            "1.5",
        ]
    )
    assert config == BakeConfig(
        cakes=(Path("plum"), Path("pear")),
        spice=(Path("a"), Path("b")),
        shape="long",
        max_minutes=5,
        heat=1.5,
    )


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [
        ("--open", "door", False),
        ("--shut", "door", True),
        ("--light", "light", True),
        ("--no-light", "light", False),
    ],
)
def test_a_switch_has_two_flags(flag, name, value):
    assert getattr(bake(["plum", flag])[0], name) is value


def test_flags_beat_the_file_and_the_file_beats_the_defaults(tmp_path):
    file = tmp_path / "bake.json"
    file.write_text(
        json.dumps({"heat": 90, "door": False, "light": True, "cakes": ["plum"], "max_minutes": 3})
    )
    config, _ = bake(["--config", str(file), "--heat", "70", "--no-light"])
    assert config == BakeConfig(cakes=(Path("plum"),), heat=70.0, door=False, light=False, max_minutes=3)


def test_positional_arguments_replace_those_of_the_file(tmp_path):
    file = tmp_path / "bake.json"
    file.write_text(json.dumps({"cakes": ["plum", "pear"]}))
    assert bake(["fig", "--config", str(file)])[0].cakes == (Path("fig"),)


def test_a_config_written_to_a_file_comes_back_the_same(tmp_path):
    config, _ = bake(["plum", "--spice", "a", "--open", "--shape", "long"])
    file = tmp_path / "bake.json"
    file.write_text(json.dumps(config.to_json()))
    assert bake(["--config", str(file)])[0] == config


def test_json_flag_only_where_the_command_takes_it():
    assert bake(["plum", "--json"], with_json=True)[1] == {"as_json": True}
    assert bake(["plum"], with_json=True)[1] == {"as_json": False}
    with pytest.raises(Exception, match=r"No such option.*--json"):
        bake(["plum", "--json"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "CAKES is required"),
        (["plum", "--heat", "-0.5"], "--heat must be above 0, got -0.5"),
        (["plum", "--heat", "nan"], "--heat must be a finite number, got nan"),
        (["plum", "--max-minutes", "0"], "--max-minutes must be at least 1, got 0"),
    ],
)
def test_an_error_that_a_flag_caused_names_the_flag(arguments, message):
    with pytest.raises(InputError) as error:
        bake(arguments)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"max_minutes": 0}', "max_minutes must be at least 1, got 0"),
        ('{"max_minutes": 1.5}', "max_minutes must be a whole number, got 1.5"),
        ('{"shape": "square"}', "shape must be one of round, long, got 'square'"),
        ('{"door": "yes"}', "door must be true or false, got 'yes'"),
        (
            '{"max-minutes": 3}',
            "unknown setting 'max-minutes' (known: heat, door, light, cakes, spice, shape, max_minutes)",
        ),
    ],
)
def test_an_error_that_the_file_caused_names_the_file_and_the_key(tmp_path, content, message):
    file = tmp_path / "bake.json"
    file.write_text(content)
    with pytest.raises(InputError) as error:
        bake(["plum", "--config", str(file)])
    assert str(error.value) == f"{file}: {message}"


def test_help_has_a_section_for_each_group_with_the_commands_own_settings_first():
    app = typer.Typer(rich_markup_mode=None)

    def command(config: BakeConfig) -> None:
        """Bake cakes."""

    add_command(app, "bake", command)
    lines = help_of(app).splitlines()
    assert [line for line in lines if line.endswith(":") and not line.startswith(" ")] == [
        "Arguments:",
        "Baking:",
        "Oven:",
        "Options:",
    ]
    oven = "\n".join(lines[lines.index("Oven:") : lines.index("Options:")])
    assert "[default: 200.0 — cakes want more]" in oven  # another default does not move it to another group
    assert "--shut / --open" in oven and "[default: --shut]" in oven and "[default: --no-light]" in oven
    assert "Spices [many]." in "\n".join(lines)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_every_flag_with_its_default_and_where_it_comes_from(command):
    text = squeezed(help_of(ctl, *command))
    for each in fields(COMMANDS[command]):
        metadata = each.metadata
        flag = each.name.upper() if metadata["positional"] else "--" + each.name.replace("_", "-")
        shown = each.default
        if isinstance(shown, bool):
            on, off = metadata["flags"].split("/") if metadata["flags"] else (flag, f"--no-{flag[2:]}")
            shown = on if shown else off
        if metadata["required"]:
            ending = "[required]"
        elif each.default in (None, ()):
            ending = f"[default: {metadata['source'] or 'none'}]"
        else:
            ending = (
                f"[default: {shown} — {metadata['source']}]" if metadata["source"] else f"[default: {shown}]"
            )
        assert squeezed(flag) in text
        assert squeezed(f"{metadata['help']} {ending}") in text
    assert "--configFILE.json" in text


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_fits_eighty_columns_and_cuts_no_flag(command):
    result = CliRunner().invoke(ctl, [*command, "--help"], env={"COLUMNS": "80"})
    assert max(map(len, result.output.splitlines())) <= 80
    assert "…" not in result.output and "..." not in result.output.replace(
        "]...", ""
    )  # DATA... is an argument


def test_printing_commands_take_json_and_the_others_do_not():
    with_json = {command for command in COMMANDS if "--json" in help_of(ctl, *command)}
    evaluations = {command for command in COMMANDS if command[0] == "eval"}
    assert with_json == {("mine",), ("search",), ("info",), *evaluations}
