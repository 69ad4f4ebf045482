"""Packed equals padded: for every pooling, several architectures, values and gradients."""

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from retriever.choices import PoolingMode
from retriever.encoding.attention import SHORTER, Packing, Pad, Unpad, attend, group_sizes
from retriever.encoding.pooling import pool
from retriever.encoding.states import packed_position_offset, packed_states, padded_states
from retriever.encoding.tokens import Tokens

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def some_tokens() -> Tokens:
    lengths = torch.tensor([3, 12, 1, 7, 12, 2])
    ids = torch.randint(5, 50, (int(lengths.sum()),), generator=torch.Generator().manual_seed(1))
    return Tokens(ids, torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]))


def bert() -> PreTrainedModel:
    torch.manual_seed(0)
    return BertModel(BertConfig(**SIZES), add_pooling_layer=False).eval()


def test_padded_in_groups_the_states_are_those_of_each_text_alone() -> None:
    torch.manual_seed(0)
    model, tokens, ran = (
        MPNetModel(MPNetConfig(**SIZES, pad_token_id=1), add_pooling_layer=False),
        some_tokens(),
        [],
    )
    model.eval().register_forward_pre_hook(
        lambda module, given, named: ran.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    found = padded_states(model, tokens, all_layers=True)
    assert ran == [(2, 12), (1, 7), (1, 3), (1, 2), (1, 1)]
    for row in range(len(tokens)):
        alone = slice(int(tokens.offsets[row]), int(tokens.offsets[row + 1]))
        ids = tokens.ids[alone][None]
        expected = model(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
        for layer, states in zip(found, expected.hidden_states, strict=True):
            assert torch.allclose(layer[alone], states[0], atol=1e-5)


@pytest.mark.parametrize("mode", get_args(PoolingMode))
def test_packed_equals_padded_for_each_pooling_in_value_and_gradient(mode: PoolingMode) -> None:
    model, tokens, results = bert(), some_tokens(), []
    for packed in (False, True):
        if packed:
            assert packed_position_offset(model) == 0
            states = packed_states(model, tokens, 0, all_layers=True)
        else:
            states = padded_states(model, tokens, all_layers=True)
        embeddings = pool(states, tokens.offsets, mode)
        model.zero_grad()
        (embeddings * torch.linspace(-1, 1, embeddings.numel()).view_as(embeddings)).sum().backward()
        results.append((embeddings.detach(), {name: each.grad for name, each in model.named_parameters()}))
    (padded, padded_gradients), (packed_, packed_gradients) = results
    assert torch.allclose(padded, packed_, atol=1e-5)
    for name, gradient in padded_gradients.items():
        assert torch.allclose(gradient, packed_gradients[name], atol=1e-5), name


def test_roberta_counts_positions_after_its_padding_id_and_is_packed_so() -> None:
    torch.manual_seed(0)
    model = RobertaModel(
        RobertaConfig(**SIZES, pad_token_id=1, max_position_embeddings=40), add_pooling_layer=False
    )
    model.eval()
    tokens = some_tokens()
    expected = padded_states(model, tokens, all_layers=False)[0]
    assert packed_position_offset(model) == 2
    assert torch.allclose(packed_states(model, tokens, 2, all_layers=False)[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        MPNetModel(MPNetConfig(**SIZES, pad_token_id=1), add_pooling_layer=False),
        DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32)),
    ],
    ids=["mpnet", "distilbert"],
)
def test_an_architecture_is_packed_only_if_that_gives_the_padded_states(model: PreTrainedModel) -> None:
    model.eval()
    tokens = some_tokens()
    expected = padded_states(model, tokens, all_layers=False)[0]
    offset = packed_position_offset(model)
    if offset is None:  # and then the padded path works as before
        assert torch.equal(padded_states(model, tokens, all_layers=False)[0], expected)
    else:
        assert torch.allclose(packed_states(model, tokens, offset, all_layers=False)[0], expected, atol=1e-5)


def test_mpnet_with_its_relative_positions_runs_padded() -> None:
    torch.manual_seed(0)
    model = MPNetModel(MPNetConfig(**SIZES, pad_token_id=1), add_pooling_layer=False)
    torch.nn.init.normal_(model.encoder.relative_attention_bias.weight, std=1.0)
    assert packed_position_offset(model.eval()) is None


def test_attention_dropout_is_applied_in_packed_batches() -> None:
    torch.manual_seed(0)
    config = BertConfig(**SIZES, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.5)
    model = BertModel(config, add_pooling_layer=False)
    assert packed_position_offset(model) == 0
    model.train()
    tokens = some_tokens()
    first, second = (packed_states(model, tokens, 0, all_layers=False)[0] for _ in range(2))
    assert not torch.allclose(first, second)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_groups_cover_every_token_once_and_waste_little(lengths: list[int]) -> None:
    offsets = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()])
    packing = Packing.of(Tokens(torch.arange(sum(lengths)), offsets))
    covered = torch.cat([group.tokens for group in packing.groups])
    assert sorted(covered.tolist()) == list(range(sum(lengths)))
    for group in packing.groups:
        flat = group.rows.flatten()
        assert torch.equal(flat if group.real is None else flat[group.real], group.tokens)
        assert len(flat) <= len(group.tokens) / SHORTER


def test_texts_of_very_different_length_do_not_share_a_group() -> None:
    assert group_sizes([100, 90, 71, 69, 50, 10]) == [3, 2, 1]


def test_local_attention_is_not_taken_for_plain_attention() -> None:
    torch.manual_seed(0)
    sizes = {**SIZES, "pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 4}
    model = ModernBertModel(
        ModernBertConfig(**sizes, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)
    )
    tokens = some_tokens()
    expected = padded_states(model.eval(), tokens, all_layers=False)[0]
    assert packed_position_offset(model) is None
    assert torch.equal(padded_states(model, tokens, all_layers=False)[0], expected)


def test_attention_with_dropout_averages_to_attention_without() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, 5, 4) for _ in range(3))
    mask = torch.zeros(2, 1, 1, 5)
    mask[1, ..., 3:] = float("-inf")
    expected = attend(query, key, value, mask=mask, dropout=0.0, scaling=None)
    draws = [attend(query, key, value, mask=mask, dropout=0.2, scaling=None) for _ in range(3000)]
    assert torch.allclose(torch.stack(draws).mean(0), expected, atol=0.05)
    assert not torch.allclose(draws[0], draws[1])


@pytest.mark.parametrize("lengths", [[3, 3], [2, 9, 4, 1, 9, 8], [5]])
def test_padding_and_the_way_back_have_the_gradient_of_indexing(lengths: list[int]) -> None:
    size = sum(lengths) + 3  # three tokens that belong to no text
    packing = Packing.of(Tokens(torch.arange(sum(lengths)), torch.tensor([0, *lengths]).cumsum(0)))
    states = torch.randn(size, 2, 3, dtype=torch.float64, requires_grad=True)
    padded = Pad.apply(states, packing)
    back = Unpad.apply(packing, size, *(each * 2 for each in padded))
    assert torch.equal(back[:-3], 2 * states[:-3])
    assert (back[-3:] == 0).all()
    for group, each in zip(packing.groups, padded, strict=True):
        assert torch.equal(each, states[group.rows])

    def there_and_back(each: torch.Tensor) -> torch.Tensor:
        return Unpad.apply(packing, size, *(part.sin() for part in Pad.apply(each, packing)))

    assert torch.autograd.gradcheck(there_and_back, (states,))


def test_tokens_beyond_the_texts_change_nothing(monkeypatch) -> None:
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SIZES), add_pooling_layer=False).eval()
    assert packed_position_offset(model) == 0
    found = {}
    for multiple in (1, 64):
        monkeypatch.setattr("retriever.encoding.states.ROUND_TO", multiple)
        found[multiple] = packed_states(model, some_tokens(), 0, all_layers=False)[0]
        found[multiple].square().sum().backward()
        found[-multiple] = model.embeddings.word_embeddings.weight.grad.clone()
        model.zero_grad()
    assert torch.allclose(found[1], found[64], atol=1e-5)
    assert torch.allclose(found[-1], found[-64], atol=1e-4)
