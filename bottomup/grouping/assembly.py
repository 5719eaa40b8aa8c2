"""Pieces of people: sets of peaks, no joint twice, joined best first.

A piece is one row of `member` (n, K): a peak number a joint, or -1. `owner` (n,) names each peak's
piece. All candidate limbs of all kinds stand in one list, the best first, so that a redundant limb
bridges a missing joint and a conflict goes to the better limb wherever it stands.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit, jit_part
from bottomup.grouping.matching import order_pairs, rank_peaks


@jit_part
def single_pieces(start: np.ndarray, member: np.ndarray, owner: np.ndarray) -> None:
    """Writes one piece a peak: member (n, K) and owner (n,). start: (K + 1,) where each joint's peaks begin."""
    K = len(start) - 1
    for k in range(K):
        for i in range(start[k], start[k + 1]):
            owner[i] = i
            for j in range(K):
                member[i, j] = i if j == k else -1


@jit_part
def joints_of(piece: np.ndarray) -> int:
    """How many joints a piece (K,) has."""
    count = 0
    for k in range(np.uint64(len(piece))):  # unsigned: no wrap-around test, so that it vectorises
        count += piece[k] >= 0
    return count


@jit_part
def have_common_joint(member: np.ndarray, a: int, b: int) -> bool:
    """Whether pieces a and b both have some joint."""
    common = False
    for k in range(member.shape[1]):
        common |= member[a, k] >= 0 and member[b, k] >= 0
    return common


@jit_part
def absorb(member: np.ndarray, owner: np.ndarray, a: int, b: int) -> None:
    """Piece a takes over the members of piece b."""
    for k in range(member.shape[1]):
        if member[b, k] >= 0:
            member[a, k] = member[b, k]
            owner[member[b, k]] = a
            member[b, k] = -1


@jit_part
def connect(
    pair: np.ndarray,
    strength: np.ndarray,
    count: int,
    rank: np.ndarray,
    room: np.ndarray,
    member: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Joins pieces along the first `count` candidate limbs (m, 2), strongest first, where no joint would be doubled.
    room: see `order_pairs`."""
    order_pairs(pair, strength, count, rank, room)
    for u in range(count):
        a, b = owner[pair[room[0, u], 0]], owner[pair[room[0, u], 1]]
        if a != b and not have_common_joint(member, a, b):
            absorb(member, owner, a, b)


@jit
def begin_pieces(
    spot: np.ndarray,
    start: np.ndarray,
    side: np.ndarray,
    width: int,
    rank: np.ndarray,
    room: np.ndarray,
    member: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Ranks the peaks and makes a piece of each. The arguments are those of `rank_peaks` and `single_pieces`."""
    rank_peaks(spot, start, side, width, rank, room)
    single_pieces(start, member, owner)


def room_for_pieces(n: int, K: int) -> tuple[np.ndarray, ...]:
    """For n peaks of K joints: what `begin_pieces` works in, ranks, pieces and owners."""
    return np.empty((4, n + 1), np.int64), np.empty(n, np.int64), np.empty((n, K), np.int64), np.empty(n, np.int64)
