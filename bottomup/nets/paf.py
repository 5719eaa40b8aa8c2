"""Part affinity fields: a VGG-19 and n stages of two branches, one for the limbs and one for the joints.

    images -> VGG-19's first ten convolutions, two more -> features F at stride 8
    stage 1      F -> PAFs;  F -> heatmaps
    stage 2..n   [PAFs, heatmaps, F] -> PAFs;  the same -> heatmaps

Source: Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (CVPR 2017), figure 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.core.maps import Maps
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import initialise
from bottomup.nets.vgg import CONVOLUTIONS, conv_relu, vgg19_cpm

FEATURES = 128


class PAF(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 8 -> one Maps a stage at stride 8 (in eval the last).

    joints: K. limbs: E, for 2 E PAF channels. background: one heatmap more, the last, which no Maps shows.
    relu_last: clip the last stage's heatmaps at zero, as the port does whose tensors have the names of the
    Caffe model. sigma: spread in cells of the peaks it is trained on.
    """

    stride = 8
    multiple = 8

    def __init__(
        self,
        joints: int = 18,
        limbs: int = 19,
        stages: int = 6,
        *,
        background: bool = True,
        relu_last: bool = False,
        sigma: float | None = 0.875,
    ) -> None:
        super().__init__()
        self.joints, self.limbs, self.relu_last, self.sigma = joints, limbs, relu_last, sigma
        fields, heat = 2 * limbs, joints + background
        inputs = FEATURES + fields + heat
        self.backbone = vgg19_cpm(FEATURES)
        self.pafs = nn.ModuleList([first_branch(fields), *(branch(inputs, fields) for _ in range(1, stages))])
        self.heatmaps = nn.ModuleList([first_branch(heat), *(branch(inputs, heat) for _ in range(1, stages))])
        self._initialise()

    def _initialise(self) -> None:
        # The backbone as if it started from ImageNet weights, in strength; the stages as the authors have them.
        initialise(self.backbone)
        for part in (*self.pafs.modules(), *self.heatmaps.modules()):
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, std=0.01)
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]  # there is one

    def heads(self, images: Tensor) -> list[Tensor]:
        features = self.backbone(images)
        stages: list[tuple[Tensor, Tensor]] = []
        for to_pafs, to_heatmaps in zip(self.pafs, self.heatmaps, strict=True):
            x = torch.cat((*stages[-1], features), 1) if stages else features
            stages.append((to_pafs(x), to_heatmaps(x)))
        if self.relu_last:
            stages[-1] = (stages[-1][0], F.relu(stages[-1][1]))
        return [maps for stage in (stages if self.supervised else stages[-1:]) for maps in stage]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        return [
            Maps(heat[:, : self.joints], pafs.unflatten(1, (self.limbs, 2)), stride=self.stride, sigma=self.sigma)
            for pafs, heat in zip(heads[::2], heads[1::2], strict=True)
        ]


def first_branch(maps: int) -> nn.Sequential:
    """features (B, 128, h, w) -> (B, maps, h, w): three 3x3 and two 1x1 convolutions."""
    wide = 4 * FEATURES
    body = [layer for _ in range(3) for layer in conv_relu(FEATURES, FEATURES)]
    return nn.Sequential(*body, *conv_relu(FEATURES, wide, 1), nn.Conv2d(wide, maps, 1))


def branch(inputs: int, maps: int) -> nn.Sequential:
    """The stage before and the features (B, inputs, h, w) -> (B, maps, h, w): five 7x7 and two 1x1 convolutions."""
    body = [layer for i in range(5) for layer in conv_relu(FEATURES if i else inputs, FEATURES, 7)]
    return nn.Sequential(*body, *conv_relu(FEATURES, FEATURES, 1), nn.Conv2d(FEATURES, maps, 1))


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> PAF:
    """The network of "paf<stages>" (names of the Caffe model) or "paf<stages>_rtpose" (numbered layers)."""
    numbered = match[0].endswith("_rtpose")
    pafs, heat = (tensors[f"model1_{b}.8.weight" if numbered else f"conv5_5_CPM_L{b}.weight"].shape[0] for b in (1, 2))
    return PAF(heat - 1, pafs // 2, int(match[1]), relu_last=not numbered)


def own_names(network: PAF) -> dict[str, str]:
    """Published names: of the Caffe model where the last heatmaps are clipped, else those of numbered layers."""
    rename = _caffe_name if network.relu_last else _numbered_name
    return {name: rename(*name.split(".")) for name in network.state_dict()}


def _numbered_name(part: str, *rest: str) -> str:
    if part == "backbone":
        return ".".join(("model0", *rest))
    stage, *layer = rest
    return ".".join((f"model{int(stage) + 1}_{1 if part == 'pafs' else 2}", *layer))


BACKBONE = [f"conv{g}_{i}" for g, count in enumerate((2, 2, 4, 2), 1) for i in range(1, count + 1)]
BACKBONE += ["conv4_3_CPM", "conv4_4_CPM"]


def _caffe_name(part: str, *rest: str) -> str:
    *stage, layer, kind = rest
    if part == "backbone":
        return f"{BACKBONE[CONVOLUTIONS.index(int(layer))]}.{kind}"
    side, number = 1 if part == "pafs" else 2, int(layer) // 2 + 1
    if stage == ["0"]:
        return f"conv5_{number}_CPM_L{side}.{kind}"
    return f"Mconv{number}_stage{int(stage[0]) + 1}_L{side}.{kind}"
