"""Lesser peaks of a joint beside a higher one with the same tag: one person's joint, seen twice."""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit
from bottomup.grouping.likeness import tag_gap


@jit
def find_single(
    spot: np.ndarray,
    start: np.ndarray,
    tag: np.ndarray,
    reach: float,
    limit: float,
    kept: np.ndarray,
    begin: np.ndarray,
) -> None:
    """Writes to `kept` (n,) the numbers of the peaks that `without_doubles` leaves, and to `begin` (K + 1,) where each
    joint's begin there."""
    begin[0] = 0
    for k in range(len(start) - 1):
        m = begin[k]
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


def without_doubles(
    spot: np.ndarray, start: np.ndarray, tag: np.ndarray, reach: float, limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The peaks (3, n), where each joint's begin (K + 1,), and the tags (n, L), without those peaks within `reach`
    cells of a higher one of the same joint whose tag is nearer than `limit`."""
    kept, begin = np.empty(spot.shape[1], np.int64), np.empty(len(start), np.int64)
    find_single(spot, start, tag, reach, limit, kept, begin)
    kept = kept[: begin[-1]]
    return spot.take(kept, 1), begin, tag.take(kept, 0)
