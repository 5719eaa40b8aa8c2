"""Batch norms of a network that is being trained: over whole batches, over each process's share, or fixed.

torch.nn.SyncBatchNorm takes CUDA tensors alone; the one here runs wherever torch.distributed does.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.training.parallel import Group

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def set_batch_norms(network: nn.Module, kind: str, group: Group) -> None:
    """Makes all batch norms "synced", "per_process" or "frozen" (see TrainSettings); names of tensors stay."""
    for module in network.modules():
        if not isinstance(module, NORMS):
            continue
        if kind == "frozen":
            module.eval().requires_grad_(False)
        elif kind == "synced" and group.size > 1:
            module.__class__ = SyncedBatchNorm  # keeps its tensors, its options and its place


class SyncedBatchNorm(nn.BatchNorm2d):
    """A batch norm over the batch that all processes share; shares are equally large. In eval like any other."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any (B, C, ...) will do."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        output, mean, variance = _synced_norm(input, self.weight, self.bias, self.eps)
        self._note(mean, variance, dist.get_world_size() * input.numel() // input.shape[1])
        return output

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Moves the running statistics, as nn.BatchNorm does."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / max(1, count - 1)), share)


@torch.compiler.disable
def _synced_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    output: tuple[Tensor, Tensor, Tensor] = _SyncedNorm.apply(x, weight, bias, eps)
    return output


class _SyncedNorm(torch.autograd.Function):
    """x (B, C, ...) -> normalised x, and mean and variance (C,) of all processes' x.

    Statistics of equal shares: the mean of means, and the mean of (variance + squared distance of means).
    Gradient as Ioffe and Szegedy, "Batch Normalization" (ICML 2015), its two sums over all processes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        own = _mean_and_variance(x)
        everyone = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(everyone, own)
        means, variances = torch.stack(everyone).unbind(1)
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, variance = ctx.saved_tensors
        # With fixed statistics: the part of the gradient that does not go through them, and both sums at once.
        straight, by_scale, by_shift = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack((by_scale, by_shift)).float()
        dist.all_reduce(sums)
        sums /= dist.get_world_size() * x.numel() // x.shape[1]
        inverse = (variance + ctx.eps).rsqrt()
        slope = -weight * inverse.square() * sums[0]
        offset = -weight * inverse * sums[1] - slope * mean
        # slope x + offset, of which the kernel of a batch norm that stands still is the fastest way
        through = F.batch_norm(x, torch.zeros_like(mean), torch.ones_like(mean), slope, offset, False, 0.0, 0.0)
        return straight.add_(through), by_scale, by_shift, None


def _mean_and_variance(x: Tensor) -> Tensor:
    """(2, C) in float32, also of bfloat16 x."""
    if x.device.type == "cpu":  # several times as fast there; float32 statistics to move make it count in float32
        still = torch.zeros(2, x.shape[1])
        return torch.stack(torch.ops.aten.batch_norm_update_stats(x, still[0], still[1], 0.0))
    variance, mean = torch.var_mean(x.float(), [i for i in range(x.ndim) if i != 1], correction=0)
    return torch.stack((mean, variance))
