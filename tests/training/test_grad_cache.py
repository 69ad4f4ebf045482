"""GradCache against the whole batch: the same gradient, to the last dropout mask."""

from pathlib import Path

import pytest
import torch

from retriever.config.training import TrainSimcseConfig
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.losses.embedding_batch import Objective
from retriever.losses.info_nce import info_nce_objective
from retriever.training import grad_cache
from retriever.training.batches import Negatives, Sampler, TokenBatch
from retriever.training.embedder import Embedder
from retriever.training.grad_cache import REPLAY_TOLERANCE, cached_backward, chunks_of, embed_seeded
from retriever.training.simcse import simcse_training_set, train_simcse
from tests.conftest import WORDS
from tests.tiny import tiny_encoder, triplets

OBJECTIVES: dict[str, Objective] = {
    "SimCSE": info_nce_objective(temperature=0.05, similarity="cosine", hard_negative_weight=2.0),
    "DPR": info_nce_objective(temperature=1.0, similarity="dot"),
}


def embedder_of(plain_folder: Path, *, shared: bool, dropout: float) -> Embedder:
    torch.manual_seed(1)
    settings = EncoderSettings(pooling="mean", max_length=16)
    query = tiny_encoder(plain_folder, settings, dropout=dropout)
    passage = query if shared else tiny_encoder(plain_folder, settings, dropout=dropout)
    return Embedder(DualEncoder(query, passage)).train()


def batch_of(embedder: Embedder, *, hard: int = 1) -> TokenBatch:
    found = simcse_training_set(triplets(WORDS, 12), embedder.model.query, max_length=16)
    return Sampler(found, batch_size=12, seed=0, negatives=Negatives(hard=hard)).batch(0)


def gradients(embedder: Embedder) -> torch.Tensor:
    """All gradients in one vector; the parameters have none afterwards."""
    found = torch.cat([each.grad.flatten() for each in embedder.parameters() if each.grad is not None])
    embedder.zero_grad()
    return found


def whole_backward(
    embedder: Embedder, batch: TokenBatch, objective: Objective, chunk_tokens: int
) -> torch.Tensor:
    """The same chunks with the same masks, all graphs kept, one backward: what GradCache must equal."""
    passes = [chunks_of(encoder, tokens, chunk_tokens) for encoder, tokens in embedder.inputs(batch)]
    parts = []
    for chunks in passes:
        embeddings = [
            embed_seeded(chunks.encoder, tokens, seed)
            for tokens, seed in zip(chunks.tokens, chunks.seeds, strict=True)
        ]
        parts.append(torch.cat(embeddings)[chunks.back])
    loss = objective(embedder.assemble(batch, parts))
    loss.backward()
    return loss.detach()


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("chunk_tokens", [1, 20, 64, 10_000])
def test_the_gradient_with_dropout_is_that_of_the_whole_batch(
    plain_folder, shared, name, chunk_tokens
) -> None:
    embedder = embedder_of(plain_folder, shared=shared, dropout=0.1)
    batch = batch_of(embedder)
    torch.manual_seed(5)
    expected_loss = whole_backward(embedder, batch, OBJECTIVES[name], chunk_tokens)
    expected = gradients(embedder)
    torch.manual_seed(5)
    loss, embeddings, difference = cached_backward(
        embedder, batch, OBJECTIVES[name], chunk_tokens=chunk_tokens
    )
    found = gradients(embedder)
    assert expected.abs().max() > 0.01
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(loss, expected_loss, atol=1e-6)
    assert float(difference) == 0
    assert not embeddings.anchor.requires_grad


def test_both_forwards_run_in_the_encoders_precision(plain_folder) -> None:
    """GradCache's own class enters autocast for fp16 only, so that bf16 jobs run through it in fp32."""
    embedder = embedder_of(plain_folder, shared=True, dropout=0.1)
    batch = batch_of(embedder)
    found = {}
    for precision in ("fp32", "bf16"):
        embedder.model.query.precision = precision
        torch.manual_seed(5)
        whole_backward(embedder, batch, OBJECTIVES["SimCSE"], 30)
        expected = gradients(embedder)
        torch.manual_seed(5)
        _, _, difference = cached_backward(embedder, batch, OBJECTIVES["SimCSE"], chunk_tokens=30)
        found[precision] = gradients(embedder)
        assert torch.allclose(found[precision], expected, atol=1e-5)
        assert float(difference) == 0
    assert not torch.allclose(found["fp32"], found["bf16"], atol=1e-4)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("hard", [0, 2])
def test_without_dropout_it_is_the_plain_step(plain_folder, shared, hard) -> None:
    embedder = embedder_of(plain_folder, shared=shared, dropout=0.0)
    batch = batch_of(embedder, hard=hard)
    OBJECTIVES["SimCSE"](embedder(batch)).backward()
    expected = gradients(embedder)
    cached_backward(embedder, batch, OBJECTIVES["SimCSE"], chunk_tokens=30)
    assert torch.allclose(gradients(embedder), expected, atol=1e-5)


def test_a_broken_replay_of_the_dropout_masks_is_caught(plain_folder, monkeypatch) -> None:
    embedder = embedder_of(plain_folder, shared=True, dropout=0.1)
    batch = batch_of(embedder)
    torch.manual_seed(5)
    cached_backward(embedder, batch, OBJECTIVES["SimCSE"], chunk_tokens=30)
    expected = gradients(embedder)
    monkeypatch.setattr(grad_cache, "embed_seeded", lambda encoder, tokens, seed: encoder(tokens))
    torch.manual_seed(5)
    _, _, difference = cached_backward(embedder, batch, OBJECTIVES["SimCSE"], chunk_tokens=30)
    assert not torch.allclose(gradients(embedder), expected, atol=1e-2)
    assert float(difference) > REPLAY_TOLERANCE


def test_a_run_with_a_broken_replay_stops(plain_folder, monkeypatch, tmp_path) -> None:
    train = tmp_path / "train.txt"
    train.write_text("\n".join(dict.fromkeys(each.anchor for each in triplets(WORDS, 40))) + "\n")
    config = TrainSimcseConfig(
        train=(train,),
        output=tmp_path / "run",
        model=str(plain_folder),
        batch_size=16,
        max_length=16,
        max_steps=1,
        chunk_tokens="30",
        device="cpu",
        precision="fp32",
    )
    monkeypatch.setattr(grad_cache, "embed_seeded", lambda encoder, tokens, seed: encoder(tokens))
    with pytest.raises(RuntimeError, match="the second forward of GradCache differs from the first"):
        train_simcse(config)


def test_chunks_have_masks_of_their_own(plain_folder) -> None:
    embedder = embedder_of(plain_folder, shared=True, dropout=0.1)
    chunks = chunks_of(embedder.model.query, embedder.inputs(batch_of(embedder))[0][1], 30)
    assert len(set(chunks.seeds)) == len(chunks.seeds) > 3
    assert sorted(chunks.back.tolist()) == list(range(len(chunks.back)))
    first, again, other = (embed_seeded(chunks.encoder, chunks.tokens[0], seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-2)


def test_the_two_views_of_a_sentence_have_dropout_masks_of_their_own(plain_folder) -> None:
    for dropout in (0.1, 0.0):
        embedder = embedder_of(plain_folder, shared=True, dropout=dropout)
        found = simcse_training_set(triplets(WORDS, 12, views=1), embedder.model.query, max_length=16)
        embedded = embedder(Sampler(found, batch_size=12, seed=0, negatives=Negatives()).batch(0))
        distances = (embedded.anchor - embedded.positive).norm(dim=1)
        assert (distances > 0.05).all() if dropout else (distances < 1e-5).all()
