"""Lightweight OpenPose: MobileNet v1 kept at stride 8, one initial stage and n refinement stages of small kernels.

    images -> MobileNet v1 up to its twelfth convolution, dilated instead of strided -> CPM -> features F
    initial stage        F -> heatmaps, PAFs
    refinement stages    [F, heatmaps, PAFs] -> heatmaps, PAFs

Source: Osokin, "Real-time 2D Multi-Person Pose Estimation on CPU: Lightweight OpenPose" (2018), figures 2 to 4.
Tensor names are the published ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bottomup.core.maps import Maps
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import near_empty

FEATURES = 128
# inputs, outputs, stride, dilation of MobileNet's blocks; the dilation stands for a stride of 2 that is left out
MOBILENET = (
    (32, 64, 1, 1),
    (64, 128, 2, 1),
    (128, 128, 1, 1),
    (128, 256, 2, 1),
    (256, 256, 1, 1),
    (256, 512, 1, 1),
    (512, 512, 1, 2),
    *((512, 512, 1, 1),) * 4,
)


class LightweightOpenPose(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 8 -> one Maps a stage at stride 8 (in eval the last).

    joints: K. limbs: E, for 2 E PAF channels. refinements: stages after the initial one.
    background: one heatmap more, the last, which no Maps shows. sigma: spread in cells of the peaks it is trained on.
    """

    stride = 8
    multiple = 8

    def __init__(
        self,
        joints: int = 18,
        limbs: int = 19,
        refinements: int = 1,
        *,
        background: bool = True,
        sigma: float | None = 0.875,
    ) -> None:
        super().__init__()
        self.joints, self.limbs, self.sigma = joints, limbs, sigma
        heat, fields = joints + background, 2 * limbs
        self.model = nn.Sequential(stem(), *(separable(*sizes) for sizes in MOBILENET))
        self.cpm = CPM(512)
        self.initial_stage = Stage(initial_trunk(), 4 * FEATURES, heat, fields)
        inputs = FEATURES + heat + fields
        self.refinement_stages = nn.ModuleList(
            Stage(refinement_trunk(inputs), FEATURES, heat, fields) for _ in range(refinements)
        )

    def heads(self, images: Tensor) -> list[Tensor]:
        features = self.cpm(self.model(images))
        stages = [self.initial_stage(features)]
        for stage in self.refinement_stages:
            stages.append(stage(torch.cat((features, *stages[-1]), 1)))
        return [maps for stage in (stages if self.supervised else stages[-1:]) for maps in stage]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        return [
            Maps(heat[:, : self.joints], pafs.unflatten(1, (self.limbs, 2)), stride=self.stride, sigma=self.sigma)
            for heat, pafs in zip(heads[::2], heads[1::2], strict=True)
        ]


class CPM(nn.Module):
    """Narrows the backbone's features: (B, inputs, h, w) -> (B, 128, h, w). ELU and no batch norm in its trunk."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.align = conv_relu(inputs, FEATURES, 1)
        self.trunk = nn.Sequential(*(separable_elu(FEATURES) for _ in range(3)))
        self.conv = conv_relu(FEATURES, FEATURES, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.align(x)
        return self.conv(x + self.trunk(x))


class Stage(nn.Module):
    """A trunk and two heads of two 1x1 convolutions: (B, inputs, h, w) -> heatmaps and PAFs (B, C, h, w)."""

    def __init__(self, trunk: nn.Sequential, wide: int, heat: int, fields: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.heatmaps, self.pafs = head(wide, heat), head(wide, fields)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(x)
        return self.heatmaps(x), self.pafs(x)


class Refinement(nn.Module):
    """1x1, then two 3x3 convolutions around a shortcut, the second dilated: sees as far as one of 7x7."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.initial = conv_relu(inputs, FEATURES, 1)
        self.trunk = nn.Sequential(conv_bn_relu(FEATURES, 1), conv_bn_relu(FEATURES, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.initial(x)
        return x + self.trunk(x)


def initial_trunk() -> nn.Sequential:
    """Three 3x3 convolutions of 128 channels."""
    return nn.Sequential(*(conv_relu(FEATURES, FEATURES, 3) for _ in range(3)))


def refinement_trunk(inputs: int) -> nn.Sequential:
    """Five refinement blocks: (B, inputs, h, w) -> (B, 128, h, w)."""
    return nn.Sequential(*(Refinement(FEATURES if i else inputs) for i in range(5)))


def head(wide: int, maps: int) -> nn.Sequential:
    """features (B, 128, h, w) -> (B, maps, h, w) through `wide` channels."""
    return nn.Sequential(conv_relu(FEATURES, wide, 1), nn.Sequential(near_empty(nn.Conv2d(wide, maps, 1))))


def stem() -> nn.Sequential:
    """images (B, 3, H, W) -> (B, 32, H / 2, W / 2)."""
    return nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True))


def separable(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Sequential:
    """MobileNet's block: a depthwise 3x3 and a 1x1 convolution, batch norm and ReLU behind each."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, dilation, dilation, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def separable_elu(channels: int) -> nn.Sequential:
    """A depthwise 3x3 and a 1x1 convolution without bias, ELU behind each."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.ELU(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.ELU(inplace=True),
    )


def conv_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution with bias, "same" padding, and a ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True))


def conv_bn_relu(channels: int, dilation: int) -> nn.Sequential:
    """A 3x3 convolution that keeps its bias beside a batch norm, as published, and a ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> LightweightOpenPose:
    """The network of "lightweight_openpose" with the counts that the tensors have."""
    heat = tensors["initial_stage.heatmaps.1.0.weight"].shape[0]
    pafs = tensors["initial_stage.pafs.1.0.weight"].shape[0]
    stages = {name.split(".")[1] for name in tensors if name.startswith("refinement_stages.")}
    return LightweightOpenPose(heat - 1, pafs // 2, len(stages))


def own_names(network: nn.Module) -> dict[str, str]:
    """Own names are the published ones."""
    return {name: name for name in network.state_dict()}
