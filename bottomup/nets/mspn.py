"""Multi-stage pose network: single-stage networks one after another, each told what the one before it saw.

    images -> 7x7/2, max pooling -> stage -> stage -> ... -> heatmaps at stride 4
    stage  down  residual layers C2..C5, with features of the stage before added to each (aggregation)
           up    coarse to fine: skip(C) + enlarged coarser one; a head at every level, enlarged to stride 4

Source: Li et al., "Rethinking on Multi-Stage Networks for Human Pose Estimation" (arXiv 1901.00148), section 3 and
figures 2 and 3. Modules other than ResNet are rebuilt from the operations that the paper reports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.core.maps import Maps
from bottomup.nets.cpn import enlarge
from bottomup.nets.names import renamed
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import initialise, residual_layers
from bottomup.nets.xception import XCEPTIONS, separable_layers

STEM = 64
WIDTH = 256  # of the way up
LEVELS = 4


class ConvNorm(nn.Module):
    """Convolution with bias, batch norm and, unless told otherwise, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


class Down(nn.Module):
    """C2..C5 out of features at stride 4, with what the stage before passes on added to each.

    module: "res50" and other depths, "l_xcp" or "s_xcp". blocks: their numbers, if not the usual ones.
    """

    def __init__(self, module: str, blocks: Sequence[int] | None, stride_in_first: bool) -> None:
        super().__init__()
        if module in XCEPTIONS:
            layers, self.channels = separable_layers(STEM, *XCEPTIONS[module])
        else:
            depth = int(module.removeprefix("res"))
            layers, self.channels = residual_layers(
                depth, blocks, inputs=STEM, bias=True, stride_in_first=stride_in_first
            )
        self.layer1, self.layer2, self.layer3, self.layer4 = layers

    def forward(self, x: Tensor, passed: list[Tensor] | None) -> list[Tensor]:
        features = []
        for i, layer in enumerate((self.layer1, self.layer2, self.layer3, self.layer4)):
            x = layer(x) if passed is None else layer(x) + passed[i]
            features.append(x)
        return features


class Up(nn.Module):
    """One level of the way up: skip(C) + enlarged coarser one, with the level's head.

    channels: of C. coarsest: there is nothing coarser. passes: whether C and the result go on to the next stage.
    crosses: whether the result is the next stage's input too (the finest level's is).
    """

    def __init__(self, channels: int, joints: int, *, coarsest: bool, passes: bool, crosses: bool) -> None:
        super().__init__()
        self.u_skip = ConvNorm(channels, WIDTH, relu=False)
        self.up_conv = None if coarsest else ConvNorm(WIDTH, WIDTH, relu=False)
        self.skip1 = ConvNorm(channels, channels) if passes else None
        self.skip2 = ConvNorm(WIDTH, channels) if passes else None
        self.cross_conv = ConvNorm(WIDTH, STEM) if crosses else None
        self.res_conv1 = ConvNorm(WIDTH, WIDTH)
        self.res_conv2 = ConvNorm(WIDTH, joints, 3, relu=False)

    def forward(self, feature: Tensor, coarser: Tensor | None) -> Tensor:
        x = self.u_skip(feature)
        if self.up_conv is not None and coarser is not None:
            x = x + self.up_conv(enlarge(coarser, x.shape[-2:]))
        return F.relu(x, inplace=True)

    def head(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Heatmaps of this level, enlarged to `size`."""
        return enlarge(self.res_conv2(self.res_conv1(x)), size)

    def pass_on(self, feature: Tensor, x: Tensor) -> Tensor:
        """What the next stage adds to its C of this level."""
        assert self.skip1 is not None and self.skip2 is not None
        return self.skip1(feature) + self.skip2(x)


class Stage(nn.Module):
    """One single-stage network: features at stride 4 -> features of the way up, from coarse to fine."""

    def __init__(self, down: Down, joints: int, *, aggregation: bool, last: bool) -> None:
        super().__init__()
        self.down = down
        self.up = nn.ModuleList(
            Up(
                channels,
                joints,
                coarsest=level == 0,
                passes=aggregation and not last,
                crosses=level == LEVELS - 1 and not last,
            )
            for level, channels in enumerate(reversed(down.channels))
        )

    def forward(self, x: Tensor, passed: list[Tensor] | None) -> tuple[list[Tensor], list[Tensor]]:
        """Features of the way down, fine to coarse, and of the way up, coarse to fine."""
        features = self.down(x, passed)
        ups: list[Tensor] = []
        for unit, feature in zip(self.up, reversed(features), strict=True):
            ups.append(unit(feature, ups[-1] if ups else None))
        return features, ups

    def heads(self, ups: list[Tensor], finest_only: bool) -> list[Tensor]:
        """Heatmaps of all levels, or of the finest, at its size."""
        levels = list(zip(self._units(), ups, strict=True))
        return [unit.head(up, ups[-1].shape[-2:]) for unit, up in (levels[-1:] if finest_only else levels)]

    def following(self, features: list[Tensor], ups: list[Tensor]) -> tuple[Tensor, list[Tensor] | None]:
        """The next stage's input, and what it adds to its C2..C5, if it does."""
        units = self._units()
        assert units[-1].cross_conv is not None, "the last stage has nothing after it"
        passed = None
        if units[-1].skip1 is not None:
            levels = zip(units, reversed(features), ups, strict=True)
            passed = [unit.pass_on(feature, up) for unit, feature, up in levels][::-1]
        return units[-1].cross_conv(ups[-1]), passed

    def _units(self) -> list[Up]:
        return list(self.up)  # type: ignore[arg-type]


class MSPN(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 32 -> four Maps a stage at stride 4, from coarse levels to fine.

    In eval the last stage's finest alone. joints: K. stages: how many, 1 to 4 in the paper. module: what a stage is:
    "res50" (or 18, 34, 101, 152), "l_xcp", "s_xcp". blocks: numbers of residual blocks, as (4, 8, 16, 3), if not
    those of that depth. aggregation: features go from stage to stage at every level, not only as the next input.
    stride_in_first: of bottlenecks, as in Caffe's models. sigma: of the peaks that the answer is trained on, in cells.
    """

    def __init__(
        self,
        joints: int = 17,
        stages: int = 4,
        *,
        module: str = "res50",
        blocks: Sequence[int] | None = None,
        aggregation: bool = True,
        stride_in_first: bool = False,
        sigma: float | None = 1.1,
    ) -> None:
        super().__init__()
        known = [*(f"res{depth}" for depth in (18, 34, 50, 101, 152)), *XCEPTIONS]
        if module not in known or stages < 1:
            raise ValueError(f"module is one of {', '.join(known)} and stages at least 1, not {module!r} and {stages}")
        self.joints, self.sigma = joints, sigma
        self.top = ConvNorm(3, STEM, 7, 2)
        self.stages = nn.ModuleList(
            Stage(Down(module, blocks, stride_in_first), joints, aggregation=aggregation, last=i == stages - 1)
            for i in range(stages)
        )
        initialise(self)

    def heads(self, images: Tensor) -> list[Tensor]:
        x, passed = F.max_pool2d(self.top(images), 3, 2, 1), None
        stages: list[Stage] = list(self.stages)  # type: ignore[arg-type]
        heads: list[Tensor] = []
        for stage in stages[:-1]:
            features, ups = stage(x, passed)
            if self.supervised:
                heads += stage.heads(ups, finest_only=False)
            x, passed = stage.following(features, ups)
        _, ups = stages[-1](x, passed)
        return heads + stages[-1].heads(ups, finest_only=not self.supervised)

    def read(self, heads: list[Tensor]) -> list[Maps]:
        *coarse, answer = (Maps(head, stride=self.stride) for head in heads)
        return [*coarse, Maps(answer.heatmaps, stride=self.stride, sigma=self.sigma)]


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> MSPN:
    """The network of "mspn<stages>" with as many joints as its first stage's finest head has outputs."""
    return MSPN(len(tensors["stage0.upsample.up4.res_conv2.conv.weight"]), int(match[1]))


RENAMED = (
    (r"^top\.", "top.conv."),
    (r"^stages\.(\d+)\.", r"stage\1."),
    (r"\.down\.", ".downsample."),
    (r"(layer\d\.\d+)\.conv(\d)\.", r"\1.conv_bn_relu\2.conv."),
    (r"(layer\d\.\d+)\.bn(\d)\.", r"\1.conv_bn_relu\2.bn."),
    (r"(layer\d\.\d+)\.downsample\.0\.", r"\1.downsample.conv."),
    (r"(layer\d\.\d+)\.downsample\.1\.", r"\1.downsample.bn."),
    *((rf"\.up\.{level}\.", f".upsample.up{level + 1}.") for level in range(LEVELS)),
)


def own_names(network: nn.Module) -> dict[str, str]:
    """Own tensor names to published ones."""
    return renamed(network, RENAMED)
