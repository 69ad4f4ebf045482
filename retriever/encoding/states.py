"""Tokens → hidden states, packed or padded; which of the two is found out by trying."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import PreTrainedModel

from retriever.encoding.attention import PACKED, Packing, group_sizes
from retriever.encoding.hugging_face import quiet_transformers
from retriever.encoding.tokens import Tokens
from retriever.errors import InputError

logger = logging.getLogger(__name__)

ROUND_TO = 64
"""On a CPU oneDNN compiles, and keeps, a kernel for each number of tokens: rounded up there are few of them."""


WORTH_A_FORWARD = 8192
"""Tokens of padding for whose sake a GPU runs a padded batch in several forwards: it starts the kernels of one in the time in which it
computes some thousand tokens. Reckoned, not measured."""


def position_ids(tokens: Tokens) -> Tensor:
    """(S,) position of each token in its own text, from 0."""
    starts = torch.repeat_interleave(tokens.offsets[:-1], tokens.lengths)
    return (torch.arange(int(tokens.offsets[-1])) - starts).to(tokens.ids.device)


def token_states(
    transformer: PreTrainedModel, tokens: Tokens, offset: int | None, *, all_layers: bool
) -> Sequence[Tensor]:
    """Hidden states of a batch, (S, H) each: of all layers, or of the last alone.

    Args:
        transformer: runs the batch.
        tokens: N texts on its device.
        offset: what ``packed_position_offset`` found for it.
        all_layers: whether those below the last are wanted.
    """
    if offset is None:
        return padded_states(transformer, tokens, all_layers=all_layers)
    return packed_states(transformer, tokens, offset, all_layers=all_layers)


def packed_states(
    transformer: PreTrainedModel, tokens: Tokens, offset: int, *, all_layers: bool
) -> Sequence[Tensor]:
    """Hidden states of a batch that runs as one row without padding, (S, H) each."""
    size = len(tokens.ids)
    beyond = -size % ROUND_TO if tokens.ids.device.type == "cpu" else 0
    output = transformer(
        input_ids=pad(tokens.ids, (0, beyond))[None],  # (1, S), rounded up
        position_ids=pad(position_ids(tokens), (0, beyond))[None] + offset,
        packing=Packing.of(tokens),
        output_hidden_states=all_layers,
    )
    states = output.hidden_states if all_layers else [output.last_hidden_state]
    return [state[0, :size] for state in states]


def padded_states(transformer: PreTrainedModel, tokens: Tokens, *, all_layers: bool) -> Sequence[Tensor]:
    """Hidden states of a batch that runs padded, (S, H) each: texts of like length together, the padding's states left out."""
    order = tokens.longest_first()
    lengths = tokens.lengths[order].tolist()
    sizes = group_sizes(lengths)
    padding = len(tokens) * lengths[0] - len(tokens.ids)
    if len(sizes) == 1 or (tokens.ids.device.type == "cuda" and padding < WORTH_A_FORWARD):
        return _of_one_rectangle(transformer, tokens, all_layers=all_layers)
    in_order = tokens.select(order)
    groups = [
        _of_one_rectangle(transformer, in_order.select(rows), all_layers=all_layers)
        for rows in torch.arange(len(tokens)).split(sizes)
    ]
    starts = in_order.offsets[:-1][torch.argsort(order)]  # (N,) where each text begins in the order of length
    back = torch.repeat_interleave(starts - tokens.offsets[:-1], tokens.lengths)  # (S,)
    back = (back + torch.arange(len(back))).to(tokens.ids.device)
    return [torch.cat(layer).index_select(0, back) for layer in zip(*groups, strict=True)]


def _of_one_rectangle(transformer: PreTrainedModel, tokens: Tokens, *, all_layers: bool) -> Sequence[Tensor]:
    ids, mask = tokens.padded(getattr(transformer.config, "pad_token_id", None) or 0)  # (N, L)
    output = transformer(input_ids=ids, attention_mask=mask.long(), output_hidden_states=all_layers)
    states = output.hidden_states if all_layers else [output.last_hidden_state]
    return [state[mask] for state in states]


def packed_position_offset(transformer: PreTrainedModel) -> int | None:
    """The first position id with which this architecture gives the same states packed as padded; None: it does not.

    BERT counts positions from 0, RoBERTa from its padding id + 1, some add a bias that packing would break: so it is
    tried on three short texts instead of looked up by name. Leaves the attention implementation set accordingly.
    """
    before = transformer.config._attn_implementation
    if before == PACKED:  # it has been in an encoder before
        before = "sdpa"
        transformer.set_attn_implementation(before)
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([7, 3, 5])
    pad_id = getattr(transformer.config, "pad_token_id", None) or 0
    words: nn.Module = transformer.get_input_embeddings()
    low, high = pad_id + 1, max(pad_id + 2, next(words.parameters()).shape[0])
    probe = Tokens(
        torch.randint(low, high, (int(lengths.sum()),), generator=generator),
        torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
    ).to(transformer.device)
    was_training = transformer.training
    transformer.eval()
    try:
        with torch.inference_mode(), quiet_transformers():
            expected = padded_states(transformer, probe, all_layers=False)[0]
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
        kind = type(transformer).__name__
        raise InputError(f"{kind} is not a text encoder: token ids alone do not run ({error})") from error
    try:
        with torch.inference_mode(), quiet_transformers():
            transformer.set_attn_implementation(PACKED)
            for offset in (0, pad_id + 1):
                found = packed_states(transformer, probe, offset, all_layers=False)[0]
                if torch.allclose(found, expected, atol=1e-4, rtol=1e-3):
                    return offset
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        logger.debug("packed attention does not fit %s: %s", type(transformer).__name__, error)
    finally:
        transformer.train(was_training)
    transformer.set_attn_implementation(before)
    logger.info("%s runs padded: packed attention does not fit it", type(transformer).__name__)
    return None
