"""Body prior: pieces joined by where joints lie relative to each other.

The table prior (K, K, 7), float32, says where joint l lies from joint k in body heights: mean x, y;
the inverse covariance xx, xy, yy; the logarithm of the covariance's determinant; the mean square
distance. An unseen neck or hip cuts a skeleton into pieces that no limb joins; the table does.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.assembly import absorb, have_common_joint
from bottomup.grouping.compile import jit
from bottomup.grouping.grid import CELLS, SUMMANDS, on_grid
from bottomup.grouping.matching import order_pairs
from bottomup.grouping.tags import agreement, mean_tags, tag_gap

SIZE_WEIGHT = 1.25  # of the squared log ratio of two pieces' sizes
WORST_FIT = -1e6


@jit
def measure_piece(
    member: np.ndarray, a: int, spot: np.ndarray, prior: np.ndarray, rank: np.ndarray, piece: np.ndarray
) -> None:
    """Writes piece[a]: sums over its joint pairs of squared distances in cells, and of those expected at body
    height 1; its centre x, y; the rank of its best peak; the number of its joints."""
    for z in range(6):
        piece[a, z] = 0
    piece[a, 4] = len(rank)
    for k in range(member.shape[1]):
        i = member[a, k]
        if i < 0:
            continue
        for j in range(k):
            if member[a, j] >= 0:
                dx = spot[0, i] - spot[0, member[a, j]]
                dy = spot[1, i] - spot[1, member[a, j]]
                piece[a, 0] += on_grid(dx * dx + dy * dy, SUMMANDS)
                piece[a, 1] += np.float64(prior[k, j, 6])
        piece[a, 2] += spot[0, i]
        piece[a, 3] += spot[1, i]
        piece[a, 4] = min(piece[a, 4], rank[i])
        piece[a, 5] += 1
    piece[a, 2] = on_grid(piece[a, 2] / max(piece[a, 5], 1), CELLS)
    piece[a, 3] = on_grid(piece[a, 3] / max(piece[a, 5], 1), CELLS)


@jit
def surest_joint(member: np.ndarray, a: int, k: int, prior: np.ndarray, rank: np.ndarray) -> int:
    """The joint of piece a from which joint k is placed most surely; of equal ones the better peak. -1: none."""
    best = -1
    for j in range(member.shape[1]):
        if member[a, j] >= 0 and j != k:
            gain = prior[best, k, 5] - prior[j, k, 5] if best >= 0 else np.float32(1)
            if gain > 0 or (gain == 0 and rank[member[a, j]] < rank[member[a, best]]):
                best = j
    return best


@jit
def place_fit(prior: np.ndarray, j: int, k: int, spot: np.ndarray, origin: int, i: int, height: float) -> float:
    """Log density of peak i as joint k, seen from peak `origin` as joint j of a body of this height in cells."""
    dx = (spot[0, i] - spot[0, origin]) / height - prior[j, k, 0]
    dy = (spot[1, i] - spot[1, origin]) / height - prior[j, k, 1]
    square = (prior[j, k, 2] * dx * dx + prior[j, k, 4] * dy * dy) + 2.0 * prior[j, k, 3] * dx * dy
    return on_grid(max(-0.5 * (square + prior[j, k, 5]), WORST_FIT), SUMMANDS)


@jit
def pieces_fit(
    member: np.ndarray,
    a: int,
    b: int,
    spot: np.ndarray,
    mean: np.ndarray,
    prior: np.ndarray,
    rank: np.ndarray,
    piece: np.ndarray,
) -> float:
    """How well piece b fits the larger piece a: mean log density of its peaks, agreement in size and in tag."""
    height = math.sqrt((piece[a, 0] + piece[b, 0]) / (piece[a, 1] + piece[b, 1]))
    if height == 0:
        return WORST_FIT
    total = 0.0
    for k in range(member.shape[1]):
        if member[b, k] >= 0:
            j = surest_joint(member, a, k, prior, rank)
            total += place_fit(prior, j, k, spot, member[a, j], member[b, k], height)
    fit = total / piece[b, 5]
    if piece[b, 1] > 0:
        ratio = math.log(max(piece[a, 0], 1e-3) * piece[b, 1] / (piece[a, 1] * max(piece[b, 0], 1e-3)))
        fit -= SIZE_WEIGHT * ratio * ratio
    return fit + agreement(tag_gap(mean, a, mean, b)) if mean.shape[1] > 0 else fit


@jit
def larger_first(a: int, b: int, piece: np.ndarray) -> tuple[int, int]:
    """The two pieces, that with more joints first; of equal ones that with the better peak."""
    if piece[b, 5] > piece[a, 5] or (piece[b, 5] == piece[a, 5] and piece[b, 4] < piece[a, 4]):
        return b, a
    return a, b


@jit
def measure_pieces(
    member: np.ndarray, spot: np.ndarray, prior: np.ndarray, rank: np.ndarray, single: float
) -> tuple[np.ndarray, np.ndarray]:
    """`measure_piece` of all (n, 6), and the numbers of those that may join: lone peaks from score `single` on."""
    n, m = len(member), 0
    piece, able = np.empty((n, 6), np.float64), np.empty(n, np.int64)
    for a in range(n):
        measure_piece(member, a, spot, prior, rank, piece)
        score = 0.0
        for k in range(member.shape[1]):
            if member[a, k] >= 0:
                score = spot[2, member[a, k]]
        if piece[a, 5] > 1 or (piece[a, 5] == 1 and score > single):
            able[m] = a
            m += 1
    return piece, able[:m]


@jit
def find_fits(
    member: np.ndarray,
    spot: np.ndarray,
    tag: np.ndarray,
    prior: np.ndarray,
    rank: np.ndarray,
    single: float,
    least: float,
    pair: np.ndarray,
    value: np.ndarray,
) -> int:
    """Writes the pairs of pieces that may be one person (m, 2) and how well they fit (m,) as far as there is room;
    gives how many there are. Pairs are named by a peak of each."""
    piece, able = measure_pieces(member, spot, prior, rank, single)
    _, mean = mean_tags(member, tag)
    found, room = 0, len(pair)
    for u in range(len(able)):
        for v in range(u):
            a, b = able[u], able[v]
            dx, dy = piece[a, 2] - piece[b, 2], piece[a, 3] - piece[b, 3]
            near = (dx * dx + dy * dy) * (piece[a, 1] + piece[b, 1]) < piece[a, 0] + piece[b, 0]
            if not near or have_common_joint(member, a, b):
                continue
            a, b = larger_first(a, b, piece)
            fit = pieces_fit(member, a, b, spot, mean, prior, rank, piece)
            if fit > least:
                if found < room:
                    pair[found, 0], pair[found, 1], value[found] = a, b, fit
                found += 1
    return found


@jit
def join_by_prior(
    pair: np.ndarray,
    value: np.ndarray,
    found: int,
    spot: np.ndarray,
    tag: np.ndarray,
    rank: np.ndarray,
    prior: np.ndarray,
    least: float,
    member: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Joins pieces along the first `found` pairs of `find_fits`, best first; grown pieces are judged anew."""
    n = len(member)
    count, mean = mean_tags(member, tag)
    piece, first = np.empty((n, 6), np.float64), np.empty(n, np.int64)
    heir, grown = np.arange(n), np.zeros(n, np.bool_)
    for a in range(n):
        measure_piece(member, a, spot, prior, rank, piece)
        first[a] = piece[a, 4]
    order = order_pairs(pair, value, found, first)
    for u in range(found):
        a, b = pair[order[u], 0], pair[order[u], 1]
        while heir[a] != a:
            a = heir[a]
        while heir[b] != b:
            b = heir[b]
        if a == b or have_common_joint(member, a, b):
            continue
        a, b = larger_first(a, b, piece)
        again = grown[a] or grown[b]
        if again and pieces_fit(member, a, b, spot, mean, prior, rank, piece) <= least:
            continue
        for z in range(mean.shape[1]):
            mean[a, z] = (mean[a, z] * count[a] + mean[b, z] * count[b]) / (count[a] + count[b])
        absorb(member, owner, a, b)
        measure_piece(member, a, spot, prior, rank, piece)
        count[a] += count[b]
        heir[b], grown[a] = a, True
