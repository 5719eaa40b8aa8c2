"""Peaks of heatmaps: one sweep over all cells, flat tops, near doubles.

A peak is a cell, or a flat top of equal cells, that is higher than everything around it; border
cells count. Nothing depends on the reading direction: a mirrored map has the mirrored peaks.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit, jit_reordering
from bottomup.grouping.subpixel import place_peak, spread_of_peaks

CHUNK = 64
LARGEST = np.finfo(np.float32).max
GUESSED_SPREAD = 4.0  # cells; before it is measured, for the widest flat top


@jit_reordering
def count_above(row: np.ndarray, low: np.float32) -> np.float32:
    """How many cells of a chunk are above `low`; -1 where one is not finite."""
    found, odd = np.float32(0), np.float32(0)
    for j in range(CHUNK):  # float counts: integers would not vectorise
        found += np.float32(1) if row[j] > low else np.float32(0)
        odd += np.float32(0) if abs(row[j]) <= LARGEST else np.float32(1)
    return found if odd == 0 else np.float32(-1)


@jit
def mark_crests(row: np.ndarray, above: np.ndarray, below: np.ndarray, low: np.float32, crest: np.ndarray) -> None:
    """Sets crest (CHUNK,), bytes, to 1 for the cells of a chunk that are above `low`, higher than the cell above and
    not lower than the cell below, else to 0."""
    for j in range(CHUNK):
        v = row[j]
        crest[j] = (v > low) & (v > above[j]) & (v >= below[j])


@jit
def sweep_plane(plane: np.ndarray, flat: np.ndarray, low: np.float32, cells: np.ndarray) -> int:
    """Writes to `cells` (m,) the numbers y w + x of those cells above `low` that are higher than all eight neighbours
    read before them and not lower than those read after; gives how many, -1 where a cell is not finite. Fixed chunks
    vectorise.

    plane: (h, w). flat: the same as (h w,)."""
    h, w = plane.shape
    size, count, crest = h * w, 0, np.empty(CHUNK, np.uint8)
    eights = crest.view(np.uint64)
    for i in range(0, size, CHUNK):
        last = min(i + CHUNK, size)
        if last - i == CHUNK:
            found = count_above(flat[i:last], low)
            if found == 0:
                continue
            if found < 0:
                return -1
            if i >= w and last + w <= size:
                mark_crests(flat[i:last], flat[i - w : last - w], flat[i + w : last + w], low, crest)
                for u in range(CHUNK // 8):
                    for j in range(i + 8 * u, i + 8 * u + 8 if eights[u] else i):
                        if crest[j - i] == 0 or (not flat[j] > flat[j - 1] and j % w):
                            continue
                        if _is_crest(plane, j // w, j % w):
                            cells[count] = j
                            count += 1
                continue
        for j in range(i, last):
            v = flat[j]
            if v - v != 0:
                return -1
            if not v > low or (j >= w and not v > flat[j - w]) or (j + w < size and not v >= flat[j + w]):
                continue
            if _is_crest(plane, j // w, j % w):
                cells[count] = j
                count += 1
    return count


@jit
def _is_crest(plane: np.ndarray, y: int, x: int) -> bool:
    """Higher than the neighbours read before, not lower than those read after."""
    h, w = plane.shape
    v = plane[y, x]
    for yy in range(max(y - 1, 0), min(y + 2, h)):
        for xx in range(max(x - 1, 0), min(x + 2, w)):
            o = plane[yy, xx]
            if o > v or (o == v and (yy < y or (yy == y and xx < x))):
                return False
    return True


@jit
def _is_flat(plane: np.ndarray, y: int, x: int) -> bool:
    """Whether a neighbour is as high."""
    h, w = plane.shape
    for yy in range(max(y - 1, 0), min(y + 2, h)):
        for xx in range(max(x - 1, 0), min(x + 2, w)):
            if (yy != y or xx != x) and plane[yy, xx] == plane[y, x]:
                return True
    return False


@jit
def flat_top(plane: np.ndarray, y: int, x: int, widest: int, boxes: np.ndarray, n: int) -> bool:
    """Writes to boxes[n] the box (x0, y0, x1, y1) of the cells joined to (y, x) at its height, and the cell y w + x.

    False where it is wider than `widest` cells, touches a higher cell, fills the map or has an earlier
    cell in reading order (which speaks for it)."""
    h, w = plane.shape
    v, side = plane[y, x], 2 * widest + 1
    seen, stack, depth = np.zeros(side * side, np.bool_), np.empty(side * side, np.int64), 1
    x0, x1, y1 = x, x, y
    stack[0] = y * w + x
    seen[widest * side + widest] = True
    while depth > 0:
        depth -= 1
        cy, cx = stack[depth] // w, stack[depth] % w
        x0, x1, y1 = min(x0, cx), max(x1, cx), max(y1, cy)
        if x1 - x0 >= widest or y1 - y >= widest:
            return False
        for yy in range(max(cy - 1, 0), min(cy + 2, h)):
            for xx in range(max(cx - 1, 0), min(cx + 2, w)):
                o = plane[yy, xx]
                if o > v or (o == v and (yy < y or (yy == y and xx < x))):
                    return False
                at = (yy - y + widest) * side + xx - x + widest
                if o == v and not seen[at]:
                    seen[at] = True
                    stack[depth] = yy * w + xx
                    depth += 1
    boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3], boxes[n, 4] = x0, y, x1, y1, y * w + x
    return x0 > 0 or y > 0 or x1 < w - 1 or y1 < h - 1


@jit
def _with_room(boxes: np.ndarray, n: int, room: int) -> np.ndarray:
    """The first n boxes in an array for `room`."""
    grown = np.empty((room, 5), np.int64)
    for i in range(n):
        for z in range(5):
            grown[i, z] = boxes[i, z]
    return grown


@jit
def find_tops(heat: np.ndarray, flat: np.ndarray, low: np.float32, widest: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 5: x0, y0, x1, y1 and one cell, y w + x) of all tops of heatmaps (K, h, w), sorted by joint, then in
    reading order, and where each joint's begin (K + 1,); the latter -1 where a cell is not finite."""
    K, h, w = heat.shape
    most = ((h + 1) // 2) * ((w + 1) // 2)  # a plane cannot have more
    cells, start = np.empty(most, np.int64), np.zeros(K + 1, np.int64)
    boxes, n = np.empty((most + 512, 5), np.int64), start[0]
    for k in range(K):
        plane = heat[k]
        if len(boxes) < n + most:
            boxes = _with_room(boxes, n, 2 * n + most)
        swept = sweep_plane(plane, flat[k], low, cells)
        if swept < 0:
            return boxes[:0], start - 1
        for c in range(swept):
            y, x = cells[c] // w, cells[c] % w
            if _is_flat(plane, y, x):
                n += flat_top(plane, y, x, widest, boxes, n)
            elif h * w > 1:
                boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3], boxes[n, 4] = x, y, x, y, cells[c]
                n += 1
        start[k + 1] = n
    return boxes[:n], start


@jit
def _outranks(rough: np.ndarray, i: int, j: int, width: int) -> bool:
    """Whether rough peak i (x, y, score) comes before j: by score, row, distance from the middle column."""
    if rough[i, 2] != rough[j, 2]:
        return rough[i, 2] > rough[j, 2]
    if rough[i, 1] != rough[j, 1]:
        return rough[i, 1] < rough[j, 1]
    return abs(2 * rough[i, 0] - (width - 1)) < abs(2 * rough[j, 0] - (width - 1))


@jit
def thin_peaks(
    rough: np.ndarray, boxes: np.ndarray, first: int, last: int, radius: float, width: int, keep: np.ndarray
) -> None:
    """Writes to `keep` (n,) which of the rough peaks first..last (in reading order) have none before them within the
    radius."""
    for i in range(first, last):
        keep[i] = True
    for i in range(first, last):
        for j in range(i + 1, last):
            if boxes[j, 1] - rough[i, 1] >= radius:
                break
            dx, dy = rough[j, 0] - rough[i, 0], rough[j, 1] - rough[i, 1]
            if dx * dx + dy * dy < radius * radius:
                if _outranks(rough, i, j, width):
                    keep[j] = False
                elif _outranks(rough, j, i, width):
                    keep[i] = False


@jit
def place_peaks(
    heat: np.ndarray, flat: np.ndarray, boxes: np.ndarray, begin: np.ndarray, sigma: float, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Peaks (3, n) and where each joint's begin (K + 1,): the tops that no better one has within the radius."""
    K, h, w = heat.shape
    n, start = len(boxes), np.zeros(K + 1, np.int64)
    rough, keep = np.empty((n, 3), np.float64), np.empty(n, np.bool_)
    for k in range(K):
        for i in range(begin[k], begin[k + 1]):
            rough[i, 0] = (boxes[i, 0] + boxes[i, 2]) / 2
            rough[i, 1] = (boxes[i, 1] + boxes[i, 3]) / 2
            rough[i, 2] = flat[k, boxes[i, 4]]
        thin_peaks(rough, boxes, begin[k], begin[k + 1], radius, w, keep)
        start[k + 1] = start[k]
        for i in range(begin[k], begin[k + 1]):
            start[k + 1] += keep[i]
    spot, at = np.empty((3, start[K])), 0
    for k in range(K):
        for i in range(begin[k], begin[k + 1]):
            if keep[i]:
                place_peak(flat[k], h, w, boxes, i, sigma, spot, at)
                at += 1
    return spot, start


def find_peaks(
    heat: np.ndarray, sigma: float | None, least: float, apart: float, widest: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Peaks (3, n) of x, y in cells and score, sorted by joint, where each joint's begin (K + 1,), and sigma.

    heat: (K, h, w) float32, C-contiguous, finite. sigma: spread of a peak in cells, measured where it is
    None. least: lowest peak. apart, widest: see `Rules`. A score is the height of the gaussian through
    the cells around the top. Sigma is NaN where a cell is not finite."""
    K, h, w = heat.shape
    flat, guess = heat.reshape(K, h * w), GUESSED_SPREAD if sigma is None else float(sigma)
    boxes, begin = find_tops(heat, flat, np.float32(least), max(3, int(widest * guess + 0.5)))
    if begin[0] < 0:
        return np.empty((3, 0)), np.zeros(K + 1, np.int64), np.nan
    spread = spread_of_peaks(flat, h, w, boxes, begin) if sigma is None else float(sigma)
    return *place_peaks(heat, flat, boxes, begin, spread, apart * spread), spread
