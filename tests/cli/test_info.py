import json
import shutil

import pytest

from cli.main import main
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder


def test_a_run_shows_its_config_and_its_results(tmp_path, capsys):
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    (run / "config.json").write_text('{"seed": 7, "train": ["a.txt"]}')
    (run / "results.json").write_text('{"sts": {"dev": {"spearman_all": 80.5}}}')
    assert main(["info", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "kind": "run",
        "path": str(run),
        "config": {"seed": 7, "train": ["a.txt"]},
        "results": {"sts": {"dev": {"spearman_all": 80.5}}},
    }


def test_a_run_for_people(tmp_path, capsys):
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    (run / "config.json").write_text('{"seed": 7, "train": ["a.txt"], "dev": null}')
    assert main(["info", str(run)]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines() == [
        f"{run}: run",
        "setting       value",
        "config.seed   7",
        'config.train  ["a.txt"]',
        "config.dev    null",
    ]


def test_a_damaged_config_is_an_input_error(tmp_path, capsys):
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    (run / "config.json").write_text("{")
    assert main(["info", str(run)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {run / 'config.json'}:1: ")


def model_told(name, capsys):
    assert main(["info", str(name), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_one_of_two_encoders_says_what_it_embeds_and_both_together_too(model_folder, tmp_path, capsys):
    query, passage = (Encoder.load(model_folder, device="cpu") for _ in range(2))
    DualEncoder(query, passage).save(tmp_path / "model")
    assert (
        "mean pooling of questions only, cosine" in model_told(tmp_path / "model" / "query", capsys)["model"]
    )
    assert model_told(tmp_path / "model", capsys)["model"].startswith("two encoders, questions: ")


@pytest.mark.parametrize("architectures", [["BertForCL"], None])
def test_a_plain_folder_says_that_it_declares_no_pooling(architectures, plain_folder, tmp_path, capsys):
    folder = shutil.copytree(plain_folder, tmp_path / "plain")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": architectures}))
    assert model_told(folder, capsys) == {
        "kind": "model",
        "path": str(folder),
        "model": str(folder),
        "architecture": "BertForCL" if architectures else "an architecture without a name",
        "pooling": "not declared: commands need --pooling",
    }
