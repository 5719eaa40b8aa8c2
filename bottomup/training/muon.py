"""Muon: momentum whose every matrix is made orthogonal before it becomes a step.

A step then moves all directions of a kernel alike, also those that gradients rarely point to, and
the same error is reached after fewer pictures than with AdamW. Source: Jordan et al., "Muon" (2024);
step sizes as Liu et al., "Muon is Scalable for LLM Training" (2025): as large as AdamW's would be.
torch.optim.Muon takes no convolution kernels, and every process would do the whole work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from bottomup.training.parallel import Group, gather_shares

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # a quintic that pulls singular values towards 1
ROUNDS = 5
ADAM_STEP = 0.2  # root mean square of AdamW's steps, as a share of its rate


def orthogonal(matrices: Tensor, rounds: int = ROUNDS) -> Tensor:
    """Matrices (..., m, n) with singular values between about 0.7 and 1.2, singular vectors kept; 0 stays 0."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-12)
    for _ in range(rounds):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Steps for convolution kernels (o, i, ...), each taken as the matrix (o, i ...).

    groups: as for any optimiser. decay: of the weights, times the rate. group: the processes that share
    the work; all take the same steps. arithmetic: in which steps are made orthogonal; bfloat16 is enough, as
    all that counts is that singular values come near 1.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        momentum: float = 0.95,
        decay: float = 0.0,
        group: Group | None = None,
        arithmetic: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(groups, {"lr": 1e-3, "momentum": momentum, "weight_decay": decay})
        self.group = group or Group()
        self.arithmetic = arithmetic

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Moves every kernel that has a gradient."""
        moves = [(p, options) for options in self.param_groups for p in options["params"] if p.grad is not None]
        matrices = [self._direction(p, options["momentum"]).flatten(1) for p, options in moves]
        owners = shared_out([matrix_cost(p) for p, _ in moves], self.group.size)
        steps = self._steps(matrices, [owner == self.group.rank for owner in owners])
        for (p, options), step in zip(moves, gather_shares(steps, self.group), strict=True):
            size = ADAM_STEP * max(step.shape) ** 0.5
            p.mul_(1 - options["lr"] * options["weight_decay"]).sub_(step.view(p.shape), alpha=options["lr"] * size)

    def _steps(self, matrices: list[Tensor], own: list[bool]) -> list[Tensor]:
        """The orthogonal steps, zeros where they are another process's work; matrices of one shape go together."""
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, matrix in enumerate(matrices):
            if own[i]:
                by_shape[tuple(matrix.shape)].append(i)
        steps = [torch.zeros_like(matrix) if not mine else matrix for matrix, mine in zip(matrices, own, strict=True)]
        for alike in by_shape.values():
            together = orthogonal(torch.stack([matrices[i] for i in alike]).to(self.arithmetic))
            for i, step in zip(alike, together.to(matrices[alike[0]].dtype), strict=True):
                steps[i] = step
        return steps

    def _direction(self, p: nn.Parameter, momentum: float) -> Tensor:
        """The gradient with (Nesterov's) momentum."""
        assert p.grad is not None
        mean = self.state[p].setdefault("mean", torch.zeros_like(p, memory_format=torch.contiguous_format))
        mean.lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(mean, momentum).contiguous()


def matrix_cost(kernel: Tensor) -> float:
    """Operations that `orthogonal` takes for a kernel, up to a factor."""
    rows, columns = len(kernel), kernel[0].numel()
    return min(rows, columns) ** 2 * max(rows, columns)


def shared_out(costs: list[float], processes: int) -> list[int]:
    """Which process takes each piece of work, so that all have about as much to do."""
    load, owners = [0.0] * processes, [0] * len(costs)
    for i in sorted(range(len(costs)), key=lambda i: -costs[i]):
        owners[i] = load.index(min(load))
        load[owners[i]] += costs[i]
    return owners
