"""``--chunk-tokens auto``: how many tokens' graph fits into the memory that is free."""

import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from retriever.encoding.masked_language_model import MaskedLanguageModel
from retriever.encoding.tokens import Tokens
from retriever.losses.info_nce import BLOCK
from retriever.training.batches import TokenBatch
from retriever.training.embedder import Embedder

logger = logging.getLogger(__name__)

PROBED_TOKENS = 2048
"""Of the larger of two forwards, which a CPU takes a second for."""

USABLE = 0.6
"""Share of the free memory that graphs may take: what is live only for a moment, and fragments, need the rest."""

SMALLEST = 256
"""Less than this in a chunk wastes the device."""


def largest_chunk(
    embedder: Embedder,
    batch: TokenBatch,
    *,
    masked: MaskedLanguageModel | None = None,
    processes: int = 1,
    free_bytes: int | None = None,
) -> int | None:
    """The largest number of tokens whose graph fits, rounded down to a multiple of 256; None: a batch fits as a whole.

    What a graph keeps is counted, not tried out: the bytes of the tensors that two small forwards save for their backward. Some
    grow with the tokens; others, the weights' copies in bf16, are there whatever their number.

    Args:
        embedder: in training mode or not; it is run in training mode, and left as it was.
        batch: an ordinary batch of the run.
        masked: runs the same chunks for the auxiliary loss, and keeps more for each token; None: there is no such loss.
        processes: W, whose candidates come together in the loss.
        free_bytes: memory that is free; None: asked of the device.
    """
    device = embedder.model.query.device
    try:
        constant, needed = graph_bytes(embedder, batch, masked)
    except torch.OutOfMemoryError:  # something else fills the GPU
        logger.warning("memory is short: not even a trial of %d tokens fits", PROBED_TOKENS)
        return SMALLEST
    module = nn.ModuleList([embedder, *([] if masked is None else [masked])])
    trained = sum(each.numel() * each.element_size() for each in module.parameters() if each.requires_grad)
    free = free_memory(device) if free_bytes is None else free_bytes
    pairs = processes * len(batch) * sum(map(len, batch.texts[1:]))
    # scores of a block of rows, and masks of all: not of the chunk alone
    loss = 5 * 4 * min(pairs, BLOCK) + 3 * pairs
    # gradients and AdamW's two moments are still to come
    usable = USABLE * (free - 3 * trained - constant - loss)
    found = int(usable / needed) // SMALLEST * SMALLEST
    if found >= 1.5 * batch.num_tokens:  # batches differ in length
        return None
    if found < SMALLEST:
        logger.warning("memory is short: %.1f GB free; chunks of %d tokens may not fit", free / 1e9, SMALLEST)
    return max(SMALLEST, found)


def graph_bytes(
    embedder: Embedder, batch: TokenBatch, masked: MaskedLanguageModel | None = None
) -> tuple[float, float]:
    """Bytes that the graph of a forward keeps whatever it embeds, and those for each token, by two forwards of different size.

    Parameters, which are there anyway, do not count.
    """
    encoder, tokens = max(embedder.inputs(batch), key=lambda each: int(each[1].lengths.max()))
    large = next(tokens.select(tokens.longest_first()).split(PROBED_TOKENS))
    small = large.select(range((len(large) + 1) // 2))
    module, forward = (encoder, encoder) if masked is None else (masked, partial(_masked_loss, masked))
    most = _saved_bytes(module, forward, large)
    if len(large) == 1:
        return 0.0, most / len(large.ids)
    needed = (most - _saved_bytes(module, forward, small)) / (len(large.ids) - len(small.ids))
    return max(0.0, most - needed * len(large.ids)), needed


def _masked_loss(masked: MaskedLanguageModel, tokens: Tokens) -> Tensor:
    return masked.loss_sum(*masked.mask(tokens, torch.Generator().manual_seed(0)))


def _saved_bytes(module: nn.Module, forward: Callable[[Tokens], Tensor], tokens: Tokens) -> int:
    """Bytes that a module's forward in training mode saves for its backward."""
    parameters = {each.untyped_storage().data_ptr() for each in module.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    was_training = module.training
    module.train()
    device = next(module.parameters()).device
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward(tokens)
    module.train(was_training)
    return sum(kept.values())


def free_memory(device: torch.device) -> int:
    """Bytes that can still be had: of the GPU's memory on a GPU, else of the machine's."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's: they share the machine
    return min(int(psutil.virtual_memory().available), container_memory()) // processes


def container_memory() -> int:
    """Bytes that are left of what Linux allows the container, as far as it says; psutil sees the whole machine."""
    group = Path("/sys/fs/cgroup")
    try:
        limit, used, details = (
            (group / f"memory.{name}").read_text(encoding="ascii") for name in ("max", "current", "stat")
        )
        given_up_when_asked = dict(line.split() for line in details.splitlines())["inactive_file"]
        return int(limit) - int(used) + int(given_up_when_asked)
    except (OSError, ValueError, KeyError):  # no such files, or "max": no limit
        return sys.maxsize
