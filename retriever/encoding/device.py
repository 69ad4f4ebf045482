"""Which device and which precision: chosen once, said aloud, and never replaced in silence."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from retriever.choices import Precision
from retriever.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """The device that ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` stands for on this machine.

    Raises:
        InputError: unknown name, or a device that is not there.
    """
    if name == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu"
        )
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"device must be auto, cpu, cuda, cuda:N or mps, got '{name}'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device '{name}' is not there: PyTorch sees {torch.cuda.device_count()} CUDA devices"
        )
    if device.type == "mps" and not torch.mps.is_available():
        raise InputError("device 'mps' is not there")
    return device


def prepare_device(device: torch.device) -> None:
    """Set up PyTorch for encoders on a device.

    PyTorch from 2.11 on prefers cuDNN's attention on Hopper and Blackwell GPUs. That one plans anew for every shape, and batches of
    sorted texts hardly ever have the same; besides, its gradients are not numbers for some masked rows (pytorch/pytorch#196678). So
    it is switched off, for the whole process. What that gains has not been measured.
    """
    if device.type == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 in hardware; elsewhere bf16 is emulated and slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        capabilities = torch.backends.cpu.get_cpu_capability(), _cpu_flags()
        return "AVX512" in capabilities[0] and bool(capabilities[1] & {"avx512_bf16", "amx_bf16"})
    return False


def _cpu_flags() -> set[str]:
    """Feature flags of the first CPU on Linux; elsewhere none are known, so auto stays at fp32."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next((set(line.split()) for line in lines if line.startswith("flags")), set())
    except OSError:
        return set()


def choose_precision(precision: Precision, device: torch.device) -> Precision:
    """``bf16`` or ``fp32``; ``auto`` is bf16 where the device has it.

    Raises:
        InputError: bf16 on a GPU that cannot compute in it.
    """
    if precision == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    if precision == "bf16" and device.type == "cuda" and not has_bf16(device):
        raise InputError(f"precision bf16 needs a GPU of compute capability 8.0, {device} has less")
    return precision


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """bfloat16 autocast for ``bf16``, nothing for ``fp32``."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
