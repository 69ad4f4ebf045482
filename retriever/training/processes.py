"""The processes of one training run: one, or those that ``torchrun`` started."""

import atexit
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from retriever.encoding.device import choose_device
from retriever.errors import InputError

PATIENCE = timedelta(hours=6)
"""How long processes wait for the main one, which alone evaluates and saves."""

Result = TypeVar("Result")


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
        """Join the processes that ``torchrun`` started, one GPU each where there are GPUs; else be the only one.

        Raises:
            InputError: one GPU is named for several processes, or a device that is not there.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(0, 1, device)
        if device.startswith("cuda:"):
            raise InputError(
                f"--device {device} is one GPU for several processes: leave it out, and each takes its own"
            )
        if device != "auto":
            choose_device(device)
        from accelerate import PartialState  # half a second, and only several processes need it

        begun = dist.is_initialized()
        state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available(), timeout=PATIENCE)
        if not begun:
            atexit.register(_leave)
        if device in ("auto", "cuda"):
            device = str(state.device)
        return cls(state.process_index, state.num_processes, device)

    @property
    def is_main(self) -> bool:
        """Whether this process evaluates, logs and saves."""
        return self.rank == 0

    def on_main(self, work: Callable[[], Result]) -> Result | None:
        """Do something in the main process while the others wait; → its result there, None elsewhere.

        Raises:
            InputError: it failed with one; then in every process, so that none waits for a process that has ended.
        """
        if self.count == 1:
            return work()
        result, error = None, None
        if self.is_main:
            try:
                result = work()
            except InputError as raised:
                error = raised
        if self.from_main(int(error is not None)):
            raise error or InputError(f"process {self.rank} ends because the main one did")
        return result

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
            means = flat.div_(self.count).split([each.numel() for each in gradients])
            for gradient, mean in zip(gradients, means, strict=True):
                gradient.copy_(mean.view_as(gradient))

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        if self.count == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.count

    def least(self, value: int) -> int:
        """The smallest of the processes' values."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, device=self.device)
        dist.all_reduce(shared, op=dist.ReduceOp.MIN)
        return int(shared)

    def from_main(self, value: int) -> int:
        """The main process's value, in every process."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, device=self.device)
        dist.broadcast(shared, src=0)
        return int(shared)


def _leave() -> None:
    """Leave the group of processes, if it is still there, when the program ends."""
    if dist.is_initialized():
        dist.destroy_process_group()
