"""HigherHRNet: HRNet with associative embedding at stride 4 and a second set of heatmaps at stride 2.

    images -> HRNet -> features at stride 4 -> 1x1 -> heatmaps and tags at stride 4
    features + those maps -> transposed convolution, 4 basic blocks -> 1x1 -> heatmaps at stride 2

Source: Cheng et al., "HigherHRNet: Scale-Aware Representation Learning for Bottom-Up Human Pose Estimation"
(CVPR 2020), section 3 and figure 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.core.maps import Maps
from bottomup.nets.hrnet import HRNet, own_names
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import BasicBlock, initialise, near_empty
from bottomup.nets.simplebaseline import enlarging

__all__ = ["HigherHRNet", "of_published", "own_names"]


class HigherHRNet(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 32 -> in training two Maps, at strides 4 (tags in these alone) and 2.

    In eval one Maps at stride 2: the mean of both heatmaps, and the tags, those of stride 4 enlarged bilinearly.
    joints: K. tags: L, for L K tag channels. width: 32 or 48 in the paper. sigma: of the peaks that it is trained on,
    in cells of either stride.
    """

    stride = 2

    def __init__(
        self, joints: int = 17, width: int = 32, *, tags: int = 1, blocks: int = 4, sigma: float | None = 2.0
    ) -> None:
        super().__init__()
        self.joints, self.tags, self.sigma = joints, tags, sigma
        maps = joints * (1 + tags)
        self.backbone = HRNet(width)
        residuals = (nn.Sequential(BasicBlock(width, width)) for _ in range(blocks))
        self.deconv_layers = nn.ModuleList([nn.Sequential(enlarging(width + maps, width), *residuals)])
        initialise(self.deconv_layers)
        self.final_layers = nn.ModuleList([head(width, joints, tags), head(width, joints, 0)])

    def heads(self, images: Tensor) -> list[Tensor]:
        (features,) = self.backbone(images)
        coarse = self.final_layers[0](features)
        finer = self.deconv_layers[0](torch.cat((features, coarse), 1))
        return [coarse, self.final_layers[1](finer)]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        coarse, fine = heads
        if self.training:
            return [self._maps(coarse, 4), self._maps(fine, 2)]
        coarse = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
        heatmaps = (coarse[:, : self.joints] + fine) / 2
        return [self._maps(torch.cat((heatmaps, coarse[:, self.joints :]), 1), 2)]

    def _maps(self, maps: Tensor, stride: int) -> Maps:
        heatmaps, tags = maps[:, : self.joints], maps[:, self.joints :]
        if not tags.shape[1]:
            return Maps(heatmaps, stride=stride, sigma=self.sigma)
        return Maps(heatmaps, None, tags.unflatten(1, (self.tags, self.joints)), stride=stride, sigma=self.sigma)


def head(width: int, joints: int, tags: int) -> nn.Conv2d:
    """1x1 convolution to heatmaps and tags; tags start wider, since tags that are all alike push nobody apart."""
    layer = near_empty(nn.Conv2d(width, joints * (1 + tags), 1))
    nn.init.normal_(layer.weight[joints:], std=2e-2)
    return layer


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> HigherHRNet:
    """The network of "higherhrnet_w<width>"; the last head has K outputs, the first K (1 + L).

    Residual blocks lie behind the transposed convolution, the first of its places.
    """
    joints = len(tensors["final_layers.1.weight"])
    tags = len(tensors["final_layers.0.weight"]) // joints - 1
    places = {int(name.split(".")[2]) for name in tensors if name.startswith("deconv_layers.0.")}
    return HigherHRNet(joints, int(match[1]), tags=tags, blocks=len(places) - 1)
