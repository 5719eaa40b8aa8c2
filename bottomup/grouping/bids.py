"""What a person bids for a peak as one of the joints.

A bid weighs four things: how high the peak is; the field along the limbs to the joints that the
person has, less what a true limb would be due; how well the peak lies where the body prior expects
the joint; how well the tags agree. Bids are float32, so that twice as many are made at a time.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.bodies import CENTRE_X, CENTRE_Y, DUE, SEEN
from bottomup.grouping.compile import jit_part
from bottomup.grouping.tables import BLOCK, LANES_TOLD

MOST_BIDS = 8  # of a person for peaks of one joint
F = np.float32
HEIGHT_WEIGHT = F(0.3)  # of the peak's score
PLACE_WEIGHT, PLACE_USUAL, PLACE_WORST = F(0.2), F(1.5), F(-6.0)  # of the log density, what is added, its least
TAG_WEIGHT, TAG_WORST = F(0.25), F(-3)  # of the agreement of tags, its least
LIMB_DUE, LIMB_DUE_ALONE = 0.25, 0.35  # of the field of a true limb: what it has at least; the same without tags
U2, U3, U4, U5, U6, TOLD = (np.uint64(z) for z in (2, 3, 4, 5, 6, LANES_TOLD))  # unsigned: no wrap-around test
LEAST, SHARE = -0.2, 0.45  # lowest bid; lowest bid for a peak that another holds


X, Y, HEIGHT, FIELDS, TAGS = 0, 1, 2, 3, 4  # rows of the evidence; a row for each component of the tags
LANES = 16  # each joint's peaks fill places up to a multiple of this, the last ones empty: whole vectors of numbers


@jit_part
def write_evidence(
    spot: np.ndarray,
    start: np.ndarray,
    tag: np.ndarray,
    middle: float,
    known: np.ndarray,
    first: np.ndarray,
    slot: np.ndarray,
) -> None:
    """Writes what all bids of one image go by: x from the `middle` column, y, weighted score, fields (0 between uses)
    and tags of the peaks (3, n) with tags (n, L), sorted by joint as `start` (K + 1,) says, to `known`
    (TAGS + L, n + LANES K), float32. Writes where each joint's begin there, first (K + 1,), and where each peak is,
    slot (n,)."""
    first[0] = 0
    for k in range(len(start) - 1):
        at = first[k]
        for i in range(start[k], start[k + 1]):
            known[X, at], known[Y, at], known[HEIGHT, at] = spot[0, i] - middle, spot[1, i], HEIGHT_WEIGHT * spot[2, i]
            known[FIELDS, at] = 0.0
            for z in range(tag.shape[1]):
                known[TAGS + z, at] = tag[i, z]
            slot[i] = at
            at += 1
        while at % LANES != 0:
            for z in range(len(known)):
                known[z, at] = 0.0
            known[HEIGHT, at] = -np.inf  # nobody bids
            at += 1
        first[k + 1] = at


@jit_part
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


@jit_part
def add_fields(
    person: np.ndarray, begin: np.ndarray, other: np.ndarray, field: np.ndarray, slot: np.ndarray, known: np.ndarray
) -> None:
    """Adds the fields of all candidate limbs from a person's joints (K,) to the fields `known` at their other ends.
    They lie on a grid, so that sums are exact. slot, known: see `write_evidence`."""
    for k in range(len(person)):
        if person[k] >= 0:
            for at in range(begin[person[k]], begin[person[k] + 1]):
                known[FIELDS, slot[other[at]]] += field[at]


@jit_part
def forget_fields(
    person: np.ndarray, begin: np.ndarray, other: np.ndarray, slot: np.ndarray, known: np.ndarray
) -> None:
    """Sets the fields that a person (K,) added back to 0."""
    for k in range(len(person)):
        if person[k] >= 0:
            for at in range(begin[person[k]], begin[person[k] + 1]):
                known[FIELDS, slot[other[at]]] = F(0)


@jit_part
def sum_expectations(
    person: np.ndarray, body: np.ndarray, spot: np.ndarray, middle: float, expect: np.ndarray, sums: np.ndarray
) -> None:
    """Sums up what a person's joints (K,) say of where each joint is.

    To sums, as long as a row of `expect`, see `Tables`, and in the same order, go for every joint the says; the inverse
    covariance xx, xy, yy; that times the mean, x and y; and the logarithm of the determinant and the mean's square by
    that. All 0 where the height is unknown. Rounded to float32 later, so that no order of the sums shows."""
    height = math.sqrt(body[SEEN] / body[DUE]) if body[DUE] > 0 else 0.0
    for z in range(np.uint64(len(sums))):
        sums[z] = 0.0
    for j in range(len(person) if height > 0 else 0):
        if person[j] >= 0:
            x = (spot[0, person[j]] - middle - body[CENTRE_X]) / height
            y = (spot[1, person[j]] - body[CENTRE_Y]) / height
            for first in range(0, len(sums), BLOCK):
                add_parabolas(x, y, expect[j, first : first + BLOCK], sums[first : first + BLOCK], TOLD)


@jit_part
def add_parabolas(x: float, y: float, said: np.ndarray, sums: np.ndarray, count: np.uint64) -> None:
    """Adds to the sums (BLOCK,) of `count` joints what one joint says (BLOCK,) from its place. How many they are only
    running tells, or the loop would be unrolled and not vectorise; nor would it with rows of no known length."""
    for z in range(count):
        xx, xy, yy = said[z + TOLD], said[z + U2 * TOLD], said[z + U3 * TOLD]
        x_pull, y_pull = said[z + U4 * TOLD], said[z + U5 * TOLD]
        u, v = xx * x + xy * y, xy * x + yy * y
        sums[z] += said[z]
        sums[z + TOLD] += xx
        sums[z + U2 * TOLD] += xy
        sums[z + U3 * TOLD] += yy
        sums[z + U4 * TOLD] += x_pull + u
        sums[z + U5 * TOLD] += y_pull + v
        sums[z + U6 * TOLD] += said[z + U6 * TOLD] + (x * (2 * x_pull + u) + y * (2 * y_pull + v))


@jit_part
def expected_place(body: np.ndarray, sums: np.ndarray, k: int, place: np.ndarray) -> bool:
    """Where joint k is expected, as seen from all others that the person has; surer ones count for more. False where
    none says anything.

    The weighted mean of log densities that are parabolas is one. Writes to `place` (6,) its top's x, from the middle
    column, y, and height, and how fast it falls: by p3 dx dx + p4 dy dy + p5 dx dy. sums: see
    `sum_expectations`."""
    at = np.uint64(k // LANES_TOLD * BLOCK + k % LANES_TOLD)
    say, xx, xy, yy = sums[at], sums[at + TOLD], sums[at + U2 * TOLD], sums[at + U3 * TOLD]
    if not say > 0:
        return False
    x_pull, y_pull, rest = sums[at + U4 * TOLD], sums[at + U5 * TOLD], sums[at + U6 * TOLD]
    square = body[SEEN] / body[DUE]
    height, det, scale = math.sqrt(square), 1 / (xx * yy - xy * xy), 0.5 / (say * square)
    x, y = (yy * x_pull - xy * y_pull) * det, (xx * y_pull - xy * x_pull) * det
    place[0], place[1] = body[CENTRE_X] + height * x, body[CENTRE_Y] + height * y
    place[2] = -0.5 * (rest - (x * x_pull + y * y_pull)) / say
    place[3], place[4], place[5] = scale * xx, scale * yy, 2 * scale * xy
    return True


@jit_part
def best_bids(
    k: int,
    start: np.ndarray,
    first: np.ndarray,
    due: float,
    known: np.ndarray,
    placed: bool,
    place: np.ndarray,
    mean: np.ndarray,
    rank: np.ndarray,
    room: np.ndarray,
    peak: np.ndarray,
    worth: np.ndarray,
) -> int:
    """Writes the best bids for the peaks of joint k above LEAST, and the peaks, to worth[k], peak[k] (MOST_BIDS,), best
    first; of equal ones the better peak. Gives how many.

    due: of the fields. first, known: see `write_evidence`. place: see `expected_place`, unless `placed` is false. mean:
    (L,) tag of the person. room: (2, m) to work in, where no joint's peaks fill more places."""
    at, end, begin = first[k], first[k + 1], start[k]
    bid, gap = room[0, : end - at], room[1, : end - at]
    count: int = np.int64(0)  # type: ignore[assignment]  # an int to numba, which compiles anew for a literal 0
    bid_by_height_and_fields(known[HEIGHT, at:end], known[FIELDS, at:end], F(due), bid)
    if placed:
        bid_by_place(known[X, at:end], known[Y, at:end], place, bid)
    if len(mean) > 0:
        bid_by_tags(known[TAGS:], at, mean, gap, bid)
    if any_above(bid, F(LEAST)):
        for z in range(start[k + 1] - begin):
            if bid[z] > F(LEAST):
                count = keep_bid(begin + z, bid[z], count, rank, peak[k], worth[k])
    return count


@jit_part
def bid_by_height_and_fields(height: np.ndarray, fields: np.ndarray, less: np.float32, bid: np.ndarray) -> None:
    """Writes bids (m,) by the peaks' weighted heights and fields, less what is due. A number of them that only running
    tells vectorises: loops of a few known turns are unrolled instead."""
    for z in range(np.uint64(len(bid))):
        bid[z] = height[z] + (fields[z] - less)


@jit_part
def bid_by_place(x: np.ndarray, y: np.ndarray, place: np.ndarray, bid: np.ndarray) -> None:
    """Adds to bids (m,) what the peaks' places say. place: see `expected_place`."""
    px, py, top, xx, yy, xy = F(place[0]), F(place[1]), F(place[2]), F(place[3]), F(place[4]), F(place[5])
    for z in range(np.uint64(len(bid))):
        dx, dy = x[z] - px, y[z] - py
        density = top - ((xx * dx * dx + yy * dy * dy) + xy * (dx * dy))
        bid[z] += PLACE_WEIGHT * ((density if density > PLACE_WORST else PLACE_WORST) + PLACE_USUAL)


@jit_part
def bid_by_tags(tags: np.ndarray, at: int, mean: np.ndarray, gap: np.ndarray, bid: np.ndarray) -> None:
    """Adds to bids (m,) the agreement of the peaks' tags (L, n), from column `at` on, with the person's mean (L,).
    gap: (m,) room to work in."""
    for z in range(np.uint64(len(gap))):
        gap[z] = F(0)
    for c in range(len(mean)):
        own, tag = F(mean[c]), tags[c, at : at + len(gap)]
        for z in range(np.uint64(len(gap))):
            gap[z] += (tag[z] - own) * (tag[z] - own)
    scale = F(2 / max(len(mean), 1))
    for z in range(np.uint64(len(bid))):
        agreed = F(1) - scale * gap[z]
        bid[z] += TAG_WEIGHT * (agreed if agreed > TAG_WORST else TAG_WORST)


@jit_part
def any_above(bid: np.ndarray, least: np.float32) -> bool:
    """Whether one of the bids is above the least."""
    found = 0
    for z in range(np.uint64(len(bid))):
        found += bid[z] > least
    return found > 0


@jit_part
def keep_bid(i: int, bid: float, count: int, rank: np.ndarray, peak: np.ndarray, worth: np.ndarray) -> int:
    """Puts a bid for peak i where it belongs among the `count` best, if it does; gives how many there are then."""
    z, most = count, len(peak)
    while z > 0 and (bid > worth[z - 1] or (bid == worth[z - 1] and rank[i] < rank[peak[z - 1]])):
        if z < most:
            worth[z], peak[z] = worth[z - 1], peak[z - 1]
        z -= 1
    if z < most:
        worth[z], peak[z] = bid, i
    return min(count + 1, most)
