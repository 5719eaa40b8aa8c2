"""What tests of networks share: images, counts of parameters and operations, a step of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bottomup.nets.count import count

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def images() -> Callable[[int, int, int], Tensor]:
    """batch, height, width -> images (B, 3, H, W), the same at every call."""
    return lambda batch, height, width: torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def parameters() -> Callable[..., int]:
    """Trainable parameters of what is made with these options; no weights are drawn."""

    def parameters_of(make: Callable[..., nn.Module], /, **options: Any) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in make(**options).parameters())

    return parameters_of


@pytest.fixture(scope="session")
def operations() -> Callable[..., int]:
    """True multiply-adds for one image of this height and width in eval; no weights are drawn, nothing is computed.

    every_head: with the heads too that only training needs.
    """

    def operations_of(make: Callable[..., nn.Module], height: int, width: int, /, **options: Any) -> int:
        return count(make, (height, width), **options).operations

    return operations_of


@pytest.fixture(scope="session")
def learns(images: Callable[[int, int, int], Tensor]) -> Callable[[nn.Module], bool]:
    """Whether one short step down the gradient brings all maps of a network nearer to .2 everywhere."""

    def step(network: nn.Module) -> bool:
        batch = images(2, 64, 64)
        before = loss(network.train(), batch)
        before.backward()
        learning = [p for p in network.parameters() if p.grad is not None]
        # as long as would take away a hundredth of the loss, were it linear
        length = 0.01 * before.detach() / sum(p.grad.square().sum() for p in learning)
        with torch.no_grad():
            for p in learning:
                p -= length * p.grad
            return bool(loss(network, batch) < before)

    return step


def loss(network: nn.Module, batch: Tensor) -> Tensor:
    maps = [t for m in network(batch) for t in (m.heatmaps, m.pafs, m.tags) if t is not None]
    return torch.stack([(t - 0.2).square().mean() for t in maps]).sum()
