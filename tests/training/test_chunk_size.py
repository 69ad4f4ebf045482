"""The size of chunks that ``--chunk-tokens auto`` finds, against the graph that really is kept."""

import pytest
import torch

from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.training.batches import Negatives, Sampler, TokenBatch
from retriever.training.chunk_size import SMALLEST, free_memory, largest_chunk, saved_bytes_per_token
from retriever.training.embedder import Embedder
from retriever.training.simcse import simcse_training_set
from tests.conftest import WORDS
from tests.tiny import tiny_encoder, triplets


@pytest.fixture
def made(plain_folder) -> tuple[Embedder, TokenBatch]:
    embedder = Embedder(
        DualEncoder(tiny_encoder(plain_folder, EncoderSettings(pooling="mean", max_length=16)))
    )
    found = simcse_training_set(triplets(WORDS, 300), embedder.model.query, max_length=16)
    return embedder, Sampler(found, batch_size=300, seed=0, negatives=Negatives(hard=1)).batch(0)


def test_the_bytes_counted_are_those_that_a_graph_holds(made) -> None:
    embedder, batch = made
    counted = saved_bytes_per_token(embedder.train(), batch)
    tokens = embedder.inputs(batch)[0][1]
    held = graph_bytes(embedder.model.query(tokens), embedder) / len(tokens.ids)
    assert counted == pytest.approx(held, rel=0.1)  # the probe is of the longest texts


def graph_bytes(root: torch.Tensor, embedder: Embedder) -> int:
    """Bytes of the storages that the nodes of a graph hold, found by walking it; parameters do not count."""
    parameters = {each.untyped_storage().data_ptr() for each in embedder.parameters()}
    storages, waiting, seen = {}, [root.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [following for following, _ in node.next_functions]
        for name in dir(node):
            if name.startswith("_saved_") or name == "saved_tensors":
                saved = getattr(node, name)
                for tensor in saved if isinstance(saved, tuple | list) else [saved]:
                    if isinstance(tensor, torch.Tensor):
                        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return sum(size for pointer, size in storages.items() if pointer not in parameters)


def test_less_memory_gives_smaller_chunks_and_enough_gives_none(made) -> None:
    embedder, batch = made
    needed = saved_bytes_per_token(embedder, batch) * batch.num_tokens
    assert largest_chunk(embedder, batch, free_bytes=int(10 * needed)) is None
    sizes = [largest_chunk(embedder, batch, free_bytes=int(share * needed)) for share in (1.0, 0.6)]
    assert all(size % SMALLEST == 0 for size in sizes)
    assert batch.num_tokens > sizes[0] > sizes[1] >= SMALLEST


def test_too_little_memory_is_said(made, caplog) -> None:
    embedder, batch = made
    assert largest_chunk(embedder, batch, free_bytes=1000) == SMALLEST
    assert "memory is short" in caplog.messages[0]


def test_probing_leaves_no_trace(made) -> None:
    embedder, batch = made
    embedder.eval()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    largest_chunk(embedder, batch)
    assert torch.equal(torch.rand(4), expected)
    assert not embedder.training
    assert all(each.grad is None for each in embedder.parameters())


def test_a_machine_has_memory() -> None:
    assert free_memory(torch.device("cpu")) > 100_000_000
