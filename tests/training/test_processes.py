"""Two processes against one: the same gradient, and the same training from the command line."""

import json
import subprocess
import sys
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
    found = simcse_training_set(examples, embedder.model.query, max_length=16)
    sampler = Sampler(
        found,
        batch_size=12 // world_size,
        seed=3,
        negatives=Negatives(hard=2),
        rank=rank,
        world_size=world_size,
    )
    batch = sampler.batch(0)
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


@pytest.mark.slow
def test_torchrun_trains_the_model_that_one_process_trains(plain_folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "without dropout"
    settings = EncoderSettings(pooling="mean", max_length=16, similarity="cosine")
    encoder = tiny_encoder(plain_folder, settings)
    encoder.transformer.config.hidden_dropout_prob = 0.0
    encoder.transformer.config.attention_probs_dropout_prob = 0.0
    encoder.save(model)
    rows = ["sent0\tsent1\thard_neg"]
    for each in triplets(WORDS, 40):
        rows.append("\t".join([each.anchor, each.positive or "", each.hard_negatives[0]]))
    (tmp_path / "train.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "dev.tsv").write_text(
        "score\tsentence1\tsentence2\n1\tthe cat\ta dog\n3\tsnow\tcold winter\n5\tsun\tstar\n"
    )
    settings_of_both = (
        f"train-simcse --train {tmp_path / 'train.tsv'} --dev {tmp_path / 'dev.tsv'} --eval-every 2 --max-steps 5 "
        "--device cpu --precision fp32 --learning-rate 1e-3 --checkpoint-every 2"
    ).split()

    def run(name: str, launcher: list[str], batch_size: int) -> dict[str, Tensor]:
        own = ["--model", str(model), "--output", str(tmp_path / name), "--batch-size", str(batch_size)]
        command = [sys.executable, "-m", *launcher, "cli", *settings_of_both, *own]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(name) == 1  # one process says where the run lies
        return load_file(tmp_path / name / "model" / "model.safetensors")

    # the launcher's own port is free: another test's rendezvous may be under way
    two = run("two", ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"], 8)
    one = run("one", [], 16)
    assert json.loads((tmp_path / "two" / "environment.json").read_text())["processes"] == 2
    losses = [
        [
            json.loads(line).get("loss")
            for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        ]
        for name in ("one", "two")
    ]
    assert [each is None for each in losses[0]] == [each is None for each in losses[1]]
    for name, weight in one.items():
        assert torch.allclose(two[name], weight, atol=2e-4), name
