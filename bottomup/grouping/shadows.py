"""Second answers for one body: left and right mistaken, a joint seen twice.

Where maps are unsure which leg is the left one, both have two peaks, and what the best person leaves
over looks like another person in the same place. Such a shadow shares its places, not its peaks.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.compile import jit_part


@jit_part
def write_boxes(joints: np.ndarray, P: int, boxes: np.ndarray) -> None:
    """Writes boxes (P, 4) around the joints found of the first P people: left, top, right, bottom."""
    for p in range(P):
        boxes[p, 0], boxes[p, 1], boxes[p, 2], boxes[p, 3] = np.inf, np.inf, -np.inf, -np.inf
        for k in range(joints.shape[1]):
            if joints[p, k, 2] > 0:
                x, y = np.float64(joints[p, k, 0]), np.float64(joints[p, k, 1])
                boxes[p, 0], boxes[p, 1] = min(boxes[p, 0], x), min(boxes[p, 1], y)
                boxes[p, 2], boxes[p, 3] = max(boxes[p, 2], x), max(boxes[p, 3], y)


@jit_part
def is_shadow(
    joints: np.ndarray, boxes: np.ndarray, a: int, b: int, count: int, mirror: np.ndarray, share: float, reach: float
) -> bool:
    """Whether at least `share` of the `count` joints of person b lie where person a has the same or its mirror image.

    joints: (P, K, 3), score 0: missing. boxes: (P, 4) around them. mirror: (K,) each joint's mirror image.
    reach: how near, as a share of the diagonal of the box around a."""
    width, height = boxes[a, 2] - boxes[a, 0], boxes[a, 3] - boxes[a, 1]
    near = reach * reach * (width * width + height * height)
    margin = math.sqrt(near)
    if (
        (boxes[b, 0] > boxes[a, 2] + margin)
        | (boxes[b, 1] > boxes[a, 3] + margin)
        | (boxes[b, 2] < boxes[a, 0] - margin)
        | (boxes[b, 3] < boxes[a, 1] - margin)
    ):
        return False
    shared = count
    for k in range(joints.shape[1]):
        if joints[b, k, 2] > 0:
            x, y, other = np.float64(joints[b, k, 0]), np.float64(joints[b, k, 1]), mirror[k]
            dx, dy = joints[a, k, 0] - x, joints[a, k, 1] - y
            ex, ey = joints[a, other, 0] - x, joints[a, other, 1] - y
            here = (joints[a, k, 2] > 0) & (dx * dx + dy * dy < near)
            there = (joints[a, other, 2] > 0) & (ex * ex + ey * ey < near)
            shared -= not (here | there)
            if shared < share * count:  # soon, for most
                return False
    return True


@jit_part
def joints_found(joints: np.ndarray, b: int) -> int:
    """How many joints person b has."""
    count = 0
    for k in range(joints.shape[1]):
        count += joints[b, k, 2] > 0
    return count


@jit_part
def drop_shadows(
    joints: np.ndarray, scores: np.ndarray, P: int, mirror: np.ndarray, share: float, reach: float, boxes: np.ndarray
) -> int:
    """Moves those of the first P people (P, K, 3), best first, that are no shadows of better ones to the front, with
    their scores; gives how many. boxes: (P, 4) room to work in."""
    write_boxes(joints, P, boxes)
    kept: int = np.int64(0)  # type: ignore[assignment]  # see `sort_best_first`
    for b in range(P):
        if not has_better(joints, boxes, kept, b, mirror, share, reach):
            if kept < b:
                move_person(joints, scores, boxes, b, kept)
            kept += 1
    return kept


@jit_part
def has_better(
    joints: np.ndarray, boxes: np.ndarray, kept: int, b: int, mirror: np.ndarray, share: float, reach: float
) -> bool:
    """Whether person b is a shadow of one of the first `kept`. The other arguments are those of `is_shadow`."""
    count = joints_found(joints, b)
    for a in range(kept):  # noqa: SIM110  # kernels know no generators
        if is_shadow(joints, boxes, a, b, count, mirror, share, reach):
            return True
    return False


@jit_part
def move_person(joints: np.ndarray, scores: np.ndarray, boxes: np.ndarray, b: int, to: int) -> None:
    """Writes person b over another."""
    scores[to] = scores[b]
    for k in range(joints.shape[1]):
        for z in range(3):
            joints[to, k, z] = joints[b, k, z]
    for z in range(4):
        boxes[to, z] = boxes[b, z]
