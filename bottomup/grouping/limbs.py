"""Candidate limbs: line integrals along part-affinity fields, with an early look at the middle.

Samples lie pairwise at equal distances from the two ends, so that neither a
mirrored map nor a limb read backwards changes a single bit of a score.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.compile import jit, jit_inside
from bottomup.grouping.grid import CELLS, STEPS, SUMMANDS, on_grid, whole

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


@jit
def between_cells(fx: np.ndarray, fy: np.ndarray, x: int, y: int, dx: float, dy: float) -> float:
    """A field's planes (h, w) bilinear at (x, y), in grid steps, times the vector (dx, dy)."""
    return bilinear(fx, x / CELLS, y / CELLS) * dx + bilinear(fy, x / CELLS, y / CELLS) * dy


@jit_inside
def field_along(fx: np.ndarray, fy: np.ndarray, x: int, y: int, dx: float, dy: float) -> float:
    """A field's planes (h, w) at the nearest cell to (x, y), in grid steps, on the map or half a cell beyond, times the
    vector (dx, dy).

    Half-way between two cells no cell is nearest, and a choice would depend on the reading direction:
    there it is bilinear."""
    right, down = x + STEPS // 2, y + STEPS // 2
    if (right % STEPS == 0) | (down % STEPS == 0):
        return between_cells(fx, fy, x, y, dx, dy)
    column, row = np.uint64(right // STEPS), np.uint64(down // STEPS)  # unsigned: no wrap-around test
    return np.float64(fx[row, column]) * dx + np.float64(fy[row, column]) * dy


@jit
def limb_integral(
    fx: np.ndarray, fy: np.ndarray, ax: int, ay: int, bx: int, by: int, agrees: float, share: float
) -> float:
    """Mean of a field's planes (h, w) along the limb from (ax, ay) to (bx, by), in grid steps; 0 where fewer than
    `share` of the samples reach `agrees`. The two ends are not in one place."""
    dx, dy = (bx - ax) / CELLS, (by - ay) / CELLS
    length = math.sqrt(dx * dx + dy * dy)
    pairs = min(max(int(length + 1) // 2, FEWEST_PAIRS), MOST_PAIRS)
    total, agreed, level, needed = 0.0, 2 * pairs, agrees * length, share * (2 * pairs)
    for i in range(pairs):
        t = (i + 0.5) / (2 * pairs)
        sx, sy = whole(dx * t * CELLS), whole(dy * t * CELLS)
        near, far = field_along(fx, fy, ax + sx, ay + sy, dx, dy), field_along(fx, fy, bx - sx, by - sy, dx, dy)
        total += near + far
        agreed -= 2 - (near > level) - (far > level)
        if agreed < needed:
            return total - total
    return total / (2 * pairs * length)


@jit
def pair_strength(
    fx: np.ndarray,
    fy: np.ndarray,
    ax: int,
    ay: int,
    bx: int,
    by: int,
    reach: float,
    short_score: float,
    agrees: float,
    share: float,
) -> float:
    """Score of a candidate limb between places in grid steps, NaN where the field is not finite.

    Ends within `reach` cells have no field of their own and count `short_score` at least where they meet,
    half of it at `reach`."""
    dx, dy, score = (bx - ax) / CELLS, (by - ay) / CELLS, 0.0
    square = dx * dx + dy * dy
    if square > 0:
        score = limb_integral(fx, fy, ax, ay, bx, by, agrees, share)
        if score - score != 0:
            return math.nan
    if square <= reach * reach:
        score = max(score, short_score * (1 - 0.5 * math.sqrt(square) / reach))
    return on_grid(score, SUMMANDS)


@jit
def may_be_limbs(
    fx: np.ndarray,
    fy: np.ndarray,
    gx: np.ndarray,
    gy: np.ndarray,
    i: int,
    first: int,
    last: int,
    reach: float,
    ends: np.ndarray,
) -> int:
    """Writes to `ends` (n,) those of the peaks first..last to which a look at the middle of the way from peak i says
    more than MIDDLE_LEAST, or is not finite (which is for the integral to find), or the way is no longer than `reach`
    cells; gives how many. gx, gy: (n,) in grid steps.

    Looks are at random places of a large map. With no branch that depends on them many are under way at once."""
    h, w = fx.shape
    ax, ay, near, m = gx[i], gy[i], reach * reach * (CELLS * CELLS), 0
    for j in range(first, last):
        bx, by = gx[j], gy[j]
        dx, dy, right, down = np.float64(bx - ax), np.float64(by - ay), ax + bx + STEPS, ay + by + STEPS
        column, row = np.uint64(min(right // (2 * STEPS), w - 1)), np.uint64(min(down // (2 * STEPS), h - 1))
        look = np.float64(fx[row, column]) * dx + np.float64(fy[row, column]) * dy
        square = dx * dx + dy * dy
        enough = (look * abs(look) > MIDDLE_LEAST * MIDDLE_LEAST * square) | (square <= near) | (look - look != 0)
        ends[m] = j
        m += enough | (right % (2 * STEPS) == 0) | (down % (2 * STEPS) == 0)
    return m


@jit
def find_limbs(
    spot: np.ndarray,
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

    spot: (3, n) x, y, score of peaks sorted by joint as `start` says. pafs: (E, 2, h, w). limbs: (E, 2) joints. reach:
    in cells. short_score, least, agrees, share: see `Rules`."""
    n, found, room = spot.shape[1], 0, len(pair)
    gx, gy, ends = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n):
        gx[i], gy[i] = np.int64(spot[0, i] * CELLS), np.int64(spot[1, i] * CELLS)  # exact: peaks lie on the grid
    for e in range(len(limbs)):
        fx, fy, first, last = pafs[e, 0], pafs[e, 1], start[limbs[e, 1]], start[limbs[e, 1] + 1]
        for i in range(start[limbs[e, 0]], start[limbs[e, 0] + 1]):
            for z in range(may_be_limbs(fx, fy, gx, gy, i, first, last, reach, ends)):
                j = ends[z]
                score = pair_strength(fx, fy, gx[i], gy[i], gx[j], gy[j], reach, short_score, agrees, share)
                if score - score != 0:
                    return -1
                if score > least:
                    if found < room:
                        pair[found, 0], pair[found, 1], strength[found] = i, j, score
                    found += 1
    return found
