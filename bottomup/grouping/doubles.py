"""Lesser peaks of a joint beside a higher one with the same tag: one person's joint, seen twice."""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit
from bottomup.grouping.tags import tag_gap


@jit
def without_doubles(
    spot: np.ndarray, start: np.ndarray, tag: np.ndarray, reach: float, limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The peaks (3, n), where each joint's begin (K + 1,), and the tags (n, L), without those peaks within `reach`
    cells of a higher one of the same joint whose tag is nearer than `limit`."""
    n, K, m = spot.shape[1], len(start) - 1, 0
    kept, begin = np.empty(n, np.int64), np.zeros(K + 1, np.int64)
    for k in range(K):
        for i in range(start[k], start[k + 1]):
            alone = True
            for j in range(start[k], start[k + 1]):
                dx, dy = spot[0, i] - spot[0, j], spot[1, i] - spot[1, j]
                near = (spot[2, j] > spot[2, i]) & (dx * dx + dy * dy < reach * reach)
                if near and tag_gap(tag, i, tag, j) < limit * limit:
                    alone = False
                    break
            if alone:
                kept[m] = i
                m += 1
        begin[k + 1] = m
    one, own = np.empty((3, m), np.float64), np.empty((m, tag.shape[1]), np.float64)
    for u in range(m):
        for z in range(3):
            one[z, u] = spot[z, kept[u]]
        for z in range(tag.shape[1]):
            own[u, z] = tag[kept[u], z]
    return one, begin, own
