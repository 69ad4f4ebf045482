"""A model's matrix products alone: no training step and no forward pass of it can be faster on this machine."""

import time
from collections.abc import Callable
from statistics import median

import torch
from transformers import PretrainedConfig

REPEATS = 7


def matmul_seconds(
    config: PretrainedConfig, tokens: int, *, device: str, dtype: torch.dtype, training: bool = True
) -> float:
    """Seconds for the linear layers back to back, forward and, in training, both gradients; attention is left out.

    Args:
        config: of a BERT-like model.
        tokens: S, of all texts of the step.
        device: cpu or cuda.
        dtype: of inputs and weights.
        training: whether there are gradients.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    layer = [(hidden, hidden)] * 4 + [(inner, hidden), (hidden, inner)]  # (out, in)
    weights = [torch.randn(shape, device=device, dtype=dtype) for shape in layer * config.num_hidden_layers]
    states = {width: torch.randn(tokens, width, device=device, dtype=dtype) for width in (hidden, inner)}
    results = {width: torch.empty_like(each) for width, each in states.items()}
    gradients = {shape: torch.empty(shape, device=device, dtype=dtype) for shape in layer}

    def step() -> None:
        for weight in weights:
            out, into = weight.shape
            torch.mm(states[into], weight.t(), out=results[out])  # forward: (S, out)
            if not training:
                continue
            torch.mm(states[out], weight, out=results[into])  # gradient of the input: (S, in)
            torch.mm(states[out].t(), states[into], out=gradients[out, into])  # of the weight: (out, in)

    run = _captured(step) if device == "cuda" else step
    run()
    return median(_seconds(run, device) for _ in range(REPEATS))


def matmul_flops(config: PretrainedConfig, tokens: int, *, training: bool = True) -> int:
    """Floating point operations of ``matmul_seconds``."""
    hidden, inner = config.hidden_size, config.intermediate_size
    return (
        (6 if training else 2)
        * tokens
        * config.num_hidden_layers
        * (4 * hidden * hidden + 2 * hidden * inner)
    )


def _captured(step: Callable[[], None]) -> Callable[[], None]:
    """The step as a CUDA graph, so that launching kernels costs nothing."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def _seconds(run: Callable[[], None], device: str) -> float:
    started = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
