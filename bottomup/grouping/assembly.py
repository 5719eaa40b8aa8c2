"""Pieces of people: sets of peaks, no joint twice, joined best first.

A piece is one row of `member` (n, K): a peak number a joint, or -1. `owner` (n,) names each peak's
piece. All candidate limbs of all kinds stand in one list, the best first, so that a redundant limb
bridges a missing joint and a conflict goes to the better limb wherever it stands.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit
from bottomup.grouping.matching import order_pairs


@jit
def single_pieces(start: np.ndarray, member: np.ndarray, owner: np.ndarray) -> None:
    """Writes one piece a peak: member (n, K) and owner (n,). start: (K + 1,) where each joint's peaks begin."""
    K = len(start) - 1
    for k in range(K):
        for i in range(start[k], start[k + 1]):
            owner[i] = i
            for j in range(K):
                member[i, j] = i if j == k else -1


@jit
def have_common_joint(member: np.ndarray, a: int, b: int) -> bool:
    """Whether pieces a and b both have some joint."""
    common = False
    for k in range(member.shape[1]):
        common |= member[a, k] >= 0 and member[b, k] >= 0
    return common


@jit
def absorb(member: np.ndarray, owner: np.ndarray, a: int, b: int) -> None:
    """Piece a takes over the members of piece b."""
    for k in range(member.shape[1]):
        if member[b, k] >= 0:
            member[a, k] = member[b, k]
            owner[member[b, k]] = a
            member[b, k] = -1


@jit
def connect(
    pair: np.ndarray, strength: np.ndarray, count: int, rank: np.ndarray, member: np.ndarray, owner: np.ndarray
) -> None:
    """Joins pieces along the first `count` candidate limbs (m, 2), strongest first, where no joint would be doubled."""
    order = order_pairs(pair, strength, count, rank)
    for u in range(count):
        a, b = owner[pair[order[u], 0]], owner[pair[order[u], 1]]
        if a != b and not have_common_joint(member, a, b):
            absorb(member, owner, a, b)
