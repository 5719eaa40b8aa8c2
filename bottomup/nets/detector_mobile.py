"""A light person detector without anchors: each cell says how likely it is a person's middle, and how large the box.

    images -> EfficientNet-Lite0 without its last blocks -> features at strides 8, 16, 32
    neck   coarse to fine and back again, one 3x3 convolution a level each way
    heads  a level: 3x3 for both, then 3x3 each for score and distances

Sources: Tian et al., "FCOS" (ICCV 2019); Liu et al., "Path Aggregation Network" (CVPR 2018) for the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.nets.blocks import conv_bn
from bottomup.nets.mobile import EfficientNetLite0
from bottomup.nets.network import Network

BLOCKS = 14  # of the backbone: its widest ones would weigh more than all the rest
STRIDES = (8, 16, 32)
RARE = -4.6  # logit of 1 %: before training nearly every cell is background
REACH = 1.4  # logarithm of a box's half side in cells before training
LARGEST = 6.0  # of such logarithms, so that exp cannot overflow


Levels = tuple[tuple[int, int, int], ...]  # stride, rows, columns


@dataclass(frozen=True)
class Candidates:
    """What every cell of every level says, row by row, from the finest level to the coarsest.

    logits (B, P) of the score. boxes (B, P, 4): x0, y0, x1, y1 in input pixels, measured between pixels as labels of
    COCO are. cells: (stride, rows, columns) of every level.
    """

    logits: Tensor
    boxes: Tensor
    cells: Levels


def middles(cells: Levels, device: torch.device | None = None) -> Tensor:
    """Middles (P, 2) of all cells, x and y in input pixels measured between pixels."""
    levels = []
    for stride, rows, columns in cells:
        y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
        levels.append((torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride)
    return torch.cat(levels)


class PathNeck(nn.Module):
    """Features at 8, 16, 32 -> `width` channels each, that know of both finer and coarser ones."""

    def __init__(self, inputs: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(conv_bn(channels, width) for channels in inputs)
        self.up = nn.ModuleList(conv_bn(width, width, 3) for _ in inputs[1:])
        self.down = nn.ModuleList(conv_bn(width, width, 3, stride=2) for _ in inputs[1:])
        self.mix = nn.ModuleList(conv_bn(width, width, 3) for _ in inputs[1:])

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        levels = [lateral(feature) for lateral, feature in zip(self.lateral, features, strict=True)]
        for i in reversed(range(len(self.up))):
            coarse = F.interpolate(levels[i + 1], size=levels[i].shape[-2:], mode="nearest")
            levels[i] = self.up[i](levels[i] + coarse)
        for i, (down, mix) in enumerate(zip(self.down, self.mix, strict=True)):
            levels[i + 1] = mix(levels[i + 1] + down(levels[i]))
        return levels


class Head(nn.Module):
    """Features (B, width, h, w) -> (B, 5, h, w): logit, and logarithms of left, top, right, bottom in cells."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.both = conv_bn(width, width, 3)
        self.score = nn.Sequential(conv_bn(width, width, 3), nn.Conv2d(width, 1, 1))
        self.sides = nn.Sequential(conv_bn(width, width, 3), nn.Conv2d(width, 4, 1))
        for branch, start in ((self.score, RARE), (self.sides, REACH)):
            nn.init.normal_(branch[1].weight, std=1e-2)  # type: ignore[arg-type]  # both are convolutions
            nn.init.constant_(branch[1].bias, start)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.both(x)
        return torch.cat((self.score(x), self.sides(x)), 1)


class DetectorMobile(Network):
    """images (B, 3, H, W), sides multiples of 32 -> Candidates. width: channels of neck and heads."""

    def __init__(self, width: int = 72) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0(BLOCKS)
        self.neck = PathNeck(self.backbone.channels[1:], width)
        self.answers = nn.ModuleList(Head(width) for _ in STRIDES)

    def heads(self, images: Tensor) -> list[Tensor]:
        """(B, 5, h, w) at strides 8, 16, 32."""
        levels = self.neck(self.backbone(images)[1:])
        return [head(level) for head, level in zip(self.answers, levels, strict=True)]

    def forward(self, images: Tensor) -> Candidates:
        return self.read(self.heads(images))

    def read(self, heads: list[Tensor]) -> Candidates:
        """Scores and boxes of all cells, in float32."""
        rows = torch.cat([head.float().flatten(2) for head in heads], 2)
        size = tuple(STRIDES[0] * side for side in heads[0].shape[-2:])
        return Candidates(rows[:, 0], boxes_of(rows, size), level_cells(size))


def level_cells(size: Sequence[int]) -> Levels:
    """(stride, rows, columns) of every level for an input of (height, width), multiples of the coarsest stride."""
    return tuple((stride, size[0] // stride, size[1] // stride) for stride in STRIDES)


def boxes_of(rows: Tensor, size: Sequence[int]) -> Tensor:
    """Boxes (B, P, 4) out of what all cells say, (B, 5, P), of an input of (height, width)."""
    cells = level_cells(size)
    strides = torch.cat([rows.new_full((height * width,), stride) for stride, height, width in cells])
    sides = rows[:, 1:].clamp(max=LARGEST).exp() * strides  # left, top, right, bottom
    points = middles(cells, rows.device).T
    return torch.cat((points - sides[:, :2], points + sides[:, 2:]), 1).transpose(1, 2)
