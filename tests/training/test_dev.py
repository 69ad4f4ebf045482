"""A run's own numbers are those of ``ctl eval``, and its folder is one of results."""

import json
import random
from pathlib import Path

import pytest

from cli.main import main
from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.encoding.dual_encoder import DualEncoder
from retriever.errors import InputError
from retriever.evaluation.items import read_items
from retriever.evaluation.results import read_results
from retriever.training.dpr import train_dpr
from retriever.training.simcse import train_simcse
from tests.conftest import WORDS
from tests.tiny import triplets

CPU = {"device": "cpu", "precision": "fp32"}
FLAGS = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def sts(tmp_path: Path) -> Path:
    """A folder with a dev file and a test file."""
    folder = tmp_path / "benchmark"
    folder.mkdir()
    for name, seed in (("dev", 1), ("test", 2)):
        generator = random.Random(seed)
        rows = [f"{generator.randint(0, 5)}\t{each.anchor}\t{each.positive}" for each in triplets(WORDS, 24)]
        (folder / f"{name}.tsv").write_text("\n".join(["score\tsentence1\tsentence2", *rows]) + "\n")
    return folder


def simcse(tmp_path: Path, model: Path, name: str, **options: object) -> Path:
    train = tmp_path / "train.txt"
    train.write_text(
        "\n".join(dict.fromkeys(f"{each.anchor} the sun" for each in triplets(WORDS, 32))) + "\n"
    )
    settings = {"max_length": 8, "batch_size": 8, "max_steps": 4, "eval_every": 2, "learning_rate": 1e-3}
    return train_simcse(
        TrainSimcseConfig(
            train=(train,), output=tmp_path / name, model=str(model), **{**CPU, **settings, **options}
        )
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_eval_sts_of_the_run_gives_the_runs_own_number(
    sts, plain_folder, tmp_path, capsys, precision
) -> None:
    run = simcse(tmp_path, plain_folder, "run", dev=sts, precision=precision)
    own = read_results(run)
    assert [*own["sts"]] == ["benchmark-dev"]  # and not its test data
    metrics = own["sts"]["benchmark-dev"]
    flags = ["--model", str(run), "--json", "--device", "cpu", "--precision", precision]
    assert main(["eval", "sts", str(sts / "dev.tsv"), *flags]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sts"]["dev"] == metrics
    assert told["policy"] == own["policy"]["sts"]["benchmark-dev"]
    assert told["model"]["fingerprint"] == own["model"]["fingerprint"]
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    best = next(each for each in logged if each["step"] == own["best_step"] and "dev" in each)
    assert {name: metrics[name] for name in best["dev"]} == best["dev"]  # bit for bit as on the way


def test_a_run_is_a_folder_of_results_to_which_others_are_added(sts, plain_folder, tmp_path, capsys) -> None:
    run = simcse(tmp_path, plain_folder, "run", dev=sts / "dev.tsv")
    before = read_results(run)
    files = [str(sts / f"{name}.tsv") for name in ("dev", "test")]
    assert main(["eval", "sts", *files, "--model", str(run), "--output", str(run), *FLAGS]) == 0
    assert f"sts/dev is in {run} already" in capsys.readouterr().err
    after = read_results(run)
    assert [*after["sts"]] == ["dev", "test"]
    assert after["sts"]["dev"] == before["sts"]["dev"]
    assert {name: after[name] for name in ("seed", "steps", "kept", "best_step")} == {
        name: before[name] for name in ("seed", "steps", "kept", "best_step")
    }


def test_runs_are_compared_as_they_are(sts, plain_folder, tmp_path, capsys) -> None:
    runs = [simcse(tmp_path, plain_folder, f"run-{seed}", dev=sts, seed=seed) for seed in (1, 2)]
    assert main(["compare", *map(str, runs), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first = read_results(runs[0])["sts"]["benchmark-dev"]["spearman_all"]
    assert json.dumps(first)[:8] in json.dumps(rows)


def test_dev_data_without_a_correlation_are_told_before_anything_is_written(plain_folder, tmp_path) -> None:
    dev = tmp_path / "dev.tsv"
    dev.write_text("score\tsentence1\tsentence2\n" + "3\tthe cat\ta cat\n" * 4)
    with pytest.raises(
        InputError, match="STS task 'dev': all gold scores are 3, so a correlation is undefined"
    ):
        simcse(tmp_path, plain_folder, "run", dev=dev)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("shared", [True, False])
def test_dpr_reports_ranks_with_those_of_every_question(plain_folder, tmp_path, shared) -> None:
    rows = []
    for number, each in enumerate(triplets(WORDS, 20)):
        positive, hard = ({"title": f"t {number}", "text": text} for text in (each.positive, each.anchor))
        row = {"question": each.hard_negatives[0], "answers": [], "positive_ctxs": [positive]}
        rows.append(json.dumps(row | {"hard_negative_ctxs": [hard]}))
    data = tmp_path / "questions.jsonl"
    data.write_text("\n".join(rows) + "\n")
    run = train_dpr(
        TrainDprConfig(
            train=(data,), dev=data, output=tmp_path / "run", model=str(plain_folder), pooling="mean", batch_size=4,
            max_steps=2, query_max_length=16, passage_max_length=24, shared_encoder=shared, **CPU,
        )
    )  # fmt: skip
    results = read_results(run)
    metrics = results["dev_pool"]["questions"]
    items = read_items(run, results, "dev_pool", "questions")
    assert len(items.ids) == metrics["questions"] == 20
    for name, values in items.values.items():
        assert values.mean() == pytest.approx(metrics[name])
        assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]
    assert set(items.values) == {"average_rank", "mrr", "accuracy@1", "accuracy@5", "accuracy@20", "nll"}
    assert results["policy"]["dev_pool"]["questions"]["pool"] == 40
    model = DualEncoder.load(run, device="cpu", precision="fp32")
    assert results["model"]["fingerprint"] == model.fingerprint


def test_results_do_not_make_a_begun_run_look_finished(sts, plain_folder, tmp_path, capsys) -> None:
    run = simcse(tmp_path, plain_folder, "run", dev=sts)
    (run / "results.json").unlink()
    flags = ["--model", str(run), "--output", str(run), *FLAGS]
    assert main(["eval", "sts", str(sts), *flags]) == 2
    expected = f"error: {run}: is a run that is not finished: choose another --output, or --resume it\n"
    assert capsys.readouterr().err.endswith(expected)
    assert not (run / "results.json").exists()
