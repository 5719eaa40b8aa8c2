"""Orders that decide conflicts: best first, and ties by what a mirror does not change."""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit, jit_inside
from bottomup.grouping.grid import CELLS

FEW = 16


@jit_inside
def comes_before(a: int, b: int, value: np.ndarray, key: np.ndarray) -> bool:
    """Whether a is better than b: by value, then by the lower key."""
    return value[a] > value[b] or (value[a] == value[b] and key[a] < key[b])


@jit
def sort_best_first(order: np.ndarray, value: np.ndarray, key: np.ndarray) -> None:
    """Sorts the indices `order` (n,) in place by falling value, then by rising key; what is equal in both stays.

    order, key: int64; value: float64, finite. Insertion where there are few, else a merge sort: no bad
    cases, and stable."""
    count, width = len(order), 1
    if count <= FEW:
        for z in range(1, count):
            a, j = order[z], z
            while j > 0 and comes_before(a, order[j - 1], value, key):
                order[j] = order[j - 1]
                j -= 1
            order[j] = a
        return
    source, target = order, np.empty(count, np.int64)
    while width < count:
        low = 0
        while low < count:
            middle, high = min(low + width, count), min(low + 2 * width, count)
            i, j = low, middle
            for z in range(low, high):
                left = j >= high
                if i < middle and j < high:
                    left = not comes_before(source[j], source[i], value, key)
                if left:
                    target[z] = source[i]
                    i += 1
                else:
                    target[z] = source[j]
                    j += 1
            low = high
        source, target = target, source
        width *= 2
    for z in range(count):
        order[z] = source[z]


@jit
def rank_peaks(spot: np.ndarray, start: np.ndarray, side: np.ndarray, width: int) -> np.ndarray:
    """Rank (n,) of every peak: by score, then row, then distance from the picture's middle column, then joint.

    side: (K,) the smaller index of a joint and its mirror image. A mirrored picture gives the same
    ranks, save for two equal peaks that are each other's mirror image. width: of the map in cells.
    """
    n, K, m = spot.shape[1], len(side), 0
    order, key, score = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.float64)
    for i in range(n):
        score[i] = spot[2, i]
        row = np.int64(spot[1, i] * CELLS)  # exact: peaks lie on the grid
        aside = np.int64(abs(2.0 * spot[0, i] - (width - 1)) * CELLS)
        key[i] = row * (1 << 31) + aside
    for k in range(K):  # left and right joints share a class
        for j in range(K):
            if side[j] == k:
                for i in range(start[j], start[j + 1]):
                    order[m] = i
                    m += 1
    sort_best_first(order, score, key)
    rank = np.empty(n, np.int64)
    for place in range(n):
        rank[order[place]] = place
    return rank


@jit
def order_pairs(pair: np.ndarray, value: np.ndarray, count: int, rank: np.ndarray) -> np.ndarray:
    """Order (count,) of pairs (m, 2) of ranked things, best first; equal values go by rank."""
    n = len(rank)
    order, key = np.empty(count, np.int64), np.empty(count, np.int64)
    for z in range(count):
        a, b = rank[pair[z, 0]], rank[pair[z, 1]]
        order[z], key[z] = z, min(a, b) * n + max(a, b)
    sort_best_first(order, value, key)
    return order
