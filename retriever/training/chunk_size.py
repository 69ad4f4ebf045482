"""``--chunk-tokens auto``: how many tokens' graph fits into the memory that is free."""

import logging
import os
import sys
from pathlib import Path

import psutil
import torch

from retriever.training.batches import TokenBatch
from retriever.training.embedder import Embedder

logger = logging.getLogger(__name__)

PROBED_TOKENS = 1024
"""Enough for the part that grows with the tokens to outweigh the rest."""

USABLE = 0.6
"""Share of the free memory that graphs may take: what is live only for a moment, and fragments, need the rest."""

SMALLEST = 256
"""Less than this in a chunk wastes the device."""


def largest_chunk(embedder: Embedder, batch: TokenBatch, *, free_bytes: int | None = None) -> int | None:
    """The largest number of tokens whose graph fits, rounded down to a multiple of 256; None: a batch fits as a whole.

    What a graph keeps is counted, not tried out: the bytes of the tensors that one small forward saves for its backward. They grow
    with the tokens.

    Args:
        embedder: in training mode or not; it is run in training mode, and left as it was.
        batch: an ordinary batch of the run.
        free_bytes: memory that is free; None: asked of the device.
    """
    device = embedder.model.query.device
    needed = saved_bytes_per_token(embedder, batch)
    trained = sum(each.numel() * each.element_size() for each in embedder.parameters() if each.requires_grad)
    free = free_memory(device) if free_bytes is None else free_bytes
    candidates = sum(map(len, batch.texts[1:]))
    scores = 4 * 5 * len(batch) * candidates  # of the loss: they grow with the batch, not with the chunk
    usable = USABLE * (free - 3 * trained - scores)  # gradients and AdamW's two moments are still to come
    found = int(usable / needed) // SMALLEST * SMALLEST
    if found >= 1.5 * batch.num_tokens:  # batches differ in length
        return None
    if found < SMALLEST:
        logger.warning("memory is short: %.1f GB free; chunks of %d tokens may not fit", free / 1e9, SMALLEST)
    return max(SMALLEST, found)


def saved_bytes_per_token(embedder: Embedder, batch: TokenBatch) -> float:
    """Bytes that the graph of one forward keeps for each token; parameters, which are there anyway, do not count."""
    encoder, tokens = max(embedder.inputs(batch), key=lambda each: int(each[1].lengths.max()))
    probe = next(tokens.select(tokens.longest_first()).split(PROBED_TOKENS))
    parameters = {each.untyped_storage().data_ptr() for each in embedder.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    was_training = embedder.training
    embedder.train()
    with torch.random.fork_rng(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        embedding = encoder(probe)
    embedder.train(was_training)
    del embedding
    return sum(kept.values()) / len(probe.ids)


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
        limit, used = (
            (group / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current")
        )
        return int(limit) - int(used)
    except (OSError, ValueError):  # no such files, or "max": no limit
        return sys.maxsize
