"""Tags of peaks, how well two tags agree, and pieces joined by their tags."""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.assembly import absorb, have_common_joint
from bottomup.grouping.compile import jit, jit_inside
from bottomup.grouping.grid import PUSH, SUMMANDS, on_grid
from bottomup.grouping.limbs import bilinear
from bottomup.grouping.matching import order_pairs, sort_best_first

SIZED = 4  # joints from which a piece's extent says how far it may reach


@jit
def read_tags(tags: np.ndarray, spot: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Tag (n, L) of every peak, bilinear at its place, float64. tags: (L, K, h, w)."""
    L = tags.shape[0]
    out = np.empty((spot.shape[1], L), np.float64)
    for z in range(L):
        for k in range(len(start) - 1):
            plane = tags[z, k]
            for i in range(start[k], start[k + 1]):
                out[i, z] = on_grid(bilinear(plane, spot[0, i], spot[1, i]), SUMMANDS)
    return out


def read_any_tags(tags: np.ndarray, spot: np.ndarray, start: np.ndarray) -> np.ndarray:
    """As `read_tags`, the same to the bit, for maps of any number type and strides, which are not copied."""
    if tags.dtype == np.float32 and tags.flags.carray:
        return read_tags(tags, spot, start)
    h, w = tags.shape[2:]
    joint = np.repeat(np.arange(len(start) - 1), np.diff(start))
    x, y = spot[0].clip(0, w - 1), spot[1].clip(0, h - 1)
    x0, y0 = x.astype(np.int64), y.astype(np.int64)
    x1, y1, fx, fy = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1), x - x0, y - y0

    def cells(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return tags[:, joint, row, column].astype(np.float32).astype(np.float64)

    upper = cells(y0, x0) * (1.0 - fx) + cells(y0, x1) * fx
    value = upper * (1.0 - fy) + (cells(y1, x0) * (1.0 - fx) + cells(y1, x1) * fx) * fy
    return np.ascontiguousarray((((value * SUMMANDS + PUSH) - PUSH) / SUMMANDS).T)


@jit_inside
def tag_gap(one: np.ndarray, a: int, other: np.ndarray, b: int) -> float:
    """Square of the distance of the tags one[a] and other[b]: the mean over their components."""
    total = 0.0
    for z in range(one.shape[1]):
        total += (one[a, z] - other[b, z]) ** 2
    return total / one.shape[1]


@jit_inside
def agreement(gap: float) -> float:
    """What a squared tag distance says for one person: 1 for equal tags, falling to -3 at 1.4 and beyond."""
    return max(1.0 - 2.0 * gap, -3.0)


@jit
def weigh_limbs(pair: np.ndarray, strength: np.ndarray, count: int, tag: np.ndarray, weight: float) -> None:
    """Adds the agreement of the ends' tags (n, L) to the scores of the first `count` candidate limbs."""
    for z in range(count):
        strength[z] += weight * agreement(tag_gap(tag, pair[z, 0], tag, pair[z, 1]))


@jit
def mean_tags(member: np.ndarray, tag: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of peaks (n,) and mean tag (n, L) of every piece."""
    n, K = member.shape
    L = tag.shape[1]
    count, mean = np.zeros(n, np.int64), np.zeros((n, L), np.float64)
    for a in range(n):
        for k in range(K):
            if member[a, k] >= 0:
                count[a] += 1
                for z in range(L):
                    mean[a, z] += tag[member[a, k], z]
        for z in range(L):
            mean[a, z] /= max(count[a], 1)
    return count, mean


@jit
def extent(member: np.ndarray, a: int, spot: np.ndarray) -> float:
    """Diagonal of the box around piece a in cells."""
    left, right, high, low = math.inf, -math.inf, math.inf, -math.inf
    for k in range(member.shape[1]):
        if member[a, k] >= 0:
            x, y = spot[0, member[a, k]], spot[1, member[a, k]]
            left, right, high, low = min(left, x), max(right, x), min(high, y), max(low, y)
    return math.sqrt((right - left) * (right - left) + (low - high) * (low - high))


@jit
def peak_distance(spot: np.ndarray, i: int, j: int) -> float:
    """Distance of two peaks in cells."""
    dx, dy = spot[0, i] - spot[0, j], spot[1, i] - spot[1, j]
    return math.sqrt(dx * dx + dy * dy)


@jit
def remember(best: np.ndarray, worth: np.ndarray, i: int, k: int, j: int, value: float, rank: np.ndarray) -> None:
    """Makes peak j, of joint k, the best partner of peak i if it is; of equal ones the better peak."""
    other = best[i, k]
    if other < 0 or value > worth[i, k] or (value == worth[i, k] and rank[j] < rank[other]):
        best[i, k], worth[i, k] = j, value


@jit
def rate_like_tags(
    spot: np.ndarray,
    kind: np.ndarray,
    owner: np.ndarray,
    member: np.ndarray,
    count: np.ndarray,
    mean: np.ndarray,
    rank: np.ndarray,
    sigma: float,
    limit: float,
    near_weight: float,
    score_weight: float,
    seed: float,
    best: np.ndarray,
    worth: np.ndarray,
) -> None:
    """Writes every peak's best partner of each joint (n, K) and its worth (n, K), as `find_like_tags` says.

    The search runs along the first component of the tags and stops early."""
    n, farthest = spot.shape[1], limit * math.sqrt(mean.shape[1])
    order, first = np.arange(n), np.empty(n, np.float64)
    for i in range(n):
        first[i] = -mean[owner[i], 0]
    sort_best_first(order, first, rank)
    for u in range(n):
        i, a = order[u], owner[order[u]]
        for v in range(u + 1, n):
            j, b = order[v], owner[order[v]]
            if mean[b, 0] - mean[a, 0] >= farthest:
                break
            if a == b or kind[i] == kind[j] or (spot[2, i] < seed and spot[2, j] < seed):
                continue
            gap = tag_gap(mean, a, mean, b)
            if gap >= limit * limit or (count[a] + count[b] > 2 and have_common_joint(member, a, b)):
                continue
            score = (spot[2, i] + spot[2, j]) / 2
            most = 1 - math.sqrt(gap) / limit + score_weight * score + 1e-9  # were they in one place
            if most < worth[i, kind[j]] and most < worth[j, kind[i]]:
                continue
            apart = math.log(1 + peak_distance(spot, i, j) / sigma)
            value = 1 - math.sqrt(gap) / limit - near_weight * apart + score_weight * score
            remember(best, worth, i, kind[j], j, value, rank)
            remember(best, worth, j, kind[i], i, value, rank)


@jit
def find_like_tags(
    spot: np.ndarray,
    start: np.ndarray,
    tag: np.ndarray,
    owner: np.ndarray,
    member: np.ndarray,
    rank: np.ndarray,
    sigma: float,
    limit: float,
    near_weight: float,
    score_weight: float,
    seed: float,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Pairs of peaks of different pieces with tags nearer than `limit` (m, 2), their values (m,) and their number.

    Noisy maps have millions of such pairs. So of a peak's partners of one joint only the best stands in
    the list, and one of the two scores `seed` at least, as some peak of every person does."""
    n, K = member.shape
    count, mean = mean_tags(member, tag)
    kind, best, worth = np.empty(n, np.int64), np.empty((n, K), np.int64), np.empty((n, K), np.float64)
    for k in range(K):
        for i in range(start[k], start[k + 1]):
            kind[i] = k
            for z in range(K):
                best[i, z], worth[i, z] = -1, -math.inf
    rate_like_tags(
        spot, kind, owner, member, count, mean, rank, sigma, limit, near_weight, score_weight, seed, best, worth
    )
    pair, value, found = np.empty((n * K, 2), np.int64), np.empty(n * K, np.float64), 0
    for i in range(n):
        for z in range(K):
            j = best[i, z]
            if j >= 0 and not (j < i and best[j, kind[i]] == i):  # then it stands there already
                pair[found, 0], pair[found, 1], value[found] = i, j, worth[i, z]
                found += 1
    return pair, value, found


@jit
def join_by_tags(
    pair: np.ndarray,
    value: np.ndarray,
    found: int,
    spot: np.ndarray,
    tag: np.ndarray,
    rank: np.ndarray,
    limit: float,
    reach: float,
    member: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Joins pieces along the first `found` pairs of peaks with like tags, best first, as long as the mean tags of the
    grown pieces agree within `limit` and the gap is at most `reach` times the larger piece's extent."""
    count, mean = mean_tags(member, tag)
    order = order_pairs(pair, value, found, rank)
    for u in range(found):
        i, j = pair[order[u], 0], pair[order[u], 1]
        a, b = owner[i], owner[j]
        if a == b or have_common_joint(member, a, b) or tag_gap(mean, a, mean, b) >= limit * limit:
            continue
        size = max(extent(member, a, spot), extent(member, b, spot))
        if max(count[a], count[b]) >= SIZED and peak_distance(spot, i, j) > reach * size:
            continue
        absorb(member, owner, a, b)
        count[a] += count[b]
        for z in range(mean.shape[1]):  # from the tags themselves: no sum of sums
            total = 0.0
            for k in range(member.shape[1]):
                if member[a, k] >= 0:
                    total += tag[member[a, k], z]
            mean[a, z] = total / count[a]
