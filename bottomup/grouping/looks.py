"""Which cells of fields and tags grouping will look at, for maps of which only those are fetched.

Places are worked out as where they are looked at (`grouping/limbs.py`, `grouping/tags.py`), to the bit.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit, jit_inside, jit_part
from bottomup.grouping.limbs import ASIDE, may_be_limbs, pair_of_samples, samples_of_limb, within


def cells_of_tags(spot: np.ndarray, start: np.ndarray, h: int, w: int) -> np.ndarray:
    """Numbers (k h + y) w + x of the four cells around every peak (3, n), sorted by joint as `start` (K + 1,) says."""
    joint = np.repeat(np.arange(len(start) - 1), np.diff(start))
    x, y = spot[0].clip(0, w - 1).astype(np.int64), spot[1].clip(0, h - 1).astype(np.int64)
    right, below = np.minimum(x + 1, w - 1), np.minimum(y + 1, h - 1)
    return np.concatenate([(joint * h + row) * w + column for row in (y, below) for column in (x, right)])


@jit_inside
def add_cell(x: float, y: float, first: int, w: int, seen: np.ndarray, cells: np.ndarray, n: int) -> int:
    """Writes the number first + y w + x of the cell at (x, y), counted from its corner, to cells[n] if it is not `seen`
    yet; gives how many there are then."""
    cell = first + np.int64(y) * w + np.int64(x)
    if not seen[cell]:
        seen[cell] = True
        cells[n] = cell
        n += 1
    return n


@jit_part
def cells_of_limb(
    ax: float, ay: float, dx: float, dy: float, first: int, w: int, seen: np.ndarray, cells: np.ndarray, n: int
) -> int:
    """Writes the cells along the limb from (ax, ay) by (dx, dy), as `limb_integral` takes them; see `add_cell`."""
    _, pairs = samples_of_limb(dx, dy)
    aside, looks = ASIDE if dx < 0 else -ASIDE, 2 if dx == 0 else 1
    for _ in range(looks):
        for i in range(pairs):
            x0, y0, x1, y1 = pair_of_samples(ax, ay, dx, dy, aside, pairs, i)
            n = add_cell(x0, y0, first, w, seen, cells, n)
            n = add_cell(x1, y1, first, w, seen, cells, n)
        aside = -aside
    return n


@jit
def find_cells(
    spot: np.ndarray,
    start: np.ndarray,
    pafs: np.ndarray,
    limbs: np.ndarray,
    reach: float,
    along: bool,
    seen: np.ndarray,
    cells: np.ndarray,
    place: np.ndarray,
    ends: np.ndarray,
) -> int:
    """Writes `cells` and gives how many, as `cells_of_fields` says. place (2, n), ends (n,): to work in."""
    n, h, w, gx, gy = 0, pafs.shape[2], pafs.shape[3], place[0], place[1]
    for i in range(spot.shape[1]):
        gx[i], gy[i] = within(spot[0, i], w), within(spot[1, i], h)
    for e in range(len(limbs)):
        fx, fy, first, last = pafs[e, 0], pafs[e, 1], start[limbs[e, 1]], start[limbs[e, 1] + 1]
        for i in range(start[limbs[e, 0]], start[limbs[e, 0] + 1]):
            if not along:
                for j in range(first, last):
                    x, y = 0.5 * (gx[i] + gx[j]) + 0.5, 0.5 * (gy[i] + gy[j]) + 0.5
                    n = add_cell(x, y, e * h * w, w, seen, cells, n)
                continue
            for z in range(may_be_limbs(fx, fy, gx, gy, i, first, last, reach, ends)):
                dx, dy = gx[ends[z]] - gx[i], gy[ends[z]] - gy[i]
                n = cells_of_limb(gx[i], gy[i], dx, dy, e * h * w, w, seen, cells, n)
    return n


def cells_of_fields(
    spot: np.ndarray,
    start: np.ndarray,
    pafs: np.ndarray,
    limbs: np.ndarray,
    reach: float,
    along: bool,
    seen: np.ndarray,
) -> np.ndarray:
    """The numbers (e h + y) w + x of the cells that `find_limbs` looks at, once each: those in the middle between
    peaks; or, once these are in `pafs`, those along the limbs that may be.

    spot, start, pafs, limbs, reach: as there. along: which. seen (E h w,): those of before; these are added."""
    count, cells = spot.shape[1], np.empty(len(seen), np.int64)
    work = np.empty((2, count)), np.empty(count, np.int64)
    return cells[: find_cells(spot, start, pafs, limbs, reach, along, seen, cells, *work)]
