"""Second answers for one body: left and right mistaken, a joint seen twice.

Where maps are unsure which leg is the left one, both have two peaks, and what the best person leaves
over looks like another person in the same place. Such a shadow shares its places, not its peaks.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit


@jit
def is_shadow(joints: np.ndarray, a: int, b: int, side: np.ndarray, share: float, reach: float) -> bool:
    """Whether at least `share` of person b's joints lie where person a has the same joint or its mirror image.

    joints: (P, K, 3), score 0: missing. side: (K,) the smaller index of a joint and its mirror image.
    reach: how near, as a share of the diagonal of the box around a."""
    K = joints.shape[1]
    left, right, high, low = np.inf, -np.inf, np.inf, -np.inf
    for k in range(K):
        if joints[a, k, 2] > 0:
            x, y = np.float64(joints[a, k, 0]), np.float64(joints[a, k, 1])
            left, right, high, low = min(left, x), max(right, x), min(high, y), max(low, y)
    width, height = right - left, low - high
    near, count, shared = reach * reach * (width * width + height * height), 0, 0
    for k in range(K):
        if joints[b, k, 2] <= 0:
            continue
        count += 1
        for j in range(K):
            if side[j] == side[k] and joints[a, j, 2] > 0:
                dx = np.float64(joints[a, j, 0]) - joints[b, k, 0]
                dy = np.float64(joints[a, j, 1]) - joints[b, k, 1]
                if dx * dx + dy * dy < near:
                    shared += 1
                    break
    return shared >= share * count


@jit
def without_shadows(joints: np.ndarray, side: np.ndarray, share: float, reach: float) -> np.ndarray:
    """Numbers of the people (P, K, 3), best first, that are no shadows of better ones."""
    kept, P = np.empty(len(joints), np.int64), 0
    for b in range(len(joints)):
        shadow = False
        for p in range(P):
            shadow = shadow or is_shadow(joints, kept[p], b, side, share, reach)
        if not shadow:
            kept[P] = b
            P += 1
    return kept[:P]
