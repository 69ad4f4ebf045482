"""The auxiliary loss in chunks is that of the whole batch; its masks follow from seed and step."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

from retriever.encoding.encoder import Encoder
from retriever.encoding.masked_language_model import IGNORED, MaskedLanguageModel
from retriever.encoding.tokens import Tokens
from retriever.training.batches import TokenBatch
from retriever.training.masked_language_model import MaskedLanguageModelLoss

ANCHORS = [
    "the cat sat on the mat",
    "snow",
    "the moon orbits the earth and the earth orbits the sun",
    "a tree",
]
HARD = ["the old king plays the piano in the park", "a dog", "the bird sings"]


@pytest.fixture
def model(plain_folder: Path, tmp_path: Path) -> MaskedLanguageModel:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=128, max_position_embeddings=64, **sizes)
    BertForMaskedLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(plain_folder).save_pretrained(tmp_path)
    encoder = Encoder.load(tmp_path, pooling="cls", device="cpu", precision="fp32")
    return MaskedLanguageModel.load(encoder, tmp_path)


def batch_of(model: MaskedLanguageModel, *, hard_negatives: bool = True) -> TokenBatch:
    anchor = model.encoder.tokenize(ANCHORS)
    ids = torch.tensor([[4], [5], [6], [-1]])
    return TokenBatch(
        anchor=anchor,
        positive=anchor,
        hard_negative=model.encoder.tokenize(HARD) if hard_negatives else None,
        positive_id=torch.arange(4),
        hard_negative_id=ids if hard_negatives else None,
        known_positive_id=torch.arange(4)[:, None],
    )


def gradients(model: MaskedLanguageModel) -> dict[str, torch.Tensor]:
    found = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def record_masks(
    model: MaskedLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Tokens, torch.Tensor]]:
    seen, run = [], model.loss_sum

    def loss_sum(masked: Tokens, labels: torch.Tensor) -> torch.Tensor:
        seen.append((masked, labels))
        return run(masked, labels)

    monkeypatch.setattr(model, "loss_sum", loss_sum)
    return seen


@pytest.mark.parametrize("chunk_tokens", [1, 16, 30, 10_000])
def test_chunks_have_the_loss_and_the_gradients_of_the_whole(
    model: MaskedLanguageModel, chunk_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, loss = batch_of(model), MaskedLanguageModelLoss(model, seed=7)
    whole = loss.backward(batch, step=3, chunk_tokens=None, weight=0.1)
    expected = gradients(model)
    seen = record_masks(model, monkeypatch)
    found = loss.backward(batch, step=3, chunk_tokens=chunk_tokens, weight=0.1)
    assert len(seen) > 1 or chunk_tokens == 10_000
    assert all(len(masked) == 1 or len(masked.ids) <= chunk_tokens for masked, _ in seen)
    assert float(found) == pytest.approx(float(whole), abs=1e-6)
    assert not found.requires_grad
    chunked = gradients(model)
    assert chunked.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(chunked[name], gradient, atol=1e-6), name


def test_the_loss_is_the_mean_over_masked_tokens_and_the_gradient_weight_times_its(
    model: MaskedLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = record_masks(model, monkeypatch)
    loss = MaskedLanguageModelLoss(model, seed=7).backward(
        batch_of(model), step=3, chunk_tokens=None, weight=0.25
    )
    found = gradients(model)
    ((masked, labels),) = seen
    by_hand = []
    for row in range(len(masked)):  # text by text, the whole head on every token
        text = masked.select([row])
        expected = labels[masked.offsets[row] : masked.offsets[row + 1]]
        states = model.encoder.transformer(
            input_ids=text.ids[None], **packing_of(model, text)
        ).last_hidden_state
        by_hand.append(
            torch.nn.functional.cross_entropy(model.logits(states[0]), expected, reduction="none")[
                expected != IGNORED
            ]
        )
    mean = torch.cat(by_hand).mean()
    assert len(torch.cat(by_hand)) > 5
    assert float(loss) == pytest.approx(mean.item(), abs=1e-5)
    (0.25 * mean).backward()
    for name, gradient in gradients(model).items():
        assert torch.allclose(found[name], gradient, atol=1e-6), name


def packing_of(model: MaskedLanguageModel, text: Tokens) -> dict:
    from retriever.encoding.attention import Packing

    assert model.encoder.position_offset == 0
    return {"packing": Packing.of(text)}


def test_all_texts_are_masked_and_a_sentence_that_is_twice_there_twice_independently(
    model: MaskedLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, loss = record_masks(model, monkeypatch), MaskedLanguageModelLoss(model, seed=7)
    batch = batch_of(model)
    loss.backward(batch, step=0, chunk_tokens=None, weight=1.0)
    ((masked, labels),) = seen
    original = Tokens(torch.where(labels == IGNORED, masked.ids, labels), masked.offsets)
    texts = sorted(original.select([row]).ids.tolist() for row in range(len(original)))
    together = Tokens.concatenate([batch.anchor, batch.positive, batch.hard_negative])
    assert texts == sorted(together.select([row]).ids.tolist() for row in range(len(together)))
    longest = batch.anchor.select([2]).ids.tolist()
    rows = [row for row in range(len(original)) if original.select([row]).ids.tolist() == longest]
    first, second = (masked.select([row]).ids.tolist() for row in rows)
    assert first != second
    seen.clear()
    loss.backward(batch_of(model, hard_negatives=False), step=0, chunk_tokens=None, weight=1.0)
    assert len(seen[0][0]) == 8


def test_masks_depend_on_seed_and_step_alone(
    model: MaskedLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = record_masks(model, monkeypatch)
    batch = batch_of(model)
    for seed, step in [(1, 0), (1, 0), (1, 1), (0, 1), (2**32 - 1, 0)]:
        torch.manual_seed(len(seen))
        MaskedLanguageModelLoss(model, seed=seed).backward(batch, step=step, chunk_tokens=None, weight=1.0)
    first, again, *others = [labels.tolist() for _, labels in seen]
    assert first == again
    assert len({tuple(each) for each in [first, *others]}) == 4


def test_gradients_are_added_to_those_already_there(model: MaskedLanguageModel) -> None:
    batch, loss = batch_of(model), MaskedLanguageModelLoss(model, seed=7)
    loss.backward(batch, step=0, chunk_tokens=16, weight=0.5)
    once = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    loss.backward(batch, step=0, chunk_tokens=16, weight=0.5)
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, 2 * once[name], atol=1e-6), name


def test_a_batch_without_a_masked_token_has_no_loss_and_no_gradient(model: MaskedLanguageModel) -> None:
    empty = model.encoder.tokenize(["", ""])  # nothing but special tokens
    batch = TokenBatch(empty, empty, None, torch.arange(2), None, torch.arange(2)[:, None])
    loss = MaskedLanguageModelLoss(model, seed=1).backward(batch, step=0, chunk_tokens=4, weight=0.1)
    assert float(loss) == 0.0
    found = gradients(model)
    assert len(found) == len(list(model.parameters()))
    assert not any(each.any() for each in found.values())


def test_training_on_it_alone_lowers_it(model: MaskedLanguageModel) -> None:
    torch.manual_seed(0)
    batch, loss = batch_of(model), MaskedLanguageModelLoss(model, seed=1)
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=5e-3)
    losses = []
    for step in range(80):
        losses.append(float(loss.backward(batch, step=step, chunk_tokens=40, weight=1.0)))
        optimizer.step()
        optimizer.zero_grad()
    assert sum(losses[:10]) / 10 > 4.0
    assert sum(losses[-10:]) / 10 < 2.5
