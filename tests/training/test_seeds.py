import json
import logging
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pytest

from retriever.config.training import TrainSimcseConfig
from retriever.errors import InputError
from retriever.training.simcse import train_simcse
from tests.conftest import WORDS
from tests.tiny import triplets


def config_of(tmp_path: Path, model: Path, **options: object) -> TrainSimcseConfig:
    train, dev = tmp_path / "train.txt", tmp_path / "dev.tsv"
    examples = triplets(WORDS, 32)
    train.write_text("\n".join(dict.fromkeys(each.anchor + " the sun" for each in examples)) + "\n")
    rows = [f"{number % 5}\t{each.anchor}\t{each.positive}" for number, each in enumerate(examples)]
    dev.write_text("score\tsentence1\tsentence2\n" + "\n".join(rows) + "\n")
    settings = {"max_length": 16, "batch_size": 8, "max_steps": 3, "learning_rate": 1e-3, "device": "cpu"}
    settings |= {"precision": "fp32", "eval_every": 2, "output": tmp_path / "runs"}
    return TrainSimcseConfig(train=(train,), model=str(model), **{**settings, "dev": dev, **options})


def test_each_seed_has_a_run_and_their_spread_is_reported(plain_folder, tmp_path, caplog) -> None:
    with caplog.at_level(logging.INFO):
        output = train_simcse(config_of(tmp_path, plain_folder, seeds="3,1, 2"))
    results = json.loads((output / "results.json").read_text())
    values = []
    for seed in (3, 1, 2):
        run = output / f"seed-{seed}"
        assert json.loads((run / "environment.json").read_text())["seed"] == seed
        assert json.loads((run / "config.json").read_text())["seeds"] is None
        one = json.loads((run / "results.json").read_text())
        assert one["seed"] == seed
        values.append(one["sts"]["dev"]["spearman_all"])
    assert len(set(values)) > 1
    assert results["seeds"] == [3, 1, 2]
    spearman = results["dev"]["spearman_all"]
    assert spearman["values"] == values
    assert (spearman["mean"], spearman["sd"]) == pytest.approx((mean(values), stdev(values)))
    assert any(each.startswith("3 seeds: dev spearman_all") and "±" in each for each in caplog.messages)
    alone = train_simcse(config_of(tmp_path, plain_folder, seed=1, output=tmp_path / "alone"))
    files = [folder / "model" / "model.safetensors" for folder in (alone, output / "seed-1")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_finished_seeds_are_not_trained_again(plain_folder, tmp_path) -> None:
    output = train_simcse(config_of(tmp_path, plain_folder, seeds="1,2"))
    (output / "results.json").unlink()
    before = (output / "seed-1" / "metrics.jsonl").stat().st_mtime_ns
    (output / "seed-2" / "results.json").unlink()
    train_simcse(config_of(tmp_path, plain_folder, seeds="1,2", resume=True))
    assert (output / "seed-1" / "metrics.jsonl").stat().st_mtime_ns == before
    assert len(json.loads((output / "results.json").read_text())["dev"]["spearman_all"]["values"]) == 2


@pytest.mark.parametrize("changed", ["train.txt", "dev.tsv"])
def test_seeds_on_different_data_are_not_averaged(plain_folder, tmp_path, changed) -> None:
    config = config_of(tmp_path, plain_folder, seeds="1,2")
    train_simcse(
        config_of(tmp_path, plain_folder, seed=1, output=config.output / "seed-1")
    )  # and then a kill
    lines = (tmp_path / changed).read_text().splitlines()
    (tmp_path / changed).write_text("\n".join(lines[:-3]) + "\n")
    what = {"train.txt": "training data", "dev.tsv": "dev data"}[changed]
    with pytest.raises(InputError, match=rf"seed-1: the run began with {what} \w{{16}}, this is \w{{16}}"):
        train_simcse(replace(config, resume=True))
    assert not (config.output / "seed-2").exists()
    assert not (config.output / "results.json").exists()


@pytest.mark.parametrize("seeds", ["1,1", "1,01", "1,x", "", "1,", "-1", str(2**32)])
def test_what_is_no_list_of_different_seeds_is_refused(plain_folder, tmp_path, seeds) -> None:
    with pytest.raises(InputError) as error:
        config_of(tmp_path, plain_folder, seeds=seeds)
    assert str(error.value) == f"seeds must be different whole numbers such as 1,2,3, got '{seeds}'"


def test_training_stops_when_the_dev_metric_does_not_improve(plain_folder, tmp_path, caplog) -> None:
    with caplog.at_level(logging.INFO):
        run = train_simcse(
            config_of(tmp_path, plain_folder, max_steps=None, epochs=9, patience=2, learning_rate=1e-12)
        )
    assert (
        json.loads((run / "results.json").read_text())["steps"] == 4
    )  # evaluations after step 2 and 4 gained nothing
    assert "step 4: no better for 2 evaluations: stopped" in caplog.messages


def test_patience_without_dev_data_is_refused(plain_folder, tmp_path) -> None:
    with pytest.raises(InputError) as error:
        train_simcse(config_of(tmp_path, plain_folder, dev=None, patience=2))
    assert (
        str(error.value) == "patience counts dev evaluations, and there are none: pass dev data, --dev FILE"
    )


def test_a_run_says_what_it_has_otherwise_than_its_preset(plain_folder, tmp_path, caplog) -> None:
    preset = TrainSimcseConfig.resolve(
        {
            **config_of(tmp_path, plain_folder).to_json(),
            "preset": "simcse-unsup-bert-base",
            "train": (tmp_path / "train.txt",),
            "output": tmp_path / "run",
            "dev": None,
            "report_to": (),
        }
    )
    with caplog.at_level(logging.INFO):
        train_simcse(preset)
    (said,) = [each for each in caplog.messages if each.startswith("preset")]
    assert said.startswith("preset simcse-unsup-bert-base, but model ")
    assert "batch_size 8 (preset: 64)" in said
    assert "temperature" not in said


def test_a_mistake_leaves_nothing_that_is_in_the_way(plain_folder, tmp_path) -> None:
    config = config_of(tmp_path, plain_folder, seeds="1,2", batch_size=1000)
    with pytest.raises(InputError):
        train_simcse(config)
    assert not (tmp_path / "runs").exists()


def test_without_dev_data_seeds_have_nothing_to_compare(plain_folder, tmp_path, caplog) -> None:
    train_simcse(config_of(tmp_path, plain_folder, seeds="1,2", dev=None))
    assert "no dev data: there is nothing to compare the seeds by; pass --dev" in caplog.messages
