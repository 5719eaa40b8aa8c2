"""What a person bids for a peak as one of the joints.

A bid weighs four things: how high the peak is; the field along the limbs to the joints that the
person has, less what a true limb would be due; how well the peak lies where the body prior expects
the joint; how well the tags agree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bottomup.grouping.compile import jit, jit_inside
from bottomup.grouping.grid import CELLS, SUMMANDS, on_grid
from bottomup.grouping.tags import agreement, tag_gap

FADED = 0.05  # a joint's say in where another lies, from which it is left out
HEIGHT, CENTRE_X, CENTRE_Y, COUNT, SIZE = 0, 1, 2, 3, 4  # columns of a person's measures, and how many there are


class Bids(NamedTuple):
    """What a bid weighs; lengths and densities as in the prior.

    height: of the peak's score. limb_due: of the field that a limb between two true joints has at
    least. place: of the log density of the place, with `place_usual` added and at least
    `place_worst`. tag: of the agreement of tags. least: lowest bid. share: lowest bid for a peak that another holds.
    """

    height: float = 0.3
    limb_due: float = 0.25
    place: float = 0.2
    place_usual: float = 1.5
    place_worst: float = -6.0
    tag: float = 0.25
    least: float = -0.2
    share: float = 0.6


class Evidence(NamedTuple):
    """All that bids go by. spot (3, n): x, y, score of the peaks; start (K + 1,): where each joint's begin; rank (n,);
    tag (n, L), L may be 0.

    expect (K, K, 8), or (0, 0, 8) without a prior: see `Tables`. square (K, K): mean square distances
    of the prior. beside (K, most limbs of a joint): the joints that limbs lead to, filled up with -1.
    begin (n + 1,), other, field: the candidate limbs by peak.
    """

    spot: np.ndarray
    start: np.ndarray
    rank: np.ndarray
    tag: np.ndarray
    expect: np.ndarray
    square: np.ndarray
    beside: np.ndarray
    begin: np.ndarray
    other: np.ndarray
    field: np.ndarray


@jit
def fields_of_peaks(
    n: int, pair: np.ndarray, field: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first `count` candidate limbs (m, 2) by peak: where each peak's begin (n + 1,), other ends and fields."""
    begin, other, value = np.zeros(n + 2, np.int64), np.empty(2 * count, np.int64), np.empty(2 * count, np.float64)
    for z in range(count):
        begin[pair[z, 0] + 2] += 1
        begin[pair[z, 1] + 2] += 1
    for i in range(2, n + 2):
        begin[i] += begin[i - 1]
    for z in range(count):
        for end in range(2):
            i = pair[z, end]
            at = begin[i + 1]
            other[at], value[at] = pair[z, 1 - end], field[z]
            begin[i + 1] = at + 1
    return begin[: n + 1], other, value


@jit
def measure_person(person: np.ndarray, known: Evidence, size: np.ndarray, mean: np.ndarray) -> int:
    """Writes a person's height (0: unknown), centre x, y and number of joints to `size` and the mean tag to `mean`
    (L,); the rank of the best peak. person: (K,) peaks or -1. Sums are of whole grid steps, so that they are exact."""
    spot, rank, tag, square = known.spot, known.rank, known.tag, known.square
    count, best, due, corner = 0, len(rank), 0.0, -1
    x_sum, y_sum, squares = np.int64(0), np.int64(0), np.int64(0)
    mean[:] = 0.0
    for k in range(len(person)):
        i = person[k]
        if i < 0:
            continue
        corner = i if corner < 0 else corner
        x, y = np.int64((spot[0, i] - spot[0, corner]) * CELLS), np.int64((spot[1, i] - spot[1, corner]) * CELLS)
        x_sum, y_sum, squares, count = x_sum + x, y_sum + y, squares + (x * x + y * y), count + 1
        best = min(best, rank[i])
        for j in range(k if len(square) > 0 else 0):
            due += square[k, j] if person[j] >= 0 else 0.0
        for z in range(len(mean)):
            mean[z] += tag[i, z]
    for z in range(len(mean)):
        mean[z] /= max(count, 1)
    size[COUNT] = count
    seen = count * squares - x_sum * x_sum - y_sum * y_sum
    size[HEIGHT] = math.sqrt(seen / due) / CELLS if due > 0 else 0.0
    if count > 0:
        size[CENTRE_X] = spot[0, corner] + x_sum / count / CELLS
        size[CENTRE_Y] = spot[1, corner] + y_sum / count / CELLS
    return best


@jit_inside
def add_fields(
    person: np.ndarray,
    beside: np.ndarray,
    begin: np.ndarray,
    other: np.ndarray,
    field: np.ndarray,
    sign: float,
    fields: np.ndarray,
) -> int:
    """Adds `sign` times the fields from a person's joints (K,) that are `beside` one to `fields` (n,) at their other
    ends; the number of such joints."""
    present = 0
    for j in beside:
        if j >= 0 and person[j] >= 0:
            present += 1
            for at in range(begin[person[j]], begin[person[j] + 1]):
                fields[other[at]] += sign * field[at]
    return present


@jit_inside
def expected_place(
    person: np.ndarray, expect: np.ndarray, size: np.ndarray, spot: np.ndarray
) -> tuple[float, float, float, float, float, float]:
    """Where a person with joints (K,) is expected to have one, as seen from all others; surer ones count for more.

    The weighted mean of log densities that are parabolas is one: with x, y in cells from the person's
    centre it is p0 - (p1 x x + p2 y y + p3 x y + p4 x + p5 y) / 2. p1 is 0 where nothing is known.
    expect: (K, 8), of the joint, see `Tables`; the surest come first."""
    height, p0, p1, p2, p3, p4, p5, weights, faded = size[HEIGHT], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for z in range(len(expect) - 1):
        i, say = person[np.int64(expect[z, 0])], expect[z, 1]
        if i < 0:
            continue
        if say <= faded:
            break
        faded = max(faded, FADED * say)
        x = height * expect[z, 2] + (spot[0, i] - size[CENTRE_X])
        y = height * expect[z, 3] + (spot[1, i] - size[CENTRE_Y])
        xx, xy, yy = expect[z, 4], expect[z, 5], expect[z, 6]
        p0 += expect[z, 7] * (height * height) + (xx * x * x + yy * y * y + 2 * xy * x * y)
        p1 += xx
        p2 += yy
        p3 += 2 * xy
        p4 -= 2 * (xx * x + xy * y)
        p5 -= 2 * (yy * y + xy * x)
        weights += say
    if weights == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    scale = 1 / (weights * (height * height))
    return -0.5 * p0 * scale, p1 * scale, p2 * scale, p3 * scale, p4 * scale, p5 * scale


@jit
def write_bids(
    person: np.ndarray,
    k: int,
    size: np.ndarray,
    mean: np.ndarray,
    u: int,
    known: Evidence,
    bids: Bids,
    least: float,
    fields: np.ndarray,
    bid: np.ndarray,
    peak: np.ndarray,
    worth: np.ndarray,
    at: int,
) -> int:
    """Writes a person's bids above `least` for the peaks of joint k to peak, worth (m,) from `at` on; where they end.

    person: (K,) peaks or -1, of size (SIZE,) and mean tag mean[u]. fields: (n,) all 0 between uses. bid:
    (n,) room to work in. The loops over all peaks vectorise."""
    spot, tag, begin, other, field = known.spot, known.tag, known.begin, known.other, known.field
    first, last, beside = known.start[k], known.start[k + 1], known.beside[k]
    m, px, py, score = last - first, spot[0, first:last], spot[1, first:last], spot[2, first:last]
    due = bids.limb_due * add_fields(person, beside, begin, other, field, 1.0, fields)
    own = fields[first:last]  # slices are indexed from 0, so that no index needs a wrap-around test
    for i in range(m):
        bid[i] = bids.height * score[i] + (own[i] - due)
    add_fields(person, beside, begin, other, field, -1.0, fields)
    for i in range(m if mean.shape[1] > 0 else 0):
        bid[i] += bids.tag * agreement(tag_gap(tag, first + i, mean, u))
    if size[HEIGHT] > 0:
        x0, y0, (p0, p1, p2, p3, p4, p5) = (
            size[CENTRE_X],
            size[CENTRE_Y],
            expected_place(person, known.expect[k], size, spot),
        )
        for i in range(m if p1 > 0 else 0):
            x, y = px[i] - x0, py[i] - y0
            square = (p1 * x * x + p2 * y * y) + p3 * x * y + (p4 * x + p5 * y)
            bid[i] += bids.place * (max(p0 - 0.5 * square, bids.place_worst) + bids.place_usual)
    for i in range(m):
        if bid[i] > least:
            peak[at], worth[at] = first + i, on_grid(bid[i], SUMMANDS)
            at += 1
    return at
