"""AdamW with linear warm-up and linear decay to zero, as both papers train."""

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR


def make_optimizer(model: nn.Module, *, learning_rate: float, weight_decay: float) -> AdamW:
    """AdamW (β 0.9/0.999, ε 1e-8); biases and layer norms are not decayed."""
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    decayed = [each for _, each in named if each.ndim > 1]
    others = [each for _, each in named if each.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return AdamW(groups, lr=learning_rate, fused=True)


def linear_schedule(optimizer: Optimizer, *, total_steps: int, warmup_ratio: float) -> LambdaLR:
    """0 → peak over the first ``warmup_ratio`` of the steps, then peak → 0 at the last."""
    warmup_steps = round(warmup_ratio * total_steps)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        return max(0.0, (total_steps - step) / max(1, total_steps - warmup_steps))

    return LambdaLR(optimizer, factor)
