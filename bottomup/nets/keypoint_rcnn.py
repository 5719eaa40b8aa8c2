"""Keypoint R-CNN: a detector of people whose every box has a keypoint head of its own.

    images -> ResNet -> feature pyramid P2..P5 (strides 4 to 32) and P6
    P2..P6 -> region proposal head -> proposals -> RoIAlign 7x7   -> box head      -> people's boxes
    boxes                                       -> RoIAlign 14x14 -> keypoint head -> heatmaps 56x56 in each -> joints

Source: He et al., "Mask R-CNN" (ICCV 2017), section 5; Lin et al., "Feature Pyramid Networks" (CVPR 2017).
Its losses are in `targets/keypoint_rcnn.py`, its training step in `training/keypoint_rcnn.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.nets import boxes as box
from bottomup.nets.names import renamed
from bottomup.nets.network import Network
from bottomup.nets.resnet import ResNet, initialise, near_empty

ANCHORS = (32, 64, 128, 256, 512)  # sides, one a pyramid level
PROPOSALS = 1000  # kept a level before suppression, and an image after it
PROPOSAL_OVERLAP = 0.7
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the box head's offsets


@dataclass(frozen=True, eq=False)
class Detections:
    """People of one image, best first, in input pixels.

    boxes: (N, 4) x1, y1, x2, y2. scores: (N,). joints: (N, K, 3) x, y, score in [0, 1].
    """

    boxes: Tensor
    scores: Tensor
    joints: Tensor


class KeypointRCNN(Network):
    """images (B, 3, H, W), sides multiples of 32 -> one Detections an image.

    joints: K. depth: of the ResNet. width: channels of the pyramid; the keypoint head has twice, the box head four
    times as many. stride_in_first: as `ResNet` has it. per_class: the box head has offsets for background too.
    aligned: half a cell is taken off when pooling and half a pixel off joints. eps: of frozen batch norms. min_score,
    max_overlap, max_people: which boxes are kept. The defaults are torchvision's network; detectron2's has
    stride_in_first, aligned and not per_class.
    """

    multiple = 32

    def __init__(
        self,
        joints: int = 17,
        depth: int = 50,
        *,
        width: int = 256,
        stride_in_first: bool = False,
        per_class: bool = True,
        aligned: bool = False,
        eps: float = 0.0,
        min_score: float = 0.05,
        max_overlap: float = 0.5,
        max_people: int = 100,
    ) -> None:
        super().__init__()
        self.joints, self.aligned = joints, aligned
        self.min_score, self.max_overlap, self.max_people = min_score, max_overlap, max_people
        self.backbone = ResNet(depth, norm=lambda c: FrozenBatchNorm(c, eps), stride_in_first=stride_in_first)
        quieten(self.backbone)
        self.fpn = FeaturePyramid(self.backbone.channels, width)
        self.rpn = ProposalHead(width)
        self.box_head = BoxHead(width, 2 if per_class else 1)
        self.keypoint_head = KeypointHead(width, joints)

    def forward(self, images: Tensor, sizes: Sequence[tuple[int, int]] | None = None) -> list[Detections]:
        """sizes: height and width of each image without what pads it, if it is padded (right and below)."""
        size = (images.shape[-2], images.shape[-1])
        pyramid, objectness, deltas = self.features(images)
        anchors = anchors_of(objectness, size)
        people = []
        for i, valid in enumerate(sizes or [size] * len(images)):
            found = proposals([maps[i] for maps in objectness], [maps[i] for maps in deltas], anchors, valid)
            people.append(self._people([maps[i] for maps in pyramid[:4]], found, valid))
        return people

    def heads(self, images: Tensor) -> list[Tensor]:
        """What the whole image gives: five pyramid maps, five of objectness (B, 3, h, w), five of offsets."""
        return [maps for kind in self.features(images) for maps in kind]

    def features(self, images: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Pyramid maps P2..P6, objectness (B, 3, h, w) and offsets (B, 12, h, w) of each."""
        pyramid = self.fpn(self.backbone(images))
        objectness, deltas = zip(*(self.rpn(features) for features in pyramid), strict=True)
        return pyramid, list(objectness), list(deltas)

    def _people(self, pyramid: list[Tensor], found: Tensor, size: tuple[int, int]) -> Detections:
        logits, deltas = self.box_head(box.pyramid_align(pyramid, found, 7, aligned=self.aligned))
        scores = logits.softmax(1)[:, 1]
        boxes = box.clipped(box.moved(found, deltas[:, -4:], BOX_WEIGHTS), size)
        good = (scores > self.min_score) & box.at_least(boxes, 1e-2)
        boxes, scores = boxes[good], scores[good]
        kept = box.unsuppressed(boxes, scores, self.max_overlap)[: self.max_people]
        boxes = boxes[kept]
        maps = self.keypoint_head(box.pyramid_align(pyramid, boxes, 14, aligned=self.aligned))
        joints = decoded(maps, boxes)
        joints[:, :, :2] -= 0.5 if self.aligned else 0
        return Detections(boxes, scores[kept], joints)


class FrozenBatchNorm(nn.Module):
    """Batch norm that never learns: its four tensors are buffers. (B, C, h, w) -> the same shape."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 0.0) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)


def quieten(backbone: ResNet) -> None:
    """Lets the residual branches of an untrained network with frozen norms add little each, so that it can be trained.

    Norms that learn start their branches at nothing; a frozen one would leave it at that.
    """
    blocks = [part for part in backbone.modules() if hasattr(part, "last_norm")]
    for block in blocks:
        block.get_submodule(block.last_norm).weight.fill_(len(blocks) ** -0.5)  # type: ignore[arg-type, operator]


class FeaturePyramid(nn.Module):
    """C2..C5 -> P2..P6, each (B, width, h, w): 1x1 laterals summed coarse to fine, 3x3 on each; P6 every second P5.

    Source: Lin et al., "Feature Pyramid Networks" (CVPR 2017), figure 3.
    """

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in inputs)
        self.layer_blocks = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in inputs)
        initialise(self)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        sums: list[Tensor] = []
        for lateral, fine in zip(reversed(self.inner_blocks), reversed(features), strict=True):
            x = lateral(fine)
            sums.insert(0, x + F.interpolate(sums[0], size=x.shape[-2:], mode="nearest") if sums else x)
        pyramid = [smooth(x) for smooth, x in zip(self.layer_blocks, sums, strict=True)]
        return [*pyramid, F.max_pool2d(pyramid[-1], 1, 2)]


class ProposalHead(nn.Module):
    """(B, width, h, w) -> objectness (B, 3, h, w) and offsets (B, 12, h, w) of three anchors a cell."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        initialise(self)
        self.cls_logits, self.bbox_pred = near_empty(nn.Conv2d(width, 3, 1)), near_empty(nn.Conv2d(width, 12, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.conv(x), inplace=True)
        return self.cls_logits(x), self.bbox_pred(x)


class BoxHead(nn.Module):
    """Pooled features (N, width, 7, 7) -> logits (N, 2) of background and person, offsets (N, 4 * regressed)."""

    def __init__(self, width: int, regressed: int) -> None:
        super().__init__()
        self.fc6, self.fc7 = nn.Linear(width * 7 * 7, 4 * width), nn.Linear(4 * width, 4 * width)
        for layer in (self.fc6, self.fc7):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.cls_score = near_empty(nn.Linear(4 * width, 2))
        self.bbox_pred = near_empty(nn.Linear(4 * width, 4 * regressed))

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.fc7(F.relu(self.fc6(pooled.flatten(1)))))
        return self.cls_score(x), self.bbox_pred(x)


class KeypointHead(nn.Module):
    """Pooled features (N, width, 14, 14) -> logits (N, K, 56, 56): eight 3x3, transposed convolution, bilinear x 2."""

    def __init__(self, width: int, joints: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(8):
            layers += [nn.Conv2d((2 if i else 1) * width, 2 * width, 3, padding=1), nn.ReLU(inplace=True)]
        self.convs = nn.Sequential(*layers)
        initialise(self)
        self.deconv = near_empty(nn.ConvTranspose2d(2 * width, joints, 4, 2, 1))

    def forward(self, pooled: Tensor) -> Tensor:
        maps = self.deconv(self.convs(pooled))
        return F.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)


def anchors_of(objectness: Sequence[Tensor], size: tuple[int, int]) -> list[Tensor]:
    """Anchors (3 h w, 4) of every pyramid level. objectness: maps (B, 3, h, w). size: the images' height, width."""
    levels = []
    for side, maps in zip(ANCHORS, objectness, strict=True):
        cells = (maps.shape[-2], maps.shape[-1])
        strides = [pixels // n for pixels, n in zip(size, cells, strict=True)]
        levels.append(box.grid_anchors(box.base_anchors(side).to(maps.device), cells, strides))
    return levels


def by_anchor(maps: Tensor, values: int) -> Tensor:
    """Maps (3 * values, h, w) of one level as (3 h w, values), in the order of its anchors."""
    return maps.unflatten(0, (3, values)).permute(2, 3, 0, 1).reshape(-1, values)


def proposals(
    objectness: Sequence[Tensor], deltas: Sequence[Tensor], anchors: Sequence[Tensor], size: tuple[int, int]
) -> Tensor:
    """Boxes (at most 1000, 4) of one image that may hold a person, best first, from all pyramid levels.

    objectness: (3, h, w) and deltas: (12, h, w), one a level. size: height and width of the image.
    """
    found, scores = [], []
    for maps, offsets, here in zip(objectness, deltas, anchors, strict=True):
        score, best = by_anchor(maps, 1)[:, 0].topk(min(PROPOSALS, maps.numel()))
        boxes = box.clipped(box.moved(here[best], by_anchor(offsets, 4)[best]), size)
        large = box.at_least(boxes, 1e-3)
        boxes, score = boxes[large], score[large]
        kept = box.unsuppressed(boxes, score, PROPOSAL_OVERLAP)
        found.append(boxes[kept])
        scores.append(score[kept])
    best = torch.cat(scores).argsort(descending=True, stable=True)[:PROPOSALS]
    return torch.cat(found)[best]


def decoded(maps: Tensor, boxes: Tensor) -> Tensor:
    """Joints (N, K, 3) x, y, score from logits (N, K, 56, 56) inside boxes (N, 4), each resized to its box's pixels.

    The score is the softmax of the resized peak over the cells as they were, so that large boxes do not lose by
    having more pixels.
    """
    joints = maps.new_zeros(*maps.shape[:2], 3)
    for i, (logits, (x1, y1, x2, y2)) in enumerate(zip(maps, boxes.tolist(), strict=True)):
        width, height = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
        columns, rows = -int(-width // 1), -int(-height // 1)  # rounded up
        large = F.interpolate(logits[None], size=(rows, columns), mode="bicubic", align_corners=False)[0]
        peak, place = large.flatten(1).max(1)
        joints[i, :, 0] = (place % columns + 0.5) * width / columns + x1
        joints[i, :, 1] = (place // columns + 0.5) * height / rows + y1
        joints[i, :, 2] = (peak - logits.flatten(1).logsumexp(1)).exp().clamp(max=1)
    return joints


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> KeypointRCNN:
    """The network of "keypointrcnn_r<depth>_fpn" with the joints, width and kinds of box offsets of its tensors."""
    joints = tensors["roi_heads.keypoint_predictor.kps_score_lowres.weight"].shape[1]
    regressed = len(tensors["roi_heads.box_predictor.bbox_pred.weight"])
    width = len(tensors["rpn.head.conv.0.0.weight"])
    return KeypointRCNN(joints, int(match[1]), width=width, per_class=regressed == 8)


NAMES = (
    (r"^backbone\.", "backbone.body."),
    (r"^fpn\.(\w+)\.(\d)\.", r"backbone.fpn.\1.\2.0."),
    (r"^rpn\.conv\.", "rpn.conv.0.0."),
    (r"^rpn\.", "rpn.head."),
    (r"^box_head\.fc", "roi_heads.box_head.fc"),
    (r"^box_head\.", "roi_heads.box_predictor."),
    (r"^keypoint_head\.convs\.", "roi_heads.keypoint_head."),
    (r"^keypoint_head\.deconv\.", "roi_heads.keypoint_predictor.kps_score_lowres."),
)


def own_names(network: nn.Module) -> dict[str, str]:
    """Own tensor names to published ones."""
    return renamed(network, NAMES)
