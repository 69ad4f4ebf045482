"""Quantities for people."""


def readable_time(seconds: float) -> str:
    """``0.35 s``, ``12 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def readable_bytes(size: float) -> str:
    """``12 kB``, ``3.5 MB``, ``64.6 GB``: powers of ten."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
