"""HRNet: parallel branches at strides 4, 8, 16 and 32 that exchange what they have, over and over.

    images -> stem (stride 4) -> layer1, 4 bottlenecks
    stage2   1 module   branches (c, 2c)
    stage3   4 modules  branches (c, 2c, 4c)
    stage4   3 modules  branches (c, 2c, 4c, 8c) -> 1x1 on the finest branch -> heatmaps at stride 4

A module is four basic blocks a branch and then an exchange. Source: Sun et al., "Deep High-Resolution
Representation Learning for Human Pose Estimation" (CVPR 2019), section 3 and figure 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.core.maps import Maps
from bottomup.nets.blocks import conv_bn
from bottomup.nets.names import renamed
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import BasicBlock, Bottleneck, initialise, near_empty, residual_layer

STEM = 64
MODULES = (1, 4, 3)  # of stages 2, 3 and 4
BLOCKS = 4  # a branch of a module
FUSIONS = ("final", "stages", "within")


class ExchangeModule(nn.Module):
    """Residual blocks on every branch, then every output is the sum of all branches brought to its size.

    widths: channels of the branches, fine to coarse. outputs: how many branches, from the finest, are given out.
    exchange: whether branches are summed at all. List of (B, c_i, h / 2^i, w / 2^i) -> the first `outputs` of such.
    """

    def __init__(self, widths: Sequence[int], outputs: int, exchange: bool = True) -> None:
        super().__init__()
        self.outputs, self.exchange = outputs, exchange
        self.branches = nn.ModuleList(residual_layer(BasicBlock, width, width, BLOCKS) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(path(widths, source, goal) for source in range(len(widths)))
            for goal in range(outputs if exchange else 0)
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        branches = [blocks(x) for blocks, x in zip(self.branches, branches, strict=True)]
        if not self.exchange:
            return branches[: self.outputs]
        return [F.relu(self._sum(paths, branches)) for paths in self.fuse_layers]  # type: ignore[arg-type]

    def _sum(self, paths: nn.ModuleList, branches: list[Tensor]) -> Tensor:
        total = paths[0](branches[0])
        for bring, x in zip(paths[1:], branches[1:], strict=True):  # type: ignore[arg-type]
            total = total + bring(x)
        return total


def path(widths: Sequence[int], source: int, goal: int) -> nn.Module:
    """What brings branch `source` to size and channels of branch `goal`.

    To a finer one 1x1 and nearest neighbours; to a coarser one strided 3x3 convolutions, ReLU between them.
    """
    if source == goal:
        return nn.Identity()
    if source > goal:
        return nn.Sequential(
            *conv_bn(widths[source], widths[goal], act=None), nn.Upsample(scale_factor=2 ** (source - goal))
        )
    halvings = [conv_bn(widths[source], widths[source], 3, stride=2) for _ in range(goal - source - 1)]
    return nn.Sequential(*halvings, conv_bn(widths[source], widths[goal], 3, stride=2, act=None))


def transition(before: Sequence[int], widths: Sequence[int]) -> nn.ModuleList:
    """From the branches of one stage to one more: a new coarsest one, and others convolved where channels change."""
    kept = [nn.Identity() if old == new else conv_bn(old, new, 3) for old, new in zip(before, widths, strict=False)]
    return nn.ModuleList([*kept, nn.Sequential(conv_bn(before[-1], widths[-1], 3, stride=2))])


def exchanges(fusion: str, stage: int, module: int) -> bool:
    """Whether this module (stages and modules from 0) exchanges: `within` all, `stages` the last of each stage,
    `final` only the very last."""
    last = module == MODULES[stage] - 1
    return fusion == "within" or (last and (fusion == "stages" or stage == len(MODULES) - 1))


class HRNet(nn.Module):
    """images (B, 3, H, W), sides multiples of 32 -> list of features, fine to coarse.

    width: channels c of the finest branch. fusion: where branches exchange (the paper's ablation, table 6):
    "within" stages after every module, at the end of all "stages", or once as the "final" step.
    every_branch: give features at strides 4, 8, 16, 32 instead of 4 alone. channels: those of the features.
    """

    def __init__(self, width: int = 32, *, fusion: str = "within", every_branch: bool = False) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f"fusion is one of {', '.join(FUSIONS)}, not {fusion!r}")
        self.conv1, self.bn1 = conv_bn(3, STEM, 3, stride=2, act=None)
        self.conv2, self.bn2 = conv_bn(STEM, STEM, 3, stride=2, act=None)
        self.layer1 = residual_layer(Bottleneck, STEM, STEM, 4)
        widths = [width * 2**branch for branch in range(4)]
        before = [STEM * Bottleneck.expansion]
        self.transition1, self.stage2 = transition(before, widths[:2]), self._stage(widths[:2], 0, fusion, 2)
        self.transition2, self.stage3 = transition(widths[:2], widths[:3]), self._stage(widths[:3], 1, fusion, 3)
        outputs = 4 if every_branch else 1
        self.transition3, self.stage4 = transition(widths[:3], widths), self._stage(widths, 2, fusion, outputs)
        self.channels = tuple(widths[:outputs])
        initialise(self)

    def _stage(self, widths: Sequence[int], stage: int, fusion: str, outputs: int) -> nn.Sequential:
        count = MODULES[stage]
        return nn.Sequential(
            *(
                ExchangeModule(widths, outputs if i == count - 1 else len(widths), exchanges(fusion, stage, i))
                for i in range(count)
            )
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        branches = self.stage2(grow(self.transition1, [self.layer1(x)]))
        branches = self.stage3(grow(self.transition2, branches))
        return self.stage4(grow(self.transition3, branches))


def grow(layers: nn.ModuleList, branches: list[Tensor]) -> list[Tensor]:
    """One branch more than before: the new one comes from the coarsest."""
    return [layer(x) for layer, x in zip(layers, [*branches, branches[-1]], strict=True)]


class HRNetPose(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 32 -> one Maps at stride 4.

    joints: K. width: 32 or 48 in the paper. fusion: see `HRNet`. sigma: spread in cells of the peaks it is trained on.
    """

    def __init__(self, joints: int = 17, width: int = 32, *, fusion: str = "within", sigma: float | None = 2.0) -> None:
        super().__init__()
        self.joints, self.sigma = joints, sigma
        self.backbone = HRNet(width, fusion=fusion)
        self.final_layer = near_empty(nn.Conv2d(width, joints, 1))

    def heads(self, images: Tensor) -> list[Tensor]:
        (fine,) = self.backbone(images)
        return [self.final_layer(fine)]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        return [Maps(head, stride=self.stride, sigma=self.sigma) for head in heads]


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> HRNetPose:
    """The network of "hrnet_w<width>" with as many joints as the last layer has outputs."""
    return HRNetPose(len(tensors["final_layer.weight"]), int(match[1]))


def own_names(network: nn.Module) -> dict[str, str]:
    """Published names have no prefix in front of the backbone's."""
    return renamed(network, [(r"^backbone\.", "")])
