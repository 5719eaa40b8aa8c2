"""Several processes that train one network: each takes its share of every batch.

Started by `torchrun`; a single process needs nothing of this. On a CPU one process a core with one
thread each is faster than one process with a thread a core, above all when other work runs beside.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bottomup.errors import SettingsError

PATIENCE = timedelta(hours=3)  # others wait while the leader judges the network on a dev set


@dataclass(frozen=True)
class Group:
    """This process's rank among `size`."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def share(self, batch: int, pieces: int = 1) -> int:
        """Pictures of a batch that each process takes; raises SettingsError if these and their pieces are not equal."""
        if batch % (self.size * pieces):
            in_pieces = f" in {pieces} pieces each" if pieces > 1 else ""
            raise SettingsError(
                f"a batch of {batch} cannot be shared by {self.size} processes{in_pieces}; take a multiple"
            )
        return batch // self.size


def process_leads() -> bool:
    """Whether this process is the one that writes and reports; true outside `torchrun`."""
    return os.environ.get("RANK", "0") == "0"


def join_group(device: torch.device) -> Group:
    """The group that `torchrun` started this process in, or a group of one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Group()
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not dist.is_initialized():
        store, rank, size = next(dist.rendezvous("env://", timeout=PATIENCE))
        # After a restart the agent's store still holds the addresses of processes that are gone.
        store = dist.PrefixStore(f"restart {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)  # else its threads may still run when the interpreter ends
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


def mean_over_processes(values: Tensor, group: Group) -> Tensor:
    """The mean of a tensor over all processes, the same in each."""
    if group.size == 1 or not values.numel():
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / group.size


def told_in_any(told: bool, device: torch.device, group: Group) -> bool:
    """Whether it is true in any process, the same in each; alone, no waiting for the device."""
    return told if group.size == 1 else bool(mean_over_processes(torch.tensor(float(told), device=device), group))


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
