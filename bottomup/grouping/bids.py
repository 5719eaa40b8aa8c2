"""What a person bids for a peak as one of the joints.

A bid weighs four things: how high the peak is; the field along the limbs to the joints that the
person has, less what a true limb would be due; how well the peak lies where the body prior expects
the joint; how well the tags agree. Bids are float32, so that twice as many are made at a time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bottomup.grouping.bodies import CENTRE_X, CENTRE_Y, DUE, SEEN
from bottomup.grouping.compile import jit, jit_reordering

MOST_BIDS = 8  # of a person for peaks of one joint
F = np.float32
HEIGHT_WEIGHT = F(0.3)  # of the peak's score
PLACE_WEIGHT, PLACE_USUAL, PLACE_WORST = F(0.2), F(1.5), F(-6.0)  # of the log density, what is added, its least
TAG_WEIGHT = F(0.25)  # of the agreement of tags
LIMB_DUE = 0.25  # of the field that a limb between two true joints has at least
LEAST, SHARE = -0.2, 0.45  # lowest bid; lowest bid for a peak that another holds


class Evidence(NamedTuple):
    """What all bids of one image go by: float32 columns of the n peaks, and room to work in.

    x: from the middle column. height: weighted score. tag: (L, n), L may be 0. fields: 0 between uses.
    bid, gap, above: (n,). seen, sums: see `see_joints` and `sum_expectations`."""

    x: np.ndarray
    y: np.ndarray
    height: np.ndarray
    tag: np.ndarray
    fields: np.ndarray
    bid: np.ndarray
    gap: np.ndarray
    above: np.ndarray
    seen: np.ndarray
    sums: np.ndarray


@jit
def evidence_of(spot: np.ndarray, tag: np.ndarray, middle: float, expect: np.ndarray) -> Evidence:
    """The evidence of peaks (3, n) with tags (n, L). expect: see `Tables`."""
    n, rows = spot.shape[1], np.empty((6 + tag.shape[1], spot.shape[1]), np.float32)
    for i in range(n):
        rows[0, i], rows[1, i], rows[2, i], rows[3, i] = (
            spot[0, i] - middle,
            spot[1, i],
            HEIGHT_WEIGHT * spot[2, i],
            0.0,
        )
        for z in range(tag.shape[1]):
            rows[6 + z, i] = tag[i, z]
    above, seen, sums = np.empty(n, np.int64), np.zeros((3, expect.shape[2])), np.empty(8)
    return Evidence(rows[0], rows[1], rows[2], rows[6:], rows[3], rows[4], rows[5], above, seen, sums)


@jit
def fields_of_peaks(
    n: int, pair: np.ndarray, field: np.ndarray, count: int, begin: np.ndarray, other: np.ndarray, value: np.ndarray
) -> None:
    """Writes the first `count` candidate limbs (m, 2) by peak: where each peak's begin (n + 2,), other ends and fields
    (2 m,)."""
    for i in range(n + 2):
        begin[i] = 0
    for z in range(count):
        begin[pair[z, 0] + 2] += 1
        begin[pair[z, 1] + 2] += 1
    for i in range(2, n + 2):
        begin[i] += begin[i - 1]
    for z in range(count):
        for end in range(2):
            at = begin[pair[z, end] + 1]
            other[at], value[at] = pair[z, 1 - end], field[z]
            begin[pair[z, end] + 1] = at + 1


@jit
def add_fields(
    person: np.ndarray, begin: np.ndarray, other: np.ndarray, field: np.ndarray, sign: float, fields: np.ndarray
) -> None:
    """Adds `sign` times the fields of all candidate limbs from a person's joints (K,) to `fields` (n,) at their other
    ends. Fields lie on a grid, so that adding and taking away is exact."""
    for k in range(len(person)):
        if person[k] >= 0:
            for at in range(begin[person[k]], begin[person[k] + 1]):
                fields[other[at]] += sign * field[at]


@jit
def see_joints(person: np.ndarray, body: np.ndarray, spot: np.ndarray, middle: float, seen: np.ndarray) -> None:
    """Writes a person's joints (K,) from the centre in body heights to `seen` (3, K or more): x, y and 1, or all 0
    where there is none or the height is unknown."""
    height = math.sqrt(body[SEEN] / body[DUE]) if body[DUE] > 0 else 0.0
    for k in range(len(person)):
        i = person[k]
        there = i >= 0 and height > 0
        seen[0, k] = (spot[0, i] - middle - body[CENTRE_X]) / height if there else 0.0
        seen[1, k] = (spot[1, i] - body[CENTRE_Y]) / height if there else 0.0
        seen[2, k] = 1.0 if there else 0.0


@jit_reordering
def sum_expectations(seen: np.ndarray, expect: np.ndarray, k: int, sums: np.ndarray) -> None:
    """Sums up what all joints `seen` (3, m) say of where joint k is: to `sums` (8,) go their says; the inverse
    covariance xx, xy, yy; that times the mean, x and y; the logarithm of the determinant; and the mean's square by
    that. expect: (K, 7, m), see `Tables`. Rounded to float32 later, so that no order of the sums shows."""
    say, xx, xy, yy, x_pull, y_pull, floor, square = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(np.uint64(seen.shape[1])):
        x, y, there = expect[k, 1, j] + seen[0, j], expect[k, 2, j] + seen[1, j], seen[2, j]
        a, b, c = expect[k, 3, j] * there, expect[k, 4, j] * there, expect[k, 5, j] * there
        u, v = a * x + b * y, b * x + c * y
        say, floor, square = say + expect[k, 0, j] * there, floor + expect[k, 6, j] * there, square + (x * u + y * v)
        xx, xy, yy, x_pull, y_pull = xx + a, xy + b, yy + c, x_pull + u, y_pull + v
    sums[0], sums[1], sums[2], sums[3] = say, xx, xy, yy
    sums[4], sums[5], sums[6], sums[7] = x_pull, y_pull, floor, square


@jit
def expected_place(body: np.ndarray, sums: np.ndarray, place: np.ndarray) -> None:
    """Where a joint is expected, as seen from all others that the person has; surer ones count for more.

    The weighted mean of log densities that are parabolas is one. Writes to `place` (6,) its top's x, from the middle
    column, y, and height, and how fast it falls: by p3 dx dx + p4 dy dy + p5 dx dy. sums: see
    `sum_expectations`; there are says."""
    say, xx, xy, yy, x_pull, y_pull = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
    square = body[SEEN] / body[DUE]
    height, det, scale = math.sqrt(square), 1 / (xx * yy - xy * xy), 0.5 / (say * square)
    x, y = (yy * x_pull - xy * y_pull) * det, (xx * y_pull - xy * x_pull) * det
    place[0], place[1] = body[CENTRE_X] + height * x, body[CENTRE_Y] + height * y
    place[2] = -0.5 * (sums[6] + sums[7] - (x * x_pull + y * y_pull)) / say
    place[3], place[4], place[5] = scale * xx, scale * yy, 2 * scale * xy


@jit
def rate_by_place(first: int, last: int, x: np.ndarray, y: np.ndarray, place: np.ndarray, bid: np.ndarray) -> None:
    """Adds to the bids (n,) for the peaks first..last at x, y (n,) what their place says.
    place: see `expected_place`."""
    px, py, top, xx, yy, xy = F(place[0]), F(place[1]), F(place[2]), F(place[3]), F(place[4]), F(place[5])
    for i in range(np.uint64(first), np.uint64(last)):  # unsigned: no wrap-around test, so that it vectorises
        dx, dy = x[i] - px, y[i] - py
        density = top - ((xx * dx * dx + yy * dy * dy) + xy * (dx * dy))
        bid[i] += PLACE_WEIGHT * (max(density, PLACE_WORST) + PLACE_USUAL)


@jit
def rate_by_tags(first: int, last: int, tag: np.ndarray, mean: np.ndarray, gap: np.ndarray, bid: np.ndarray) -> None:
    """Adds to the bids (n,) for the peaks first..last with tags (L, n) their agreement with the person's mean (L,).
    gap: (n,) room to work in."""
    one, last_one = np.uint64(first), np.uint64(last)
    for i in range(one, last_one):
        gap[i] = F(0)
    for z in range(len(mean)):
        own = F(mean[z])
        for i in range(one, last_one):
            gap[i] += (tag[z, i] - own) * (tag[z, i] - own)
    scale = F(2 / max(len(mean), 1))
    for i in range(one, last_one):
        bid[i] += TAG_WEIGHT * max(F(1) - scale * gap[i], F(-3))


@jit
def rate_by_height_and_fields(
    first: int, last: int, due: float, height: np.ndarray, fields: np.ndarray, bid: np.ndarray
) -> None:
    """Writes to the bids (n,) for the peaks first..last their weighted heights (n,) and fields (n,), less what
    is due."""
    less = F(due)
    for i in range(np.uint64(first), np.uint64(last)):
        bid[i] = height[i] + (fields[i] - less)


@jit
def keep_best(
    first: int,
    last: int,
    least: float,
    bid: np.ndarray,
    rank: np.ndarray,
    above: np.ndarray,
    k: int,
    peak: np.ndarray,
    worth: np.ndarray,
) -> int:
    """Writes the best of the bids (n,) for the peaks first..last, above `least`, and their peaks to worth[k], peak[k]
    (MOST_BIDS,), best first; of equal ones the better peak. Gives how many. above: room to work in."""
    found, count, most = np.uint64(0), 0, peak.shape[1]
    for i in range(np.uint64(first), np.uint64(last)):  # without a branch, which nobody could foresee
        above[found] = i
        found += np.uint64(bid[i] > least)
    for u in range(found):
        i, z = above[u], count
        while z > 0 and (bid[i] > worth[k, z - 1] or (bid[i] == worth[k, z - 1] and rank[i] < rank[peak[k, z - 1]])):
            if z < most:
                worth[k, z], peak[k, z] = worth[k, z - 1], peak[k, z - 1]
            z -= 1
        if z < most:
            worth[k, z], peak[k, z] = bid[i], i
            count = min(count + 1, most)
    return count
