import json

from cli.main import main


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
