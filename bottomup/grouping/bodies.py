"""How large a piece of a person is and where: what joining by the prior and bidding go by."""

from __future__ import annotations

import numpy as np

from bottomup.grouping.compile import jit_part, jit_reordering

SEEN, DUE, CENTRE_X, CENTRE_Y, RANK, COUNT = 0, 1, 2, 3, 4, 5  # columns of a body
COLUMNS = 6


@jit_reordering
def due_before(person: np.ndarray, row: np.ndarray, k: int) -> float:
    """Sum of the squares expected between joint k, whose row (K,) of them it is, and those before it that a person
    (K,) has; exact, as they lie on a grid."""
    due = 0.0
    for j in range(np.uint64(k)):  # unsigned: no wrap-around test, so that it vectorises
        due += row[j] if person[j] >= 0 else 0.0
    return due


@jit_part
def measure_body(
    person: np.ndarray, spot: np.ndarray, middle: float, rank: np.ndarray, square: np.ndarray, body: np.ndarray
) -> None:
    """Writes `body` (6,): sums over the joint pairs of squared distances in cells and of those expected at body height
    1; the centre's x, from the map's `middle` column, and y; the rank of the best peak; the number of joints.

    person: (K,) peaks or -1. square: (K, K), or (0, 0) without a prior. Positions lie on a grid and so do the expected
    squares, so that the sums are exact in any order."""
    count, best, due, x_sum, y_sum, squares = 0, len(rank), 0.0, 0.0, 0.0, 0.0
    for k in range(len(person)):
        i = person[k]
        if i < 0:
            continue
        x, y = spot[0, i] - middle, spot[1, i]
        x_sum, y_sum, squares, count = x_sum + x, y_sum + y, squares + (x * x + y * y), count + 1
        best = rank[i] if rank[i] < best else best
        if len(square) > 0:
            due += due_before(person, square[k], k)
    body[SEEN], body[DUE] = max(count * squares - (x_sum * x_sum + y_sum * y_sum), 0.0), due
    body[CENTRE_X], body[CENTRE_Y] = x_sum / max(count, 1), y_sum / max(count, 1)
    body[RANK], body[COUNT] = best, count


@jit_part
def mean_tag(person: np.ndarray, tag: np.ndarray, mean: np.ndarray) -> None:
    """Writes the mean of the tags (n, L) of a person's peaks (K,) to `mean` (L,); tags lie on a grid, so that it is
    exact."""
    count = 0
    for z in range(len(mean)):
        mean[z] = 0.0
    for k in range(len(person)):
        if person[k] >= 0:
            count += 1
            for z in range(len(mean)):
                mean[z] += tag[person[k], z]
    for z in range(len(mean)):
        mean[z] /= max(count, 1)
