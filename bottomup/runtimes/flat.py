"""Maps as the flat tuple of arrays that exported models give, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bottomup.core import Maps

PARTS = ("heatmaps", "pafs", "tags")


@dataclass(frozen=True)
class Form:
    """Which maps a network gives, in order, and what holds of all of them: stride and sigma of `Maps`."""

    names: tuple[str, ...]
    stride: float
    sigma: float | None

    @staticmethod
    def of(maps: Maps) -> Form:
        """The form of these maps."""
        names = tuple(name for name in PARTS if getattr(maps, name) is not None)
        return Form(names, float(maps.stride), maps.sigma)

    def maps(self, arrays: Sequence[Tensor]) -> Maps:
        """The arrays as maps."""
        return Maps(**dict(zip(self.names, arrays, strict=True)), stride=self.stride, sigma=self.sigma)


class FlatMaps(nn.Module):
    """images (B, 3, H, W) -> a flat tuple of the arrays of the network's last Maps, named by `names`."""

    def __init__(self, network: nn.Module, form: Form) -> None:
        super().__init__()
        self.network, self.names = network, form.names

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        last = self.network(images)[-1]
        return tuple(getattr(last, name) for name in self.names)


def agree(one: Maps, other: Maps, tolerance: float = 1e-3) -> bool:
    """Whether two Maps (torch) are the same but for this share of their values and of their largest value."""
    for a, b in ((getattr(one, name), getattr(other, name)) for name in PARTS):
        if a is not None and not torch.allclose(a, b, rtol=tolerance, atol=tolerance * float(a.abs().max()) + 1e-12):
            return False
    return True
