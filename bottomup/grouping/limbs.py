"""Candidate limbs: line integrals along part-affinity fields, with an early look at the middle.

Samples are bilinear and lie pairwise at equal distances from the two ends, so that neither a
mirrored map nor a limb read backwards changes a single bit of a score.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.compile import jit
from bottomup.grouping.grid import CELLS, SUMMANDS, on_grid

MIDDLE_LEAST = 0.05  # of the field along the limb at its middle; most pairs fail here
FEWEST_PAIRS, MOST_PAIRS = 3, 6  # of samples a limb, one sample a cell in between


@jit
def cells_around(x: float, y: float, h: int, w: int) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64, float, float]:
    """Columns and rows of the four cells around (x, y), drawn into the map, and how far it lies between them."""
    x, y = min(max(x, 0.0), w - 1.0), min(max(y, 0.0), h - 1.0)
    x0, y0 = np.uint64(x), np.uint64(y)  # unsigned: no wrap-around test at every look
    x1, y1 = min(x0 + np.uint64(1), np.uint64(w - 1)), min(y0 + np.uint64(1), np.uint64(h - 1))
    return x0, y0, x1, y1, x - x0, y - y0


@jit
def between(
    upper_left: float, upper_right: float, lower_left: float, lower_right: float, fx: float, fy: float
) -> float:
    """Bilinear mean of four values."""
    upper = upper_left * (1.0 - fx) + upper_right * fx
    return upper * (1.0 - fy) + (lower_left * (1.0 - fx) + lower_right * fx) * fy


@jit
def bilinear(plane: np.ndarray, x: float, y: float) -> float:
    """Value of a plane (h, w) at (x, y) in cells; outside it is continued by its border."""
    x0, y0, x1, y1, fx, fy = cells_around(x, y, plane.shape[0], plane.shape[1])
    return between(plane[y0, x0], plane[y0, x1], plane[y1, x0], plane[y1, x1], fx, fy)


@jit
def field_along(field: np.ndarray, x: float, y: float, dx: float, dy: float) -> float:
    """Field (2, h, w) at (x, y) times the vector (dx, dy)."""
    x0, y0, x1, y1, fx, fy = cells_around(x, y, field.shape[1], field.shape[2])
    along_x = between(field[0, y0, x0], field[0, y0, x1], field[0, y1, x0], field[0, y1, x1], fx, fy)
    along_y = between(field[1, y0, x0], field[1, y0, x1], field[1, y1, x0], field[1, y1, x1], fx, fy)
    return along_x * dx + along_y * dy


@jit
def limb_integral(field: np.ndarray, ax: float, ay: float, bx: float, by: float, agrees: float, share: float) -> float:
    """Mean of a field (2, h, w) along the limb from (ax, ay) to (bx, by); 0 where fewer than `share` of the
    samples reach `agrees`. The two ends are not in one place."""
    dx, dy = bx - ax, by - ay
    length = math.sqrt(dx * dx + dy * dy)
    pairs = min(max(int(length + 1) // 2, FEWEST_PAIRS), MOST_PAIRS)
    total, agreed = 0.0, 0
    for i in range(pairs):
        t = (i + 0.5) / (2 * pairs)
        sx, sy = on_grid(dx * t, CELLS), on_grid(dy * t, CELLS)
        near = field_along(field, ax + sx, ay + sy, dx, dy)
        far = field_along(field, bx - sx, by - sy, dx, dy)
        total += near + far
        agreed += (near > agrees * length) + (far > agrees * length)
    return total / (2 * pairs * length) if agreed >= share * 2 * pairs else 0.0


@jit
def pair_strength(
    field: np.ndarray,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    reach: float,
    short_score: float,
    agrees: float,
    share: float,
) -> float:
    """Score of a candidate limb. Ends within `reach` have no field of their own and count `short_score` at least
    where they meet, half of it at `reach`."""
    dx, dy = bx - ax, by - ay
    square, score = dx * dx + dy * dy, 0.0
    if square > 0:
        look = field_along(field, (ax + bx) / 2, (ay + by) / 2, dx, dy)
        if look > 0 and look * look > MIDDLE_LEAST * MIDDLE_LEAST * square:
            score = limb_integral(field, ax, ay, bx, by, agrees, share)
    if square <= reach * reach:
        score = max(score, short_score * (1 - 0.5 * math.sqrt(square) / reach))
    return on_grid(score, SUMMANDS)


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
    there are.

    peaks: (n, 3) sorted by joint as `start` says. pafs: (E, 2, h, w). limbs: (E, 2) joints. reach: in
    cells. short_score, least, agrees, share: see `Rules`."""
    found, room = 0, len(pair)
    for e in range(len(limbs)):
        field, one, two = pafs[e], limbs[e, 0], limbs[e, 1]
        for i in range(start[one], start[one + 1]):
            ax, ay = np.float64(peaks[i, 0]), np.float64(peaks[i, 1])
            for j in range(start[two], start[two + 1]):
                bx, by = np.float64(peaks[j, 0]), np.float64(peaks[j, 1])
                score = pair_strength(field, ax, ay, bx, by, reach, short_score, agrees, share)
                if score > least:
                    if found < room:
                        pair[found, 0], pair[found, 1], strength[found] = i, j, score
                    found += 1
    return found
