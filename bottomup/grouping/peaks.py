"""Peaks of heatmaps: one sweep over all cells, flat tops, near doubles.

A peak is a cell, or a flat top of equal cells, that is higher than everything around it; border
cells count. Where peaks are sharp, a neighbour may be a mere shoulder of a higher peak: it is found on the map with its
bends made deeper. Nothing depends on the reading direction: a mirrored map has the mirrored peaks.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit, jit_inside
from bottomup.grouping.subpixel import SHARP, place_peak, spread_of_peaks

CHUNK = 64
INFINITE = 0x7F800000  # float32 bits; greater ones are no numbers
GUESSED_SPREAD = 4.0  # cells; before it is measured, for the widest flat top


@jit
def chunk_is_above(row: np.ndarray, low: np.int32) -> int:
    """1 if a cell of a chunk is above `low`, else 0; -1 where one is not finite. All as the bits of float32 numbers,
    which are in the order of positive numbers, and whose maxima vectorise."""
    top, odd = row[0], row[0] & np.int32(0x7FFFFFFF)
    for j in range(CHUNK):
        top, odd = max(top, row[j]), max(odd, row[j] & np.int32(0x7FFFFFFF))
    return -1 if odd >= INFINITE else int(top > low)


@jit
def mark_crests(bits: np.ndarray, i: int, w: int, low: np.int32, crest: np.ndarray) -> None:
    """Sets crest (CHUNK,), bytes, to 1 for the cells i.. of a plane (h w,), as bits, that are above `low`, higher than
    the cells above and left and not lower than those below and right, else to 0. In the first and the last column,
    which lack one, the first condition is enough. No cell is in the first or last row."""
    last = i + CHUNK
    row, above, below = bits[i:last], bits[i - w : last - w], bits[i + w : last + w]
    left, right = bits[i - 1 : last - 1], bits[i + 1 : last + 1]
    for j in range(CHUNK):
        v = row[j]
        crest[j] = (v > low) & (v > above[j]) & (v >= below[j]) & (v > left[j]) & (v >= right[j])
    edge = (i + w - 1) // w * w
    while edge <= last:
        if edge < last:
            crest[edge - i] = bits[edge] > low
        if edge > i:
            crest[edge - 1 - i] = bits[edge - 1] > low
        edge += w


@jit
def mark_bends(flat: np.ndarray, bits: np.ndarray, i: int, w: int, low: np.int32, crest: np.ndarray) -> None:
    """Sets crest (CHUNK,) to 1 also for those cells i.. of a plane (h w,), with its bits, above `low` where the plane
    bends down along row and column. No cell is in the first or last row."""
    last = i + CHUNK
    row, above, below, known = flat[i:last], flat[i - w : last - w], flat[i + w : last + w], bits[i:last]
    left, right = flat[i - 1 : last - 1], flat[i + 1 : last + 1]
    for j in range(CHUNK):
        twice = row[j] + row[j]
        crest[j] |= (known[j] > low) & (twice > left[j] + right[j]) & (twice > above[j] + below[j])


@jit_inside
def bent(plane: np.ndarray, y: int, x: int) -> float:
    """A cell of a plane, raised by how far it lies above those beside it. In float32, as on other devices."""
    return np.float32(5) * plane[y, x] - ((plane[y, x - 1] + plane[y, x + 1]) + (plane[y - 1, x] + plane[y + 1, x]))


@jit
def _is_shoulder(plane: np.ndarray, y: int, x: int) -> bool:
    """Whether the plane bends down there along row and column, and more than all around; not at the border."""
    h, w = plane.shape
    if not (2 <= x < w - 2 and 2 <= y < h - 2):
        return False
    twice = plane[y, x] + plane[y, x]
    if not (twice > plane[y, x - 1] + plane[y, x + 1] and twice > plane[y - 1, x] + plane[y + 1, x]):
        return False
    here = bent(plane, y, x)
    for yy in range(y - 1, y + 2):
        for xx in range(x - 1, x + 2):
            if (yy != y or xx != x) and not here > bent(plane, yy, xx):
                return False
    return True


@jit
def sweep_plane(plane: np.ndarray, bits: np.ndarray, low: np.int32, sharp: bool, cells: np.ndarray) -> int:
    """Writes to `cells` (m,) the numbers y w + x of those cells above `low` that are higher than all eight neighbours
    read before them and not lower than those read after, or, if peaks are `sharp`, shoulders; gives how many, -1 where
    a cell is not finite. Fixed chunks vectorise.

    plane: (h, w). bits: the same as int32 (h w,), as is low, a positive number."""
    h, w = plane.shape
    flat = plane.reshape(h * w)
    size, count, crest = h * w, 0, np.empty(CHUNK, np.uint8)
    eights = crest.view(np.uint64)
    for i in range(0, size, CHUNK):
        last = min(i + CHUNK, size)
        if last - i == CHUNK:
            found = chunk_is_above(bits[i:last], low)
            if found == 0:
                continue
            if found < 0:
                return -1
            if i > w and last + w < size:
                mark_crests(bits, i, w, low, crest)
                if sharp:
                    mark_bends(flat, bits, i, w, low, crest)
                for u in range(CHUNK // 8):
                    for j in range(i + 8 * u, i + 8 * u + 8 if eights[u] else i):
                        if crest[j - i] and _is_top(plane, j // w, j % w, sharp):
                            cells[count] = j
                            count += 1
                continue
        for j in range(i, last):
            if (bits[j] & np.int32(0x7FFFFFFF)) >= INFINITE:
                return -1
            if bits[j] > low and _is_top(plane, j // w, j % w, sharp):
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
def _is_top(plane: np.ndarray, y: int, x: int, sharp: bool) -> bool:
    """Whether the cell is a crest, or if peaks are `sharp` a shoulder."""
    return _is_crest(plane, y, x) or (sharp and _is_shoulder(plane, y, x))


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
def tops_of_plane(
    plane: np.ndarray,
    bits: np.ndarray,
    low: np.int32,
    sharp: bool,
    widest: int,
    cells: np.ndarray,
    boxes: np.ndarray,
    n: int,
) -> int:
    """Writes the boxes (x0, y0, x1, y1 and one cell, y w + x) of all tops of a plane (h, w) in reading order from
    boxes[n] on; gives where they end, -1 where a cell is not finite. bits, low, sharp: see `sweep_plane`. cells: room
    for all that can be."""
    swept = sweep_plane(plane, bits, low, sharp, cells)
    return -1 if swept < 0 else tops_of_crests(plane, cells[:swept], widest, boxes, n)


@jit
def tops_of_crests(plane: np.ndarray, crests: np.ndarray, widest: int, boxes: np.ndarray, n: int) -> int:
    """Writes the boxes of all tops of a plane (h, w) from boxes[n] on, as `tops_of_plane` does, and gives where they
    end. crests: (m,) of the plane's cells those that a sweep finds."""
    h, w = plane.shape
    for c in range(len(crests)):
        y, x = crests[c] // w, crests[c] % w
        if _is_flat(plane, y, x):
            n += flat_top(plane, y, x, widest, boxes, n)
        elif h * w > 1:
            boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3], boxes[n, 4] = x, y, x, y, crests[c]
            n += 1
    return n


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
    """Writes to `keep` (n,), counted from `first`, which of the rough peaks first..last (in reading order) have none
    before them within the radius."""
    for i in range(first, last):
        keep[i - first] = True
    for i in range(first, last):
        for j in range(i + 1, last):
            if boxes[j, 1] - rough[i, 1] >= radius:
                break
            dx, dy = rough[j, 0] - rough[i, 0], rough[j, 1] - rough[i, 1]
            if dx * dx + dy * dy < radius * radius:
                if _outranks(rough, i, j, width):
                    keep[j - first] = False
                elif _outranks(rough, j, i, width):
                    keep[i - first] = False


@jit
def place_tops(
    flat: np.ndarray,
    h: int,
    w: int,
    boxes: np.ndarray,
    first: int,
    last: int,
    sigma: float,
    radius: float,
    keep: np.ndarray,
    peaks: np.ndarray,
    n: int,
) -> int:
    """Writes x, y, score of those tops first..last of a plane (h w,) that no better one has within the radius to
    peaks[n] and on, where n <= first; gives where they end. keep: (m,) is room to work in."""
    for i in range(first, last):
        peaks[i, 0], peaks[i, 1] = (boxes[i, 0] + boxes[i, 2]) / 2, (boxes[i, 1] + boxes[i, 3]) / 2
        peaks[i, 2] = flat[boxes[i, 4]]
    thin_peaks(peaks, boxes, first, last, radius, w, keep)
    for i in range(first, last):
        if keep[i - first]:
            place_peak(flat, h, w, boxes, i, sigma, peaks, n)
            n += 1
    return n


@jit
def with_room(table: np.ndarray, n: int, more: int) -> np.ndarray:
    """The table if it has room for n rows and `more`, else a larger one with its first n rows."""
    if len(table) >= n + more:
        return table
    grown = np.empty((2 * n + more, table.shape[1]), table.dtype)
    for i in range(n):
        for z in range(table.shape[1]):
            grown[i, z] = table[i, z]
    return grown


@jit
def widest_top(sigma: float, widest: float) -> int:
    """Cells that a flat top may be wide. sigma: spread of a peak in cells, 0 where it is not known."""
    return max(3, int(widest * (sigma if sigma > 0 else GUESSED_SPREAD) + 0.5))


@jit
def as_columns(peaks: np.ndarray) -> np.ndarray:
    """The rows of `peaks` (n, 3) as columns (3, n)."""
    spot = np.empty((3, len(peaks)))
    for i in range(len(peaks)):
        spot[0, i], spot[1, i], spot[2, i] = peaks[i, 0], peaks[i, 1], peaks[i, 2]
    return spot


@jit
def find_peaks(
    heat: np.ndarray, bits: np.ndarray, sigma: float, low: float, apart: float, widest: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Peaks (3, n) of x, y in cells and score, sorted by joint, where each joint's begin (K + 1,), and sigma.

    heat: (K, h, w) float32, C-contiguous; bits: the same as int32 (K, h w). sigma: spread of a peak in cells,
    measured where it is 0; shoulders count only if it is given. low: lowest peak. apart, widest: see `Rules`. A score
    is the height of the gaussian through the cells around the top. Sigma is NaN where a cell is not finite."""
    K, h, w = heat.shape
    given, spread, sharp = sigma > 0, sigma, 0 < sigma < SHARP
    most = ((h + 1) // 2) * ((w + 1) // 2) * (2 if sharp else 1)  # a plane cannot have more crests, nor shoulders
    broad, least = widest_top(sigma, widest), np.empty(1, np.float32)
    least[0] = low
    begin, start, cells = np.zeros(K + 1, np.int64), np.zeros(K + 1, np.int64), np.empty(most, np.int64)
    boxes, peaks, keep, n = (
        np.empty((most + 512, 5), np.int64),
        np.empty((most + 512, 3)),
        np.empty(most, np.bool_),
        start[0],
    )
    flat = heat.reshape(K, h * w)
    for k in range(K):
        boxes, peaks = with_room(boxes, n, most), with_room(peaks, n, most)
        n = tops_of_plane(heat[k], bits[k], least.view(np.int32)[0], sharp, broad, cells, boxes, n)
        if n < 0:
            return np.empty((3, 0)), start, np.nan
        begin[k + 1] = n
        if given:  # while the plane is at hand
            start[k + 1] = place_tops(flat[k], h, w, boxes, begin[k], n, sigma, apart * sigma, keep, peaks, start[k])
    if not given:
        spread = spread_of_peaks(flat, h, w, boxes[:n], begin)
        for k in range(K):
            start[k + 1] = place_tops(
                flat[k], h, w, boxes, begin[k], begin[k + 1], spread, apart * spread, keep, peaks, start[k]
            )
    return as_columns(peaks[: start[K]]), start, spread


@jit
def find_peaks_among(
    heat: np.ndarray, crests: np.ndarray, begin: np.ndarray, sigma: float, apart: float, widest: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The same as `find_peaks` where the crests are known, so that only they and cells around them are looked at.

    heat: (K, h, w) float32, finite. crests: (m,) numbers y w + x, as a sweep finds them, sorted by joint; where each
    joint's begin (K + 1,)."""
    K, h, w = heat.shape
    first, start, broad = np.zeros(K + 1, np.int64), np.zeros(K + 1, np.int64), widest_top(sigma, widest)
    boxes, peaks = np.empty((len(crests), 5), np.int64), np.empty((len(crests), 3))
    keep, flat, spread = np.empty(len(crests), np.bool_), heat.reshape(K, h * w), sigma
    for k in range(K):
        first[k + 1] = tops_of_crests(heat[k], crests[begin[k] : begin[k + 1]], broad, boxes, first[k])
    if not sigma > 0:
        spread = spread_of_peaks(flat, h, w, boxes[: first[K]], first)
    for k in range(K):
        start[k + 1] = place_tops(
            flat[k], h, w, boxes, first[k], first[k + 1], spread, apart * spread, keep, peaks, start[k]
        )
    return as_columns(peaks[: start[K]]), start, spread
