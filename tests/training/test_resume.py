"""A run that is killed and resumed ends with the weights of the run that was not, bit for bit."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from retriever.config.training import TrainDprConfig
from retriever.encoding.encoder import Encoder
from retriever.encoding.tokens import Tokens
from retriever.errors import InputError
from retriever.evaluation.results import read_results
from retriever.training import checkpoint, finish, loop, recipe, run_directory
from retriever.training.dpr import train_dpr
from retriever.training.optimizer import make_optimizer
from retriever.training.simcse import train_simcse
from tests.conftest import WORDS
from tests.tiny import triplets
from tests.training.conftest import config_of

WEIGHTS = "model.safetensors"


class Killed(BaseException):
    """What a kill looks like from inside: nothing catches it."""


def killed_after(steps: int) -> Callable:
    """A progress display in whose training phase the process dies."""

    @contextmanager
    def progress(total: int | None, label: str) -> Iterator[Callable[[int], None]]:
        done = 0

        def advance(items: int) -> None:
            nonlocal done
            done += items
            if label == "train" and done == steps:
                raise Killed

        yield advance

    return progress


def steps_of(run: Path) -> list[tuple]:
    """What the metrics say of each step, but for times and memory."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    told = ("step", "loss", "gradient_norm", "dev", "best")
    return [tuple(line.get(name) for name in told) for line in lines]


@pytest.mark.parametrize(
    "options", [{}, {"chunk_tokens": "40"}, {"mlm": True}, {"precision": "bf16"}], ids=str
)
@pytest.mark.parametrize("with_dev", [True, False])
def test_the_weights_are_those_of_the_run_that_was_not_killed(
    train, dev, plain_folder, mlm_folder, tmp_path, options, with_dev
) -> None:
    folder = mlm_folder if options.get("mlm") else plain_folder
    options = {**options, "dev": dev if with_dev else None}
    train_simcse(config_of(train, tmp_path / "whole", folder, **options))
    run = tmp_path / "killed"
    for steps in (1, 5, 9):  # before the first checkpoint, on the way, after an epoch's end
        with pytest.raises(Killed):
            train_simcse(config_of(train, run, folder, resume=True, **options), progress=killed_after(steps))
    assert (run / "last" / "state.json").is_file()
    train_simcse(config_of(train, run, folder, resume=True, **options))
    assert (run / "model" / WEIGHTS).read_bytes() == (tmp_path / "whole" / "model" / WEIGHTS).read_bytes()
    assert steps_of(run) == steps_of(tmp_path / "whole")
    results = [read_results(each) for each in (run, tmp_path / "whole")]
    for each in results:
        each["model"] = each["model"]["fingerprint"]  # name and description have the folder
    assert results[0] == results[1]
    assert len(json.loads((run / "environment.json").read_text())["resumed"]) == 3
    assert not (run / "last").exists()  # done: nothing to go on with


@pytest.mark.parametrize("checkpoint_every", [3, 100])
def test_a_best_model_newer_than_the_checkpoint_is_found_again(
    train, dev, plain_folder, tmp_path, checkpoint_every
) -> None:
    """Evaluations that come again are called the best where they were, and patience counts as it did."""
    options = {"dev": dev, "checkpoint_every": checkpoint_every, "eval_every": 1, "patience": 4}
    train_simcse(config_of(train, tmp_path / "whole", plain_folder, **options))
    best = [step for step, *_, is_best in steps_of(tmp_path / "whole") if is_best]
    assert len(best) > 2 and best[-1] == 4
    run = tmp_path / "killed"
    with pytest.raises(Killed):
        train_simcse(config_of(train, run, plain_folder, **options), progress=killed_after(5))
    train_simcse(config_of(train, run, plain_folder, resume=True, **options))
    assert steps_of(run) == steps_of(tmp_path / "whole")
    assert (run / "model" / WEIGHTS).read_bytes() == (tmp_path / "whole" / "model" / WEIGHTS).read_bytes()


@pytest.mark.parametrize("patience", [None, 1])
def test_when_the_end_of_a_run_fails_no_step_is_taken_again(
    train, dev, plain_folder, tmp_path, monkeypatch, patience
) -> None:
    options = {"dev": dev, "patience": patience, "checkpoint_every": 100, "eval_every": 2}
    if patience is not None:
        options["learning_rate"] = 1e-12  # never better: stopped early
    train_simcse(config_of(train, tmp_path / "whole", plain_folder, **options))
    run, optimizers, real = tmp_path / "run", [], finish.write_results

    def made(*arguments: object, **named: object) -> Optimizer:
        optimizers.append(make_optimizer(*arguments, **named))
        return optimizers[-1]

    def fails(*arguments: object, **named: object) -> None:
        assert not optimizers[-1].state  # the kept model needs its memory
        raise InputError("no space left")

    monkeypatch.setattr(recipe, "make_optimizer", made)
    monkeypatch.setattr(finish, "write_results", fails)
    for _ in range(2):
        with pytest.raises(InputError, match="no space left"):
            train_simcse(config_of(train, run, plain_folder, resume=True, **options))
        monkeypatch.setattr(loop, "take_step", None)
        monkeypatch.setattr(loop, "save_checkpoint", None)  # the one that is there is the last
    monkeypatch.setattr(finish, "write_results", real)
    train_simcse(config_of(train, run, plain_folder, resume=True, **options))
    assert (run / "model" / WEIGHTS).read_bytes() == (tmp_path / "whole" / "model" / WEIGHTS).read_bytes()
    assert steps_of(run) == steps_of(tmp_path / "whole")
    results = [read_results(each) for each in (run, tmp_path / "whole")]
    for each in results:
        each["model"] = each["model"]["fingerprint"]
    assert results[0] == results[1]
    assert not (run / "last").exists()


def test_a_model_that_had_stepped_aside_when_the_kill_came_is_back_in_the_end(
    train, dev, plain_folder, tmp_path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(Killed):
        train_simcse(config_of(train, run, plain_folder, dev=dev), progress=killed_after(5))
    file = run / "model" / "training.json"
    file.write_text(json.dumps({"step": 3, "metrics": {"spearman_all": 99.0}}))  # no other is saved after it
    weights = (run / "model" / WEIGHTS).read_bytes()
    (run / "model").rename(run / ".model.previous")
    (run / ".model.new").mkdir()
    train_simcse(config_of(train, run, plain_folder, dev=dev, resume=True))
    assert (run / "model" / WEIGHTS).read_bytes() == weights
    assert not [each.name for each in run.iterdir() if each.name.startswith((".model", ".last"))]


def test_a_checkpoint_that_a_finished_run_still_has_is_deleted(
    train, plain_folder, tmp_path, monkeypatch
) -> None:
    run = tmp_path / "run"

    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(run_directory.RunDirectory, "forget_checkpoint", dies)
        train_simcse(config_of(train, run, plain_folder))
    assert (run / "results.json").is_file() and (run / "last").is_dir()
    (run / ".last.new").mkdir()
    train_simcse(config_of(train, run, plain_folder, resume=True))
    assert not [each.name for each in run.iterdir() if "last" in each.name]


def test_two_encoders_with_rotating_negatives_resume_too(plain_folder, tmp_path) -> None:
    rows = []
    for number, each in enumerate(triplets(WORDS, 24)):
        contexts = [{"title": f"t {number}", "text": text} for text in each.hard_negatives]
        rows.append(
            {
                "question": f"{each.anchor} {number}",
                "positive_ctxs": [{"title": "", "text": f"{each.positive} {number}"}],
                "hard_negative_ctxs": contexts,
                "negative_ctxs": contexts[:1],
            }
        )
    train = tmp_path / "train.jsonl"
    train.write_text("\n".join(map(json.dumps, rows)) + "\n")

    def config(name: str, **options: object) -> TrainDprConfig:
        return TrainDprConfig(
            train=(train, train),
            train_rate=(1.0, 0.5),
            dev=train,
            output=tmp_path / name,
            model=str(plain_folder),
            shared_encoder=False,
            num_other_negatives=1,
            num_gold_negatives=1,
            query_max_length=16,
            passage_max_length=24,
            batch_size=8,
            epochs=3,
            learning_rate=1e-3,
            checkpoint_every=3,
            eval_every=4,
            device="cpu",
            precision="fp32",
            **options,
        )

    train_dpr(config("whole"))
    with pytest.raises(Killed):
        train_dpr(config("killed"), progress=killed_after(8))
    train_dpr(config("killed", resume=True))
    for part in ("query", "passage"):
        files = [tmp_path / name / "model" / part / WEIGHTS for name in ("whole", "killed")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    train, plain_folder, tmp_path, monkeypatch
) -> None:
    train_simcse(config_of(train, tmp_path / "whole", plain_folder))
    saved, save_file = 0, checkpoint.save_file

    def die_in_the_second(tensors: dict, path: Path) -> None:
        nonlocal saved
        saved += 1
        if saved == 4:  # two files a checkpoint: the optimiser of the second
            path.write_bytes(b"half of it")
            raise Killed
        save_file(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", die_in_the_second)
    with pytest.raises(Killed):
        train_simcse(config_of(train, tmp_path / "killed", plain_folder))
    state = json.loads((tmp_path / "killed" / "last" / "state.json").read_text())
    assert state["step"] == 2
    train_simcse(config_of(train, tmp_path / "killed", plain_folder, resume=True))
    files = [tmp_path / name / "model" / WEIGHTS for name in ("whole", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_best_model_is_not_overwritten_by_a_worse_one_after_a_resume(
    train, dev, plain_folder, tmp_path, caplog
) -> None:
    """The best model may be newer than the last checkpoint when the kill comes."""
    run = tmp_path / "run"
    options = {"dev": dev, "checkpoint_every": 100, "learning_rate": 1e-12}
    with pytest.raises(Killed):
        train_simcse(config_of(train, run, plain_folder, **options), progress=killed_after(4))
    file = run / "model" / "training.json"
    file.write_text(
        json.dumps({"step": 3, "metrics": {"spearman_all": 99.0}})
    )  # better than any that will come
    before = (run / "model" / WEIGHTS).read_bytes()
    train_simcse(config_of(train, run, plain_folder, resume=True, **options))
    assert (run / "model" / WEIGHTS).read_bytes() == before
    results = read_results(run)
    assert results["best_step"] == 3
    assert results["sts"]["dev"]["spearman_all"] < 99
    assert "dev spearman_all was 99 in training and is" in caplog.text


def test_metrics_after_the_checkpoint_are_not_there_twice(train, plain_folder, tmp_path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Killed):
        train_simcse(config_of(train, run, plain_folder), progress=killed_after(11))
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 10, "lo')  # the kill cut a line
    train_simcse(config_of(train, run, plain_folder, resume=True))
    steps = [step for step, loss, *_ in steps_of(run) if loss is not None]
    assert steps == [2, 4, 6, 8, 10, 12, 13]
    train_simcse(config_of(train, tmp_path / "whole", plain_folder))
    assert [each for each in steps_of(run) if each[1]] == [
        each for each in steps_of(tmp_path / "whole") if each[1]
    ]


def test_a_finished_run_is_left_as_it_is(train, plain_folder, tmp_path) -> None:
    run = train_simcse(config_of(train, tmp_path / "run", plain_folder))
    before = {each: each.stat().st_mtime_ns for each in run.rglob("*")}
    assert train_simcse(config_of(train, tmp_path / "run", plain_folder, resume=True)) == run
    assert {each: each.stat().st_mtime_ns for each in run.rglob("*")} == before


def test_other_settings_and_other_folders_are_refused(train, plain_folder, tmp_path) -> None:
    with pytest.raises(Killed):
        train_simcse(config_of(train, tmp_path / "run", plain_folder), progress=killed_after(5))
    with pytest.raises(InputError) as error:
        train_simcse(config_of(train, tmp_path / "run", plain_folder, resume=True, batch_size=4))
    assert str(error.value) == (
        f"{tmp_path / 'run'}: the run was started with batch_size 8, not 4: "
        "--resume goes on with the settings of the start"
    )
    with pytest.raises(InputError) as error:
        train_simcse(config_of(train, tmp_path / "run", plain_folder))
    assert (
        str(error.value)
        == f"{tmp_path / 'run'}: holds a run that was begun: --resume goes on with it, another --output starts anew"
    )
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(InputError) as error:
        train_simcse(config_of(train, tmp_path / "notes", plain_folder, resume=True))
    assert str(error.value) == f"{tmp_path / 'notes'}: output folder exists and is not empty"


def test_a_damaged_checkpoint_is_an_error_and_not_a_new_start(train, plain_folder, tmp_path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Killed):
        train_simcse(config_of(train, run, plain_folder), progress=killed_after(5))
    weights = run / "last" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError) as error:
        train_simcse(config_of(train, run, plain_folder, resume=True))
    assert str(error.value).startswith(f"{run / 'last'}: the checkpoint cannot be read (")


@pytest.mark.slow
def test_a_process_that_is_killed_for_real_goes_on_from_the_command_line(
    train, plain_folder, tmp_path
) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    train_simcse(config_of(train, whole, plain_folder, max_steps=None, epochs=40))
    settings = json.loads((whole / "config.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps({**settings, "output": str(run)}))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "cli", "train-simcse"]
    process = subprocess.Popen([*command, "--config", str(tmp_path / "settings.json")], env=environment)
    while not (run / "last").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run / "results.json").exists()
    resumed = subprocess.run(
        [*command, "--resume", "--output", str(run)], env=environment, capture_output=True, text=True
    )
    assert resumed.returncode == 0, resumed.stderr
    assert "going on after step" in resumed.stderr
    assert (run / "model" / WEIGHTS).read_bytes() == (whole / "model" / WEIGHTS).read_bytes()


@pytest.mark.parametrize("checkpoint_every", [2, 100])
def test_chunks_that_were_found_stay_when_the_run_goes_on(
    train, plain_folder, tmp_path, monkeypatch, checkpoint_every
) -> None:
    """How much memory is free is another matter then; other chunks would draw other dropout masks."""
    options = {"chunk_tokens": "auto", "checkpoint_every": checkpoint_every}
    monkeypatch.setattr(recipe, "largest_chunk", lambda *_, **__: 40)
    train_simcse(config_of(train, tmp_path / "whole", plain_folder, **options))
    with pytest.raises(Killed):
        train_simcse(config_of(train, tmp_path / "run", plain_folder, **options), progress=killed_after(5))
    monkeypatch.setattr(recipe, "largest_chunk", lambda *_, **__: None)
    train_simcse(config_of(train, tmp_path / "run", plain_folder, resume=True, **options))
    whole = config_of(train, tmp_path / "at once", plain_folder, **options)
    assert (train_simcse(whole) / "model" / WEIGHTS).read_bytes() != (
        tmp_path / "whole" / "model" / WEIGHTS
    ).read_bytes()
    files = [tmp_path / name / "model" / WEIGHTS for name in ("whole", "run")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_other_chunks_may_be_asked_for_and_are_said_to_change_bits(
    train, plain_folder, tmp_path, caplog
) -> None:
    """Out of memory: the remedy that the error names must be possible."""
    with pytest.raises(Killed):
        train_simcse(config_of(train, tmp_path / "run", plain_folder), progress=killed_after(5))
    train_simcse(config_of(train, tmp_path / "run", plain_folder, resume=True, chunk_tokens="40"))
    assert (
        "--chunk-tokens is another than at the start: from here on the dropout masks are others"
        in caplog.messages
    )
    assert (tmp_path / "run" / "results.json").is_file()


@pytest.mark.parametrize("checkpoint_every", [2, 100])
@pytest.mark.parametrize("changed", ["training", "dev"])
def test_other_data_are_noticed_with_a_checkpoint_and_without(
    train, dev, plain_folder, tmp_path, checkpoint_every, changed
) -> None:
    options = {"dev": dev, "checkpoint_every": checkpoint_every}
    with pytest.raises(Killed):
        train_simcse(config_of(train, tmp_path / "run", plain_folder, **options), progress=killed_after(5))
    file = {"training": train, "dev": dev}[changed]
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]) + "\n")
    with pytest.raises(InputError) as error:
        train_simcse(config_of(train, tmp_path / "run", plain_folder, resume=True, **options))
    assert f"the run began with {changed} data" in str(error.value)


def test_another_model_is_noticed_when_a_run_begins_again(train, plain_folder, tmp_path) -> None:
    """With a checkpoint the weights are its own, and what training started from no longer matters."""
    model = tmp_path / "model"
    shutil.copytree(plain_folder, model)
    options = {"checkpoint_every": 100}
    with pytest.raises(Killed):
        train_simcse(config_of(train, tmp_path / "run", model, **options), progress=killed_after(5))
    weights = load_file(model / WEIGHTS)
    save_file({name: 1.01 * each for name, each in weights.items()}, model / WEIGHTS, {"format": "pt"})
    with pytest.raises(InputError, match=r"run: the run began with starting weights \w{16}, this is \w{16}"):
        train_simcse(config_of(train, tmp_path / "run", model, resume=True, **options))


def test_a_second_writer_is_refused_and_the_first_goes_on(train, plain_folder, tmp_path) -> None:
    run, told = tmp_path / "run", []

    @contextmanager
    def progress(total: int | None, label: str) -> Iterator[Callable[[int], None]]:
        def advance(items: int) -> None:
            if label == "train" and items and not told:
                with pytest.raises(InputError) as error:
                    train_simcse(config_of(train, run, plain_folder, resume=True))
                told.append(str(error.value))

        yield advance

    train_simcse(config_of(train, run, plain_folder), progress=progress)
    assert told == [f"{run}: another process trains here: wait until it is done"]
    train_simcse(config_of(train, tmp_path / "whole", plain_folder))
    assert steps_of(run) == steps_of(tmp_path / "whole")


def test_a_lock_that_a_kill_left_alone_in_its_folder_keeps_nobody_out(train, plain_folder, tmp_path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / ".training.lock").touch()
    train_simcse(config_of(train, run, plain_folder))
    assert not (run / ".training.lock").exists()


@pytest.mark.parametrize("asked", ["auto", "100000"])
def test_out_of_memory_names_a_chunk_that_may_fit(train, plain_folder, tmp_path, monkeypatch, asked) -> None:
    """Also when auto thought that a whole batch fits, as it would again, and of more than a whole batch."""
    limit = 60

    def forward(encoder: Encoder, tokens: Tokens) -> Tensor:
        if encoder.training and len(tokens.ids) > limit:
            raise torch.OutOfMemoryError
        return real(encoder, tokens)

    real = Encoder.forward
    monkeypatch.setattr(recipe, "largest_chunk", lambda *_, **__: None)
    monkeypatch.setattr(Encoder, "forward", forward)
    tried = []
    while not tried or tried[-1] > limit:
        with pytest.raises(InputError) as error:
            train_simcse(
                config_of(train, tmp_path / "run", plain_folder, resume=bool(tried), chunk_tokens=asked)
            )
        found = re.fullmatch(
            r"step 1 does not fit into the memory of cpu: --chunk-tokens (\d+) keeps the batch and its negatives, "
            "and embeds it in chunks that fit; with --resume, too",
            str(error.value),
        )
        asked = found[1]
        tried.append(int(asked))
    assert 1 < len(tried) < 4 and tried == sorted(tried, reverse=True)
    train_simcse(config_of(train, tmp_path / "run", plain_folder, resume=True, chunk_tokens=asked))
    limit = 0
    with pytest.raises(InputError, match="not even one text at a time does"):
        train_simcse(config_of(train, tmp_path / "none", plain_folder, chunk_tokens="3"))


def test_a_checkpoint_is_also_written_when_time_has_passed(
    train, plain_folder, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(Killed):
        train_simcse(
            config_of(train, tmp_path / "run", plain_folder, checkpoint_every=100), progress=killed_after(12)
        )
    assert json.loads((tmp_path / "run" / "last" / "state.json").read_text())["step"] == 10
    assert (tmp_path / "run" / "model" / WEIGHTS).is_file()  # without dev data, too, there is a model by then
