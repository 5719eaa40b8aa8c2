"""Joints that a person lacks, from what weak signal there is where the body prior expects them.

Hidden and faint joints have no peak that is high enough. Asked for, each is looked for around its
expected place alone, so that maps are not swept again. More joints are found, and more of them are
wrong: how many is in `docs/grouping.md`.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.bids import expected_place, sum_expectations
from bottomup.grouping.bodies import COLUMNS, COUNT, DUE, measure_body
from bottomup.grouping.compile import jit, jit_part

FEWEST = 4  # joints of a person that say where another is
FAR = 6.0  # by how much the log density may fall from the expected place
NEAR_WEIGHT = 0.2  # of that fall beside the logarithm of the height
LEAST = 0.03  # lowest signal
QUARTER = 0.25  # of a cell, towards the higher neighbour


@jit_part
def best_cell(plane: np.ndarray, place: np.ndarray, middle: float) -> tuple[int, int]:
    """Column and row of the cell of a plane (h, w) that is highest for its distance from the place expected (6,), see
    `expected_place`; -1, -1 if none is above `LEAST` near it."""
    h, w = plane.shape
    x0, y0, xx, yy, xy = place[0] + middle, place[1], place[3], place[4], place[5]
    spare = 4 * xx * yy - xy * xy
    if not spare > 0:
        return -1, -1
    reach_x, reach_y = math.sqrt(4 * FAR * yy / spare), math.sqrt(4 * FAR * xx / spare)  # of the ellipse at FAR
    best, column, row = 0.0, -1, -1
    for y in range(max(0, math.ceil(y0 - reach_y)), min(h - 1, math.floor(y0 + reach_y)) + 1):
        for x in range(max(0, math.ceil(x0 - reach_x)), min(w - 1, math.floor(x0 + reach_x)) + 1):
            dx, dy = x - x0, y - y0
            fall = (xx * dx * dx + yy * dy * dy) + xy * (dx * dy)
            worth = plane[y, x] * math.exp(-NEAR_WEIGHT * fall)
            if plane[y, x] > LEAST and fall < FAR and worth > best:
                best, column, row = worth, x, y
    return column, row


@jit_part
def towards_higher(before: float, after: float) -> float:
    """A quarter cell towards the higher of two neighbours, 0 between equal ones."""
    return QUARTER if after > before else -QUARTER if before > after else 0.0


@jit
def find_lacking(
    joints: np.ndarray,
    width: int,
    square: np.ndarray,
    expect: np.ndarray,
    body: np.ndarray,
    sums: np.ndarray,
    ranks: np.ndarray,
    person: np.ndarray,
    spot: np.ndarray,
    places: np.ndarray,
) -> None:
    """Writes `places` (P, K, 6), all NaN before, as `lacking_places` says. body, sums (as long as a row of `expect`),
    person (K,), spot (3, K): to work in. ranks: (K,), 0."""
    P, K, _ = joints.shape
    middle = (width - 1) / 2
    for p in range(P):
        for k in range(K):
            person[k] = k if joints[p, k, 2] > 0 else -1
            for z in range(3):
                spot[z, k] = joints[p, k, z]
        measure_body(person, spot, middle, ranks, square, body)
        if body[COUNT] < FEWEST or not body[DUE] > 0:
            continue
        sum_expectations(person, body, spot, middle, expect, sums)
        for k in range(K):
            if person[k] < 0:
                expected_place(body, sums, k, places[p, k])


def lacking_places(joints: np.ndarray, width: int, square: np.ndarray, expect: np.ndarray) -> np.ndarray:
    """Where the joints are expected that people (P, K, 3) lack: (P, K, 6), see `expected_place`; NaN for those that
    they have, and for all of who has fewer than `FEWEST`. width: of the map in cells. square, expect: see `Tables`."""
    P, K, _ = joints.shape
    places, work = np.full((P, K, 6), np.nan), (np.empty(COLUMNS), np.empty(expect.shape[1]), np.zeros(K, np.int64))
    find_lacking(joints, width, square, expect, *work, np.empty(K, np.int64), np.empty((3, K)), places)
    return places


@jit
def fill_places(joints: np.ndarray, heat: np.ndarray, places: np.ndarray) -> None:
    """Writes to joints (P, K, 3), x, y and score in cells, those that people lack, by where they are expected, see
    `lacking_places`. heat: (K, h, w), h and w at least 1."""
    h, w = heat.shape[1:]
    for p in range(joints.shape[0]):
        for k in range(joints.shape[1]):
            if np.isnan(places[p, k, 0]):
                continue
            x, y = best_cell(heat[k], places[p, k], (w - 1) / 2)
            if x < 0:
                continue
            joints[p, k, 0], joints[p, k, 1], joints[p, k, 2] = x, y, min(heat[k, y, x], np.float32(1))
            if 0 < x < w - 1:
                joints[p, k, 0] += towards_higher(heat[k, y, x - 1], heat[k, y, x + 1])
            if 0 < y < h - 1:
                joints[p, k, 1] += towards_higher(heat[k, y - 1, x], heat[k, y + 1, x])


def fill_joints(joints: np.ndarray, heat: np.ndarray, square: np.ndarray, expect: np.ndarray) -> None:
    """Writes to joints (P, K, 3), x, y and score in cells, those that people lack. heat: (K, h, w), h and w at least 1.

    square, expect: see `Tables`. Who has fewer than `FEWEST` joints stays as they are."""
    fill_places(joints, heat, lacking_places(joints, heat.shape[2], square, expect))
