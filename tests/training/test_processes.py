"""Two processes against one: the same gradient, and the same training from the command line."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from safetensors.torch import load_file
from torch import Tensor

from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.errors import InputError
from retriever.losses.across_processes import across_processes, gather_rows, rows_from_other_ranks
from retriever.losses.info_nce import info_nce_objective
from retriever.training.batches import Negatives, Sampler
from retriever.training.embedder import Embedder
from retriever.training.grad_cache import cached_backward
from retriever.training.processes import Processes
from retriever.training.simcse import simcse_training_set
from tests.conftest import WORDS
from tests.tiny import tiny_encoder, triplets

OBJECTIVE = info_nce_objective(temperature=0.05, similarity="cosine", hard_negative_weight=1.5)


def gradient(plain_folder: Path, *, chunk_tokens: int | None, rank: int, world_size: int) -> Tensor:
    """The gradient of one process's share of a step of 12 examples, averaged over the processes; dropout off."""
    settings = EncoderSettings(pooling="mean", max_length=16)
    embedder = Embedder(DualEncoder(tiny_encoder(plain_folder, settings, dropout=0.0))).train()
    examples = triplets(WORDS, 12)
    examples[1] = examples[0]  # the other process has the same positive: it is no negative there either
    examples[2] = replace(examples[2], hard_negatives=examples[2].hard_negatives[:1])  # an empty slot
    found = simcse_training_set(examples, embedder.model.query, max_length=16)
    sampler = Sampler(
        found,
        batch_size=12 // world_size,
        seed=6,
        negatives=Negatives(hard=2),
        rank=rank,
        world_size=world_size,
    )
    batch = sampler.batch(0)
    copies = int((batch.positive_id == found.positive[0]).sum())
    assert copies == 2 // world_size  # of two processes each holds one
    objective = OBJECTIVE if world_size == 1 else across_processes(OBJECTIVE)
    if chunk_tokens is None:
        objective(embedder(batch)).backward()
    else:
        cached_backward(embedder, batch, objective, chunk_tokens=chunk_tokens)
    parameters = [each for each in embedder.parameters() if each.grad is not None]
    Processes(rank, world_size, "cpu").average_gradients(parameters)
    return torch.cat([each.grad.flatten() for each in parameters])


def work(rank: int, folder: Path, plain_folder: Path) -> None:
    """What each of two processes does; what it finds lies in files, for the test to look at."""
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    rows = (torch.arange(6, dtype=torch.float32).reshape(3, 2) + 10 * rank).requires_grad_()
    gathered = gather_rows(rows)
    (gathered * (rank + 1)).sum().backward()
    processes = Processes(rank, 2, "cpu")
    head = torch.nn.Linear(2, 2)
    with torch.no_grad():
        head.weight.fill_(rank)
    processes.equalize(head)
    np.savez(
        folder / f"found{rank}.npz",
        gathered=gathered.detach().numpy(),
        others=rows_from_other_ranks(torch.tensor([[rank]])).numpy(),
        row_gradient=rows.grad.numpy(),
        weight=head.weight.detach().numpy(),
        mean=processes.mean(torch.tensor([rank * 2.0])).numpy(),
        from_main=processes.from_main(7 + rank),
        plain=gradient(plain_folder, chunk_tokens=None, rank=rank, world_size=2).numpy(),
        cached=gradient(plain_folder, chunk_tokens=25, rank=rank, world_size=2).numpy(),
    )
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(plain_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, np.ndarray]]:
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(work, args=(folder, plain_folder), nprocs=2)
    return [dict(np.load(folder / f"found{rank}.npz")) for rank in range(2)]


def test_rows_of_all_processes_come_to_each_and_their_gradient_goes_back(found) -> None:
    first = np.arange(6).reshape(3, 2)
    for each in found:
        np.testing.assert_array_equal(each["gathered"], np.stack([first, first + 10]))
        np.testing.assert_array_equal(each["row_gradient"], np.full((3, 2), 1 + 2))  # of both losses
    assert [each["others"].tolist() for each in found] == [[[1]], [[0]]]


def test_processes_agree(found) -> None:
    for each in found:
        assert (each["weight"] == 0).all()  # the main process's
        assert each["mean"].tolist() == [1.0]
        assert each["from_main"] == 7


@pytest.mark.parametrize("way", ["plain", "cached"])
def test_the_gradient_of_two_processes_is_that_of_one(found, plain_folder, way) -> None:
    """With GradCache and without; positives that both processes hold, several hard negatives, weighted."""
    expected = gradient(plain_folder, chunk_tokens=None, rank=0, world_size=1).numpy()
    assert np.abs(expected).max() > 0.01
    for each in found:
        np.testing.assert_allclose(each[way], expected, atol=1e-5)


def environment_of(rank: str) -> dict[str, str]:
    return {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2"}


def test_a_gpu_that_is_not_there_is_not_replaced_by_the_cpu(monkeypatch) -> None:
    for name, value in environment_of("1").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError) as error:
        Processes.start("cuda")
    assert str(error.value) == "device 'cuda' is not there: PyTorch sees 0 CUDA devices"


def test_one_gpu_cannot_be_named_for_several_processes(monkeypatch) -> None:
    for name, value in environment_of("1").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as error:
        Processes.start("cuda:0")
    assert str(error.value) == (
        "--device cuda:0 is one GPU for several processes: leave it out, and each takes its own"
    )


@pytest.fixture
def commands(plain_folder: Path, tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Starts one or two processes on the same run; a model without dropout, which draws otherwise in each process."""
    model = tmp_path / "without dropout"
    encoder = tiny_encoder(plain_folder, EncoderSettings(pooling="mean", max_length=16, similarity="cosine"))
    encoder.transformer.config.hidden_dropout_prob = 0.0
    encoder.transformer.config.attention_probs_dropout_prob = 0.0
    encoder.save(model)
    rows = ["sent0\tsent1\thard_neg"]
    for each in triplets(WORDS, 40):
        rows.append("\t".join([each.anchor, each.positive or "", each.hard_negatives[0]]))
    (tmp_path / "train.tsv").write_text("\n".join(rows) + "\n")
    settings = (
        f"train-simcse --train {tmp_path / 'train.tsv'} --device cpu --precision fp32 --learning-rate 1e-3 --checkpoint-every 2"
    ).split()

    def start(name: str, processes: int, *more: str) -> subprocess.Popen:
        batch_size = ["--batch-size", str(16 // processes)]
        own = ["--model", str(model), "--output", str(tmp_path / name), *batch_size, *more]
        if more == ("--resume",):
            own, command = ["--output", str(tmp_path / name), "--resume"], ["train-simcse"]
        else:
            command = settings
        # --standalone: the launcher finds a free port, another test's may be in use
        launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cli"]
        module = launcher if processes == 2 else ["cli"]
        line = [sys.executable, "-m", *module, *command, *own]
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def losses_of(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.slow
def test_torchrun_trains_the_model_that_one_process_trains(commands, tmp_path) -> None:
    for name, processes in (("one", 1), ("two", 2)):
        out, err = commands(name, processes, "--epochs", "4").communicate(timeout=300)
        assert (tmp_path / name / "results.json").is_file(), err
        assert out.count(str(tmp_path / name)) == 1  # one process says where the run lies
    environment = json.loads((tmp_path / "two" / "environment.json").read_text())
    assert environment["processes"] == 2
    assert json.loads((tmp_path / "two" / "config.json").read_text())["device"] == "cpu"
    assert losses_of(tmp_path / "two") == pytest.approx(losses_of(tmp_path / "one"), abs=1e-4)
    start = load_file(tmp_path / "without dropout" / "model.safetensors")
    one, two = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    for name, weight in one.items():
        assert torch.allclose(two[name], weight, atol=2e-4), name
    assert any((weight - start[name]).abs().max() > 1e-3 for name, weight in one.items())


@pytest.mark.slow
def test_two_processes_train_on_what_the_main_one_mined(plain_folder, tmp_path) -> None:
    """With two seeds, the second of which uses what was mined for the first; one process has the same data."""
    texts = [each.anchor for each in triplets(WORDS, 40)]
    passages = [{"id": str(row), "text": text} for row, text in enumerate(texts)]
    questions = [
        {"question": " ".join(text.split()[:3]), "positive_passage_id": str(row)}
        for row, text in enumerate(texts)
    ]
    for name, rows in (("passages", passages), ("questions", questions)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    settings = (
        f"train-dpr --train {tmp_path / 'questions.jsonl'} --passages {tmp_path / 'passages.jsonl'} --model {plain_folder} "
        "--query-max-length 16 --passage-max-length 16 --device cpu --precision fp32 --seeds 3,4 --max-steps 2"
    ).split()
    for name, launcher, batch_size in (
        ("one", [], 16),
        ("two", ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"], 8),
    ):
        own = ["--output", str(tmp_path / name), "--batch-size", str(batch_size)]
        line = [sys.executable, "-m", *launcher, "cli", *settings, *own]
        done = subprocess.run(line, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("mining them with BM25") == 1
    for seed in (3, 4):
        facts = [
            json.loads((tmp_path / name / f"seed-{seed}" / "environment.json").read_text())
            for name in ("one", "two")
        ]
        assert [each["processes"] for each in facts] == [1, 2]
        assert facts[0]["training data"] == facts[1]["training data"]
        assert not list((tmp_path / "two").rglob(".training.lock"))
    mined = [(tmp_path / name / "seed-3" / "mined" / "0.jsonl").read_bytes() for name in ("one", "two")]
    assert mined[0] == mined[1] != b""


@pytest.mark.slow
def test_what_only_the_main_process_sees_ends_all(commands, tmp_path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    process = commands("taken", 2)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert f"error: {tmp_path / 'taken'}: output folder exists and is not empty" in err
    assert "error: process 1 ends because the main one did" in err


@pytest.mark.slow
def test_two_processes_that_were_killed_go_on_to_the_same_weights(commands, tmp_path) -> None:
    commands("whole", 2, "--epochs", "60").communicate(timeout=300)
    process = commands("killed", 2, "--epochs", "60")
    while not (tmp_path / "killed" / "last").exists() and process.poll() is None:
        time.sleep(0.02)
    subprocess.run(["pkill", "-KILL", "-f", str(tmp_path / "killed")], check=True)
    process.communicate()
    assert not (tmp_path / "killed" / "results.json").exists()
    _, err = commands("killed", 2, "--resume").communicate(timeout=300)
    assert "going on after step" in err
    files = [tmp_path / name / "model" / "model.safetensors" for name in ("whole", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()
