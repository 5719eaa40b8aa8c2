"""Joints given anew: every person bids for the peaks of every joint, and the best bids win.

Joining best first cannot take a step back. So once there are people, each joint is taken from all of
them and offered again. A bid for a peak weighs four things: how high the peak is; the field along the
limbs to the joints that the person has, less what a true limb would be due; how well the peak lies
where the body prior expects the joint; how well the tags agree. A joint for which no bid is good
enough stays empty: better none than another's. At last those without a joint may use a peak that
another holds, if they bid enough, since neighbours' peaks melt into one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bottomup.grouping.compile import jit, jit_inside
from bottomup.grouping.grid import SUMMANDS, on_grid
from bottomup.grouping.matching import sort_best_first
from bottomup.grouping.prior import measure_piece, surest_joint
from bottomup.grouping.tags import agreement, mean_tags, tag_gap

SHARE_JOINTS = 4  # fewest joints of a person who may use another's peak
FADED = 0.05  # a joint's say in where another lies, from which it is left out


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
    """All that bids go by. peaks (n, 3), and the same in columns (3, n); start (K + 1,): where each joint's begin;
    rank (n,); tag (n, L), L may be 0.

    prior (K, K, 7), or (0, 0, 7) where there is none; sure (K, K): its joints' say in where others
    lie. beside (K, most limbs of a joint): the joints that limbs lead to, filled up with -1.
    begin (n + 1,), other, field: the candidate limbs by peak.
    """

    peaks: np.ndarray
    columns: np.ndarray
    start: np.ndarray
    rank: np.ndarray
    tag: np.ndarray
    prior: np.ndarray
    sure: np.ndarray
    beside: np.ndarray
    begin: np.ndarray
    other: np.ndarray
    field: np.ndarray


class Crowd(NamedTuple):
    """The people of a moment: their pieces' numbers, and of all pieces height in cells (0: unknown), mean tag (n, L)
    and the rank of the best peak (n,)."""

    able: np.ndarray
    height: np.ndarray
    mean: np.ndarray
    first: np.ndarray


class Scratch(NamedTuple):
    """Room to work in: fields (n,) all 0 between uses; bid, x, y (m,) for the peaks of a joint; place (6,)."""

    fields: np.ndarray
    bid: np.ndarray
    x: np.ndarray
    y: np.ndarray
    place: np.ndarray


@jit
def room_for(start: np.ndarray) -> Scratch:
    """Room for the peaks that begin at `start` (K + 1,)."""
    most = 0
    for k in range(len(start) - 1):
        most = max(most, start[k + 1] - start[k])
    return Scratch(np.zeros(start[len(start) - 1]), np.empty(most), np.empty(most), np.empty(most), np.empty(6))


@jit
def fields_of_peaks(
    n: int, pair: np.ndarray, field: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first `count` candidate limbs (m, 2) by peak: where each peak's begin (n + 1,), other ends and fields."""
    begin = np.zeros(n + 1, np.int64)
    for z in range(count):
        begin[pair[z, 0] + 1] += 1
        begin[pair[z, 1] + 1] += 1
    for i in range(n):
        begin[i + 1] += begin[i]
    at, other, value = begin[:n].copy(), np.empty(2 * count, np.int64), np.empty(2 * count, np.float64)
    for z in range(count):
        for end in range(2):
            i = pair[z, end]
            other[at[i]], value[at[i]] = pair[z, 1 - end], field[z]
            at[i] += 1
    return begin, other, value


@jit_inside
def add_fields(person: np.ndarray, k: int, known: Evidence, sign: float, fields: np.ndarray) -> int:
    """Adds `sign` times the fields from a person's joints (K,) beside joint k to `fields` (n,) at their other ends;
    the number of such joints."""
    present = 0
    for z in range(known.beside.shape[1]):
        j = known.beside[k, z]
        if j >= 0 and person[j] >= 0:
            present += 1
            for at in range(known.begin[person[j]], known.begin[person[j] + 1]):
                fields[known.other[at]] += sign * known.field[at]
    return present


@jit
def expected_place(person: np.ndarray, k: int, near: int, height: float, known: Evidence, place: np.ndarray) -> None:
    """Writes the density of joint k of a person with joints (K,), as seen from all of them; surer ones count for more.

    The weighted mean of log densities that are parabolas is one: with x, y in cells from the joint
    `near` it is p0 - (p1 x x + p2 y y + p3 x y + p4 x + p5 y) / 2. place: p, (6,)."""
    peaks, prior, weights = known.peaks, known.prior, 0.0
    for z in range(6):
        place[z] = 0.0
    for j in range(len(person)):
        say = known.sure[j, k] if person[j] >= 0 and j != k else 0.0
        if say <= FADED * known.sure[near, k]:
            continue
        x = height * prior[j, k, 0] + (np.float64(peaks[person[j], 0]) - peaks[person[near], 0])
        y = height * prior[j, k, 1] + (np.float64(peaks[person[j], 1]) - peaks[person[near], 1])
        xx, xy, yy = say * prior[j, k, 2], say * prior[j, k, 3], say * prior[j, k, 4]
        place[0] += say * prior[j, k, 5] + (xx * x * x + yy * y * y + 2 * xy * x * y) / (height * height)
        place[1] += xx
        place[2] += yy
        place[3] += 2 * xy
        place[4] -= 2 * (xx * x + xy * y)
        place[5] -= 2 * (yy * y + xy * x)
        weights += say
    place[0] *= -0.5 / weights
    for z in range(1, 6):
        place[z] /= weights * height * height


@jit
def add_place_worth(place: np.ndarray, x: np.ndarray, y: np.ndarray, bids: Bids, bid: np.ndarray) -> None:
    """Adds to bids (m,) what the places x, y (m,) are worth, from the joint that `expected_place` starts from."""
    for i in range(len(bid)):
        square = (place[1] * x[i] * x[i] + place[2] * y[i] * y[i]) + place[3] * x[i] * y[i]
        square += place[4] * x[i] + place[5] * y[i]
        bid[i] += bids.place * (max(place[0] - 0.5 * square, bids.place_worst) + bids.place_usual)


@jit
def write_bids(
    a: int,
    k: int,
    member: np.ndarray,
    crowd: Crowd,
    known: Evidence,
    bids: Bids,
    scratch: Scratch,
) -> np.ndarray:
    """Person a's bids (m,) for the peaks of joint k. Loops over all peaks are separate, so that they vectorise."""
    person, height, first, last = member[a], crowd.height[a], known.start[k], known.start[k + 1]
    due = bids.limb_due * add_fields(person, k, known, 1.0, scratch.fields)
    bid, score, fields = scratch.bid[: last - first], known.columns[2, first:last], scratch.fields[first:last]
    for i in range(len(bid)):
        bid[i] = bids.height * score[i] + (fields[i] - due)
    add_fields(person, k, known, -1.0, scratch.fields)
    if known.tag.shape[1] > 0:
        for i in range(len(bid)):
            bid[i] += bids.tag * agreement(tag_gap(known.tag, first + i, crowd.mean, a))
    if height > 0:
        near = surest_joint(member, a, k, known.prior, known.rank)
        expected_place(person, k, near, height, known, scratch.place)
        px, py = known.columns[0, first:last], known.columns[1, first:last]
        x0, y0 = known.columns[0, person[near]], known.columns[1, person[near]]
        x, y = scratch.x[: last - first], scratch.y[: last - first]
        for i in range(len(x)):
            x[i] = px[i] - x0
            y[i] = py[i] - y0
        add_place_worth(scratch.place, x, y, bids, bid)
    return bid


@jit
def measure_crowd(member: np.ndarray, known: Evidence, fewest: int) -> Crowd:
    """The crowd of the pieces (n, K) with `fewest` joints or more."""
    n, m = len(member), 0
    count, mean = mean_tags(member, known.tag)
    piece, height, first, able = np.empty((n, 6)), np.zeros(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for a in range(n):
        first[a] = n
        for k in range(member.shape[1]):
            if member[a, k] >= 0:
                first[a] = min(first[a], known.rank[member[a, k]])
        if count[a] >= fewest:
            able[m] = a
            m += 1
            if len(known.prior) > 0:
                measure_piece(member, a, known.peaks, known.prior, known.rank, piece)
                height[a] = math.sqrt(piece[a, 0] / piece[a, 1])
    return Crowd(able[:m], height, mean, first)


@jit
def bids_for(
    k: int, member: np.ndarray, crowd: Crowd, known: Evidence, bids: Bids, scratch: Scratch
) -> tuple[np.ndarray, np.ndarray]:
    """The bids for joint k that are high enough: person, peak (m, 2), and their order, best first; equal ones go by
    their ranks."""
    n, first, found = len(member), known.start[k], 0
    most = len(crowd.able) * (known.start[k + 1] - first)
    pair, worth = np.empty((most, 2), np.int64), np.empty(most)
    for a in crowd.able:
        bid = write_bids(a, k, member, crowd, known, bids, scratch)
        for i in range(len(bid)):
            if bid[i] > bids.least:
                pair[found, 0], pair[found, 1], worth[found] = a, first + i, on_grid(bid[i], SUMMANDS)
                found += 1
    key, order = np.empty(found, np.int64), np.arange(found)
    for z in range(found):
        key[z] = crowd.first[pair[z, 0]] * n + known.rank[pair[z, 1]]
    sort_best_first(order, worth, key)
    return pair, order


@jit
def give(k: int, pair: np.ndarray, order: np.ndarray, able: np.ndarray, taken: np.ndarray, member: np.ndarray) -> None:
    """Gives the peaks of joint k to the people `able` anew, along the bids in order. taken: (n,) peaks that somebody
    holds, kept up to date."""
    for a in able:
        if member[a, k] >= 0:
            taken[member[a, k]] = False
            member[a, k] = -1
    for z in order:
        a, i = pair[z, 0], pair[z, 1]
        if member[a, k] < 0 and not taken[i]:
            member[a, k] = i
            taken[i] = True


@jit
def exchange_joints(
    known: Evidence, side: np.ndarray, bids: Bids, sweeps: int, fewest: int, member: np.ndarray
) -> None:
    """Gives all joints of the pieces (n, K) with `fewest` joints or more anew, `sweeps` times.

    side: (K,) the smaller of a joint and its mirror image; both bid on the same state, so that neither
    goes first."""
    n, K = member.shape
    scratch, taken = room_for(known.start), np.zeros(n, np.bool_)
    for a in range(n):
        for k in range(K):
            if member[a, k] >= 0:
                taken[member[a, k]] = True
    for _ in range(sweeps):
        crowd = measure_crowd(member, known, fewest)
        for one in range(K):
            if side[one] != one:
                continue
            two = one
            for k in range(one + 1, K):
                two = k if side[k] == one else two
            pair, order = bids_for(one, member, crowd, known, bids, scratch)
            other_pair, other_order = bids_for(two, member, crowd, known, bids, scratch)
            give(one, pair, order, crowd.able, taken, member)
            if two != one:
                give(two, other_pair, other_order, crowd.able, taken, member)


@jit
def share_peaks(known: Evidence, bids: Bids, member: np.ndarray) -> None:
    """Lets people (n, K) without a joint use the peak for which they bid most, even another's, from `bids.share` on."""
    n, K = member.shape
    crowd, scratch, given = measure_crowd(member, known, SHARE_JOINTS), room_for(known.start), member.copy()
    for a in crowd.able:
        for k in range(K):
            if member[a, k] >= 0:
                continue
            bid, best = write_bids(a, k, member, crowd, known, bids, scratch), bids.share
            for i in range(len(bid)):
                if bid[i] > bids.share:
                    worth, peak = on_grid(bid[i], SUMMANDS), known.start[k] + i
                    even = worth == best and given[a, k] >= 0 and known.rank[peak] < known.rank[given[a, k]]
                    if worth > best or even:
                        best, given[a, k] = worth, peak
    for a in crowd.able:
        for k in range(K):
            member[a, k] = given[a, k]
