"""Cascaded pyramid network: GlobalNet finds what is plain to see, RefineNet joins all levels for the hard joints.

    images -> ResNet -> C2..C5 at strides 4, 8, 16, 32
    GlobalNet  coarse to fine: P = lateral(C) + enlarged P of the coarser level; a head on every P
    RefineNet  P5..P2 through 3, 2, 1, 0 bottlenecks, all enlarged to stride 4, joined, bottleneck, 3x3 -> heatmaps

Source: Chen et al., "Cascaded Pyramid Network for Multi-Person Pose Estimation" (CVPR 2018), section 3 and
figure 1, with the details of the PyTorch port (aligned corners, projections in RefineNet, batch norm behind heads).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.core.maps import Maps
from bottomup.nets.blocks import conv_bn
from bottomup.nets.names import renamed
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import Bottleneck, ResNet, initialise

WIDTH = 256  # of the pyramid
LEVELS = 4
REFINEMENTS = ("none", "concat", "bottleneck", "cascade")


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, h, w) -> (B, C, *size), bilinear with aligned corners, as CPN and MSPN were trained."""
    return F.interpolate(x, size=list(size), mode="bilinear", align_corners=True)


class Head(nn.Module):
    """1x1, 3x3 to one map a joint, enlarged to `size`, and only then normalised."""

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.reduce = conv_bn(WIDTH, WIDTH)
        self.conv = nn.Conv2d(WIDTH, joints, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(joints)

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return self.bn(enlarge(self.conv(self.reduce(x)), size))


class GlobalNet(nn.Module):
    """C2..C5 -> P5..P2, from coarse to fine, with WIDTH channels each; `predict` holds their heads."""

    def __init__(self, channels: Sequence[int], joints: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(conv_bn(c, WIDTH) for c in reversed(channels))
        self.upsamples = nn.ModuleList(conv_bn(WIDTH, WIDTH, act=None) for _ in channels[1:])
        self.predict = nn.ModuleList(Head(joints) for _ in channels)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        coarsest, *finer = reversed(features)
        pyramid = [self.laterals[0](coarsest)]
        for lateral, up, feature in zip(self.laterals[1:], self.upsamples, finer, strict=True):  # type: ignore[arg-type]
            pyramid.append(lateral(feature) + up(enlarge(pyramid[-1], feature.shape[-2:])))
        return pyramid


class RefineNet(nn.Module):
    """P5..P2 -> heatmaps at the size of P2.

    bottlenecks: how many each level goes through, from the coarsest level to the finest; levels that it does not
    name (the coarsest) are left out. project: 1x1 convolution on the shortcut of those, where identity would do too.
    """

    def __init__(self, joints: int, bottlenecks: Sequence[int], project: bool) -> None:
        super().__init__()
        self.cascade = nn.ModuleList(
            nn.Sequential(*(narrow(WIDTH, project) for _ in range(count))) for count in bottlenecks
        )
        self.final_predict = nn.Sequential(
            narrow(WIDTH * len(bottlenecks), True),
            nn.Conv2d(WIDTH, joints, 3, 1, 1, bias=False),
            nn.BatchNorm2d(joints),
        )

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        size = pyramid[-1].shape[-2:]
        levels = pyramid[-len(self.cascade) :]
        joined = [enlarge(blocks(p), size) for blocks, p in zip(self.cascade, levels, strict=True)]
        return self.final_predict(torch.cat(joined, 1))


def narrow(inputs: int, project: bool) -> Bottleneck:
    """The bottleneck of RefineNet: to 128 channels and back to 256, twice as wide inside as a ResNet's."""
    return Bottleneck(inputs, WIDTH // 2, expansion=2, project=project)


def cascade(refine: str, connections: int) -> tuple[int, ...]:
    """Bottlenecks of each level that RefineNet joins, from coarse to fine."""
    counts = {"concat": (0, 0, 0, 0), "bottleneck": (1, 1, 1, 1), "cascade": (3, 2, 1, 0)}[refine]
    return counts[LEVELS - connections :]


class CPN(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 32 -> five Maps at stride 4: global from coarse to fine, then refined.

    In eval the refined ones alone. joints: K. depth, blocks, stride_in_first: of the ResNet.
    refine: "none" (GlobalNet only), "concat" of all levels, one "bottleneck" a level first, or the "cascade" of the
    paper. connections: the levels that RefineNet joins, from 1 (C2 alone) to 4 (C2 to C5). project: 1x1 convolutions
    on all shortcuts of RefineNet (the port) or only where channels change (27.0 M parameters, the paper's number).
    sigma: spread in cells of the peaks that the answer is trained on.
    """

    def __init__(
        self,
        joints: int = 17,
        depth: int = 50,
        *,
        blocks: Sequence[int] | None = None,
        refine: str = "cascade",
        connections: int = LEVELS,
        project: bool = True,
        stride_in_first: bool = False,
        sigma: float | None = 1.4,
    ) -> None:
        super().__init__()
        if refine not in REFINEMENTS or not 1 <= connections <= LEVELS:
            raise ValueError(
                f"refine is one of {', '.join(REFINEMENTS)} and connections 1 to {LEVELS}, "
                f"not {refine!r} and {connections}"
            )
        self.joints, self.sigma = joints, sigma
        self.resnet = ResNet(depth, blocks=blocks, stride_in_first=stride_in_first)
        self.global_net = GlobalNet(self.resnet.channels, joints)
        self.refine_net = None if refine == "none" else RefineNet(joints, cascade(refine, connections), project)
        initialise(self)

    def heads(self, images: Tensor) -> list[Tensor]:
        pyramid = self.global_net(self.resnet(images))
        size = pyramid[-1].shape[-2:]
        predict = list(zip(self.global_net.predict, pyramid, strict=True))
        if self.refine_net is None:
            return [head(p, size) for head, p in (predict if self.supervised else predict[-1:])]
        refined = self.refine_net(pyramid)
        return [head(p, size) for head, p in predict if self.supervised] + [refined]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        *coarse, answer = (Maps(head, stride=self.stride) for head in heads)
        return [*coarse, Maps(answer.heatmaps, stride=self.stride, sigma=self.sigma)]


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> CPN:
    """The network of "cpn_r<depth>" with as many joints as the refine network has outputs."""
    return CPN(len(tensors["refine_net.final_predict.1.weight"]), int(match[1]))


# Published layers are numbered together with the enlargements between them.
RENAMED = (
    (r"(predict\.\d)\.reduce\.", r"\1."),
    (r"(predict\.\d)\.conv\.", r"\1.3."),
    (r"(predict\.\d)\.bn\.", r"\1.5."),
    (r"(upsamples\.\d)\.1\.", r"\1.2."),
    (r"(upsamples\.\d)\.0\.", r"\1.1."),
)


def own_names(network: nn.Module) -> dict[str, str]:
    """Own tensor names to published ones."""
    return renamed(network, RENAMED)
