"""Orders that decide conflicts: best first, and ties by what a mirror does not change."""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit_inside, jit_part
from bottomup.grouping.grid import CELLS

FEW = 16
NARROWEST = 1e-9  # range of values that is still told apart by buckets


@jit_inside
def comes_before(a: int, b: int, value: np.ndarray, key: np.ndarray) -> bool:
    """Whether a is better than b: by value, then by the lower key."""
    return value[a] > value[b] or (value[a] == value[b] and key[a] < key[b])


@jit_part
def insert_sorted(order: np.ndarray, low: int, high: int, value: np.ndarray, key: np.ndarray) -> None:
    """Sorts order[low:high] as `sort_best_first` does, by insertion: for few."""
    for z in range(low + 1, high):
        a, j = order[z], z
        while j > low and comes_before(a, order[j - 1], value, key):
            order[j] = order[j - 1]
            j -= 1
        order[j] = a


@jit_part
def merge_sorted(order: np.ndarray, room: np.ndarray, low: int, high: int, value: np.ndarray, key: np.ndarray) -> None:
    """Sorts order[low:high] as `sort_best_first` does, by merging: no bad cases. room: as long as order."""
    source, target, width = order, room, 1
    while width < high - low:
        for left in range(low, high, 2 * width):
            i, j = left, min(left + width, high)
            middle, end = j, min(left + 2 * width, high)
            for z in range(left, end):
                first = j >= end or (i < middle and not comes_before(source[j], source[i], value, key))
                target[z] = source[i] if first else source[j]
                i, j = i + first, j + (not first)
        source, target = target, source
        width *= 2
    for z in range(low, high):
        order[z] = source[z]


@jit_part
def sort_best_first(order: np.ndarray, value: np.ndarray, key: np.ndarray, room: np.ndarray) -> None:
    """Sorts the indices `order` (n,) in place by falling value, then by rising key; what is equal in both stays.

    order, key: int64; value: float64, finite; room: int64 (2, n + 1 or more) to work in. Into as many buckets as there
    are indices, equally wide in value, then within each."""
    count, top, low = len(order), -np.inf, np.inf
    first: int = np.int64(0)  # type: ignore[assignment]  # an int to numba, which compiles anew for a literal 0
    if count <= FEW:
        return insert_sorted(order, first, count, value, key)
    for z in range(count):
        top, low = max(top, value[order[z]]), min(low, value[order[z]])
    scale = (count - 1) / max(top - low, NARROWEST)
    begin, target = room[0], room[1]
    for z in range(count + 1):
        begin[z] = 0
    for z in range(count):
        begin[int((top - value[order[z]]) * scale) + 1] += 1
    for z in range(count):
        begin[z + 1] += begin[z]
    for z in range(count):
        bucket = int((top - value[order[z]]) * scale)
        target[begin[bucket]] = order[z]
        begin[bucket] += 1
    for bucket in range(count):  # now they say where each ends
        last = begin[bucket]
        if last - first > FEW:
            merge_sorted(target, order, first, last, value, key)
        elif last - first > 1:
            insert_sorted(target, first, last, value, key)
        first = last
    for z in range(count):
        order[z] = target[z]


@jit_part
def rank_peaks(
    spot: np.ndarray, start: np.ndarray, side: np.ndarray, width: int, rank: np.ndarray, room: np.ndarray
) -> None:
    """Writes the rank (n,) of every peak: by score, then row, then distance from the picture's middle column, then
    joint.

    side: (K,) the smaller index of a joint and its mirror image. A mirrored picture gives the same
    ranks, save for two equal peaks that are each other's mirror image. width: of the map in cells.
    room: int64 (4, n + 1 or more) to work in.
    """
    n, K, m = spot.shape[1], len(side), 0
    order, key = room[0, :n], room[1]
    for i in range(n):
        row = np.int64(spot[1, i] * CELLS)  # exact: peaks lie on the grid
        aside = np.int64(abs(2.0 * spot[0, i] - (width - 1)) * CELLS)
        key[i] = row * (1 << 31) + aside
    for k in range(K):  # left and right joints share a class
        for j in range(K):
            if side[j] == k:
                for i in range(start[j], start[j + 1]):
                    order[m] = i
                    m += 1
    sort_best_first(order, spot[2], key, room[2:])
    for place in range(n):
        rank[order[place]] = place


@jit_part
def order_pairs(pair: np.ndarray, value: np.ndarray, count: int, rank: np.ndarray, room: np.ndarray) -> None:
    """Writes the order of the first `count` pairs (m, 2) of ranked things, best first, to the first row of `room`
    (4, m + 1), int64; equal values go by rank."""
    n = len(rank)
    order, key = room[0, :count], room[1]
    for z in range(count):
        a, b = rank[pair[z, 0]], rank[pair[z, 1]]
        order[z], key[z] = z, min(a, b) * n + max(a, b)
    sort_best_first(order, value, key, room[2:])
