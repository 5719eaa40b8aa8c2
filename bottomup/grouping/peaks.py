"""Peaks of heatmaps: a sweep over all cells, flat tops, near doubles.

A peak is a cell, or a flat top of equal cells, that is higher than everything around it, or a shoulder, see
`grouping/sweep.py`; border cells count. Nothing depends on the reading direction: a mirrored map has the
mirrored peaks.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from bottomup.grouping.compile import jit, jit_part
from bottomup.grouping.room import room
from bottomup.grouping.subpixel import SHARP, place_peak, spread_of_peaks
from bottomup.grouping.sweep import room_for_sweeps, sweep_plane

FEW = 512  # tops in all beyond those of the fullest plane; more are looked for again
GUESSED_SPREAD = 4.0  # cells; before it is measured, for the widest flat top


@jit_part
def _is_flat(plane: np.ndarray, y: int, x: int) -> bool:
    """Whether a neighbour is as high."""
    h, w = plane.shape
    for yy in range(max(y - 1, 0), min(y + 2, h)):
        for xx in range(max(x - 1, 0), min(x + 2, w)):
            if (yy != y or xx != x) and plane[yy, xx] == plane[y, x]:
                return True
    return False


@jit_part
def flat_top(plane: np.ndarray, y: int, x: int, widest: int, flood: np.ndarray, boxes: np.ndarray, n: int) -> bool:
    """Writes to boxes[n] the box (x0, y0, x1, y1) of the cells joined to (y, x) at its height, and the cell y w + x.

    False where it is wider than `widest` cells, touches a higher cell, fills the map or has an earlier
    cell in reading order (which speaks for it). flood: (2, (2 widest + 1) squared) whole numbers to work in."""
    h, w = plane.shape
    v, side, seen, stack, depth = plane[y, x], 2 * widest + 1, flood[0], flood[1], 1
    for at in range(side * side):
        seen[at] = 0
    x0, x1, y1 = x, x, y
    stack[0] = y * w + x
    seen[widest * side + widest] = 1
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
                if o == v and seen[at] == 0:
                    seen[at] = 1
                    stack[depth] = yy * w + xx
                    depth += 1
    boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3], boxes[n, 4] = x0, y, x1, y1, y * w + x
    return x0 > 0 or y > 0 or x1 < w - 1 or y1 < h - 1


@jit_part
def tops_of_plane(
    plane: np.ndarray,
    bits: np.ndarray,
    low: np.int32,
    sharp: None | bool,
    widest: int,
    cells: np.ndarray,
    crest: np.ndarray,
    eights: np.ndarray,
    flood: np.ndarray,
    boxes: np.ndarray,
    n: int,
) -> int:
    """Writes the boxes (x0, y0, x1, y1 and one cell, y w + x) of all tops of a plane (h, w) in reading order from
    boxes[n] on; gives where they end, -1 where a cell is not finite. bits, low, sharp, crest, eights: see
    `sweep_plane`. flood: see `flat_top`. cells: room for all that can be."""
    swept = sweep_plane(plane, bits, low, sharp, cells, crest, eights)
    return -1 if swept < 0 else tops_of_crests(plane, cells[:swept], widest, flood, boxes, n)


@jit_part
def tops_of_crests(
    plane: np.ndarray, crests: np.ndarray, widest: int, flood: np.ndarray, boxes: np.ndarray, n: int
) -> int:
    """Writes the boxes of all tops of a plane (h, w) from boxes[n] on, as `tops_of_plane` does, and gives where they
    end. crests: (m,) of the plane's cells those that a sweep finds. flood: see `flat_top`."""
    h, w = plane.shape
    for c in range(len(crests)):
        y, x = crests[c] // w, crests[c] % w
        if _is_flat(plane, y, x):
            n += flat_top(plane, y, x, widest, flood, boxes, n)
        elif h * w > 1:
            boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3], boxes[n, 4] = x, y, x, y, crests[c]
            n += 1
    return n


@jit_part
def _outranks(rough: np.ndarray, i: int, j: int, width: int) -> bool:
    """Whether rough peak i (x, y, score) comes before j: by score, row, distance from the middle column."""
    if rough[i, 2] != rough[j, 2]:
        return rough[i, 2] > rough[j, 2]
    if rough[i, 1] != rough[j, 1]:
        return rough[i, 1] < rough[j, 1]
    return abs(2 * rough[i, 0] - (width - 1)) < abs(2 * rough[j, 0] - (width - 1))


@jit_part
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


@jit_part
def place_tops(
    flat: np.ndarray,
    h: int,
    w: int,
    boxes: np.ndarray,
    first: int,
    last: int,
    sigma: float,
    sharp: None | bool,
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
            place_peak(flat, h, w, boxes, i, sigma, sharp, peaks, n)
            n += 1
    return n


@jit_part
def place_all(
    flat: np.ndarray,
    h: int,
    w: int,
    sigma: float,
    sharp: None | bool,
    apart: float,
    start: np.ndarray,
    begin: np.ndarray,
    keep: np.ndarray,
    boxes: np.ndarray,
    peaks: np.ndarray,
    spread: None | np.ndarray,
    order: None | np.ndarray,
) -> float:
    """Writes the peaks of all tops in `boxes`, sorted by joint, and where each joint's begin; gives sigma, measured
    if there is room for that. flat: (K, h w). The others are those of `peaks_of_maps`."""
    width = sigma
    if spread is not None and order is not None:
        width = spread_of_peaks(flat, h, w, boxes, begin, spread, order)
    for k in range(len(flat)):
        start[k + 1] = place_tops(
            flat[k], h, w, boxes, begin[k], begin[k + 1], width, sharp, apart * width, keep, peaks, start[k]
        )
    return width


@jit
def peaks_of_maps(
    heat: np.ndarray,
    bits: np.ndarray,
    sigma: float,
    low: int,
    sharp: None | bool,
    apart: float,
    widest: int,
    start: np.ndarray,
    begin: np.ndarray,
    crest: np.ndarray,
    eights: np.ndarray,
    cells: np.ndarray,
    flood: np.ndarray,
    keep: np.ndarray,
    boxes: np.ndarray,
    peaks: np.ndarray,
    spread: None | np.ndarray,
    order: None | np.ndarray,
) -> float:
    """Writes peaks (n, 3), sorted by joint, where each joint's begin, start (K + 1,); gives sigma, NaN where a cell is
    not finite, -1 where `boxes` has too little room.

    heat, bits, sigma, apart: see `find_peaks`. low: the bits of the lowest peak. sharp: True, so that shoulders count,
    or None. widest: of a flat top, in cells. begin: as start, of the tops. The others are room to work in, see
    `room_for_sweeps` and `room_for_peaks`; spread, order: None where sigma is known. What is not needed is not
    compiled either."""
    K, h, w = heat.shape
    flat = heat.reshape(K, h * w)
    n: int = np.int64(0)  # type: ignore[assignment]
    start[0], begin[0] = 0, 0
    for k in range(K):
        if n + len(cells) > len(boxes):
            return -1.0
        n = tops_of_plane(heat[k], bits[k], np.int32(low), sharp, widest, cells, crest, eights, flood, boxes, n)
        if n < 0:
            return np.nan
        begin[k + 1] = n
        if spread is None:  # at once, while the plane is still near
            start[k + 1] = place_tops(
                flat[k], h, w, boxes, begin[k], n, sigma, sharp, apart * sigma, keep, peaks, start[k]
            )
    if spread is None:
        return sigma
    return place_all(flat, h, w, sigma, sharp, apart, start, begin, keep, boxes, peaks, spread, order)


@jit
def peaks_of_crests(
    heat: np.ndarray,
    crests: np.ndarray,
    joint: np.ndarray,
    sigma: float,
    sharp: None | bool,
    apart: float,
    widest: int,
    start: np.ndarray,
    begin: np.ndarray,
    flood: np.ndarray,
    keep: np.ndarray,
    boxes: np.ndarray,
    peaks: np.ndarray,
    spread: None | np.ndarray,
    order: None | np.ndarray,
) -> float:
    """As `peaks_of_maps`, where the crests (m,) are known, and where each joint's begin, joint (K + 1,)."""
    K, h, w = heat.shape
    start[0], begin[0] = 0, 0
    for k in range(K):
        begin[k + 1] = tops_of_crests(heat[k], crests[joint[k] : joint[k + 1]], widest, flood, boxes, begin[k])
    flat = heat.reshape(K, h * w)
    return place_all(flat, h, w, sigma, sharp, apart, start, begin, keep, boxes, peaks, spread, order)


def find_peaks(
    heat: np.ndarray, bits: np.ndarray, sigma: float, low: float, apart: float, widest: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Peaks (3, n) of x, y in cells and score, sorted by joint, where each joint's begin (K + 1,), and sigma.

    heat: (K, h, w) float32, C-contiguous; bits: the same as int32 (K, h w). sigma: spread of a peak in cells,
    measured where it is 0; shoulders count only if it is given. low: lowest peak. apart, widest: see `Rules`. A score
    is the height of the gaussian through the cells around the top. Sigma is NaN where a cell is not finite."""
    K, h, w = heat.shape
    sharp = is_sharp(sigma)
    most = ((h + 1) // 2) * ((w + 1) // 2) * (2 if sharp else 1)  # a plane cannot have more crests, nor shoulders
    broad = widest_top(sigma, widest)
    start, begin = np.empty(K + 1, np.int64), np.empty(K + 1, np.int64)
    *crests, cells = room(room_for_sweeps, most)
    known = (heat, bits, sigma, bits_of_number(low), sharp, apart, broad, start, begin, *crests, cells[:most])
    work = room(room_for_peaks, most + FEW, broad, sigma > 0)
    spread = peaks_of_maps(*known, *work)
    while spread == -1:
        work = room(room_for_peaks, 2 * len(work[2]), broad, sigma > 0)
        spread = peaks_of_maps(*known, *work)
    n = 0 if spread != spread else int(start[K])
    return work[3][:n].T.copy(), start, spread  # what is kept must not be given away


def find_peaks_among(
    heat: np.ndarray, crests: np.ndarray, begin: np.ndarray, sigma: float, apart: float, widest: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The same as `find_peaks` where the crests are known, so that only they and cells around them are looked at.

    heat: (K, h, w) float32, finite. crests: (m,) numbers y w + x, as a sweep finds them, sorted by joint; where each
    joint's begin (K + 1,)."""
    K, broad = len(heat), widest_top(sigma, widest)
    start, first = np.empty(K + 1, np.int64), np.empty(K + 1, np.int64)
    work = room(room_for_peaks, len(crests), broad, sigma > 0)
    spread = peaks_of_crests(heat, crests, begin, sigma, is_sharp(sigma), apart, broad, start, first, *work)
    return work[3][: start[K]].T.copy(), start, spread


def is_sharp(sigma: float) -> bool | None:
    """True where peaks of this spread in cells are sharp, None where they are not or it is not known, 0."""
    return True if 0 < sigma < SHARP else None


def widest_top(sigma: float, widest: float) -> int:
    """Cells that a flat top may be wide. sigma: spread of a peak in cells, 0 where it is not known."""
    return max(3, int(widest * (sigma if sigma > 0 else GUESSED_SPREAD) + 0.5))


def room_for_peaks(n: int, broad: int, known: bool) -> tuple[Any, ...]:
    """What n tops in all are placed in, flat ones so many cells broad: `flood`, see `flat_top`; which stay; boxes,
    peaks, and, unless the spread is known, spreads and the order of these."""
    flood, keep = np.empty((2, (2 * broad + 1) ** 2), np.int64), np.empty(n, np.bool_)
    boxes, peaks = np.empty((n, 5), np.int64), np.empty((n, 3))
    measured = (None, None) if known else (np.empty(n), np.empty((4, n + 1), np.int64))
    return flood, keep, boxes, peaks, *measured


@cache
def bits_of_number(number: float) -> int:
    """The bits of a number as float32."""
    return int(np.float32(number).view(np.int32))
