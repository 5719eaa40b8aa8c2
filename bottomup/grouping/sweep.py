"""One sweep over the cells of a heatmap, for those that may be peaks.

Such is a crest: a cell not lower than those around it. Where peaks are sharp, a neighbour may be a mere shoulder of a
higher peak: it is found on the map with its bends made deeper. Most of a map is empty, and passed over quickly.
"""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit_inside, jit_part

CHUNK, BLOCK = 64, 512  # cells that are looked at together
INFINITE = 0x7F800000  # float32 bits; greater ones are no numbers


@jit_part
def cells_above(row: np.ndarray, low: np.int32) -> int:
    """1 if some of the cells are above `low`, else 0; -1 where one is not finite. All as the bits of float32 numbers,
    which are in the order of positive numbers, and whose maxima vectorise."""
    top, odd = row[0], row[0] & np.int32(0x7FFFFFFF)
    for j in range(np.uint64(len(row))):  # a number that only running tells: a few known turns would be unrolled
        size = row[j] & np.int32(0x7FFFFFFF)
        top, odd = row[j] if row[j] > top else top, size if size > odd else odd
    return -1 if odd >= INFINITE else int(top > low)


@jit_part
def chunk_is_above(row: np.ndarray, low: np.int32) -> bool:
    """Whether some of the cells, all finite, are above `low`."""
    top = row[0]
    for j in range(np.uint64(len(row))):
        top = row[j] if row[j] > top else top
    return top > low


@jit_part
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


@jit_part
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


@jit_part
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


@jit_part
def sweep_plane(
    plane: np.ndarray,
    bits: np.ndarray,
    low: np.int32,
    sharp: None | bool,
    cells: np.ndarray,
    crest: np.ndarray,
    eights: np.ndarray,
) -> int:
    """Writes to `cells` (m,) the numbers y w + x of those cells above `low` that are higher than all eight neighbours
    read before them and not lower than those read after, or, if peaks are `sharp`, shoulders; gives how many, -1 where
    a cell is not finite. Fixed chunks vectorise.

    plane: (h, w). bits: the same as int32 (h w,), as is low, a positive number. sharp: True, or None, with which no
    shoulders are compiled. crest: (CHUNK,) bytes to work in; eights: the same, eight in one."""
    count: int = np.int64(0)  # type: ignore[assignment]  # an int to numba, which compiles anew for a literal 0
    for first in range(0, len(bits), BLOCK):  # most of a map is empty
        last = min(first + BLOCK, len(bits))
        found = cells_above(bits[first:last], low)
        if found < 0:
            return -1
        if found > 0:
            count = sweep_block(plane, bits, low, sharp, first, last, cells, count, crest, eights)
    return count


@jit_part
def sweep_block(
    plane: np.ndarray,
    bits: np.ndarray,
    low: np.int32,
    sharp: None | bool,
    first: int,
    end: int,
    cells: np.ndarray,
    count: int,
    crest: np.ndarray,
    eights: np.ndarray,
) -> int:
    """Adds those of the cells first..end to the `count` that `cells` holds; gives how many there are then. The others
    are those of `sweep_plane`."""
    w, size, flat = plane.shape[1], len(bits), plane.reshape(len(bits))
    for i in range(first, end, CHUNK):
        last = min(i + CHUNK, end)
        if last - i == CHUNK:
            if not chunk_is_above(bits[i:last], low):
                continue
            if i > w and last + w < size:
                mark_crests(bits, i, w, low, crest)
                if sharp is not None:
                    mark_bends(flat, bits, i, w, low, crest)
                for u in range(CHUNK // 8):
                    for j in range(i + 8 * u, i + 8 * u + 8 if eights[u] else i):
                        if crest[j - i] and _is_top(plane, j // w, j % w, sharp):
                            cells[count] = j
                            count += 1
                continue
        for j in range(i, last):
            if bits[j] > low and _is_top(plane, j // w, j % w, sharp):
                cells[count] = j
                count += 1
    return count


@jit_part
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


@jit_part
def _is_top(plane: np.ndarray, y: int, x: int, sharp: None | bool) -> bool:
    """Whether the cell is a crest, or if peaks are `sharp` a shoulder."""
    if sharp is None:
        return _is_crest(plane, y, x)
    return _is_crest(plane, y, x) or _is_shoulder(plane, y, x)


def room_for_sweeps(most: int) -> tuple[np.ndarray, ...]:
    """What a sweep over a plane of so many tops works in: bytes, the same eight in one, and the cells that are tops."""
    eights = np.empty(CHUNK // 8, np.uint64)
    return eights.view(np.uint8), eights, np.empty(most, np.int64)
