"""Several processes that train one network: each takes its share of every batch.

Started by `torchrun`; a single process needs nothing of this. On a CPU one process a core with one
thread each is faster than one process with a thread a core, above all when other work runs beside.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bottomup.errors import SettingsError


@dataclass(frozen=True)
class Group:
    """This process's rank among `size`."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """Pictures of a batch that each process takes; raises SettingsError if they cannot be shared evenly."""
        if batch % self.size:
            raise SettingsError(f"a batch of {batch} cannot be shared by {self.size} processes; take a multiple")
        return batch // self.size


def process_leads() -> bool:
    """Whether this process is the one that writes and reports; true outside `torchrun`."""
    return os.environ.get("RANK", "0") == "0"


def join_group(device: torch.device) -> Group:
    """The group that `torchrun` started this process in, or a group of one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Group()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Group(dist.get_rank(), dist.get_world_size())


def average_gradients(parameters: Iterable[nn.Parameter], group: Group) -> None:
    """Every process's gradients become the mean over all processes, in one exchange."""
    if group.size == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= group.size
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def gather_shares(pieces: Sequence[Tensor], group: Group) -> list[Tensor]:
    """The sums of the processes' pieces: of each all but one process have zeros."""
    if group.size == 1:
        return list(pieces)
    flat = torch.cat([piece.reshape(-1) for piece in pieces])
    dist.all_reduce(flat)
    parts = flat.split([piece.numel() for piece in pieces])
    return [part.view(piece.shape) for part, piece in zip(parts, pieces, strict=True)]


def share_start(network: nn.Module, group: Group) -> None:
    """Every process takes the leader's weights and buffers."""
    if group.size > 1:
        for tensor in network.state_dict().values():
            dist.broadcast(tensor, 0)


def wait_for_all(group: Group) -> None:
    """Returns when every process has come here."""
    if group.size > 1:
        dist.barrier()
