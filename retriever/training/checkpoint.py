"""``last/`` of a run directory: where training stands, so that it can go on after a kill.

Batches, learning rate and dropout masks are functions of seed and step, so weights, optimiser and step are all there is to keep.
Safetensors and JSON; the folder is replaced as a whole, so that a kill leaves the old checkpoint or the new.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from retriever.data.files import read_json, without_nan, write_json
from retriever.data.folders import replaced_folder, surviving_folder
from retriever.errors import InputError

FORMAT_VERSION = 2
WEIGHTS, OPTIMIZER, STATE = "weights.safetensors", "optimizer.safetensors", "state.json"


@dataclass(frozen=True)
class Best:
    """The best dev metrics so far, and the step that they were measured after."""

    step: int
    metrics: dict[str, float]


@dataclass
class State:
    """Where training stands.

    Attributes:
        step: optimiser steps done.
        best: the best dev evaluation so far; None: there was none that is a number.
        evaluations_since_best: dev evaluations after it.
        chunk_tokens: what ``--chunk-tokens auto`` found at the start; other chunks would have other dropout masks.
    """

    step: int = 0
    best: Best | None = None
    evaluations_since_best: int = 0
    chunk_tokens: int | None = None


def save_checkpoint(
    folder: Path, module: nn.Module, optimizer: Optimizer, state: State, circumstances: Mapping[str, object]
) -> None:
    """Replace the checkpoint in ``folder``; a kill at any moment leaves the old one or the new.

    Args:
        folder: the checkpoint.
        module: everything that is trained.
        optimizer: of its parameters.
        state: where training stands.
        circumstances: what has to be the same when training goes on, by its name for people.
    """
    with replaced_folder(folder) as new:
        weights = {name: each.cpu().contiguous() for name, each in _weights(module).items()}
        save_file(weights, new / WEIGHTS)
        save_file(_optimizer_state(module, optimizer), new / OPTIMIZER)
        values = {"format_version": FORMAT_VERSION, "circumstances": dict(circumstances), **asdict(state)}
        write_json(new / STATE, without_nan(values))


def load_checkpoint(
    folder: Path, module: nn.Module, optimizer: Optimizer, circumstances: Mapping[str, object]
) -> State | None:
    """Put weights and optimiser back as they were; → where training stood, or None when there is no checkpoint.

    Raises:
        InputError: the checkpoint is damaged, of another program version or model, or the circumstances are others.
    """
    folder = surviving_folder(folder)
    if not folder.exists():
        return None
    values = read_json(folder / STATE)
    if not isinstance(values, dict) or values.get("format_version") != FORMAT_VERSION:
        raise InputError(f"expected a checkpoint of format version {FORMAT_VERSION}", path=folder / STATE)
    try:
        require_same(values["circumstances"], circumstances, folder)
        _load_weights(module, load_file(folder / WEIGHTS), folder / WEIGHTS)
        _load_optimizer(module, optimizer, load_file(folder / OPTIMIZER))
        best, chunk_tokens = values["best"], values["chunk_tokens"]
        return State(
            int(values["step"]),
            None if best is None else Best(int(best["step"]), dict(best["metrics"])),
            int(values["evaluations_since_best"]),
            None if chunk_tokens is None else int(chunk_tokens),
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the checkpoint cannot be read ({error})", path=folder) from error


def require_same(before: Mapping[str, object], now: Mapping[str, object], path: Path) -> None:
    """InputError unless the circumstances of a run are those in which it began."""
    for name, value in now.items():
        if before.get(name) != value:
            raise InputError(
                f"the run began with {name} {before.get(name)}, this is {value}: its batches, arithmetic or judgements would be others; "
                "begin anew with another --output, or put back what it was",
                path=path,
            )


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those that are shared once, without their graph."""
    found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: each.detach() for name, each in found.items()}


def _load_weights(module: nn.Module, saved: dict[str, Tensor], file: Path) -> None:
    found = _weights(module)
    if {name: each.shape for name, each in found.items()} != {
        name: each.shape for name, each in saved.items()
    }:
        raise InputError("the weights are those of another model", path=file)
    for name, each in found.items():
        each.copy_(saved[name])


def _optimizer_state(module: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """Every tensor of the optimiser's state as ``parameter name|state name``."""
    return {
        f"{name}|{key}": value.detach().cpu().contiguous()
        for name, parameter in module.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _load_optimizer(module: nn.Module, optimizer: Optimizer, saved: dict[str, Tensor]) -> None:
    parameters = dict(module.named_parameters())
    optimizer.state.clear()
    for joined, value in saved.items():
        name, _, key = joined.rpartition("|")
        optimizer.state[parameters[name]][key] = value.to(parameters[name].device)
