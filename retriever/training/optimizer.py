"""AdamW with linear warm-up and linear decay to zero, as both papers train."""

from torch import nn
from torch.optim import AdamW


def make_optimizer(model: nn.Module, *, learning_rate: float, weight_decay: float) -> AdamW:
    """AdamW (β 0.9/0.999, ε 1e-8); biases and layer norms are not decayed."""
    trained = [each for each in model.parameters() if each.requires_grad]
    decayed = [each for each in trained if each.ndim > 1]
    others = [each for each in trained if each.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return AdamW(groups, lr=learning_rate, fused=True)


def linear_schedule(step: int, *, total_steps: int, warmup_ratio: float) -> float:
    """Share of the peak learning rate at a step counted from 0.

    0 → 1 over the first ``warmup_ratio`` of the steps, then 1 → 0, which the step after the last would have. A function of the
    step alone, so that there is no schedule to save and restore.
    """
    warmup_steps = round(warmup_ratio * total_steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return max(0.0, (total_steps - step) / max(1, total_steps - warmup_steps))
