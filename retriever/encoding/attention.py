"""Variable-length attention, registered with transformers under one name for every architecture.

Tokens of all texts lie in one row of length S. Everything that works token by token (embeddings, linear layers, layer
norms) then wastes nothing on padding; only attention needs to know where a text ends. The plan for that travels through
the model's keyword arguments to ``packed_attention``.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from retriever.encoding.tokens import Tokens

PACKED = "ctl_packed"


SHORTER = 0.7
"""A text shorter than this share of its group's longest starts a new group: its padding would cost more than a call."""


NOT_PLAIN = ("sliding_window", "softcap", "s_aux", "position_bias")
"""Arguments by which architectures ask for more than scaled dot products between all tokens of a text."""


@dataclass(frozen=True)
class Group:
    """Texts of similar length, padded to the longest of them inside attention.

    Attributes:
        rows: (n, L) index into S for each text and position; padding points at token 0.
        real: (tokens of the group,) index of each real token in the flattened (n·L).
        mask: (n, 1, 1, L) additive float mask, or None when nothing is padded.
    """

    rows: Tensor
    real: Tensor
    mask: Tensor | None


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a batch lie when attention alone is padded.

    Attributes:
        groups: all texts, by length.
        order: (S,) index of each token in the groups' real tokens laid end to end; None: they are in order already.
    """

    groups: tuple[Group, ...]
    order: Tensor | None

    @classmethod
    def of(cls, tokens: Tokens) -> "Packing":
        """The plan for these texts."""
        lengths, rows_by_length = torch.sort(tokens.lengths, descending=True, stable=True)
        sizes = group_sizes(lengths.tolist())
        device = tokens.ids.device
        groups, taken = [], []
        for members in rows_by_length.split(sizes) if len(sizes) > 1 else [torch.arange(len(tokens))]:
            positions = torch.arange(int(tokens.lengths[members].max()))  # (L,)
            real = positions < tokens.lengths[members][:, None]  # (n, L)
            rows = torch.where(real, tokens.offsets[:-1][members][:, None] + positions, 0)
            mask = None
            if not bool(real.all()):
                mask = torch.zeros(real.shape).masked_fill(~real, float("-inf"))[:, None, None, :].to(device)
            groups.append(Group(rows.to(device), real.flatten().nonzero().squeeze(1).to(device), mask))
            taken.append(rows[real])
        order = torch.argsort(torch.cat(taken)).to(device) if len(groups) > 1 else None
        return cls(tuple(groups), order)


def group_sizes(lengths: list[int]) -> list[int]:
    """How many texts, longest first, share a group; ``lengths`` do not increase."""
    sizes, longest = [0], lengths[0]
    for length in lengths:
        if length < SHORTER * longest:
            sizes.append(0)
            longest = length
        sizes[-1] += 1
    return sizes


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    packing: Packing,
    scaling: float | None = None,
    dropout: float = 0.0,
    **others: object,
) -> tuple[Tensor, None]:
    """Attention within each text of a packed batch; the signature is that of transformers' AttentionInterface.

    Args:
        module: the attention layer (unused).
        query: (1, heads, S, head size), as are key and value.
        key: see query.
        value: see query.
        attention_mask: always None, see ``no_mask``.
        packing: where each text lies.
        scaling: factor on the scores; default 1/√(head size).
        dropout: probability of dropping an attention weight.
        others: whatever else an architecture passes; what would change the result is refused.

    Returns:
        (1, S, heads, head size), and None in place of the weights.

    Raises:
        ValueError: the architecture asks for attention that this is not: the model then runs padded.
    """
    if asked := [name for name in NOT_PLAIN if others.get(name) is not None]:
        raise ValueError(f"packed attention knows no {', '.join(asked)}")
    flat = [states[0].transpose(0, 1) for states in (query, key, value)]  # (S, heads, head size)
    outputs = []
    for group in packing.groups:
        padded = [
            Pad.apply(states, group.rows, group.real).transpose(1, 2) for states in flat
        ]  # (n, heads, L, head size)
        mask = None if group.mask is None else group.mask.to(query.dtype)
        output = attend(*padded, mask=mask, dropout=dropout, scaling=scaling)
        outputs.append(
            TakeOnce.apply(output.transpose(1, 2).flatten(0, 1), group.real)
        )  # (group's tokens, heads, head size)
    result = outputs[0] if packing.order is None else TakeOnce.apply(torch.cat(outputs), packing.order)
    return result.unsqueeze(0), None  # (1, S, heads, head size)


def attend(
    query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None, dropout: float, scaling: float | None
) -> Tensor:
    """Attention of padded texts, (n, heads, L, head size) each; PyTorch's own but for dropout on a CPU.

    There PyTorch's fused kernel does not apply, and its plain one draws a random number for every weight: ``keep_mask`` draws a
    quarter as many.
    """
    if not dropout or query.device.type != "cpu":
        return nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling
        )
    scores = (query * (scaling or query.shape[-1] ** -0.5)) @ key.transpose(-1, -2)  # (n, heads, L, L)
    weights = torch.softmax(scores if mask is None else scores + mask, dim=-1)
    return (weights * keep_mask(weights, dropout)) @ value


def keep_mask(like: Tensor, dropout: float) -> Tensor:
    """0 with probability ``dropout`` (to 2⁻¹⁶), else 1 / (1 − dropout): four values from each random 64-bit number."""
    words = torch.empty(like.numel() // 4 + 1, dtype=torch.int64).random_(-(2**63), None)
    values = words.view(torch.int16)[: like.numel()].view(like.shape)
    return (values >= round(dropout * 2**16) - 2**15).to(like.dtype) * (1 / (1 - dropout))


class Pad(torch.autograd.Function):
    """(S, …) → (n, L, …). Each token goes to one place, so the gradient is copied back, not added up as indexing would."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, rows: Tensor, real: Tensor) -> Tensor:  # noqa: ANN401  (PyTorch's context)
        """Token ``rows[i, j]`` comes to (i, j)."""
        ctx.save_for_backward(rows.flatten()[real], real)
        ctx.size = len(states)
        return states.index_select(0, rows.flatten()).unflatten(0, rows.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401  (PyTorch's context)
        """What lies on padding has no gradient."""
        tokens, real = ctx.saved_tensors
        result = gradient.new_zeros(ctx.size, *gradient.shape[2:])
        return result.index_copy_(0, tokens, gradient.flatten(0, 1).index_select(0, real)), None, None


class TakeOnce(torch.autograd.Function):
    """Rows at an index in which no row occurs twice; the gradient is copied back."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, index: Tensor) -> Tensor:  # noqa: ANN401  (PyTorch's context)
        """``states[index]``."""
        ctx.save_for_backward(index)
        ctx.size = len(states)
        return states.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401  (PyTorch's context)
        """Rows that were not taken have no gradient."""
        (index,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.size, *gradient.shape[1:]).index_copy_(0, index, gradient), None


def no_mask(*_: object, **__: object) -> None:
    """Packed batches need no mask of transformers' making."""


AttentionInterface.register(PACKED, packed_attention)
AttentionMaskInterface.register(PACKED, no_mask)
