"""People out of pieces: which pieces count, how sure each is, in which order they come.

A person's score is 1.5 S / (n + K / 2) times (1 + F) / 2: S sums the scores of the n joints found, of
K that there are, and F is the mean field along the limbs with both ends found (1 where there are no
fields). It is 1 for a perfect person. Many joints count for more than few, as they make a high OKS
likely, but a person who is cut off by the border is not put behind everybody whole.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit
from bottomup.grouping.matching import sort_best_first

SHRINK = 0.5  # of all joints: how many joints of score 0 are added before the mean is taken


@jit
def limb_agreement(
    member: np.ndarray, limbs: np.ndarray, begin: np.ndarray, other: np.ndarray, field: np.ndarray
) -> np.ndarray:
    """Mean field (n,) of every piece's limbs with both ends found, at most 1; a limb without a candidate counts 0.

    begin (n + 1,), other, field: the candidate limbs by peak, as `fields_of_peaks` gives them."""
    n = len(member)
    total = np.zeros(n, np.float64)
    for a in range(n):
        due = 0
        for e in range(len(limbs)):
            i, j = member[a, limbs[e, 0]], member[a, limbs[e, 1]]
            if i < 0 or j < 0:
                continue
            due += 1
            for at in range(begin[i], begin[i + 1]):
                if other[at] == j:
                    total[a] += field[at]
        total[a] = min(total[a] / max(due, 1), 1.0)
    return total


@jit
def sum_of_best(scores: np.ndarray, count: int) -> float:
    """Sum of the `count` highest scores; changes the array."""
    total = 0.0
    for _ in range(count):
        best = 0
        for k in range(len(scores)):
            if scores[k] > scores[best]:
                best = k
        total += scores[best]
        scores[best] = 0.0
    return total


@jit
def piece_scores(
    member: np.ndarray, spot: np.ndarray, rank: np.ndarray, trust: np.ndarray, fewest: int, best: int, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Score (n,) of every piece, 0 for those that are no people, and the rank of its best peak (n,).

    trust: (n,) factor of each piece. A person has `fewest` joints or more, and the scores of the best
    `best` of them add up to `least` or more: of few joints all must be sure."""
    n, K = member.shape
    score, first, each = np.zeros(n, np.float64), np.empty(n, np.int64), np.empty(K, np.float64)
    for a in range(n):
        count, total, first[a] = 0, 0.0, n
        for k in range(K):
            each[k] = 0.0
            if member[a, k] >= 0:
                each[k] = min(spot[2, member[a, k]], 1.0)
                first[a] = min(first[a], rank[member[a, k]])
                count += 1
                total += each[k]
        if count >= fewest and sum_of_best(each, best) >= least:
            score[a] = (1 + SHRINK) * total / (count + SHRINK * K) * trust[a]
    return score, first


@jit
def people_of_pieces(
    spot: np.ndarray, rank: np.ndarray, member: np.ndarray, trust: np.ndarray, fewest: int, best: int, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (P, K, 3) and scores (P,), float32, of the pieces that are people, best first.

    trust: (n,) factor of each piece's score. fewest, best, least: see `piece_scores`."""
    n, K = member.shape
    score, first = piece_scores(member, spot, rank, trust, fewest, best, least)
    order, P = np.arange(n), 0
    for a in range(n):
        P += score[a] > 0
    sort_best_first(order, score, first)
    joints, scores = np.zeros((P, K, 3), np.float32), np.empty(P, np.float32)
    for p in range(P):
        scores[p] = score[order[p]]
        for k in range(K):
            i = member[order[p], k]
            if i >= 0:
                joints[p, k, 0], joints[p, k, 1] = spot[0, i], spot[1, i]
                joints[p, k, 2] = min(spot[2, i], 1.0)
    return joints, scores
