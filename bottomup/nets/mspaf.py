"""MSPAF: three stages of nested inceptions at stride 4, fused under attention, with PAFs and heatmaps each.

    images -> 7x7/2 -> inception -> pool -> 2 inceptions -> x (192 channels at stride 4)
    stage i: x -> inceptions at strides 4, 8, 16, 32 -> attention fusion and inceptions back to 4 -> 1x1 -> f
             f -> 1x1 -> PAFs; f -> 1x1 -> heatmaps;   x <- x + 1x1(f) + 1x1([PAFs, heatmaps])

Source: Liu et al., "A Cascaded Inception of Inception Network with Attention Modulated Feature Fusion for Human Pose
Estimation" (AAAI 2018) names the blocks. Wiring and widths were never published: these meet the published size
(9.66 M parameters), operations (0.6 of a six-stage PAF network) and number of supervised stages.
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
INNER = {4: 104, 8: 48, 16: 32, 32: 24}  # stride: channels of an inception's levels


class NestedInception(nn.Module):
    """Receptive fields of 1, 3, 5, 5 and 9 cells side by side: an inception whose branches are inceptions.

    (B, inputs, h, w) -> (B, outputs, h, w). width: channels of each level. attention: weigh the levels at every
    position (AIOI); else all count alike (IOI).
    """

    levels = 5

    def __init__(self, inputs: int, outputs: int, width: int, *, attention: bool = True) -> None:
        super().__init__()
        self.reduce = conv_bn(inputs, 2 * width)
        self.a = conv_bn(2 * width, width)
        self.b1 = conv_bn(2 * width, width, 3)
        self.b2 = conv_bn(width, width, 3)
        self.c0 = conv_bn(2 * width, width, 3)
        self.c1 = conv_bn(width, width, 3)
        self.c2 = conv_bn(width, width, 3, dilation=2)
        self.attend = nn.Conv2d(2 * width, self.levels, 3, padding=1) if attention else None
        self.join = conv_bn(self.levels * width, outputs, act=None)
        self.shortcut = nn.Identity() if inputs == outputs else conv_bn(inputs, outputs, act=None)

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.reduce(x)
        b1, c1 = self.b1(reduced), self.c1(self.c0(reduced))
        fields = [self.a(reduced), b1, self.b2(b1), c1, self.c2(c1)]
        if self.attend is not None:
            weights = self.levels * torch.softmax(self.attend(reduced), 1)
            fields = [field * weights[:, i : i + 1] for i, field in enumerate(fields)]
        return F.relu(self.join(torch.cat(fields, 1)) + self.shortcut(x), inplace=True)


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
        self.s1 = conv_bn(3, 64, 7, stride=2)
        self.s2 = NestedInception(64, 128, 96, attention=attention)
        self.s3 = NestedInception(128, 128, 80, attention=attention)
        self.s4 = NestedInception(128, WIDTH, 80, attention=attention)
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
        x = self.s4(self.s3(F.max_pool2d(self.s2(self.s1(images)), 2)))
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
