"""The size of chunks that ``--chunk-tokens auto`` finds, against the graph that really is kept."""

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel

from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.encoding.masked_language_model import MASKED_SHARE, MaskedLanguageModel
from retriever.encoding.model_folder import EncoderSettings
from retriever.training import chunk_size
from retriever.training.batches import Negatives, Sampler, TokenBatch
from retriever.training.chunk_size import SMALLEST, free_memory, graph_bytes, largest_chunk
from retriever.training.embedder import Embedder
from retriever.training.simcse import simcse_training_set
from tests.conftest import WORDS
from tests.tiny import tiny_encoder, triplets


@pytest.fixture
def made(plain_folder) -> tuple[Embedder, TokenBatch]:
    encoder = tiny_encoder(plain_folder, EncoderSettings(pooling="mean", max_length=16))
    return made_of(encoder, max_length=16)


def made_of(encoder: Encoder, *, max_length: int) -> tuple[Embedder, TokenBatch]:
    found = simcse_training_set(triplets(WORDS, 300), encoder, max_length=max_length)
    batch = Sampler(found, batch_size=300, seed=0, negatives=Negatives(hard=1)).batch(0)
    return Embedder(DualEncoder(encoder)), batch


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_bytes_counted_are_those_that_a_graph_holds(plain_folder, monkeypatch, precision) -> None:
    settings = EncoderSettings(pooling="mean", max_length=8)
    tokenizer = tiny_encoder(plain_folder, settings).tokenizer
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=1024,
        max_position_embeddings=64,
    )
    transformer = BertModel(config, add_pooling_layer=False)
    encoder = Encoder(transformer, tokenizer, settings, precision=precision)
    embedder, batch = made_of(encoder, max_length=8)
    monkeypatch.setattr(chunk_size, "PROBED_TOKENS", 128)  # little beside what does not grow with it
    constant, per_token = graph_bytes(embedder.train(), batch)
    if precision == "fp32":
        assert constant < 100_000
    else:  # autocast's copies of what it multiplies with
        matrices = [each.weight for each in encoder.modules() if isinstance(each, nn.Linear)]
        assert constant == pytest.approx(2 * sum(each.numel() for each in matrices), rel=0.1)
    held = held_bytes(encoder(embedder.inputs(batch)[0][1]), embedder)
    assert constant + per_token * batch.num_tokens == pytest.approx(held, rel=0.1)


def test_the_auxiliary_loss_keeps_more(plain_folder, mlm_folder) -> None:
    encoder = Encoder.load(mlm_folder, pooling="cls", max_length=16, device="cpu", precision="fp32")
    masked = MaskedLanguageModel.load(encoder, mlm_folder)
    embedder, batch = made_of(encoder, max_length=16)
    _, plain = graph_bytes(embedder, batch)
    _, both = graph_bytes(embedder, batch, masked)
    logits = MASKED_SHARE * 4 * len(encoder.tokenizer)  # at least these, of a token in seven
    assert both > plain + 0.5 * logits


def held_bytes(root: torch.Tensor, embedder: Embedder) -> int:
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
    needed = graph_bytes(embedder, batch)[1] * batch.num_tokens
    assert largest_chunk(embedder, batch, free_bytes=int(10 * needed)) is None
    sizes = [largest_chunk(embedder, batch, free_bytes=int(share * needed)) for share in (1.0, 0.6)]
    assert all(size % SMALLEST == 0 for size in sizes)
    assert batch.num_tokens > sizes[0] > sizes[1] >= SMALLEST


def test_too_little_memory_is_said(made, caplog) -> None:
    embedder, batch = made
    assert largest_chunk(embedder, batch, free_bytes=1000) == SMALLEST
    assert "memory is short" in caplog.messages[0]


def test_a_device_that_another_process_fills_is_said(made, monkeypatch, caplog) -> None:
    def full(*given: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(chunk_size, "graph_bytes", full)
    embedder, batch = made
    assert largest_chunk(embedder, batch) == SMALLEST
    assert caplog.messages == ["memory is short: not even a trial of 2048 tokens fits"]


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
