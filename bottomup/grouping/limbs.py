"""Candidate limbs: line integrals along part-affinity fields, with an early look at the middle.

Samples lie pairwise at equal distances from the two ends, and half-way between two columns each takes
the one nearer to its own end, so that neither a mirrored map nor a limb read backwards changes a single bit of a score.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bottomup.grouping.assembly import connect
from bottomup.grouping.bids import fields_of_peaks
from bottomup.grouping.compile import jit, jit_inside, jit_part
from bottomup.grouping.grid import CELLS, SUMMANDS, on_grid
from bottomup.grouping.likeness import agreement, tag_gap

MIDDLE_LEAST = 0.05  # of the field along the limb at its middle; most pairs fail here
FEWEST_PAIRS, MOST_PAIRS = 3, 6  # of samples a limb, one sample a cell in between
PARTS = (np.arange(MOST_PAIRS) + 0.5) / (2 * np.maximum(np.arange(MOST_PAIRS + 1), 1))[
    :, None
]  # of the way: [pairs, i]
ASIDE = 1 / (
    480 * CELLS
)  # moves a sample from half-way between columns; less than half of any other distance from there
SHORTEST = 1e-9  # cells; so that ends in one place are a limb without a field
INSIDE = 2 / CELLS  # from where, short of half a cell beyond the border, fields are looked at
LINE = 16  # cells that come from memory together
MANY_LOOKS = 0.2  # looks a line of memory from which it is quicker to read the planes from end to end before


@jit_inside
def samples_of_limb(dx: float, dy: float) -> tuple[float, int]:
    """Length in cells of a limb by (dx, dy), and how many pairs of samples are taken along it."""
    length = max(math.sqrt(dx * dx + dy * dy), SHORTEST)
    return length, min(max(int(length + 1) // 2, FEWEST_PAIRS), MOST_PAIRS)


@jit_inside
def pair_of_samples(
    ax: float, ay: float, dx: float, dy: float, aside: float, pairs: int, i: int
) -> tuple[float, float, float, float]:
    """Where pair i of the samples along the limb from (ax, ay) by (dx, dy) lies, counted from the corner of the map's
    first cell: x and y of that nearer to the first end, then of the other. aside: see `limb_integral`."""
    sx, sy = dx * PARTS[pairs, i], dy * PARTS[pairs, i]
    x0, y0, x1, y1 = ax + (0.5 + aside), ay + 0.5, (ax + dx) + (0.5 - aside), (ay + dy) + 0.5
    return x0 + sx, y0 + sy, x1 - sx, y1 - sy


@jit_inside
def limb_integral(
    fx: np.ndarray,
    fy: np.ndarray,
    ax: float,
    ay: float,
    dx: float,
    dy: float,
    aside: float,
    agrees: float,
    share: float,
) -> float:
    """Mean of a field's planes (h, w) along the limb from (ax, ay) by (dx, dy) in cells; 0 where fewer
    than `share` of the samples reach `agrees`. aside: how far to the right samples are moved that go by the first end,
    to the left those that go by the second. Every sample is the nearest cell's."""
    length, pairs = samples_of_limb(dx, dy)
    total, agreed, level, needed = 0.0, 2 * pairs, agrees * length, share * (2 * pairs)
    for i in range(pairs - 1, -1, -1):  # from the middle, where most fail
        x0, y0, x1, y1 = pair_of_samples(ax, ay, dx, dy, aside, pairs, i)
        column, row = np.uint64(np.int64(x0)), np.uint64(np.int64(y0))  # unsigned: no wrap-around test
        near = fx[row, column] * dx + fy[row, column] * dy
        column, row = np.uint64(np.int64(x1)), np.uint64(np.int64(y1))
        far = fx[row, column] * dx + fy[row, column] * dy
        total += near + far
        agreed -= 2 - (near > level) - (far > level)
        if (i == pairs - 2 or i == 0) and agreed < needed:
            return total - total
    return total / (2 * pairs * length)


@jit_part
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
    """Score of a candidate limb between places in cells, not finite where the field is not.

    Ends within `reach` cells have no field of their own and count `short_score` at least where they meet,
    half of it at `reach`."""
    dx, dy, total = bx - ax, by - ay, 0.0
    square, aside, looks = dx * dx + dy * dy, ASIDE if dx < 0 else -ASIDE, 2 if dx == 0 else 1
    for _ in range(looks):  # from both sides where neither column is nearer to an end
        total += limb_integral(fx, fy, ax, ay, dx, dy, aside, agrees, share)
        aside = -aside
    score, short = total / looks, short_score * (1 - 0.5 * math.sqrt(square) / reach)
    return on_grid(short if square <= reach * reach and score < short else score, SUMMANDS)


@jit_part
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
    cells; gives how many. gx, gy: (n,) in cells.

    Looks are at random places of a large map. With no branch that depends on them many are under way at once."""
    ax, ay, near, m = gx[i], gy[i], reach * reach, 0
    for j in range(first, last):
        dx, dy, right = gx[j] - ax, gy[j] - ay, 0.5 * (ax + gx[j]) + 0.5
        column, row = np.uint64(np.int64(right)), np.uint64(np.int64(0.5 * (ay + gy[j]) + 0.5))
        look = fx[row, column] * dx + fy[row, column] * dy
        square = dx * dx + dy * dy
        enough = (look * abs(look) > MIDDLE_LEAST * MIDDLE_LEAST * square) | (square <= near) | (look - look != 0)
        ends[m] = j
        m += enough | (right == column)  # half-way between columns neither is the nearer
    return m


@jit_part
def read_ahead(fx: np.ndarray, fy: np.ndarray) -> float:
    """Reads one cell a line of memory of a field's planes (h, w), in order, so that they lie near for looks at random
    places: several times as quick as if each look waited for its own. Gives the sum, which stands for the reading."""
    total = 0.0
    for row in range(len(fx)):
        for column in range(0, fx.shape[1], LINE):
            total += fx[row, column] + fy[row, column]
    return total


@jit_part
def within(place: float, length: int) -> float:
    """The nearest place within the `length` cells of an axis, where a field can be looked at."""
    return min(max(place, INSIDE - 0.5), length - 0.5 - INSIDE)


@jit_part
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
    place: np.ndarray,
    ends: np.ndarray,
    pair: np.ndarray,
    strength: np.ndarray,
) -> int:
    """Writes the candidate limbs (m, 2: peak numbers) and their scores (m,) as far as there is room; gives how many
    there are, -1 where the field is not finite.

    spot: (3, n) x, y, score of peaks sorted by joint as `start` says. pafs: (E, 2, h, w). limbs: (E, 2) joints. reach:
    in cells. short_score, least, agrees, share: see `Rules`. place (2, n), ends (n,): room to work in."""
    found, room, h, w, gx, gy = 0, len(strength), pafs.shape[2], pafs.shape[3], place[0], place[1]
    for i in range(spot.shape[1]):
        gx[i], gy[i] = within(spot[0, i], w), within(spot[1, i], h)
    for e in range(len(limbs)):
        fx, fy, first, last = pafs[e, 0], pafs[e, 1], start[limbs[e, 1]], start[limbs[e, 1] + 1]
        looks = (start[limbs[e, 0] + 1] - start[limbs[e, 0]]) * (last - first)
        if looks * LINE > MANY_LOOKS * h * w and found < room:
            strength[found] = read_ahead(fx, fy)
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


@jit_part
def weigh_limbs(pair: np.ndarray, strength: np.ndarray, count: int, tag: np.ndarray, weight: float) -> None:
    """Adds the agreement of the ends' tags (n, L) to the scores of the first `count` candidate limbs."""
    for z in range(count):
        strength[z] += weight * agreement(tag_gap(tag, pair[z, 0], tag, pair[z, 1]))


@jit
def join_by_limbs(
    spot: np.ndarray,
    start: np.ndarray,
    rank: np.ndarray,
    tag: np.ndarray,
    pafs: np.ndarray,
    limbs: np.ndarray,
    reach: float,
    short_score: float,
    least: float,
    agrees: float,
    share: float,
    tag_weight: float,
    place: np.ndarray,
    room: np.ndarray,
    pair: np.ndarray,
    strength: np.ndarray,
    begin: np.ndarray,
    other: np.ndarray,
    field: np.ndarray,
    member: np.ndarray,
    owner: np.ndarray,
) -> int:
    """Joins pieces along all candidate limbs; gives how many there are. Where that is more than there is room for, or
    -1, nothing is joined. The arguments are those of `find_limbs`, `fields_of_peaks`, `weigh_limbs` and `connect`."""
    count = find_limbs(
        spot, start, pafs, limbs, reach, short_score, least, agrees, share, place, room[0], pair, strength
    )
    if 0 <= count <= len(strength):
        fields_of_peaks(spot.shape[1], pair, strength, count, begin, other, field)
        if tag.shape[1] > 0:
            weigh_limbs(pair, strength, count, tag, tag_weight)
        connect(pair, strength, count, rank, room, member, owner)
    return count


def room_for_limbs(n: int, each: int) -> tuple[Any, ...]:
    """For n peaks, each of so many candidate limbs: these by peak, as `fields_of_peaks` writes them, and what
    `join_by_limbs` works in, the last of which says how much room there is."""
    m = n * each + 1
    fields = np.empty(n + 2, np.int64), np.empty(2 * m, np.int64), np.empty(2 * m)
    room = np.empty((4, max(m, n) + 1), np.int64)  # also for the ends of one peak's limbs
    return fields, np.empty((2, n)), room, np.empty((m, 2), np.int64), np.empty(m)
