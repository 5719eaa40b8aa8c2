"""Stacked hourglasses: down to 1/64 and up again, n times, each with heatmaps of its own.

    images -> stem -> x (256 channels at stride 4)
    stack i: x -> hourglass -> residuals -> 1x1 -> features f -> 1x1 -> heatmaps m;   x <- x + 1x1(f) + 1x1(m)

Source: Newell et al., "Stacked Hourglass Networks for Human Pose Estimation" (ECCV 2016), figures 3 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.core.maps import Maps
from bottomup.nets.names import renamed
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import initialise, near_empty

WIDTH = 256
LEVELS = 4

Block = Callable[[int, int], nn.Module]  # inputs, outputs -> module that keeps the size


class Residual(nn.Module):
    """Batch norm and ReLU before each of 1x1, 3x3, 1x1 convolutions, and a shortcut. (B, C, h, w) -> the same size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, half, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(half), nn.Conv2d(half, half, 3, padding=1)
        self.bn3, self.conv3 = nn.BatchNorm2d(half), nn.Conv2d(half, outputs, 1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x), inplace=True))
        y = self.conv2(F.relu(self.bn2(y), inplace=True))
        y = self.conv3(F.relu(self.bn3(y), inplace=True))
        return y + self.skip(x)


class Level(nn.Module):
    """One level of an hourglass and, within, all coarser ones. (B, widths[0], h, w) -> the same shape.

    widths: channels from this level to the coarsest. block: makes what stands at every place.
    """

    def __init__(self, widths: Sequence[int], block: Block) -> None:
        super().__init__()
        here, below = widths[:2]
        self.up1 = block(here, here)
        self.low1 = block(here, below)
        self.low2 = Level(widths[1:], block) if len(widths) > 2 else block(below, below)
        self.low3 = block(below, here)

    def forward(self, x: Tensor) -> Tensor:
        low = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        return self.up1(x) + F.interpolate(low, scale_factor=2.0, mode="nearest")


class Stack(nn.Module):
    """x (B, C, h, w) -> maps (B, `maps`, h, w) and the next stack's x; the last has no next and gives x back."""

    def __init__(self, hourglass: nn.Module, features: nn.Module, maps: int, *, last: bool) -> None:
        super().__init__()
        self.last = last
        self.hourglass, self.features = hourglass, features
        self.head = nn.Conv2d(WIDTH, maps, 1)
        if not last:
            self.link_features, self.link_maps = nn.Conv2d(WIDTH, WIDTH, 1), nn.Conv2d(maps, WIDTH, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(self.hourglass(x))
        maps = self.head(features)
        return maps, x if self.last else x + self.link_features(features) + self.link_maps(maps)


class StackedNetwork(PoseNetwork):
    """A stem and stacks, whatever they are made of. images (B, 3, H, W), sides multiples of 64 -> one head a stack."""

    multiple = 64
    stem: nn.Module
    stacks: nn.ModuleList

    def heads(self, images: Tensor) -> list[Tensor]:
        x, heads = self.stem(images), []
        for stack in self.stacks:
            maps, x = stack(x)
            heads.append(maps)
        return heads if self.supervised else heads[-1:]


class Hourglass(StackedNetwork):
    """images (B, 3, H, W), sides multiples of 64 -> one Maps a stack at stride 4 (in eval the last).

    joints: K. blocks: residuals at every place. widen_early: the second residual of the stem, not the third, gives
    256 channels, as in the port whose names are "hg_s<stacks>_b<blocks>". sigma: spread in cells of the peaks.
    """

    def __init__(
        self,
        joints: int = 16,
        stacks: int = 8,
        blocks: int = 1,
        *,
        widen_early: bool = False,
        sigma: float | None = 1.0,
    ) -> None:
        super().__init__()
        self.joints, self.widen_early, self.sigma = joints, widen_early, sigma
        middle = WIDTH if widen_early else 128
        self.stem = nn.Sequential(
            *conv_bn_relu(3, 64, 7, 2),
            Residual(64, 128),
            nn.MaxPool2d(2),
            Residual(128, middle),
            Residual(middle, WIDTH),
        )
        chain = chain_of(blocks)
        self.stacks = nn.ModuleList(
            Stack(
                Level([WIDTH] * (LEVELS + 1), chain),
                nn.Sequential(chain(WIDTH, WIDTH), *conv_bn_relu(WIDTH, WIDTH, 1)),
                joints,
                last=i == stacks - 1,
            )
            for i in range(stacks)
        )
        initialise(self)
        for stack in self.stacks:
            near_empty(stack.head)  # type: ignore[type-var]  # a convolution

    def read(self, heads: list[Tensor]) -> list[Maps]:
        return [Maps(head, stride=self.stride, sigma=self.sigma) for head in heads]


def chain_of(blocks: int) -> Block:
    """Makes chains of so many residuals."""
    return lambda inputs, outputs: nn.Sequential(*(Residual(outputs if i else inputs, outputs) for i in range(blocks)))


def conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps its bias beside a batch norm, as published, and a ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> Hourglass:
    """The network of "hourglass<stacks>" or of "hg_s<stacks>_b<blocks>" with as many joints as its heads have."""
    if match[0].startswith("hourglass"):
        return Hourglass(len(tensors["outs.0.conv.weight"]), int(match[1]))
    return Hourglass(len(tensors["score.0.weight"]), int(match[1]), int(match[2]), widen_early=True)


LINKS = (
    (r"^stacks\.(\d+)\.head\.", r"outs.\1.conv."),
    (r"^stacks\.(\d+)\.link_features\.", r"merge_features.\1.conv.conv."),
    (r"^stacks\.(\d+)\.link_maps\.", r"merge_preds.\1.conv.conv."),
)
FIRST_FORM = (
    (r"^stem\.0\.", "pre.0.conv."),
    (r"^stem\.1\.", "pre.0.bn."),
    (r"^stem\.3\.", "pre.1."),
    (r"^stem\.5\.", "pre.3."),
    (r"^stem\.6\.", "pre.4."),
    (r"^stacks\.(\d+)\.hourglass\.(.+)\.0\.", r"hgs.\1.0.\2."),
    (r"^stacks\.(\d+)\.features\.0\.0\.", r"features.\1.0."),
    (r"^stacks\.(\d+)\.features\.1\.", r"features.\1.1.conv."),
    (r"^stacks\.(\d+)\.features\.2\.", r"features.\1.1.bn."),
    (r"\.conv(\d)\.", r".conv\1.conv."),
    (r"\.skip\.", ".skip_layer.conv."),
    *LINKS,
)


def _by_depth(match: re.Match[str]) -> str:
    """The path through the levels as published: depth from the innermost, then the number of the place."""
    *outer, place = match[2].split(".")
    number = ("up1", "low1", "low3", "low2").index(place)
    return f"hg.{match[1]}.hg.{LEVELS - 1 - len(outer)}.{number}."


SECOND_FORM = (
    (r"^stem\.0\.", "conv1."),
    (r"^stem\.1\.", "bn1."),
    (r"^stem\.3\.", "layer1.0."),
    (r"^stem\.5\.", "layer2.0."),
    (r"^stem\.6\.", "layer3.0."),
    (r"^stacks\.(\d+)\.hourglass\.([a-z][a-z0-9.]*?)\.(?=\d)", _by_depth),
    (r"^stacks\.(\d+)\.features\.0\.", r"res.\1."),
    (r"^stacks\.(\d+)\.features\.1\.", r"fc.\1.0."),
    (r"^stacks\.(\d+)\.features\.2\.", r"fc.\1.1."),
    (r"\.skip\.", ".downsample.0."),
    (r"^stacks\.(\d+)\.head\.", r"score.\1."),
    (r"^stacks\.(\d+)\.link_features\.", r"fc_.\1."),
    (r"^stacks\.(\d+)\.link_maps\.", r"score_.\1."),
)


def own_names(network: Hourglass) -> dict[str, str]:
    """Own tensor names to those of the published form that the network's stem has."""
    return renamed(network, SECOND_FORM if network.widen_early else FIRST_FORM)
