import pytest
import torch
from torch import nn

from retriever.encoding.dropout import Dropout, keep_mask, use_cheap_dropout


@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_dropout_drops_its_share_and_keeps_the_expectation(dropout: float) -> None:
    torch.manual_seed(0)
    mask = keep_mask(torch.empty(3, 7, 1001, 41), dropout)
    assert mask.shape == (3, 7, 1001, 41)
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / (1 - dropout)])
    assert (mask == 0).double().mean().item() == pytest.approx(dropout, abs=2e-3)
    for dimension in range(4):  # no place is favoured: each of the four values of a word, in particular
        others = [each for each in range(4) if each != dimension]
        assert mask.mean(others).sub(1).abs().max() < 0.2
    quarters = mask.flatten()[: mask.numel() // 4 * 4].view(-1, 4)
    assert quarters.mean(0).sub(1).abs().max() < 0.01
    assert torch.corrcoef(quarters.T).fill_diagonal_(0).abs().max() < 0.02


def test_layers_are_replaced_in_their_places_and_drop_in_training_alone() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Dropout(0.25)))
    use_cheap_dropout(module)
    layer = module[1][0]
    assert (type(layer), layer.p) == (Dropout, 0.25)
    states = torch.ones(200, 100, requires_grad=True)
    dropped = layer(states)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert (dropped == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
    dropped.sum().backward()
    assert torch.equal(states.grad, dropped.detach())  # the gradient passes where the states did
    assert torch.equal(layer.eval()(states), states)


def test_the_masks_are_those_of_the_seed() -> None:
    layer = Dropout(0.5)
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        draws.append([layer(torch.ones(50)) for _ in range(2)])
    assert torch.equal(draws[0][0], draws[1][0])
    assert not torch.equal(draws[0][0], draws[0][1])


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_the_ends_are_pytorchs_own(probability: float) -> None:
    assert torch.equal(Dropout(probability)(torch.ones(9)), nn.Dropout(probability)(torch.ones(9)))
