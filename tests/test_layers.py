"""The architecture holds, and its checker catches what it should."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.layers import (
    TORCH_ROOMS,
    call_violations,
    eager_closure,
    import_violations,
    modules_of,
    package_violations,
    within,
)

REPOSITORY = Path(__file__).resolve().parents[1]


def test_imports_go_downwards_and_heavy_libraries_stay_in_their_rooms():
    assert import_violations(REPOSITORY) == []


def test_nothing_unpickles_or_runs_what_a_file_holds():
    assert call_violations(REPOSITORY) == []


def test_package_files_are_empty_or_lazy():
    assert package_violations(REPOSITORY) == []


def test_modules_outside_the_rooms_of_torch_do_not_bring_it_in_through_others():
    rooms = (*TORCH_ROOMS, "retriever.evaluation", "retriever.reporting", "retriever.serving")
    free = [name for name in modules_of(REPOSITORY) if not within(name, rooms)]
    assert "retriever.config.training" in free
    assert {
        name: brought
        for name in free
        if (brought := eager_closure(REPOSITORY, name) & {"torch", "transformers"})
    } == {}


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return root


CLEAN = {
    "retriever/__init__.py": '"""Docs."""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import retriever.data.lines\n',
    "retriever/errors.py": "import numpy\n",
    "retriever/config.py": "from retriever.errors import InputError\n",
    "retriever/data/__init__.py": "",
    "retriever/data/lines.py": "from retriever import config\n",
    "retriever/data/arrow.py": "from .lines import read\ndef read_table():\n    import datasets\n",
    "retriever/encoding/model.py": "import torch\ntorch.load('x', weights_only=True)\nmodel.eval()\n",
    "cli/main.py": "import typer\nfrom cli import search\ndef main():\n    from retriever.encoding import model\n",
    "cli/search.py": "import retriever.config\n",
}


def test_the_checker_finds_nothing_in_a_clean_tree(tmp_path):
    root = plant(tmp_path, CLEAN)
    assert import_violations(root) + call_violations(root) + package_violations(root) == []


@pytest.mark.parametrize(
    ("file", "source", "message"),
    [
        (
            "retriever/data/x.py",
            "import retriever.encoding.model",
            "x.py:1: retriever.data (floor 2) imports retriever.encoding",
        ),
        (
            "retriever/data/x.py",
            "from ..encoding import model",
            "x.py:1: retriever.data (floor 2) imports retriever.encoding",
        ),
        (
            "retriever/losses/x.py",
            "from retriever.data import lines",
            "retriever.losses (floor 2) imports retriever.data (floor 2)",
        ),
        (
            "retriever/records.py",
            "from retriever.errors import InputError",
            "retriever.records (floor 0) imports retriever.errors",
        ),
        (
            "retriever/data/x.py",
            "from retriever import InputError",
            "retriever.data (floor 2) imports retriever (floor 9)",
        ),
        (
            "retriever/data/x.py",
            "if TYPE_CHECKING:\n    import cli.main",
            "x.py:2: retriever.data (floor 2) imports cli (floor 9)",
        ),
        ("retriever/data/x.py", "def f():\n    import torch", "x.py:2: torch may not be imported here"),
        ("retriever/data/x.py", "importlib.import_module('torch.nn')", "torch may not be imported here"),
        ("retriever/search/fusion.py", "from torch import nn", "torch may not be imported here"),
        ("retriever/index/other.py", "import faiss", "faiss may not be imported here"),
        (
            "retriever/data/arrow.py",
            "import datasets",
            "arrow.py:1: datasets must be imported inside a function",
        ),
        ("retriever/evaluation/x.py", "import rich.table", "rich may not be imported here"),
        ("cli/x.py", "import click", "click may not be imported here"),
        ("cli/x.py", "from torch import load", "torch may not be imported here"),
        ("retriever/training/x.py", "import pickle", "pickle may not be imported here"),
        ("retriever/utils/x.py", "", "retriever.utils is no room of the house"),
        (
            "retriever/data/lines.py",
            "from retriever.data import arrow",
            "circle: retriever.data.arrow → retriever.data.lines",
        ),
        (
            "cli/search.py",
            "def f():\n    from cli.main import app",
            "circle: cli.main → cli.search → cli.main",
        ),
        ("retriever/training/x.py", "eval('1')", "x.py:1: eval()"),
        ("retriever/training/x.py", "torch.load(path)", "torch.load without weights_only=True"),
        (
            "retriever/training/x.py",
            "torch.load(path, weights_only=False)",
            "torch.load without weights_only=True",
        ),
        ("retriever/encoding/x.py", "load(name, trust_remote_code=True)", "trust_remote_code"),
        ("retriever/encoding/x.py", "np.load(name, allow_pickle=flag)", "allow_pickle"),
        ("retriever/data/__init__.py", "from retriever.data.lines import read", "must be empty or lazy"),
        ("retriever/data/__init__.py", "read()", "must be empty or lazy"),
    ],
)
def test_the_checker_catches_a_planted_violation(tmp_path, file, source, message):
    root = plant(tmp_path, CLEAN | {file: source + "\n"})
    found = import_violations(root) + call_violations(root) + package_violations(root)
    assert any(message in each for each in found), found


def test_the_checker_follows_our_own_imports_to_a_heavy_library(tmp_path):
    root = plant(tmp_path, {"retriever/a.py": "import retriever.b", "retriever/b.py": "import torch"})
    assert "torch" in eager_closure(root, "retriever.a")


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from cli.main import main; code = main(['--help']); "
        "heavy = {'torch', 'transformers', 'faiss', 'scipy', 'datasets', 'numpy', 'rich'} & set(sys.modules); "
        "sys.exit(f'exit {code}, loaded {sorted(heavy)}' if code or heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "train-simcse" in done.stdout
