import pytest
import torch

from retriever.training.optimizer import linear_schedule, make_optimizer


def test_the_rate_rises_and_then_falls_linearly_to_zero() -> None:
    optimizer = make_optimizer(torch.nn.Linear(2, 2), learning_rate=1.0, weight_decay=0.0)
    schedule = linear_schedule(optimizer, total_steps=10, warmup_ratio=0.2)
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])
    assert schedule.get_last_lr()[0] == 0


def test_biases_and_layer_norms_are_not_decayed() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    decayed, others = make_optimizer(model, learning_rate=1.0, weight_decay=0.1).param_groups
    assert [each.ndim for each in decayed["params"]] == [2]
    assert (decayed["weight_decay"], others["weight_decay"], len(others["params"])) == (0.1, 0.0, 3)
