"""Training of keypoint R-CNN: whole scenes in; each part is taught on what the one before it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bottomup.core import LABELLED
from bottomup.data.loader import Batch
from bottomup.nets.boxes import at_least, clipped, pyramid_align
from bottomup.nets.keypoint_rcnn import BOX_WEIGHTS, KeypointRCNN, anchors_of, by_anchor, proposals
from bottomup.targets.keypoint_rcnn import (
    BOX_SHARE,
    BOXES,
    box_loss,
    keypoint_loss,
    owners,
    proposal_loss,
    sampled,
    spared,
)
from bottomup.training.detector import STRIDE, DetectorTask, corners
from bottomup.training.forward import autocast, normalise


@dataclass(frozen=True)
class Truth:
    """One picture's people: boxes (M, 4) left, top, right, bottom; joints (M, K, 3) x, y, weight; taught (h, w).

    In pixels with the picture's corner at 0; taught in cells of STRIDE pixels.
    """

    boxes: Tensor
    joints: Tensor
    taught: Tensor


class KeypointRCNNTask(DetectorTask):
    """Scenes as the detector has them; boxes and joints are taught.

    All losses are means over pictures of what each has, as if every picture were a batch of its own.
    """

    def counts(self, batch: Batch) -> Tensor:
        """None: losses are means over pictures."""
        return batch.joints.new_zeros(0)

    def losses(self, network: nn.Module, batch: Batch, counts: Tensor) -> dict[str, Tensor]:
        """total, objectness, anchor, score, box, keypoint."""
        assert isinstance(network, KeypointRCNN)
        images = normalise(batch.images, self.settings.road)
        with autocast(images.device, self.settings.bf16):
            return keypoint_rcnn_loss(network, images, truths(batch, network.aligned))


def truths(batch: Batch, aligned: bool) -> list[Truth]:
    """The people of every picture, boxes cut to it. aligned: half a pixel is taken off joints that are found."""
    boxes = clipped(corners(batch.boxes), (batch.images.shape[-2], batch.images.shape[-1]))
    weights = batch.confidence * (batch.known == LABELLED)
    joints = torch.cat((batch.joints + (0.5 if aligned else 0), weights[..., None]), 2).float()
    seen = at_least(boxes, 1.0)
    pictures = [(batch.picture == i) & seen for i in range(len(batch.images))]
    return [Truth(boxes[here], joints[here], taught) for here, taught in zip(pictures, batch.taught, strict=True)]


def keypoint_rcnn_loss(network: KeypointRCNN, images: Tensor, people: Sequence[Truth]) -> dict[str, Tensor]:
    """total, objectness, anchor, score, box, keypoint: means over the images (B, 3, H, W).

    Which anchors and boxes are taught is drawn by torch's own generator. Source: `targets/keypoint_rcnn.py`.
    """
    size = (images.shape[-2], images.shape[-1])
    pyramid, objectness, deltas = ([m.float() for m in maps] for maps in network.features(images))
    anchors = anchors_of(objectness, size)
    losses = []
    for i, truth in enumerate(people):
        scores, steps = [m[i] for m in objectness], [m[i] for m in deltas]
        with torch.no_grad():
            found = torch.cat((proposals(scores, steps, anchors, size), truth.boxes))
        first = _proposal_loss(scores, steps, torch.cat(anchors), truth)
        losses.append(first | _head_losses(network, [m[i] for m in pyramid[:4]], found, truth))
    means = {name: torch.stack([each[name] for each in losses]).mean() for name in losses[0]}
    return {"total": torch.stack(list(means.values())).sum()} | means


def _proposal_loss(scores: list[Tensor], steps: list[Tensor], anchors: Tensor, truth: Truth) -> dict[str, Tensor]:
    """Of the proposal head on sampled anchors of all levels."""
    owner = owners(anchors, truth.boxes, low=0.3, high=0.7, rescue=True)
    owner = spared(owner, anchors, truth.taught, STRIDE)
    logits = torch.cat([by_anchor(m, 1)[:, 0] for m in scores])
    return proposal_loss(logits, torch.cat([by_anchor(m, 4) for m in steps]), anchors, owner, truth.boxes)


def _head_losses(network: KeypointRCNN, pyramid: list[Tensor], found: Tensor, truth: Truth) -> dict[str, Tensor]:
    """Of the box head on sampled boxes (N, 4), and of the keypoint head on those of them that hold a person."""
    owner = spared(owners(found, truth.boxes, low=0.5, high=0.5), found, truth.taught, STRIDE)
    chosen = sampled(owner, BOXES, BOX_SHARE)
    boxes, owner = found[chosen], owner[chosen]
    logits, deltas = network.box_head(pyramid_align(pyramid, boxes, 7, aligned=network.aligned))
    losses = box_loss(logits.float(), deltas[:, -4:].float(), boxes, owner, truth.boxes, BOX_WEIGHTS)
    holds = owner >= 0
    maps = network.keypoint_head(pyramid_align(pyramid, boxes[holds], 14, aligned=network.aligned)).float()
    return losses | {"keypoint": keypoint_loss(maps, boxes[holds], truth.joints[owner[holds]])}
