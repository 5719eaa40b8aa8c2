"""Where between the cells a peak lies, how high and how wide it is: a gaussian through the cells around.

The logarithm of a gaussian is a parabola, so three values along a line give its vertex exactly.
Sums over lines across quieten noise and leave the vertex where it is. All arithmetic is such that a
mirrored map gives exactly mirrored positions: offsets lie on a grid, and no sum depends on its order.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.compile import jit_part
from bottomup.grouping.grid import CELLS, on_grid
from bottomup.grouping.matching import sort_best_first

FLOOR = 0.01  # lowest value beside a peak, as a share of the peak: tails may be cut to 0
MOST_GAIN = 0.4  # of the logarithm of a peak's height along one axis
SHARP = 1.5  # cells; peaks of less spread are told from their neighbours, and placed, by the cells next to them alone
UNKNOWN_SPREAD = 2.0  # cells; used where no peak tells its spread


@jit_part
def vertex(left: float, middle: float, right: float, far: float, half: float) -> tuple[float, float]:
    """Offset and log gain of a gaussian's top from values at -far, +-half (flat top; 0: one cell) and far.

    Values are positive line sums; middle is not below the others. Offset in cells, within +-far / 2."""
    back, ahead = math.log(left / middle), math.log(right / middle)
    bend = back + ahead
    if bend >= 0:
        return 0.0, 0.0
    room = far * far - half * half
    offset = min(max((back - ahead) / bend * room / (2 * far), -far / 2), far / 2)
    return offset, min(-bend / room * (half * half + offset * offset) / 2, MOST_GAIN)


@jit_part
def edge_offset(border: float, inner: float, step: float, sigma: float) -> float:
    """How far inwards of the border cell a gaussian's top lies, by the ratio of two line sums `step` apart."""
    offset = step / 2 - sigma * sigma / step * math.log(border / inner)
    return min(max(offset, -0.5), 0.5)


@jit_part
def line_sum(flat: np.ndarray, first: int, stride: int, count: int) -> float:
    """Sum of `count` cells of a flattened plane, from both ends inwards, so that mirroring does not change it."""
    total = 0.0
    for i in range((count + 1) // 2):
        near, far = np.uint64(first + i * stride), np.uint64(first + (count - 1 - i) * stride)
        total += np.float64(flat[near]) + (
            np.float64(flat[far]) if far != near else 0.0
        )  # unsigned: no wrap-around test
    return total


@jit_part
def place_along(
    flat: np.ndarray,
    low: int,
    high: int,
    length: int,
    along: int,
    first: int,
    last: int,
    breadth: int,
    across: int,
    sigma: float,
) -> tuple[float, float]:
    """Place and log gain of a top along one axis of a flattened plane.

    The top has cells low..high of `length` along the axis and first..last of `breadth` across it;
    along, across: steps in the flattened plane."""
    step = max(1, int(sigma + 0.5))
    reach = min(step, min(low, length - 1 - high))
    spare = reach if reach > 0 else min(step, length - 1)
    top, count = max(first - spare, 0), min(last + spare, breadth - 1) + 1
    base, count = top * across, count - top
    here = line_sum(flat, base + low * along, across, count)
    if low < high:
        here = (here + line_sum(flat, base + high * along, across, count)) / 2
    left = line_sum(flat, base + max(low - spare, 0) * along, across, count)
    right = line_sum(flat, base + min(high + spare, length - 1) * along, across, count)
    return place_by_sums(left, here, right, low, high, length, reach, spare, sigma)


@jit_part
def place_by_sums(
    left: float, here: float, right: float, low: int, high: int, length: int, reach: int, spare: int, sigma: float
) -> tuple[float, float]:
    """Place and log gain of a top of cells low..high of `length`, from the line sums `reach` to its left and right; at
    the border, where reach is 0, by the one `spare` further in."""
    middle, half, least = (low + high) / 2, (high - low) / 2, FLOOR * here
    inner = high + spare if low == 0 else low - spare
    if here <= 0 or (reach == 0 and (inner < 0 or inner >= length or inner == low)):
        return middle, 0.0
    if reach == 0:
        offset = edge_offset(here, max(right if low == 0 else left, least), spare, sigma)
        place = high + on_grid(offset, CELLS) if low == 0 else low - on_grid(offset, CELLS)
        return place, min(offset * offset / (2 * sigma * sigma), MOST_GAIN)
    left, right = max(left, least), max(right, least)
    if left > here or right > here:
        return middle, 0.0
    offset, gain = vertex(left, here, right, half + reach, half)
    return middle + on_grid(offset, CELLS), gain


@jit_part
def parabola_around(flat: np.ndarray, at: int, w: int) -> tuple[float, float, float, float, float]:
    """Slopes along x and y and second derivatives xx, yy, xy, at its middle, of the parabola that comes nearest to the
    logarithms of the 3 x 3 cells around cell `at` of a flattened plane. Products and sums are such that mirroring
    changes but signs."""
    least, above, below = FLOOR * flat[at], at - w, at + w
    a, b, c = max(flat[above - 1], least), max(flat[above], least), max(flat[above + 1], least)
    d, e, f = max(flat[at - 1], least), np.float64(flat[at]), max(flat[at + 1], least)
    g, h, i = max(flat[below - 1], least), max(flat[below], least), max(flat[below + 1], least)
    left, middle, right = math.log((a * g) * d), math.log((b * h) * e), math.log((c * i) * f)
    high, row, low = math.log((a * c) * b), math.log((d * f) * e), math.log((g * i) * h)
    twist = (math.log(a * i) - math.log(c * g)) / 4
    return (right - left) / 6, (low - high) / 6, (left + right - 2 * middle) / 3, (high + low - 2 * row) / 3, twist


@jit_part
def place_sharp(flat: np.ndarray, at: int, x: int, y: int, w: int, peaks: np.ndarray, n: int) -> bool:
    """Writes x, y, score of the top of the gaussian nearest to the cells around cell `at` of a flattened plane, at
    (x, y), to peaks[n]; False if they have no top. A neighbour, whose line sums would be the peak's, tilts it."""
    slope_x, slope_y, xx, yy, xy = parabola_around(flat, at, w)
    spare = xx * yy - xy * xy
    if not (xx < 0 and yy < 0 and spare > 0):
        return False
    dx = min(max((xy * slope_y - yy * slope_x) / spare, -0.5), 0.5)
    dy = min(max((xy * slope_x - xx * slope_y) / spare, -0.5), 0.5)
    gain = (slope_x * dx + slope_y * dy) + ((xx * dx * dx + yy * dy * dy) / 2 + xy * dx * dy)
    peaks[n, 0], peaks[n, 1] = x + on_grid(dx, CELLS), y + on_grid(dy, CELLS)
    peaks[n, 2] = np.float32(flat[at] * math.exp(min(max(gain, 0.0), 2 * MOST_GAIN)))
    return True


@jit_part
def place_peak(
    flat: np.ndarray,
    h: int,
    w: int,
    boxes: np.ndarray,
    i: int,
    sigma: float,
    sharp: None | bool,
    peaks: np.ndarray,
    n: int,
) -> None:
    """Writes x, y, score of the top in boxes[i] (x0, y0, x1, y1, cell) of a flattened plane to peaks[n]. sharp: True
    where peaks are, else None."""
    x, y, gain = boxes[i, 0], boxes[i, 1], 0.0
    if sharp is not None:
        inside = x == boxes[i, 2] and y == boxes[i, 3] and 0 < x < w - 1 and 0 < y < h - 1
        if inside and place_sharp(flat, boxes[i, 4], x, y, w, peaks, n):
            return
    for axis in range(2):
        length, along, breadth, across = (w, 1, h, w) if axis == 0 else (h, w, w, 1)
        low, high, first, last = boxes[i, axis], boxes[i, axis + 2], boxes[i, 1 - axis], boxes[i, 3 - axis]
        place, more = place_along(flat, low, high, length, along, first, last, breadth, across, sigma)
        peaks[n, axis] = place
        gain += more
    peaks[n, 2] = np.float32(flat[boxes[i, 4]] * math.exp(gain))


@jit_part
def fall_length(flat: np.ndarray, at: int, stride: int, cells: int, level: float) -> float:
    """Steps of `stride` from cell `at` of a flattened plane to where it falls below the level; -1 if it rises first
    or does not fall within so many cells."""
    before = np.float64(flat[at])
    for steps in range(cells):
        at += stride
        value = np.float64(flat[at])
        if value > before:
            return -1.0
        if value < level:
            return steps + (before - level) / (before - value)
        before = value
    return -1.0


@jit_part
def spread_of_top(flat: np.ndarray, h: int, w: int, boxes: np.ndarray, i: int) -> float:
    """How far the top in boxes[i] reaches down to exp(-1/2) of its height, mean of all sides; -1 if it does not."""
    level, total = flat[boxes[i, 4]] * math.exp(-0.5), 0.0
    for axis in range(2):
        length, along, across = (w, 1, w) if axis == 0 else (h, w, 1)
        low, high = boxes[i, axis], boxes[i, axis + 2]
        for side in range(2):  # along both edges of a flat top, which for one cell are the same
            base = boxes[i, 1 - axis + 2 * side] * across
            back = fall_length(flat, base + low * along, -along, low, level)
            ahead = fall_length(flat, base + high * along, along, length - 1 - high, level)
            if back < 0 or ahead < 0:
                return -1.0
            total += (back + ahead + (high - low)) / 8
    return total


@jit_part
def spread_of_peaks(
    flat: np.ndarray, h: int, w: int, boxes: np.ndarray, start: np.ndarray, spread: np.ndarray, room: np.ndarray
) -> float:
    """Spread of the peaks in cells: the median over those of at least half the greatest height that fall off on all
    sides. flat: (K, h w). spread (n,), room (4, n + 1): to work in."""
    m, top = 0, 0.0
    for k in range(len(start) - 1):
        for i in range(start[k], start[k + 1]):
            top = max(top, np.float64(flat[k, boxes[i, 4]]))
    for k in range(len(start) - 1):
        for i in range(start[k], start[k + 1]):
            if flat[k, boxes[i, 4]] >= 0.5 * top:
                spread[m] = spread_of_top(flat[k], h, w, boxes, i)
                m += spread[m] >= 0
    if m == 0:
        return UNKNOWN_SPREAD
    order, key = room[0, :m], room[1]
    for i in range(m):
        order[i], key[i] = i, i
    sort_best_first(order, spread, key, room[2:])
    return max(0.5, (spread[order[m // 2]] + spread[order[(m - 1) // 2]]) / 2)
