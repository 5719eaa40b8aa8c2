"""Body prior: pieces joined by where joints lie relative to each other.

The table prior (K, K, 7), float32, says where joint l lies from joint k in body heights: mean x, y;
the inverse covariance xx, xy, yy; the logarithm of the covariance's determinant; the mean square
distance. An unseen neck or hip cuts a skeleton into pieces that no limb joins; the table does.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.assembly import absorb, have_common_joint, joints_of
from bottomup.grouping.bodies import CENTRE_X, CENTRE_Y, COLUMNS, COUNT, DUE, RANK, SEEN, mean_tag, measure_body
from bottomup.grouping.compile import jit, jit_part
from bottomup.grouping.grid import SUMMANDS, on_grid
from bottomup.grouping.likeness import agreement, tag_gap
from bottomup.grouping.matching import order_pairs

SIZE_WEIGHT = 1.25  # of the squared log ratio of two pieces' sizes
WORST_FIT = -1e6


@jit_part
def surest_joint(member: np.ndarray, a: int, k: int, prior: np.ndarray, surest: np.ndarray, rank: np.ndarray) -> int:
    """The joint of piece a from which joint k is placed most surely; of equal ones the better peak. -1: none.
    surest: (K, K - 1), see `Tables`."""
    best = -1
    for z in range(surest.shape[1]):
        j = surest[k, z]
        if best >= 0 and prior[j, k, 5] != prior[best, k, 5]:
            break
        if member[a, j] >= 0 and (best < 0 or rank[member[a, j]] < rank[member[a, best]]):
            best = j
    return best


@jit_part
def place_fit(prior: np.ndarray, j: int, k: int, spot: np.ndarray, origin: int, i: int, height: float) -> float:
    """Log density of peak i as joint k, seen from peak `origin` as joint j of a body of this height in cells."""
    dx = (spot[0, i] - spot[0, origin]) / height - prior[j, k, 0]
    dy = (spot[1, i] - spot[1, origin]) / height - prior[j, k, 1]
    square = (prior[j, k, 2] * dx * dx + prior[j, k, 4] * dy * dy) + 2.0 * prior[j, k, 3] * dx * dy
    return on_grid(max(-0.5 * (square + prior[j, k, 5]), WORST_FIT), SUMMANDS)


@jit_part
def pieces_fit(
    member: np.ndarray,
    a: int,
    b: int,
    spot: np.ndarray,
    mean: np.ndarray,
    prior: np.ndarray,
    surest: np.ndarray,
    rank: np.ndarray,
    bodies: np.ndarray,
) -> float:
    """How well piece b fits the larger piece a: mean log density of its peaks, agreement in size and in tag."""
    height = math.sqrt((bodies[a, SEEN] + bodies[b, SEEN]) / (bodies[a, DUE] + bodies[b, DUE]))
    if height == 0:
        return WORST_FIT
    total = 0.0
    for k in range(member.shape[1]):
        if member[b, k] >= 0:
            j = surest_joint(member, a, k, prior, surest, rank)
            total += place_fit(prior, j, k, spot, member[a, j], member[b, k], height)
    fit = total / bodies[b, COUNT]
    if bodies[b, DUE] > 0:
        ratio = max(bodies[a, SEEN], 1e-3) * bodies[b, DUE] / (bodies[a, DUE] * max(bodies[b, SEEN], 1e-3))
        fit -= SIZE_WEIGHT * math.log(ratio) ** 2
    return fit + agreement(tag_gap(mean, a, mean, b)) if mean.shape[1] > 0 else fit


@jit_part
def larger_first(a: int, b: int, bodies: np.ndarray) -> tuple[int, int]:
    """The two pieces, that with more joints first; of equal ones that with the better peak."""
    more, better = bodies[b, COUNT] - bodies[a, COUNT], bodies[b, RANK] < bodies[a, RANK]
    return (b, a) if more > 0 or (more == 0 and better) else (a, b)


@jit_part
def measure_pieces(
    member: np.ndarray,
    spot: np.ndarray,
    middle: float,
    tag: np.ndarray,
    square: np.ndarray,
    rank: np.ndarray,
    single: float,
    bodies: np.ndarray,
    mean: np.ndarray,
    able: np.ndarray,
) -> int:
    """Writes the numbers of the pieces that may join to `able` (n,): lone peaks from score `single` on; gives how many.
    Also writes their bodies (n, 6) and mean tags (n, L)."""
    m = 0
    for a in range(len(member)):
        count = joints_of(member[a])
        if count > 1 or (count == 1 and spot[2, a] > single):  # of lone peaks each has its own number
            measure_body(member[a], spot, middle, rank, square, bodies[a])
            mean_tag(member[a], tag, mean[a])
            able[m] = a
            m += 1
    return m


@jit_part
def find_fits(
    member: np.ndarray,
    spot: np.ndarray,
    middle: float,
    tag: np.ndarray,
    prior: np.ndarray,
    surest: np.ndarray,
    square: np.ndarray,
    rank: np.ndarray,
    single: float,
    least: float,
    bodies: np.ndarray,
    mean: np.ndarray,
    able: np.ndarray,
    pair: np.ndarray,
    value: np.ndarray,
) -> int:
    """Writes the pairs of pieces that may be one person (m, 2) and how well they fit (m,) as far as there is room;
    gives how many there are. Pairs are named by a peak of each. Also writes `bodies`, `mean` and `able`, see
    `measure_pieces`."""
    found, room = 0, len(value)
    for u in range(measure_pieces(member, spot, middle, tag, square, rank, single, bodies, mean, able)):
        one = able[u]
        x, y, seen, due = bodies[one, CENTRE_X], bodies[one, CENTRE_Y], bodies[one, SEEN], bodies[one, DUE]
        for v in range(u):
            a, b = one, able[v]
            dx, dy = x - bodies[b, CENTRE_X], y - bodies[b, CENTRE_Y]
            near = (dx * dx + dy * dy) * (due + bodies[b, DUE]) < seen + bodies[b, SEEN]
            if not near or have_common_joint(member, a, b):
                continue
            a, b = larger_first(a, b, bodies)
            fit = pieces_fit(member, a, b, spot, mean, prior, surest, rank, bodies)
            if fit > least:
                if found < room:
                    pair[found, 0], pair[found, 1], value[found] = a, b, fit
                found += 1
    return found


@jit_part
def join_fits(
    pair: np.ndarray,
    value: np.ndarray,
    found: int,
    spot: np.ndarray,
    middle: float,
    tag: np.ndarray,
    prior: np.ndarray,
    surest: np.ndarray,
    square: np.ndarray,
    rank: np.ndarray,
    least: float,
    bodies: np.ndarray,
    mean: np.ndarray,
    whole: np.ndarray,
    room: np.ndarray,
    member: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Joins pieces along the first `found` pairs of `find_fits`, best first; grown pieces are judged anew.
    whole: (3, n) to work in. room: see `order_pairs`."""
    heir, grown, first = whole[0], whole[1], whole[2]
    for u in range(found):
        for z in range(2):
            a = pair[u, z]
            heir[a], grown[a], first[a] = a, 0, np.int64(bodies[a, RANK])
    order_pairs(pair, value, found, first, room)
    for u in range(found):
        a, b = pair[room[0, u], 0], pair[room[0, u], 1]
        while heir[a] != a:
            a = heir[a]
        while heir[b] != b:
            b = heir[b]
        if a == b or have_common_joint(member, a, b):
            continue
        a, b = larger_first(a, b, bodies)
        if grown[a] + grown[b] > 0 and pieces_fit(member, a, b, spot, mean, prior, surest, rank, bodies) <= least:
            continue
        absorb(member, owner, a, b)
        measure_body(member[a], spot, middle, rank, square, bodies[a])
        mean_tag(member[a], tag, mean[a])
        heir[b], grown[a] = a, 1


@jit
def join_by_prior(
    spot: np.ndarray,
    middle: float,
    tag: np.ndarray,
    prior: np.ndarray,
    surest: np.ndarray,
    square: np.ndarray,
    rank: np.ndarray,
    single: float,
    least: float,
    bodies: np.ndarray,
    mean: np.ndarray,
    whole: np.ndarray,
    room: np.ndarray,
    pair: np.ndarray,
    value: np.ndarray,
    member: np.ndarray,
    owner: np.ndarray,
) -> int:
    """Joins pieces that the prior finds to be one person; gives how many pairs may be. Where that is more than there is
    room for, nothing is joined. The arguments are those of `find_fits` and `join_fits`."""
    found = find_fits(
        member, spot, middle, tag, prior, surest, square, rank, single, least, bodies, mean, whole[0], pair, value
    )
    if found <= len(value):
        join_fits(
            pair, value, found, spot, middle, tag, prior, surest, square, rank, least, bodies, mean, whole, room,
            member, owner,
        )  # fmt: skip
    return found


def room_for_fits(n: int, L: int, each: int) -> tuple[np.ndarray, ...]:
    """What `join_by_prior` works in, for n pieces with tags of L numbers, each of so many pairs; the last says how much
    room there is."""
    m = n * each + 1
    bodies = np.empty((n, COLUMNS)), np.empty((n, L)), np.empty((3, n), np.int64)
    return *bodies, np.empty((4, m + 1), np.int64), np.empty((m, 2), np.int64), np.empty(m)
