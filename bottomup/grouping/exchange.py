"""Joints given anew: every person bids for the peaks of every joint, and the best bids win.

Joining best first cannot take a step back. So once there are people, all joints are taken from all of
them and offered again (the bids themselves: `grouping/bids.py`), each as if the others stayed. A joint for which no
bid is good enough stays empty: better none than another's. At last those without a joint may use a peak that
another holds, if they bid enough, since neighbours' peaks melt into one.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.assembly import joints_of
from bottomup.grouping.bids import (
    LANES,
    MOST_BIDS,
    SHARE,
    TAGS,
    add_fields,
    best_bids,
    expected_place,
    forget_fields,
    sum_expectations,
    write_evidence,
)
from bottomup.grouping.bodies import COLUMNS, COUNT, RANK, mean_tag, measure_body
from bottomup.grouping.compile import jit, jit_part

SHARE_JOINTS = 4  # fewest joints of a person who may use another's peak
FREE, HELD = -1, -2  # of peaks that nobody holds, and of those whose holders do not bid


@jit_part
def people_with(member: np.ndarray, fewest: int, able: np.ndarray) -> int:
    """Writes the numbers of the pieces (n, K) with `fewest` joints or more to `able` (n,); gives how many."""
    P = 0
    for a in range(len(member)):
        able[P] = a
        P += joints_of(member[a]) >= fewest
    return P


@jit_part
def bid_of_person(
    person: np.ndarray,
    limb_due: float,
    known: np.ndarray,
    first: np.ndarray,
    slot: np.ndarray,
    bid: np.ndarray,
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
    room: np.ndarray,
    body: np.ndarray,
    peak: np.ndarray,
    worth: np.ndarray,
    count: np.ndarray,
) -> None:
    """Measures a person (K,) and writes the best bids for the peaks of every joint: peaks and worths (K, MOST_BIDS),
    and how many (K,). known, first, slot: see `write_evidence`. bid, room: see `room_for_bids`."""
    L, placed = tag.shape[1], False
    place, mean, sums = room[:6], room[6 : 6 + L], room[6 + L :]
    measure_body(person, spot, middle, rank, square, body)
    mean_tag(person, tag, mean)
    add_fields(person, begin, other, field, slot, known)
    if len(expect) > 0:
        sum_expectations(person, body, spot, middle, expect, sums)
    for k in range(len(person)):
        due = 0.0
        for z in range(beside.shape[1]):
            due += limb_due if beside[k, z] >= 0 and person[beside[k, z]] >= 0 else 0.0
        if len(expect) > 0:
            placed = expected_place(body, sums, k, place)
        count[k] = best_bids(k, start, first, due, known, placed, place, mean, rank, bid, peak, worth)
    forget_fields(person, begin, other, slot, known)


@jit_part
def award(
    k: int,
    P: int,
    peak: np.ndarray,
    worth: np.ndarray,
    count: np.ndarray,
    bodies: np.ndarray,
    holder: np.ndarray,
    won: np.ndarray,
) -> None:
    """Gives the peaks of joint k to the best bids of P people, as going through all bids from the best down would:
    everybody asks for the best peak, and who is outbid asks for the next.

    peak, worth: (P, K, MOST_BIDS) of the bids, best first; count: (P, K) how many. bodies: (P, COLUMNS), of which the
    ranks settle equal bids. holder: (n,) gets who holds each peak. won: (P,) gets the number of every person's
    winning bid, or of bids where none does."""
    for u in range(P):
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


@jit_part
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
    known: np.ndarray,
    bid: np.ndarray,
    room: np.ndarray,
    first: np.ndarray,
    whole: np.ndarray,
    bodies: np.ndarray,
    peak: np.ndarray,
    worth: np.ndarray,
    count: np.ndarray,
    member: np.ndarray,
) -> None:
    """Gives all joints of the pieces (n, K) with `fewest` joints or more anew, `sweeps` times, then shares.

    spot: (3, n) x, y, score of the peaks, sorted by joint as `start` (K + 1,) says, with ranks (n,) and tags (n, L),
    where L may be 0. middle: the map's middle column. expect, square, beside: see `Tables`. begin (n + 1,),
    other, field: the candidate limbs by peak. limb_due: see `LIMB_DUE`. The others are room to work in, see
    `room_for_bids`. Who has not changed since the last sweep bids as then."""
    able, holder, won, moved, slot = whole[0], whole[1], whole[2], whole[3], whole[4]
    P = people_with(member, fewest, able)
    write_evidence(spot, start, tag, middle, known, first, slot)
    mark_held(member, holder)
    for u in range(P):
        moved[u] = 1
    for sweep in range(sweeps + share):
        for u in range(P):
            person = member[able[u]]
            if moved[u]:
                bid_of_person(
                    person, limb_due, known, first, slot, bid, spot, start, rank, tag, middle, expect, square,
                    beside, begin, other, field, room, bodies[u], peak[u], worth[u], count[u],
                )  # fmt: skip
            moved[u] = 0
            if sweep == sweeps:
                share_peaks(person, bodies[u], peak[u], worth[u], count[u])
            elif bodies[u, COUNT] < fewest:
                for k in range(member.shape[1]):
                    count[u, k] = 0
        for k in range(member.shape[1] if sweep < sweeps else 0):
            give_joint(k, P, able, fewest, peak, worth, count, bodies, holder, won, member, moved)


def room_for_bids(n: int, K: int, L: int, sums: int, fewest: int) -> tuple[np.ndarray, ...]:
    """What `exchange_joints` works in, for n peaks of K joints with tags of L numbers and so many sums of expectations:
    the evidence; a few bids; place, tag and sums of a person; where each joint's evidence begins; columns of whole
    numbers; and of every person the body, the best bids' peaks and worths and their number a joint."""
    P = n // max(fewest, 1) + 1
    known, bid, room = (
        np.empty((TAGS + L, n + LANES * K), np.float32),
        np.empty((2, n + LANES), np.float32),
        np.empty(6 + L + sums),
    )
    first, whole = np.empty(K + 1, np.int64), np.empty((5, n + 1), np.int64)
    peak, worth = np.empty((P, K, MOST_BIDS), np.int64), np.empty((P, K, MOST_BIDS), np.float32)
    return known, bid, room, first, whole, np.empty((P, COLUMNS)), peak, worth, np.empty((P, K), np.int64)


@jit_part
def share_peaks(person: np.ndarray, body: np.ndarray, peak: np.ndarray, worth: np.ndarray, count: np.ndarray) -> None:
    """Gives a person (K,) of enough joints the best peak for each that is missing, whoever holds it, if enough is bid.
    The other arguments are those of `bid_of_person`."""
    if body[COUNT] >= SHARE_JOINTS:
        for k in range(len(person)):
            if person[k] < 0 and count[k] > 0 and worth[k, 0] > SHARE:
                person[k] = peak[k, 0]


@jit_part
def give_joint(
    k: int,
    P: int,
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
    `moved` (P,) is set for which of the P people has another peak than before. The others are those of `award`."""
    for u in range(P):
        if bodies[u, COUNT] >= fewest and member[able[u], k] >= 0:
            holder[member[able[u], k]] = FREE
    award(k, P, peak, worth, count, bodies, holder, won)
    for u in range(P):
        if bodies[u, COUNT] >= fewest:
            now = peak[u, k, won[u]] if won[u] < count[u, k] else -1
            moved[u] |= now != member[able[u], k]
            member[able[u], k] = now
            if now >= 0:
                holder[now] = HELD
