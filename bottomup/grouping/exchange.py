"""Joints given anew: every person bids for the peaks of every joint, and the best bids win.

Joining best first cannot take a step back. So once there are people, each joint is taken from all of
them and offered again (the bids themselves: `grouping/bids.py`). A joint for which no bid is good
enough stays empty: better none than another's. At last those without a joint may use a peak that
another holds, if they bid enough, since neighbours' peaks melt into one.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.bids import COUNT, SIZE, Bids, Evidence, measure_person, write_bids
from bottomup.grouping.compile import jit

SHARE_JOINTS = 4  # fewest joints of a person who may use another's peak


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
def next_bid(first: int, last: int, peak: np.ndarray, worth: np.ndarray, rank: np.ndarray, before: int) -> int:
    """The best of a person's bids first..last that is behind bid `before` (-1: best of all), or -1; of equal ones that
    for the better peak."""
    best = -1
    for z in range(first, last):
        value, place = worth[z], rank[peak[z]]
        if before >= 0 and (value > worth[before] or (value == worth[before] and place <= rank[peak[before]])):
            continue
        if best < 0 or value > worth[best] or (value == worth[best] and place < rank[peak[best]]):
            best = z
    return best


@jit
def award(
    span: np.ndarray,
    peak: np.ndarray,
    worth: np.ndarray,
    rank: np.ndarray,
    first: np.ndarray,
    taken: np.ndarray,
    winner: np.ndarray,
    last: np.ndarray,
) -> None:
    """Gives peaks to the best bids, as going through all bids from the best down would: everybody asks for the best
    peak, and who is outbid asks for the next.

    span: (P, 2) where each person's bids begin and end; peak, worth: of the bids. first: (P,) ranks that
    settle equal bids for one peak. taken: (n,) peaks that nobody may have. winner: (n,) -1; gets the bid that won
    each peak. last: (P,) gets every person's winning bid, or -1."""
    holder = np.empty(len(winner), np.int64)
    for u in range(len(span)):
        last[u] = -1
        one = u
        while one >= 0:
            z = next_bid(span[one, 0], span[one, 1], peak, worth, rank, last[one])
            last[one] = z
            if z < 0:
                break
            i = peak[z]
            held = winner[i]
            if taken[i]:
                continue
            if held < 0:
                winner[i], holder[i], one = z, one, -1
            elif worth[z] > worth[held] or (worth[z] == worth[held] and first[one] < first[holder[i]]):
                winner[i], holder[i], one = z, one, holder[i]


@jit
def settle(
    k: int,
    able: np.ndarray,
    bidding: np.ndarray,
    span: np.ndarray,
    peak: np.ndarray,
    worth: np.ndarray,
    rank: np.ndarray,
    first: np.ndarray,
    taken: np.ndarray,
    winner: np.ndarray,
    member: np.ndarray,
    moved: np.ndarray,
) -> None:
    """Takes joint k from all people who are `bidding` (P,) and gives it anew, by their bids; `moved` (P,) is set for
    who has another peak than before. The other arguments are those of `award`."""
    won = np.empty(len(able), np.int64)
    for u in range(len(able)):
        if bidding[u] and member[able[u], k] >= 0:
            taken[member[able[u], k]] = False
    award(span, peak, worth, rank, first, taken, winner, won)
    for u in range(len(able)):
        if bidding[u]:
            now = -1 if won[u] < 0 else peak[won[u]]
            moved[u] = moved[u] or now != member[able[u], k]
            member[able[u], k] = now
            if now >= 0:
                taken[now], winner[now] = True, -1


@jit
def mirror_of(side: np.ndarray, k: int) -> int:
    """The joint on the other side, for joint k that is the smaller of the two; k where it has no side."""
    for j in range(k + 1, len(side)):
        if side[j] == k:
            return j
    return k


@jit
def exchange_joints(
    known: Evidence, side: np.ndarray, bids: Bids, sweeps: int, fewest: int, member: np.ndarray
) -> None:
    """Gives all joints of the pieces (n, K) with `fewest` joints or more anew, `sweeps` times.

    side: (K,) the smaller of a joint and its mirror image; both bid on the same state, so that neither
    goes first. Who has not changed since the last sweep bids as then."""
    able, (n, K) = people_with(member, fewest), member.shape
    P, rank, at = len(able), known.rank, 0
    taken, fields, bid, winner = np.zeros(n, np.bool_), np.zeros(n), np.empty(n), np.empty(n, np.int64)
    size, mean, first = np.zeros((P, SIZE)), np.empty((P, known.tag.shape[1])), np.empty(P, np.int64)
    span, peak, worth = np.zeros((K, P, 2), np.int64), np.empty(sweeps * P * n, np.int64), np.empty(sweeps * P * n)
    moved, stale, bidding = np.ones(P, np.bool_), np.empty(P, np.bool_), np.empty(P, np.bool_)
    for a in range(n):
        winner[a] = -1
        for k in range(K):
            if member[a, k] >= 0:
                taken[member[a, k]] = True
    for _ in range(sweeps):
        for u in range(P):
            stale[u], moved[u] = moved[u], False
            if stale[u]:
                first[u] = measure_person(member[able[u]], known, size[u], mean[u])
                bidding[u] = size[u, COUNT] >= fewest
        for one in range(K):
            if side[one] != one:
                continue
            two = mirror_of(side, one)
            for k in range(one, two + 1, max(two - one, 1)):
                for u in range(P):
                    if not bidding[u]:
                        span[k, u, 1] = span[k, u, 0]
                    elif stale[u] or moved[u]:
                        person, span[k, u, 0] = member[able[u]], at
                        at = write_bids(
                            person, k, size[u], mean, u, known, bids, bids.least, fields, bid, peak, worth, at
                        )
                        span[k, u, 1] = at
            for k in range(one, two + 1, max(two - one, 1)):
                settle(k, able, bidding, span[k], peak, worth, rank, first, taken, winner, member, moved)


@jit
def share_peaks(known: Evidence, bids: Bids, member: np.ndarray) -> None:
    """Lets people (n, K) without a joint use the peak for which they bid most, even another's, from `bids.share` on."""
    able, (n, K) = people_with(member, SHARE_JOINTS), member.shape
    fields, bid, peak, worth = np.zeros(n), np.empty(n), np.empty(n, np.int64), np.empty(n)
    size, mean, given = np.empty(SIZE), np.empty((1, known.tag.shape[1])), np.empty(K, np.int64)
    for a in able:
        measure_person(member[a], known, size, mean[0])
        for k in range(K):
            given[k] = member[a, k]
            if given[k] < 0:
                last = write_bids(member[a], k, size, mean, 0, known, bids, bids.share, fields, bid, peak, worth, 0)
                best = next_bid(0, last, peak, worth, known.rank, -1)
                given[k] = peak[best] if best >= 0 else -1
        for k in range(K):
            member[a, k] = given[k]
