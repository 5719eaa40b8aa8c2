"""A small network with all three kinds of maps, whose shapes follow its input's."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bottomup.core import Maps


class Small(nn.Module):
    """Strides, an upsampling to another map's size, a softmax and reshapes: what real networks do."""

    multiple = 16

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.fine = nn.Conv2d(3, 8, 3, 4, 1)
        self.coarse = nn.Conv2d(8, 8, 3, 2, 1)
        self.head = nn.Conv2d(8, 3 + 4 + 3, 1)

    def forward(self, images: torch.Tensor) -> list[Maps]:
        fine = torch.relu(self.fine(images))
        coarse = F.interpolate(torch.softmax(self.coarse(fine), 1), size=fine.shape[-2:], mode="bilinear")
        heat, pafs, tags = self.head(fine + coarse).split((3, 4, 3), 1)
        batch, _, h, w = heat.shape
        return [Maps(heat, pafs.reshape(batch, 2, 2, h, w), tags[:, None], stride=4, sigma=1.5)]


@pytest.fixture(scope="session")
def small():
    return Small().eval().requires_grad_(False)


@pytest.fixture(scope="session")
def make_small():
    return lambda seed: Small(seed).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def example():
    return torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
