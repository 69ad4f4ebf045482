import pytest
import torch

from retriever.training.optimizer import linear_schedule, make_optimizer


def test_the_rate_rises_and_then_falls_linearly_to_zero() -> None:
    rates = [linear_schedule(step, total_steps=10, warmup_ratio=0.2) for step in range(11)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0])


def test_the_rate_is_that_of_transformers_linear_schedule() -> None:
    from transformers import get_linear_schedule_with_warmup

    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=1.0)
    peer = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=0, num_training_steps=7)
    for step in range(7):
        assert linear_schedule(step, total_steps=7, warmup_ratio=0.0) == pytest.approx(peer.get_last_lr()[0])
        optimizer.step()
        peer.step()


def test_biases_and_layer_norms_are_not_decayed() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    decayed, others = make_optimizer(model, learning_rate=1.0, weight_decay=0.1).param_groups
    assert [each.ndim for each in decayed["params"]] == [2]
    assert (decayed["weight_decay"], others["weight_decay"], len(others["params"])) == (0.1, 0.0, 3)
