"""How well two tags agree."""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit_inside


@jit_inside
def tag_gap(one: np.ndarray, a: int, other: np.ndarray, b: int) -> float:
    """Square of the distance of the tags one[a] and other[b]: the mean over their components."""
    total = 0.0
    for z in range(one.shape[1]):
        total += (one[a, z] - other[b, z]) ** 2
    return total / one.shape[1]


@jit_inside
def agreement(gap: float) -> float:
    """What a squared tag distance says for one person: 1 for equal tags, falling to -3 at 1.4 and beyond."""
    return max(1.0 - 2.0 * gap, -3.0)
