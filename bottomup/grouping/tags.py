"""Tags of peaks, and pieces joined by their tags."""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.assembly import absorb, have_common_joint, joints_of
from bottomup.grouping.bodies import mean_tag
from bottomup.grouping.compile import jit, jit_part
from bottomup.grouping.grid import PUSH, SUMMANDS, on_grid
from bottomup.grouping.likeness import tag_gap
from bottomup.grouping.matching import order_pairs, sort_best_first

SIZED = 4  # joints from which a piece's extent says how far it may reach


@jit_part
def bilinear(plane: np.ndarray, x: float, y: float) -> float:
    """Value of a plane (h, w) at (x, y) in cells; outside it is continued by its border."""
    h, w = plane.shape
    x, y = min(max(x, 0.0), w - 1.0), min(max(y, 0.0), h - 1.0)
    x0, y0 = np.uint64(x), np.uint64(y)
    x1, y1 = min(x0 + np.uint64(1), np.uint64(w - 1)), min(y0 + np.uint64(1), np.uint64(h - 1))
    fx, fy = x - x0, y - y0
    upper = plane[y0, x0] * (1.0 - fx) + plane[y0, x1] * fx
    return upper * (1.0 - fy) + (plane[y1, x0] * (1.0 - fx) + plane[y1, x1] * fx) * fy


@jit
def read_tags(tags: np.ndarray, spot: np.ndarray, start: np.ndarray, out: np.ndarray) -> bool:
    """Writes the tag (n, L) of every peak, bilinear at its place; gives whether all are finite. tags: (L, K, h, w)."""
    finite = True
    for z in range(len(tags)):
        for k in range(len(start) - 1):
            plane = tags[z, k]
            for i in range(start[k], start[k + 1]):
                out[i, z] = on_grid(bilinear(plane, spot[0, i], spot[1, i]), SUMMANDS)
                finite &= out[i, z] - out[i, z] == 0
    return finite


def read_any_tags(tags: np.ndarray, spot: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, bool]:
    """What `read_tags` writes, the same to the bit, for maps of any number type and strides, which are not copied, and
    whether all are finite."""
    if tags.dtype == np.float32 and tags.flags.carray:
        tag = np.empty((spot.shape[1], len(tags)))
        return tag, read_tags(tags, spot, start, tag)
    h, w = tags.shape[2:]
    joint = np.repeat(np.arange(len(start) - 1), np.diff(start))
    x, y = spot[0].clip(0, w - 1), spot[1].clip(0, h - 1)
    x0, y0 = x.astype(np.int64), y.astype(np.int64)
    x1, y1, fx, fy = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1), x - x0, y - y0

    def cells(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return tags[:, joint, row, column].astype(np.float32).astype(np.float64)

    upper = cells(y0, x0) * (1.0 - fx) + cells(y0, x1) * fx
    value = upper * (1.0 - fy) + (cells(y1, x0) * (1.0 - fx) + cells(y1, x1) * fx) * fy
    tag = np.ascontiguousarray((((value * SUMMANDS + PUSH) - PUSH) / SUMMANDS).T)
    return tag, bool(np.isfinite(tag).all())


@jit_part
def mean_tags(member: np.ndarray, tag: np.ndarray, count: np.ndarray, mean: np.ndarray) -> None:
    """Writes the number of peaks (n,) and the mean tag (n, L) of every piece."""
    for a in range(len(member)):
        mean_tag(member[a], tag, mean[a])
        count[a] = joints_of(member[a])


@jit_part
def extent(member: np.ndarray, a: int, spot: np.ndarray) -> float:
    """Diagonal of the box around piece a in cells."""
    left, right, high, low = math.inf, -math.inf, math.inf, -math.inf
    for k in range(member.shape[1]):
        if member[a, k] >= 0:
            x, y = spot[0, member[a, k]], spot[1, member[a, k]]
            left, right, high, low = min(left, x), max(right, x), min(high, y), max(low, y)
    return math.sqrt((right - left) * (right - left) + (low - high) * (low - high))


@jit_part
def peak_distance(spot: np.ndarray, i: int, j: int) -> float:
    """Distance of two peaks in cells."""
    dx, dy = spot[0, i] - spot[0, j], spot[1, i] - spot[1, j]
    return math.sqrt(dx * dx + dy * dy)


@jit_part
def remember(best: np.ndarray, worth: np.ndarray, i: int, k: int, j: int, value: float, rank: np.ndarray) -> None:
    """Makes peak j, of joint k, the best partner of peak i if it is; of equal ones the better peak."""
    other = best[i, k]
    if other < 0 or value > worth[i, k] or (value == worth[i, k] and rank[j] < rank[other]):
        best[i, k], worth[i, k] = j, value


@jit_part
def sort_along_tags(
    start: np.ndarray,
    mean: np.ndarray,
    owner: np.ndarray,
    rank: np.ndarray,
    along: np.ndarray,
    whole: np.ndarray,
) -> None:
    """Writes to `along` (n,) the first component of the tags of the peaks' pieces, the greatest first, and in this
    order to `whole` (5, n + 1) the peaks, their joints and pieces."""
    order, kind, piece, n = whole[0], whole[1], whole[2], len(owner)
    for i in range(n):
        order[i], along[i] = i, mean[owner[i], 0]
    sort_best_first(order[:n], along, rank, whole[3:])
    for k in range(len(start) - 1):
        for i in range(start[k], start[k + 1]):
            whole[3, i] = k
    for u in range(n):
        piece[u], kind[u] = owner[order[u]], whole[3, order[u]]
    for u in range(n):
        along[u] = mean[piece[u], 0]


@jit_part
def rate_like_tags(
    spot: np.ndarray,
    member: np.ndarray,
    count: np.ndarray,
    mean: np.ndarray,
    rank: np.ndarray,
    along: np.ndarray,
    whole: np.ndarray,
    sigma: float,
    limit: float,
    near_weight: float,
    score_weight: float,
    seed: float,
    best: np.ndarray,
    worth: np.ndarray,
) -> None:
    """Writes every peak's best partner of each joint (n, K) and its worth (n, K), as `find_like_tags` says.

    The search runs along the first component of the tags, see `sort_along_tags`, and stops early."""
    n, farthest, square = spot.shape[1], limit * math.sqrt(mean.shape[1]), limit * limit
    order, kind, piece = whole[0], whole[1], whole[2]
    for u in range(n):
        i, a, k, first, height = order[u], piece[u], kind[u], along[u], spot[2, order[u]]
        for v in range(u + 1, n):
            if first - along[v] >= farthest:
                break
            j, b = order[v], piece[v]
            if (a == b) | (k == kind[v]) | ((height < seed) & (spot[2, j] < seed)):
                continue
            gap = tag_gap(mean, a, mean, b)
            if gap >= square or (count[a] + count[b] > 2 and have_common_joint(member, a, b)):
                continue
            alike, score = 1 - math.sqrt(gap) / limit, (height + spot[2, j]) / 2
            most = alike + score_weight * score + 1e-9  # were they in one place
            if (most < worth[i, kind[v]]) & (most < worth[j, k]):
                continue
            apart = math.log(1 + peak_distance(spot, i, j) / sigma)
            value = alike - near_weight * apart + score_weight * score
            remember(best, worth, i, kind[v], j, value, rank)
            remember(best, worth, j, k, i, value, rank)


@jit_part
def find_like_tags(
    spot: np.ndarray,
    start: np.ndarray,
    rank: np.ndarray,
    sigma: float,
    limit: float,
    near_weight: float,
    score_weight: float,
    seed: float,
    count: np.ndarray,
    mean: np.ndarray,
    along: np.ndarray,
    whole: np.ndarray,
    best: np.ndarray,
    worth: np.ndarray,
    pair: np.ndarray,
    value: np.ndarray,
    member: np.ndarray,
    owner: np.ndarray,
) -> int:
    """Writes the pairs of peaks of different pieces with tags nearer than `limit` (m, 2) and their values (m,); gives
    how many there are. count, mean: of the pieces. along, whole: see `sort_along_tags`. best, worth (n, K): room.

    Noisy maps have millions of such pairs. So of a peak's partners of one joint only the best stands in
    the list, and one of the two scores `seed` at least, as some peak of every person does."""
    n, K, found = member.shape[0], member.shape[1], 0
    for i in range(n):
        for k in range(K):
            best[i, k], worth[i, k] = -1, -math.inf
    sort_along_tags(start, mean, owner, rank, along, whole)
    rate_like_tags(
        spot, member, count, mean, rank, along, whole, sigma, limit, near_weight, score_weight, seed, best, worth
    )
    for k in range(K):
        for i in range(start[k], start[k + 1]):
            for z in range(K):
                j = best[i, z]
                if j >= 0 and not (j < i and best[j, k] == i):  # then it stands there already
                    pair[found, 0], pair[found, 1], value[found] = i, j, worth[i, z]
                    found += 1
    return found


@jit_part
def join_like_tags(
    pair: np.ndarray,
    value: np.ndarray,
    found: int,
    spot: np.ndarray,
    tag: np.ndarray,
    rank: np.ndarray,
    limit: float,
    reach: float,
    count: np.ndarray,
    mean: np.ndarray,
    room: np.ndarray,
    member: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Joins pieces along the first `found` pairs of peaks with like tags, best first, as long as the mean tags of the
    grown pieces agree within `limit` and the gap is at most `reach` times the larger piece's extent. count, mean: of
    the pieces. room: see `order_pairs`."""
    order_pairs(pair, value, found, rank, room)
    for u in range(found):
        i, j = pair[room[0, u], 0], pair[room[0, u], 1]
        a, b = owner[i], owner[j]
        if a == b or have_common_joint(member, a, b) or tag_gap(mean, a, mean, b) >= limit * limit:
            continue
        if max(count[a], count[b]) >= SIZED:
            size = max(extent(member, a, spot), extent(member, b, spot))
            if peak_distance(spot, i, j) > reach * size:
                continue
        absorb(member, owner, a, b)
        count[a] += count[b]
        mean_tag(member[a], tag, mean[a])  # from the tags themselves: no sum of sums


@jit
def join_by_tags(
    spot: np.ndarray,
    start: np.ndarray,
    rank: np.ndarray,
    tag: np.ndarray,
    sigma: float,
    limit: float,
    near_weight: float,
    score_weight: float,
    seed: float,
    reach: float,
    mean: np.ndarray,
    along: np.ndarray,
    whole: np.ndarray,
    best: np.ndarray,
    worth: np.ndarray,
    pair: np.ndarray,
    value: np.ndarray,
    room: np.ndarray,
    member: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Joins pieces by their peaks' tags (n, L): `find_like_tags`, then `join_like_tags`. The others are room to work
    in, see `room_for_tags`."""
    count = whole[5]
    mean_tags(member, tag, count, mean)
    found = find_like_tags(
        spot, start, rank, sigma, limit, near_weight, score_weight, seed, count, mean, along, whole, best, worth,
        pair, value, member, owner,
    )  # fmt: skip
    join_like_tags(pair, value, found, spot, tag, rank, limit, reach, count, mean, room, member, owner)


def room_for_tags(n: int, K: int, L: int) -> tuple[np.ndarray, ...]:
    """What `join_by_tags` works in, for n peaks of K joints with tags of L numbers: the pieces' mean tags; the peaks in
    the order of their tags; their best partners and worths; all pairs of these, their values, and what orders them."""
    mean, along, whole = np.empty((n, L)), np.empty(n), np.empty((6, n + 1), np.int64)
    best, worth = np.empty((n, K), np.int64), np.empty((n, K))
    pair, value = np.empty((n * K, 2), np.int64), np.empty(n * K)
    return mean, along, whole, best, worth, pair, value, np.empty((4, n * K + 1), np.int64)
