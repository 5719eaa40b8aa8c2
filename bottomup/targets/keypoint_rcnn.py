"""Losses of keypoint R-CNN, for one image: proposals, boxes, and a softmax over the cells of each joint's map.

Sources: Ren et al., "Faster R-CNN" (NIPS 2015), section 3.1.2; Girshick, "Fast R-CNN" (ICCV 2015), section 2.3; He et
al., "Mask R-CNN" (ICCV 2017), section 5; numbers of samples, thresholds and scales as detectron2 has them. Boxes are
(N, 4) x1, y1, x2, y2 in input pixels, where a box around everything goes from 0 to the width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from bottomup.core.tensor_boxes import overlaps

NOBODY, UNSURE = -1, -2  # in place of a person's number: background, and what is taught as neither
ANCHORS, ANCHOR_SHARE = 256, 0.5  # sampled of an image, and how many of them are people at most
BOXES, BOX_SHARE = 512, 0.25
BETA = 0.5  # of the box head's smooth L1: keypoints suffer under a plain L1


def owners(boxes: Tensor, truth: Tensor, *, low: float, high: float, rescue: bool = False) -> Tensor:
    """(N,) the person that each box (N, 4) is to find: the one it overlaps most, if by `high` or more.

    NOBODY below `low`, UNSURE between. rescue: a person's best boxes find that person however little they overlap.
    """
    if len(truth) == 0:
        return torch.full((len(boxes),), NOBODY, device=boxes.device)
    common = overlaps(boxes, truth)
    most, person = common.max(1)
    owner = torch.where(most >= high, person, torch.where(most < low, NOBODY, UNSURE))
    if rescue:
        best = (common == common.amax(0)) & (common > 0)
        owner = torch.where(best.any(1), person, owner)
    return owner


def spared(owner: Tensor, boxes: Tensor, taught: Tensor, stride: int) -> Tensor:
    """The owners (N,), UNSURE in place of NOBODY for boxes whose middle lies where people may be that nobody labelled.

    taught (h, w): 0 there, in cells of so many pixels.
    """
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride).floor().long()
    row, column = (middle[:, 1 - axis].clamp(0, taught.shape[axis] - 1) for axis in (0, 1))
    return torch.where((owner == NOBODY) & (taught[row, column] == 0), UNSURE, owner)


def sampled(owner: Tensor, count: int, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Indices of at most `count` boxes, drawn: people up to this share, the rest background."""
    drawn = torch.randperm(len(owner), generator=generator).to(owner.device)
    people, background = drawn[owner[drawn] >= 0], drawn[owner[drawn] == NOBODY]
    people = people[: int(count * share)]
    return torch.cat((people, background[: count - len(people)]))


def offsets(boxes: Tensor, truth: Tensor, weights: Sequence[float] = (1, 1, 1, 1)) -> Tensor:
    """(N, 4) what moves and resizes boxes (N, 4) to the truth (N, 4); `nets.boxes.moved` is the inverse."""
    sides, wanted = boxes[:, 2:] - boxes[:, :2], truth[:, 2:] - truth[:, :2]
    step = (truth[:, :2] + wanted / 2 - boxes[:, :2] - sides / 2) / sides
    return torch.cat((step, (wanted / sides).log()), 1) * boxes.new_tensor(weights)


def proposal_loss(
    objectness: Tensor,
    deltas: Tensor,
    anchors: Tensor,
    owner: Tensor,
    truth: Tensor,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """objectness, anchor: of logits (A,) and offsets (A, 4) at anchors (A, 4) with owners (A,); truth (M, 4).

    Cross-entropy of sampled anchors, and L1 of those that are to find a person, over the number of samples.
    """
    chosen = sampled(owner, ANCHORS, ANCHOR_SHARE, generator)
    finds = chosen[owner[chosen] >= 0]
    is_person, count = (owner[chosen] >= 0).to(objectness.dtype), max(1, len(chosen))
    score = F.binary_cross_entropy_with_logits(objectness[chosen], is_person, reduction="sum") / count
    goal = offsets(anchors[finds], truth[owner[finds]])
    return {"objectness": score, "anchor": F.l1_loss(deltas[finds], goal, reduction="sum") / count}


def box_loss(
    logits: Tensor, deltas: Tensor, boxes: Tensor, owner: Tensor, truth: Tensor, weights: Sequence[float]
) -> dict[str, Tensor]:
    """score, box: of logits (S, 2) of background and person and offsets (S, 4), times weights, of sampled boxes.

    owner (S,): the person of each, or NOBODY. The box loss is summed over people's boxes and divided by S.
    """
    finds, count = owner >= 0, max(1, len(boxes))
    goal = offsets(boxes[finds], truth[owner[finds]], weights)
    box = F.smooth_l1_loss(deltas[finds], goal, reduction="sum", beta=BETA) / count
    return {"score": F.cross_entropy(logits, finds.long(), reduction="sum") / count, "box": box}


def keypoint_loss(logits: Tensor, boxes: Tensor, joints: Tensor) -> Tensor:
    """Cross-entropy over a map's cells, mean over labelled joints inside their box; 0 where there are none.

    logits (P, K, h, w) in boxes (P, 4); joints (P, K, 3): x, y with the top-left corner of the image at 0, and
    their weight, 0 for those without label.
    """
    height, width = logits.shape[-2:]
    cells = logits.new_tensor((width, height))
    corner, sides = boxes[:, None, :2], (boxes[:, 2:] - boxes[:, :2])[:, None]
    place = (joints[..., :2] - corner) / sides
    inside = ((place >= 0) & (place <= 1)).all(-1) & (joints[..., 2] > 0)
    x, y = torch.minimum((place * cells).floor(), cells - 1)[inside].long().unbind(-1)
    if len(x) == 0:
        return logits.sum() * 0
    errors = F.cross_entropy(logits[inside].flatten(1), y * width + x, reduction="none")
    return (errors * joints[..., 2][inside]).mean()
