"""Residual layers of separable convolutions: the light modules of multi-stage networks.

Rebuilt: the papers report their cost and not their layers. Source of the block: Chollet, "Xception" (CVPR 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.nets.blocks import conv_bn
from bottomup.nets.resnet import shortcut

# widths and numbers of blocks at strides 4, 8, 16, 32
XCEPTIONS: dict[str, tuple[tuple[int, int, int, int], tuple[int, int, int, int]]] = {
    "l_xcp": ((224, 448, 896, 1792), (3, 4, 8, 3)),
    "s_xcp": ((104, 208, 416, 832), (2, 3, 4, 2)),
}


class SeparableBlock(nn.Module):
    """Two depthwise 3x3 convolutions, each with a 1x1 behind it, and a shortcut."""

    last_norm = "second.3"

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = separable(inputs, outputs, stride)
        self.second = separable(outputs, outputs)
        self.downsample = shortcut(inputs, outputs, stride, norm=nn.BatchNorm2d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(x), inplace=True))
        return F.relu(y + self.downsample(x), inplace=True)


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Depthwise 3x3 and 1x1, batch norm behind both, no activation."""
    return nn.Sequential(
        *conv_bn(inputs, inputs, 3, stride=stride, groups=inputs, act=None), *conv_bn(inputs, outputs, act=None)
    )


def separable_layers(
    inputs: int, widths: Sequence[int], counts: Sequence[int]
) -> tuple[list[nn.Sequential], tuple[int, ...]]:
    """Layers at strides 4, 8, 16, 32 and their channels: widths[i] channels, counts[i] blocks."""
    layers = []
    for i, (width, count) in enumerate(zip(widths, counts, strict=True)):
        first = SeparableBlock(inputs, width, 1 if i == 0 else 2)
        layers.append(nn.Sequential(first, *(SeparableBlock(width, width) for _ in range(count - 1))))
        inputs = width
    return layers, tuple(widths)
