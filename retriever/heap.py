"""Memory that stays with a process: what was freed, of which only glibc on Linux can be told anything, and kernels on a CPU."""

import ctypes
import os
import sys
from collections.abc import Callable

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
KERNEL_CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""Environment variables of oneDNN, and of what calls it in PyTorch; read when the first kernel is made."""
KERNELS = "64"


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next request, instead of giving it back to the system each time.

    A training step on a CPU allocates and frees large tensors hundreds of times, and pages that went back have to be zeroed
    each time anew.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def give_back_freed_memory() -> None:
    """Give the system what is free now: tensors of ever other sizes leave holes that the next ones do not fit in."""
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def keep_few_kernels() -> None:
    """Let a CPU keep 64 kernels instead of 1,024, unless the environment says otherwise.

    oneDNN makes a kernel for each shape of a matrix, half a megabyte and more of it, and keeps it amid the tensors. Batches without
    padding hardly ever have the same number of tokens, so that those of earlier batches are of no more use; a step itself needs fewer
    than 64.
    """
    for name in KERNEL_CACHES:
        os.environ.setdefault(name, KERNELS)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of glibc's, or None."""
    if not sys.platform.startswith("linux"):
        return None
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found
