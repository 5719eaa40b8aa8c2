"""How much two people of different frames look like one: OKS with room for motion, and IoU."""

from __future__ import annotations

import numpy as np

from bottomup.core import People
from bottomup.core.boxes import corners, overlaps
from bottomup.core.oks import likeness

BODY = 0.53  # share of its box that a body fills, as data sets without outlines take it
LEAST_SIZE = 8.0  # pixels; one joint alone has no extent
BOX_WEIGHT = 2.0  # joints that the IoU counts for: it decides where few joints are shared


def extents(joints: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) of x, y, width, height around the found joints (N, K, 3); zeros where none is found."""
    found = joints[..., 2:] > 0
    low = np.where(found, joints[..., :2], np.inf).min(1)
    high = np.where(found, joints[..., :2], -np.inf).max(1)
    boxes = np.concatenate((low, high - low), -1)
    return np.where(found.any(1), boxes, 0.0)


def boxes_of(people: People) -> np.ndarray:
    """Boxes (N, 4) of people: their own, else those around their joints."""
    return extents(people.joints) if people.boxes is None else people.boxes.astype(np.float64)


def sizes(boxes: np.ndarray) -> np.ndarray:
    """Square roots (N,) of the areas of the bodies in boxes (N, 4): COCO's scale s, in pixels."""
    sides = boxes[:, 2:]
    sides = np.maximum(sides, 0.3 * sides[:, ::-1])  # a person seen from the side is not as thin as a line
    return np.maximum(np.sqrt(BODY * sides.prod(1)), LEAST_SIZE)


def similarities(
    joints: np.ndarray, room: np.ndarray, boxes: np.ndarray, others: np.ndarray, other_boxes: np.ndarray
) -> np.ndarray:
    """Alikeness (T, N) from 0 to 1 of T people and N others.

    joints (T, K, 3), others (N, K, 3). room (T, K): variance of where a joint may be, in square pixels: OKS
    has (k s)^2 there. boxes (T, 4), other_boxes (N, 4). The OKS of the joints that both have is averaged
    with the boxes' IoU, which counts for `BOX_WEIGHT` joints.
    """
    alike, both = likeness(joints, others, room[:, None])
    overlap = overlaps(corners(boxes), corners(other_boxes))
    return np.asarray((alike.sum(-1) + BOX_WEIGHT * overlap) / (both.sum(-1) + BOX_WEIGHT))
