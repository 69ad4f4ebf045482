"""The one place where token states become embeddings."""

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from retriever.choices import PoolingMode


def pool(hidden_states: Sequence[Tensor], offsets: Tensor, mode: PoolingMode) -> Tensor:
    """Token states → one embedding per text.

    Args:
        hidden_states: the embedding layer's output and then each layer's, (S, H) each. ``cls`` and ``mean`` read only
            the last, ``top2_mean`` the last two, ``first_last_mean`` the first layer's (index 1, as in SimCSE's code;
            the paper's numbers averaged the embedding layer, index 0) and the last.
        offsets: (N+1,) text boundaries in S; every text has at least one token.
        mode: the pooling.

    Returns:
        (N, H) float32.
    """
    if mode == "cls":
        return hidden_states[-1][offsets[:-1].to(hidden_states[-1].device)].float()
    return mean_over_tokens(
        torch.stack([state.float() for state in _LAYERS[mode](hidden_states)]).mean(0), offsets
    )


_LAYERS = {
    "mean": lambda states: states[-1:],
    "first_last_mean": lambda states: [states[1], states[-1]],
    "top2_mean": lambda states: states[-2:],
}


def needs_all_layers(mode: PoolingMode) -> bool:
    """Whether the pooling reads more than the last layer."""
    return {each: each in ("first_last_mean", "top2_mean") for each in get_args(PoolingMode)}[mode]


def mean_over_tokens(states: Tensor, offsets: Tensor) -> Tensor:
    """(S, H) → (N, H): the mean over each text's tokens, special tokens included."""
    lengths = offsets.diff().to(states.device)  # (N,)
    rows = torch.repeat_interleave(torch.arange(len(lengths), device=states.device), lengths)  # (S,)
    total = states.new_zeros(len(lengths), states.shape[1]).index_add(0, rows, states)  # (N, H)
    return total / lengths[:, None]
