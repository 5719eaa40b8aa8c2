"""MSPAF: three stages of nested inceptions at stride 4, fused under attention, with PAFs and heatmaps each.

    images -> 3x3/2 -> 3x3 -> 3x3/2 -> 2 inceptions -> x (192 channels at stride 4)
    stage i: x -> inceptions at strides 4, 8, 16, 32 -> attention fusion and inceptions back to 4 -> 1x1 -> f
             f -> 1x1 -> PAFs; f -> 1x1 -> heatmaps;   x <- x + 1x1(f) + 1x1([PAFs, heatmaps])

Source: Liu et al., "A Cascaded Inception of Inception Network with Attention Modulated Feature Fusion for Human Pose
Estimation" (AAAI 2018) names the blocks. Wiring and widths were never published: these meet the published size
(9.66 M parameters), operations (0.03e12 where six PAF stages take 0.05e12, at 232 x 232) and number of supervised
stages, and keep convolutions wide and what lies between them little, for its time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.core.maps import Maps
from bottomup.nets.blocks import AttentionFusion, conv_bn
from bottomup.nets.network import PoseNetwork
from bottomup.nets.resnet import near_empty

WIDTH = 192
INNER = {4: 128, 8: 56, 16: 40, 32: 24}  # stride: channels of an inception's levels


class NestedInception(nn.Module):
    """Receptive fields of 1, 3, 5, 5 and 9 cells side by side: an inception whose branches are inceptions.

    (B, inputs, h, w) -> (B, outputs, h, w). width: channels of each level; twice as many are read, more inputs are
    first reduced to that. The levels are summed: under `attention` weighed at every position by what the 3x3 level
    sees (AIOI), else all alike (IOI).
    """

    levels = 5

    def __init__(self, inputs: int, outputs: int, width: int, *, attention: bool = True) -> None:
        super().__init__()
        read = min(inputs, 2 * width)
        self.reduce = conv_bn(inputs, read) if inputs > read else nn.Identity()
        self.a = conv_bn(read, width)
        self.b1 = conv_bn(read, width, 3)
        self.b2 = conv_bn(width, width, 3)
        self.c0 = conv_bn(read, width, 3)
        self.c1 = conv_bn(width, width, 3)
        self.c2 = conv_bn(width, width, 3, dilation=2)
        self.attend = nn.Conv2d(width, self.levels, 1) if attention else None
        self.join = conv_bn(width, outputs, act=None)
        self.shortcut = nn.Identity() if inputs == outputs else conv_bn(inputs, outputs, act=None)

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.reduce(x)
        a, b1, c1 = self.a(reduced), self.b1(reduced), self.c1(self.c0(reduced))
        levels = [a, b1, self.b2(b1), c1, self.c2(c1)]
        return F.relu(self.join(self._sum(levels)).add_(self.shortcut(x)), inplace=True)

    def _sum(self, levels: list[Tensor]) -> Tensor:
        if self.attend is None:
            return torch.stack(levels).sum(0)
        weights = (self.levels * torch.softmax(self.attend(levels[1]), 1)).to(levels[0].dtype)
        total = levels[0] * weights[:, :1]
        for i, level in enumerate(levels[1:], 1):
            total.addcmul_(level, weights[:, i : i + 1])
        return total


class PlainFusion(nn.Module):
    """Sum of fine maps and coarse ones resized to them: what attention fusion is compared with."""

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        return fine + F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)


class Stage(nn.Module):
    """x (B, 192, h, w) at stride 4 -> features of the same shape that have seen strides 8, 16 and 32."""

    def __init__(self, *, attention: bool, fusion: bool) -> None:
        super().__init__()

        def mix(stride: int) -> NestedInception:
            return NestedInception(WIDTH, WIDTH, INNER[stride], attention=attention)

        def fuse() -> nn.Module:
            return AttentionFusion(WIDTH, 32) if fusion else PlainFusion()

        self.e4, self.e8, self.e16 = mix(4), mix(8), mix(16)
        self.e32 = nn.Sequential(mix(32), mix(32))
        self.fuse16, self.fuse8, self.fuse4 = fuse(), fuse(), fuse()
        self.d16, self.d8, self.d4 = mix(16), mix(8), mix(4)
        self.features = conv_bn(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        e4 = self.e4(x)
        e8 = self.e8(F.max_pool2d(e4, 2))
        e16 = self.e16(F.max_pool2d(e8, 2))
        e32 = self.e32(F.max_pool2d(e16, 2))
        d16 = self.d16(self.fuse16(e16, e32))
        d8 = self.d8(self.fuse8(e8, d16))
        d4 = self.d4(self.fuse4(e4, d8))
        return self.features(d4)


class MSPAF(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 32 -> one Maps a stage at stride 4 (in eval the last).

    joints: K. limbs: E, for 2 E PAF channels. tags: L, for L K tag channels (0: no tags). background: one heatmap
    more, the last, which no Maps shows. attention: weigh the levels of inceptions. fusion: fuse resolutions under
    attention, else by a sum. sigma: spread in cells of the peaks it is trained on.
    """

    def __init__(
        self,
        joints: int = 17,
        limbs: int = 19,
        tags: int = 0,
        stages: int = 3,
        *,
        background: bool = True,
        attention: bool = True,
        fusion: bool = True,
        sigma: float | None = 1.75,
    ) -> None:
        super().__init__()
        self.joints, self.limbs, self.tags, self.sigma = joints, limbs, tags, sigma
        self.counts = (2 * limbs, joints + background, tags * joints)
        self.stem = nn.Sequential(
            conv_bn(3, 64, 3, stride=2),
            conv_bn(64, 64, 3),
            conv_bn(64, 128, 3, stride=2),
            NestedInception(128, 128, 96, attention=attention),
            NestedInception(128, WIDTH, 96, attention=attention),
        )
        self.stages = nn.ModuleList(Stage(attention=attention, fusion=fusion) for _ in range(stages))
        self.outputs = nn.ModuleList(self._output() for _ in range(stages))
        self.link_features = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 1) for _ in range(stages - 1))
        self.link_maps = nn.ModuleList(nn.Conv2d(sum(self.counts), WIDTH, 1) for _ in range(stages - 1))

    def _output(self) -> nn.Conv2d:
        # One convolution for PAFs, heatmaps and tags. Tags that all start alike would push nobody apart.
        output = near_empty(nn.Conv2d(WIDTH, sum(self.counts), 1))
        nn.init.normal_(output.weight[sum(self.counts[:2]) :], std=2e-2)
        return output

    def heads(self, images: Tensor) -> list[Tensor]:
        """Each stage's PAFs (2 E), heatmaps (K and background) and tags (L K, if any) along the channels."""
        x = self.stem(images)
        heads: list[Tensor] = []
        for i, (stage, output) in enumerate(zip(self.stages, self.outputs, strict=True)):
            features = stage(x)
            maps = output(features)
            heads.append(maps)
            if i < len(self.link_maps):
                x = x + self.link_features[i](features) + self.link_maps[i](maps)
        return heads if self.supervised else heads[-1:]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        return [self._maps(*head.split(self.counts, 1)) for head in heads]

    def _maps(self, pafs: Tensor, heat: Tensor, tags: Tensor) -> Maps:
        return Maps(
            heat[:, : self.joints],
            pafs.unflatten(1, (self.limbs, 2)) if self.limbs else None,
            tags.unflatten(1, (self.tags, self.joints)) if self.tags else None,
            stride=self.stride,
            sigma=self.sigma,
        )
