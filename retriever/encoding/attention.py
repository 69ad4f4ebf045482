"""Variable-length attention, registered with transformers under one name for every architecture.

Tokens of all texts lie in one row of length S. Everything that works token by token (embeddings, linear layers, layer
norms) then wastes nothing on padding; only attention needs to know where a text ends. The plan for that travels through
the model's keyword arguments to ``packed_attention``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from retriever.encoding.dropout import keep_mask
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
        tokens: (tokens of the group,) index into S of each real token.
        real: (tokens of the group,) index of each real token in the flattened (n·L); None when nothing is padded.
        mask: (n, 1, 1, L) additive float mask, or None when nothing is padded.
    """

    rows: Tensor
    tokens: Tensor
    real: Tensor | None
    mask: Tensor | None


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a batch lie when attention alone is padded.

    Attributes:
        groups: all texts, by length.
        size: S of all texts together; what a batch has beyond it belongs to no text.
    """

    groups: tuple[Group, ...]
    size: int

    @classmethod
    def of(cls, tokens: Tokens) -> "Packing":
        """The plan for these texts."""
        lengths, rows_by_length = torch.sort(tokens.lengths, descending=True, stable=True)
        sizes = group_sizes(lengths.tolist())
        device = tokens.ids.device
        groups = []
        for members in rows_by_length.split(sizes) if len(sizes) > 1 else [torch.arange(len(tokens))]:
            positions = torch.arange(int(tokens.lengths[members].max()))  # (L,)
            there = positions < tokens.lengths[members][:, None]  # (n, L)
            rows = torch.where(there, tokens.offsets[:-1][members][:, None] + positions, 0)
            real = mask = None
            if not bool(there.all()):
                real = there.flatten().nonzero().squeeze(1).to(device)
                mask = (
                    torch.zeros(there.shape).masked_fill(~there, float("-inf"))[:, None, None, :].to(device)
                )
            groups.append(Group(rows.to(device), rows[there].to(device), real, mask))
        return cls(tuple(groups), int(tokens.offsets[-1]))


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
    padded = [Pad.apply(states, packing) for states in flat]  # for each group (n, L, heads, head size)
    outputs = []
    for group, *of_group in zip(packing.groups, *padded, strict=True):
        mask = None if group.mask is None else group.mask.to(query.dtype)
        by_head = [states.transpose(1, 2) for states in of_group]  # (n, heads, L, head size)
        output = attend(*by_head, mask=mask, dropout=dropout, scaling=scaling)
        outputs.append(output.transpose(1, 2))
    result = Unpad.apply(packing, len(flat[0]), *outputs)  # (S, heads, head size)
    return result.unsqueeze(0), None


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


class Pad(torch.autograd.Function):
    """(S, …) → (n, L, …) for each group.

    Each token goes to one place, so its gradient is copied back, not added up as indexing would: nothing is filled with zeros first.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, packing: Packing) -> tuple[Tensor, ...]:  # noqa: ANN401  (PyTorch's context)
        """Token ``rows[i, j]`` comes to (i, j)."""
        ctx.packing, ctx.size = packing, len(states)
        return tuple(
            states.index_select(0, group.rows.flatten()).unflatten(0, group.rows.shape)
            for group in packing.groups
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401  (PyTorch's context)
        """What lies on padding has no gradient."""
        return collect(ctx.packing, ctx.size, gradients), None


class Unpad(torch.autograd.Function):
    """(n, L, …) of each group → (S, …): the way back."""

    @staticmethod
    def forward(ctx: Any, packing: Packing, size: int, *padded: Tensor) -> Tensor:  # noqa: ANN401  (PyTorch's context)
        """Place (i, j) comes to token ``rows[i, j]``; what lies on padding is dropped."""
        ctx.packing = packing
        return collect(packing, size, padded)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401  (PyTorch's context)
        """Padding gets zeros: its states reach no token."""
        results = []
        for group in ctx.packing.groups:
            of_tokens = gradient.index_select(0, group.tokens)
            if group.real is not None:
                zeros = gradient.new_zeros(group.rows.numel(), *gradient.shape[1:])
                of_tokens = zeros.index_copy_(0, group.real, of_tokens)
            results.append(of_tokens.unflatten(0, group.rows.shape))
        return (None, None, *results)


def collect(packing: Packing, size: int, padded: Sequence[Tensor]) -> Tensor:
    """(n, L, …) of each group → (size, …), zeros beyond the texts."""
    result = padded[0].new_empty(size, *padded[0].shape[2:])
    result[packing.size :] = 0
    for group, states in zip(packing.groups, padded, strict=True):
        flat = states.flatten(0, 1)
        result.index_copy_(0, group.tokens, flat if group.real is None else flat.index_select(0, group.real))
    return result


def no_mask(*_: object, **__: object) -> None:
    """Packed batches need no mask of transformers' making."""


AttentionInterface.register(PACKED, packed_attention)
AttentionMaskInterface.register(PACKED, no_mask)
