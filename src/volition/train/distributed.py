"""One training over several processes: each takes its rows of the same global batch. Begun by torchrun. For `trainer.py`.

    torchrun --nproc-per-node 4 -m volition.cli train ... (RANK, WORLD_SIZE, LOCAL_RANK) -> Processes

DDP keeps the whole model in each process; FSDP2 keeps a share of weights, moments and averages. Only the main process
(rank 0) writes and prints. Every process goes through all batches and makes every `world`-th row, so that the loss
curve is that of one process. Losses are means over a process's rows: each is weighted by its share of the real action
steps (`shares`), which makes masked means over actions exact; terms over other masks (truth that only some rows have)
are then close, not equal. Terms that draw random numbers draw different ones in each process. Models must give the
same terms for any rows. Saved states hold whole tensors, so a run can go on with another number of processes.
"""

from __future__ import annotations

import copy
import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from volition.data.share import Share
from volition.model.inputs import Inputs, Targets
from volition.train.contracts import Batch
from volition.train.errors import TrainError

PATIENCE = timedelta(hours=3)  # the others wait while the main process evaluates in closed loop
Losses = Callable[..., dict[str, Tensor]]


class Processes:
    """This process's place among all; alone it is the main one of one and nothing here costs anything."""

    def __init__(self, parallel: str = "ddp", device: str = "auto") -> None:
        self.rank, self.world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
        self.parallel = parallel if self.world > 1 else "alone"
        self.device = _device(device, local)
        self.main = self.rank == 0
        self._mine = False
        if self.world > 1 and not dist.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
            dist.init_process_group(backend, timeout=PATIENCE)
            self._mine = True
        self._ddp: DistributedDataParallel | None = None
        self._spare: nn.Module | None = None

    def close(self) -> None:
        # DDP's reducer must not be the last to hold the group: its destructor would wait, with Python locked, for threads
        # of the group that may want that lock (seen with torch 2.13: a run that hangs after its last line)
        if self._ddp is not None:
            self._ddp = None
            gc.collect()
        if self._mine and dist.is_initialized():
            dist.destroy_process_group()

    def place(self, model: Any) -> Losses:
        """Move the model to the device and split it among the processes; gives its `losses`, to be called in training."""
        model.to(self.device)
        if self.parallel == "ddp":
            # what no loss uses must be found: recipes have terms that come and go with the data
            self._ddp = DistributedDataParallel(_Losses(model), find_unused_parameters=True)
            return self._ddp_losses
        if self.parallel == "fsdp":
            self._shard(model)
        return model.losses

    @property
    def share(self) -> Share:
        """Of each batch: every `world`-th row, so that what a mixture puts side by side is spread over the processes."""
        return Share(self.rank, self.world)

    def total(self, values: Sequence[float]) -> list[float]:
        """The sums over all processes."""
        if self.world == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor)
        return tensor.tolist()

    @contextmanager
    def accumulating(self, model: nn.Module, *, last: bool) -> Iterator[None]:
        """Gradients are exchanged after the last part only."""
        if self._ddp is not None and not last:
            with self._ddp.no_sync():
                yield
            return
        if isinstance(model, FSDPModule):
            model.set_requires_gradient_sync(last)
        yield

    def whole(self, tensor: Tensor) -> Tensor:
        """All of a tensor of which this process may hold a share. Every process must ask."""
        tensor = tensor.detach()
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    @torch.no_grad()
    def put(self, target: Tensor, value: Tensor) -> None:
        """The counterpart of `whole`: writes into what this process holds."""
        if isinstance(target, DTensor):
            full = value.to(device=target.device, dtype=target.dtype)
            target.copy_(distribute_tensor(full, target.device_mesh, target.placements))
        else:
            target.copy_(value)

    def gathered(self, model: nn.Module) -> nn.Module:
        """The model with its present weights in one piece: itself, or under FSDP a copy on the CPU of the main process."""
        if self.parallel != "fsdp":
            return model
        tensors = {name: self.whole(one) for name, one in model.state_dict(keep_vars=True).items()}
        if self._spare is None:
            return model  # not the main process: nobody uses it
        self._spare.load_state_dict(tensors)
        return self._spare

    def _ddp_losses(self, inputs: Inputs, targets: Targets, *, rng: torch.Generator | None) -> dict[str, Tensor]:
        if self._ddp is None:
            raise TrainError("This training has ended; begin another with resume.")
        return self._ddp(inputs, targets, rng=rng)

    def _shard(self, model: nn.Module) -> None:
        scalars = [name for name, one in model.named_parameters() if one.ndim == 0]
        if scalars:
            raise TrainError(f"FSDP cannot split {', '.join(scalars)}: make them one number in a row, or use ddp.")
        self._spare = copy.deepcopy(model).to("cpu") if self.main else None
        mesh = init_device_mesh(self.device.type, (self.world,))
        for part in _shards(model):
            fully_shard(part, mesh=mesh)
        # reshard: or the averages, swapped in for a validation, would still be the weights of the next step
        fully_shard(model, mesh=mesh, reshard_after_forward=True)
        for name in ("losses", "act"):
            register_fsdp_forward_method(model, name)


def shares(parts: Sequence[Batch], processes: Processes) -> list[float]:
    """What each part's loss must be weighted by, so that the gradient is that of one mean over all real action steps
    of all parts and processes; where no action is real, as where all is told for its words' sake, of all parts alike.
    Processes average gradients: hence `world`."""
    counts = [float(targets.real.sum()) for _, targets in parts]
    everything, number = processes.total([sum(counts), len(parts)])
    if not everything:
        return [processes.world / number] * len(parts)
    return [processes.world * count / everything for count in counts]


class _Losses(nn.Module):
    """DDP sees only calls of a module."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Inputs, targets: Targets, *, rng: torch.Generator | None) -> dict[str, Tensor]:
        return self.model.losses(inputs, targets, rng=rng)


def _shards(model: nn.Module) -> list[nn.Module]:
    """What the model names, or else the blocks of its stacks."""
    named: Any = getattr(model, "shards", None)
    if named is not None:
        return list(named())
    stacks = [one for one in model.modules() if isinstance(one, nn.ModuleList)]
    inside = {id(deep) for stack in stacks for block in stack for deep in block.modules() if deep is not block}
    blocks = [block for stack in stacks if id(stack) not in inside for block in stack]
    return [block for block in dict.fromkeys(blocks) if any(True for _ in block.parameters())]


def _device(name: str, local: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainError(f"device is {name!r}; it must be auto, cpu, cuda or cuda:1.") from error
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise TrainError(f"device is {name!r}, and torch finds no such device here; use cpu.")
        device = torch.device("cuda", local if device.index is None else device.index)
        torch.cuda.set_device(device)
    return device
