"""The C library's memory, for the length of a command."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next request, instead of giving it back to the system each time.

    A training step on a CPU allocates and frees large tensors hundreds of times, and the pages have to be zeroed each time
    anew: kept, DPR training of a 6-layer encoder was 1.3 to 1.35 times as fast. Elsewhere than on Linux with glibc it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
