"""Lesser peaks of a joint beside a higher one with the same tag: one person's joint, seen twice."""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit, jit_part
from bottomup.grouping.likeness import tag_gap


@jit_part
def may_be_doubled(
    x: np.ndarray, y: np.ndarray, score: np.ndarray, along: np.ndarray, i: int, square: float, farthest: float
) -> bool:
    """Whether some of the peaks (n,) is higher than peak i and nearer: in cells than the root of `square`, `along` the
    first component of the tags than that of `farthest`. Most peaks are alone, which this tells quickly."""
    px, py, least, place, count = x[i], y[i], score[i], along[i], 0
    for j in range(np.uint64(len(x))):  # unsigned: no wrap-around test, so that it vectorises
        dx, dy, gap = x[j] - px, y[j] - py, along[j] - place
        count += (score[j] > least) & (dx * dx + dy * dy < square) & (gap * gap < farthest)
    return count > 0


@jit_part
def is_double(spot: np.ndarray, first: int, last: int, i: int, tag: np.ndarray, square: float, limit: float) -> bool:
    """Whether one of the peaks first..last (3, n) is higher than peak i, nearer than the root of `square` and has a tag
    (n, L) nearer than `limit`."""
    for j in range(first, last):
        dx, dy = spot[0, j] - spot[0, i], spot[1, j] - spot[1, i]
        near = (spot[2, j] > spot[2, i]) & (dx * dx + dy * dy < square)
        if near and tag_gap(tag, i, tag, j) < limit * limit:
            return True
    return False


@jit
def find_single(
    spot: np.ndarray,
    start: np.ndarray,
    tag: np.ndarray,
    reach: float,
    limit: float,
    along: np.ndarray,
    kept: np.ndarray,
    begin: np.ndarray,
) -> None:
    """Writes to `kept` (n,) the numbers of the peaks that `without_doubles` leaves, and to `begin` (K + 1,) where each
    joint's begin there. along: (n,) to work in."""
    begin[0], square, farthest = 0, reach * reach, 1.001 * limit * limit * tag.shape[1]  # none is missed by rounding
    for i in range(len(tag)):
        along[i] = tag[i, 0]
    for k in range(len(start) - 1):
        m, first, last = begin[k], start[k], start[k + 1]
        x, y, score = spot[0, first:last], spot[1, first:last], spot[2, first:last]
        for i in range(first, last):
            kept[m] = i
            may_be = may_be_doubled(x, y, score, along[first:last], i - first, square, farthest)
            m += not (may_be and is_double(spot, first, last, i, tag, square, limit))
        begin[k + 1] = m


def without_doubles(
    spot: np.ndarray, start: np.ndarray, tag: np.ndarray, reach: float, limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The peaks (3, n), where each joint's begin (K + 1,), and the tags (n, L), without those peaks within `reach`
    cells of a higher one of the same joint whose tag is nearer than `limit`."""
    kept, begin = np.empty(spot.shape[1], np.int64), np.empty(len(start), np.int64)
    find_single(spot, start, tag, reach, limit, np.empty(len(tag)), kept, begin)
    if begin[-1] == len(kept):
        return spot, start, tag
    kept = kept[: begin[-1]]
    return spot.take(kept, 1), begin, tag.take(kept, 0)
