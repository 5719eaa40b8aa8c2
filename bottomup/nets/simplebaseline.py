"""SimpleBaseline: a ResNet and three transposed convolutions.

    images -> ResNet -> C5 at stride 32 -> 3 x (transposed convolution, batch norm, ReLU) -> 1x1 -> heatmaps at stride 4

Source: Xiao et al., "Simple Baselines for Human Pose Estimation and Tracking" (ECCV 2018), section 2 and figure 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from bottomup.core.maps import Maps
from bottomup.nets.names import renamed
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import ResNet, initialise, near_empty


class SimpleBaseline(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 32 -> one Maps at stride 4.

    joints: K. depth: of the ResNet. width: channels of the transposed convolutions.
    sigma: spread in cells of the peaks it is trained on.
    """

    def __init__(self, joints: int = 17, depth: int = 50, *, width: int = 256, sigma: float | None = 2.0) -> None:
        super().__init__()
        self.joints, self.sigma = joints, sigma
        self.backbone = ResNet(depth)
        self.deconv_layers = nn.Sequential(
            *enlarging(self.backbone.channels[3], width), *enlarging(width, width), *enlarging(width, width)
        )
        self.final_layer = near_empty(nn.Conv2d(width, joints, 1))

    def heads(self, images: Tensor) -> list[Tensor]:
        c5 = self.backbone(images)[3]
        return [self.final_layer(self.deconv_layers(c5))]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        return [Maps(head, stride=self.stride, sigma=self.sigma) for head in heads]


def enlarging(inputs: int, outputs: int) -> nn.Sequential:
    """A transposed convolution to twice the size, batch norm and ReLU: (B, C, h, w) -> (B, outputs, 2 h, 2 w)."""
    layers = nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
    initialise(layers)
    return layers


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> SimpleBaseline:
    """The network of "simplebaseline_r<depth>"; its last layer has as many outputs as joints, inputs as wide."""
    joints, width = tensors["final_layer.weight"].shape[:2]
    return SimpleBaseline(joints, int(match[1]), width=width)


def own_names(network: nn.Module) -> dict[str, str]:
    """Published names have no prefix in front of the backbone's."""
    return renamed(network, [(r"^backbone\.", "")])
