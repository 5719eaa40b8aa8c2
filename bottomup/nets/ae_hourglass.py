"""Associative embedding: stacked hourglasses that widen downwards and give tags beside heatmaps.

    images -> stem -> x (256 channels at stride 4)
    stack i: x -> hourglass (256, 384, 512, 640, 768) -> two 3x3 -> f -> 1x1 -> maps m;   x <- x + 1x1(f) + 1x1(m)

Plain convolutions with bias, no batch norm. Source: Newell et al., "Associative Embedding: End-to-End Learning for
Joint Detection and Grouping" (NIPS 2017), section 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from bottomup.core.maps import Maps
from bottomup.nets.hourglass import LINKS, WIDTH, Level, Stack, StackedNetwork
from bottomup.nets.names import renamed

WIDTHS = (256, 384, 512, 640, 768)


class AEHourglass(StackedNetwork):
    """images (B, 3, H, W), sides multiples of 64 -> one Maps a stack at stride 4 (in eval the last).

    joints: K. tags: L, for L K tag channels behind the K heatmaps. channels: maps of a stack, if more than these,
    as in the published network; the rest has no use. sigma: spread in cells of the peaks it is trained on.
    """

    def __init__(
        self,
        joints: int = 17,
        tags: int = 1,
        stacks: int = 4,
        *,
        channels: int | None = None,
        sigma: float | None = 2.0,
    ) -> None:
        super().__init__()
        self.joints, self.tags, self.sigma = joints, tags, sigma
        maps = channels or joints * (1 + tags)
        if maps < joints * (1 + tags):
            raise ValueError(f"{joints} heatmaps and {tags} x {joints} tags do not fit in channels = {maps}")
        self.stem = nn.Sequential(conv(3, 64, 7, 2), conv(64, 128), nn.MaxPool2d(2), conv(128, 128), conv(128, WIDTH))
        self.stacks = nn.ModuleList(
            Stack(
                Level(WIDTHS, conv),
                nn.Sequential(conv(WIDTH, WIDTH), conv(WIDTH, WIDTH)),
                maps,
                last=i == stacks - 1,
            )
            for i in range(stacks)
        )
        initialise(self)

    def read(self, heads: list[Tensor]) -> list[Maps]:
        used = self.joints * (1 + self.tags)
        return [
            Maps(
                head[:, : self.joints],
                tags=head[:, self.joints : used].unflatten(1, (self.tags, self.joints)) if self.tags else None,
                stride=self.stride,
                sigma=self.sigma,
            )
            for head in heads
        ]


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution with bias and a ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.ReLU(inplace=True))


def initialise(network: nn.Module) -> None:
    """Normal weights of variance 1 / fan-in, as the authors start from; biases zero."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, std=part.weight[0].numel() ** -0.5)
            nn.init.zeros_(part.bias)  # type: ignore[arg-type]  # there is one


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> AEHourglass:
    """The network of "ae_hourglass<stacks>".

    The authors' code makes four maps a joint and uses two; where their number cannot be divided so, all are used.
    """
    channels = len(tensors["outs.0.conv.weight"])
    return AEHourglass(channels // (2 if channels % 4 else 4), stacks=int(match[1]), channels=channels)


NAMES = (
    (r"^stem\.(\d)\.0\.", r"pre.\1.conv."),
    (r"^stacks\.(\d+)\.hourglass\.(.+)\.0\.", r"features.\1.0.\2.conv."),
    (r"^stacks\.(\d+)\.features\.0\.0\.", r"features.\1.1.conv."),
    (r"^stacks\.(\d+)\.features\.1\.0\.", r"features.\1.2.conv."),
    *LINKS,
)


def own_names(network: nn.Module) -> dict[str, str]:
    """Own tensor names to published ones."""
    return renamed(network, NAMES)
