"""Joints given anew: every person bids for the peaks of every joint, and the best bids win.

Joining best first cannot take a step back. So once there are people, all joints are taken from all of
them and offered again (the bids themselves: `grouping/bids.py`), each as if the others stayed. A joint for which no
bid is good enough stays empty: better none than another's. At last those without a joint may use a peak that
another holds, if they bid enough, since neighbours' peaks melt into one.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.bids import (
    LEAST,
    MOST_BIDS,
    SHARE,
    Evidence,
    add_fields,
    evidence_of,
    expected_place,
    keep_best,
    rate_by_height_and_fields,
    rate_by_place,
    rate_by_tags,
    see_joints,
    sum_expectations,
)
from bottomup.grouping.bodies import COLUMNS, COUNT, RANK, mean_tag, measure_body
from bottomup.grouping.compile import jit

SHARE_JOINTS = 4  # fewest joints of a person who may use another's peak
FREE, HELD = -1, -2  # of peaks that nobody holds, and of those whose holders do not bid


@jit
def people_with(member: np.ndarray, fewest: int) -> np.ndarray:
    """The numbers of the pieces (n, K) with `fewest` joints or more."""
    n, K = member.shape
    able, P = np.empty(n, np.int64), 0
    for a in range(n):
        count = 0
        for k in range(K):
            count += member[a, k] >= 0
        if count >= fewest:
            able[P] = a
            P += 1
    return able[:P]


@jit
def bid_of_person(
    person: np.ndarray,
    joints: np.ndarray,
    least: float,
    limb_due: float,
    known: Evidence,
    spot: np.ndarray,
    start: np.ndarray,
    rank: np.ndarray,
    tag: np.ndarray,
    middle: float,
    expect: np.ndarray,
    square: np.ndarray,
    beside: np.ndarray,
    begin: np.ndarray,
    other: np.ndarray,
    field: np.ndarray,
    body: np.ndarray,
    peak: np.ndarray,
    worth: np.ndarray,
    count: np.ndarray,
) -> None:
    """Measures a person (K,) and writes the best bids for the peaks of the wanted `joints` (K,), true or false: peaks
    and worths (K, MOST_BIDS), and how many (K,)."""
    place, mean = np.empty(6, np.float64), np.empty(tag.shape[1], np.float64)
    measure_body(person, spot, middle, rank, square, body)
    mean_tag(person, tag, mean)
    add_fields(person, begin, other, field, 1.0, known.fields)
    if len(expect) > 0:
        see_joints(person, body, spot, middle, known.seen)
    x, y, height, fields, bid, seen, sums = (
        known.x,
        known.y,
        known.height,
        known.fields,
        known.bid,
        known.seen,
        known.sums,
    )
    for k in range(len(person)):
        count[k] = 0
        if joints[k]:
            due, first, last = 0.0, start[k], start[k + 1]
            for z in range(beside.shape[1]):
                due += limb_due if beside[k, z] >= 0 and person[beside[k, z]] >= 0 else 0.0
            rate_by_height_and_fields(first, last, due, height, fields, bid)
            if len(expect) > 0:
                sum_expectations(seen, expect, k, sums)
                if sums[0] > 0:
                    expected_place(body, sums, place)
                    rate_by_place(first, last, x, y, place, bid)
            if len(mean) > 0:
                rate_by_tags(first, last, known.tag, mean, known.gap, bid)
            count[k] = keep_best(first, last, least, bid, rank, known.above, k, peak, worth)
    add_fields(person, begin, other, field, -1.0, known.fields)


@jit
def award(
    k: int,
    peak: np.ndarray,
    worth: np.ndarray,
    count: np.ndarray,
    bodies: np.ndarray,
    holder: np.ndarray,
    won: np.ndarray,
) -> None:
    """Gives the peaks of joint k to the best bids, as going through all bids from the best down would: everybody asks
    for the best peak, and who is outbid asks for the next.

    peak, worth: (P, K, MOST_BIDS) of the bids, best first; count: (P, K) how many. bodies: (P, COLUMNS), of which the
    ranks settle equal bids. holder: (n,) gets who holds each peak. won: (P,) gets the number of every person's
    winning bid, or of bids where none does."""
    for u in range(len(won)):
        won[u] = -1
        one = u
        while one >= 0:
            won[one] += 1
            z = won[one]
            if z >= count[one, k]:
                break
            i = peak[one, k, z]
            held = holder[i]
            if held == FREE:
                holder[i], one = one, -1
            elif held >= 0:
                mine, theirs = worth[one, k, z], worth[held, k, won[held]]
                if mine > theirs or (mine == theirs and bodies[one, RANK] < bodies[held, RANK]):
                    holder[i], one = one, held


@jit
def mark_held(member: np.ndarray, holder: np.ndarray) -> None:
    """Writes to `holder` (n,) which peaks the pieces (n, K) hold."""
    for i in range(len(holder)):
        holder[i] = FREE
    for a in range(len(member)):
        for k in range(member.shape[1]):
            if member[a, k] >= 0:
                holder[member[a, k]] = HELD


@jit
def exchange_joints(
    spot: np.ndarray,
    start: np.ndarray,
    rank: np.ndarray,
    tag: np.ndarray,
    middle: float,
    expect: np.ndarray,
    square: np.ndarray,
    beside: np.ndarray,
    begin: np.ndarray,
    other: np.ndarray,
    field: np.ndarray,
    limb_due: float,
    sweeps: int,
    fewest: int,
    share: bool,
    member: np.ndarray,
) -> None:
    """Gives all joints of the pieces (n, K) with `fewest` joints or more anew, `sweeps` times, then shares.

    spot: (3, n) x, y, score of the peaks, sorted by joint as `start` (K + 1,) says, with ranks (n,) and tags (n, L),
    where L may be 0. middle: the map's middle column. expect, square, beside: see `Tables`. begin (n + 1,), other,
    field: the candidate limbs by peak. limb_due: see `LIMB_DUE`. Who has not changed since the
    last sweep bids as then."""
    able, (n, K) = people_with(member, fewest), member.shape
    P, known = len(able), evidence_of(spot, tag, middle, expect)
    holder, won = np.empty(n, np.int64), np.empty(P, np.int64)
    peak, worth = np.empty((P, K, MOST_BIDS), np.int64), np.empty((P, K, MOST_BIDS), np.float32)
    count, bodies, moved = np.empty((P, K), np.int64), np.empty((P, COLUMNS)), np.empty(P, np.bool_)
    mark_held(member, holder)
    wanted = np.empty(K, np.bool_)
    for u in range(P):
        moved[u] = True
    for sweep in range(sweeps + share):
        sharing = sweep == sweeps
        for u in range(P):
            person, present = member[able[u]], 0
            for k in range(K):
                wanted[k] = not sharing or person[k] < 0
                present += person[k] >= 0
            if moved[u] if not sharing else SHARE_JOINTS <= present < K:
                least = SHARE if sharing else LEAST
                bid_of_person(
                    person, wanted, least, limb_due, known, spot, start, rank, tag, middle, expect, square, beside,
                    begin, other, field, bodies[u], peak[u], worth[u], count[u],
                )  # fmt: skip
                for k in range(K):
                    if sharing and count[u, k] > 0:
                        member[able[u], k] = peak[u, k, 0]
                    if present < fewest:
                        count[u, k] = 0
            moved[u] = False
        for k in range(K if not sharing else 0):
            give_joint(k, able, fewest, peak, worth, count, bodies, holder, won, member, moved)


@jit
def give_joint(
    k: int,
    able: np.ndarray,
    fewest: int,
    peak: np.ndarray,
    worth: np.ndarray,
    count: np.ndarray,
    bodies: np.ndarray,
    holder: np.ndarray,
    won: np.ndarray,
    member: np.ndarray,
    moved: np.ndarray,
) -> None:
    """Takes joint k from all people, save those who have become too small to bid, and gives it anew by their bids;
    `moved` (P,) is set for who has another peak than before. The other arguments are those of `award`."""
    for u in range(len(able)):
        if bodies[u, COUNT] >= fewest and member[able[u], k] >= 0:
            holder[member[able[u], k]] = FREE
    award(k, peak, worth, count, bodies, holder, won)
    for u in range(len(able)):
        if bodies[u, COUNT] >= fewest:
            now = peak[u, k, won[u]] if won[u] < count[u, k] else -1
            moved[u] = moved[u] or now != member[able[u], k]
            member[able[u], k] = now
            if now >= 0:
                holder[now] = HELD
