"""What every result file says of the machine and the libraries."""

import os
import platform
from pathlib import Path

import torch

from retriever.versions import installed

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "sentence-transformers",
    "faiss-cpu",
    "numpy",
    "numba",
    "bm25s",
    "rank-bm25",
    "pytrec-eval-terrier",
)


def describe_machine() -> dict[str, object]:
    """Processor, cores, memory and GPU; no names of hosts or users."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def versions() -> dict[str, str]:
    """Installed versions of what figures depend on."""
    return {"python": platform.python_version(), **installed(PACKAGES)}


def _cpu_model() -> str:
    """The processor's name and the vector instructions that matter here."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    text = info.read_text(encoding="utf-8")
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    special = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in fields.get("flags", "").split()]
    return " ".join([fields.get("model name", "unknown"), *special])
