"""What networks share: they know what they were built with; heads are read as tensors by some and as Maps by others."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor, nn

from bottomup.core.maps import Maps


class Network(nn.Module):
    """A network that can be built again, and whose heads can be compared with its source's.

    options: what it was built with, defaults included; `type(network)(**options)` is one like it. multiple:
    what the sides of its inputs must be multiples of. every_head: compute all heads in eval too.
    """

    options: dict[str, Any]
    multiple: int = 32
    every_head: bool = False

    def __new__(cls, *arguments: Any, **options: Any) -> Network:
        network = super().__new__(cls)
        # Partial, since copies are made without arguments and get their options afterwards.
        given = inspect.signature(cls.__init__).bind_partial(network, *arguments, **options)
        given.apply_defaults()
        network.options = dict(list(given.arguments.items())[1:])  # without the network itself
        return network

    def heads(self, images: Tensor) -> list[Tensor]:
        """Maps (B, C, h, w) as the network's source has them, in its order; if not `supervised` the answer's alone."""
        raise NotImplementedError

    @property
    def supervised(self) -> bool:
        """Whether heads are computed that the answer does not need."""
        return self.training or self.every_head


class PoseNetwork(Network):
    """images (B, 3, H, W) -> list of Maps, one a supervised output, the last (in eval the only one) the answer.

    A network writes `heads`, and `read` where its heads are not plain heatmaps. stride: input pixels a
    cell of the answer.
    """

    stride: int = 4

    @property
    def last_layer(self) -> nn.Module | None:
        """The layer whose output is the answer's head as it is, None where a network has none that stands alone."""
        return None

    def read(self, heads: list[Tensor]) -> list[Maps]:
        """Maps out of heads; here each head is heatmaps."""
        return [Maps(head, stride=self.stride) for head in heads]

    def forward(self, images: Tensor) -> list[Maps]:
        return self.read(self.heads(images))
