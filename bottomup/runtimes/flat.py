"""Networks as modules that give a flat tuple of arrays, as exported models do, and the arrays as maps again."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from bottomup.core import Maps

PARTS = ("heatmaps", "pafs", "tags")


class Reading(Protocol):
    """How a model's arrays, called `names`, become maps."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arrays, in order."""

    def maps(self, arrays: Sequence[Tensor]) -> Maps:
        """The arrays as maps."""


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


class AllButLast(nn.Module):
    """images (B, 3, H, W) -> (features,): what the `last_layer` of a pose network takes."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        name = next(name for name, module in network.named_modules() if module is network.last_layer)
        self.network = copy.deepcopy(network)
        self.network.set_submodule(name, nn.Identity())

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.network.heads(images)[-1],)


@dataclass(frozen=True, eq=False)
class LastInTorch:
    """Reads what `AllButLast` gives; torch computes the last layer, in float32.

    In bfloat16 an answer has two or three digits: too few to tell where between cells a peak lies.
    """

    network: Any
    names: tuple[str, ...] = ("features",)

    def maps(self, arrays: Sequence[Tensor]) -> Maps:
        """The arrays as maps."""
        with torch.inference_mode():
            maps: Maps = self.network.read([self.network.last_layer(arrays[0])])[-1]
        return maps


def agree(one: Maps, other: Maps, tolerance: float = 1e-3) -> bool:
    """Whether two Maps (torch) are the same but for this share of their values and of their largest value."""
    for a, b in ((getattr(one, name), getattr(other, name)) for name in PARTS):
        if a is not None and not torch.allclose(a, b, rtol=tolerance, atol=tolerance * float(a.abs().max()) + 1e-12):
            return False
    return True
