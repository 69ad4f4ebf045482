"""The processes of one training run: one, or those that ``torchrun`` started."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

PATIENCE = timedelta(hours=6)
"""How long processes wait for the first one, which alone evaluates and saves."""


@dataclass(frozen=True)
class Processes:
    """Which process this is, and what all of them do together. With one process everything here does nothing.

    Every process steps through the same number of batches of the same size, sums gradients itself after the backward, and holds
    the same weights: there is no wrapper around the model, so GradCache's chunks and two encoders need no special care.

    Attributes:
        rank: 0 is the main process, which evaluates, logs and saves.
        count: W.
        device: the device of this process, as the user names devices.
    """

    rank: int
    count: int
    device: str

    @classmethod
    def start(cls, device: str) -> "Processes":
        """Join the processes that ``torchrun`` started, one GPU each where there are GPUs; else be the only one."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(0, 1, device)
        from accelerate import PartialState  # half a second, and only several processes need it

        state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available(), timeout=PATIENCE)
        if device == "auto":
            device = str(state.device)
        elif device == "cuda":
            device = f"cuda:{state.local_process_index}"
        return cls(state.process_index, state.num_processes, device)

    @property
    def is_main(self) -> bool:
        """Whether this process evaluates, logs and saves."""
        return self.rank == 0

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            dist.barrier()

    def equalize(self, module: nn.Module) -> None:
        """Give every process the main one's weights: layers that start random differ otherwise."""
        if self.count > 1:
            for each in [*module.parameters(), *module.buffers()]:
                dist.broadcast(each.data, src=0)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, in one message a data type."""
        if self.count == 1:
            return
        by_type: dict[torch.dtype, list[Tensor]] = {}
        for each in parameters:
            if each.grad is not None:
                by_type.setdefault(each.grad.dtype, []).append(each.grad)
        for gradients in by_type.values():
            flat = torch.cat([each.flatten() for each in gradients])
            dist.all_reduce(flat)
            for gradient, mean in zip(
                gradients, (flat / self.count).split([g.numel() for g in gradients]), strict=True
            ):
                gradient.copy_(mean.view_as(gradient))

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        if self.count == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.count

    def from_main(self, value: int) -> int:
        """The main process's value, in every process."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, device=self.device)
        dist.broadcast(shared, src=0)
        return int(shared)

    def end(self) -> None:
        """Leave the group."""
        if self.count > 1:
            dist.destroy_process_group()
