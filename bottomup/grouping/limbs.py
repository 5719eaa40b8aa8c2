"""Candidate limbs: line integrals along part-affinity fields, with an early look at the middle.

Samples lie pairwise at equal distances from the two ends, so that neither a
mirrored map nor a limb read backwards changes a single bit of a score.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.compile import jit, jit_inside
from bottomup.grouping.grid import CELLS, SUMMANDS, on_grid

MIDDLE_LEAST = 0.05  # of the field along the limb at its middle; most pairs fail here
FEWEST_PAIRS, MOST_PAIRS = 3, 6  # of samples a limb, one sample a cell in between


@jit
def bilinear(plane: np.ndarray, x: float, y: float) -> float:
    """Value of a plane (h, w) at (x, y) in cells; outside it is continued by its border."""
    h, w = plane.shape
    x, y = min(max(x, 0.0), w - 1.0), min(max(y, 0.0), h - 1.0)
    x0, y0 = np.uint64(x), np.uint64(y)
    x1, y1 = min(x0 + np.uint64(1), np.uint64(w - 1)), min(y0 + np.uint64(1), np.uint64(h - 1))
    fx, fy = x - x0, y - y0
    upper = plane[y0, x0] * (1.0 - fx) + plane[y0, x1] * fx
    return upper * (1.0 - fy) + (plane[y1, x0] * (1.0 - fx) + plane[y1, x1] * fx) * fy


@jit_inside
def field_along(fx: np.ndarray, fy: np.ndarray, x: float, y: float, dx: float, dy: float) -> float:
    """A field's planes (h, w) at the nearest cell to (x, y), which lies on the map, times the vector (dx, dy).

    Half-way between two cells no cell is nearest, and a choice would depend on the reading direction:
    there it is bilinear."""
    right, down = x + 0.5, y + 0.5
    column, row = np.uint64(right), np.uint64(down)  # unsigned: no wrap-around test at every look
    if right == np.float64(column) or down == np.float64(row):
        return bilinear(fx, x, y) * dx + bilinear(fy, x, y) * dy
    return np.float64(fx[row, column]) * dx + np.float64(fy[row, column]) * dy


@jit
def limb_integral(
    fx: np.ndarray, fy: np.ndarray, ax: float, ay: float, bx: float, by: float, agrees: float, share: float
) -> float:
    """Mean of a field's planes (h, w) along the limb from (ax, ay) to (bx, by); 0 where fewer than `share` of the
    samples reach `agrees`. The two ends are not in one place."""
    dx, dy = bx - ax, by - ay
    length = math.sqrt(dx * dx + dy * dy)
    pairs = min(max(int(length + 1) // 2, FEWEST_PAIRS), MOST_PAIRS)
    total, agreed = 0.0, 0
    for i in range(pairs):
        t = (i + 0.5) / (2 * pairs)
        sx, sy = on_grid(dx * t, CELLS), on_grid(dy * t, CELLS)
        near = field_along(fx, fy, ax + sx, ay + sy, dx, dy)
        far = field_along(fx, fy, bx - sx, by - sy, dx, dy)
        total += near + far
        agreed += (near > agrees * length) + (far > agrees * length)
    return total / (2 * pairs * length) if agreed >= share * 2 * pairs else total - total


@jit
def pair_strength(
    fx: np.ndarray,
    fy: np.ndarray,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    reach: float,
    short_score: float,
    agrees: float,
    share: float,
) -> float:
    """Score of a candidate limb, NaN where the field is not finite.

    Ends within `reach` have no field of their own and count `short_score` at least where they meet,
    half of it at `reach`."""
    square, score = (bx - ax) * (bx - ax) + (by - ay) * (by - ay), 0.0
    if square > 0:
        score = limb_integral(fx, fy, ax, ay, bx, by, agrees, share)
        if score - score != 0:
            return math.nan
    if square <= reach * reach:
        score = max(score, short_score * (1 - 0.5 * math.sqrt(square) / reach))
    return on_grid(score, SUMMANDS)


@jit_inside
def may_be_limb(fx: np.ndarray, fy: np.ndarray, x: float, y: float, dx: float, dy: float, reach: float) -> bool:
    """Whether a look at the middle (x, y) of a limb (dx, dy) says more than MIDDLE_LEAST, or nothing."""
    square, look = dx * dx + dy * dy, field_along(fx, fy, x, y, dx, dy)
    odd = look - look != 0  # not finite: for the integral to find
    return look * abs(look) > MIDDLE_LEAST * MIDDLE_LEAST * square or square <= reach * reach or odd


@jit
def find_limbs(
    peaks: np.ndarray,
    start: np.ndarray,
    pafs: np.ndarray,
    limbs: np.ndarray,
    reach: float,
    short_score: float,
    least: float,
    agrees: float,
    share: float,
    pair: np.ndarray,
    strength: np.ndarray,
) -> int:
    """Writes the candidate limbs (m, 2: peak numbers) and their scores (m,) as far as there is room; gives how many
    there are, -1 where the field is not finite.

    peaks: (n, 3) sorted by joint as `start` says. pafs: (E, 2, h, w). limbs: (E, 2) joints. reach: in
    cells. short_score, least, agrees, share: see `Rules`."""
    found, room = 0, len(pair)
    px, py = peaks[:, 0].astype(np.float64), peaks[:, 1].astype(np.float64)
    for e in range(len(limbs)):
        fx, fy = pafs[e, 0], pafs[e, 1]
        for i in range(start[limbs[e, 0]], start[limbs[e, 0] + 1]):
            ax, ay = px[i], py[i]
            for j in range(start[limbs[e, 1]], start[limbs[e, 1] + 1]):
                bx, by = px[j], py[j]
                if not may_be_limb(fx, fy, (ax + bx) / 2, (ay + by) / 2, bx - ax, by - ay, reach):
                    continue
                score = pair_strength(fx, fy, ax, ay, bx, by, reach, short_score, agrees, share)
                if score - score != 0:
                    return -1
                if score > least:
                    if found < room:
                        pair[found, 0], pair[found, 1], strength[found] = i, j, score
                    found += 1
    return found
