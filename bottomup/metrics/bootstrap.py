"""How sure an AP is: pictures are drawn again and again with replacement."""

from __future__ import annotations

from typing import Any

import numpy as np

from bottomup.errors import DataError
from bottomup.metrics.coco import Evaluation

RECALLS = np.linspace(0, 1, 101)


def bootstrap_interval(
    evaluation: Evaluation, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The interval (low, high) that holds AP in `level` of the draws of as many pictures.

    Percentile bootstrap (Efron, 1979). Raises DataError where no picture has a person to be found.
    """
    if not evaluation.people.any():
        raise DataError("no true person in these pictures: AP has no interval; evaluate labelled pictures")
    random = np.random.default_rng(seed)
    pictures = len(evaluation.images)
    counts = random.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws)
    counts = counts[counts @ evaluation.people > 0]  # a draw without people has no AP
    values = average_precisions(evaluation, counts)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def average_precisions(evaluation: Evaluation, counts: np.ndarray) -> np.ndarray:
    """AP of each draw; counts (draws, I) says how often each picture was drawn (0 or 1: AP of a subset); -1 if nobody.

    A picture drawn twice weighs its predictions twice: that gives the same interpolated precision
    as listing it twice, since a prediction's twin never makes a better recall or precision first.
    """
    order = np.argsort(-evaluation.scores, kind="stable")
    counted = ~evaluation.ignored[:, order]
    true, false = evaluation.hits[:, order] & counted, ~evaluation.hits[:, order] & counted
    image = evaluation.image[order]
    return np.array([average_precision(true, false, row[image], row @ evaluation.people) for row in counts])


def average_precision(true: np.ndarray, false: np.ndarray, weights: np.ndarray | int, people: Any) -> float:
    """AP of predictions (T, D) sorted by score, each counted `weights` (D,) times, with `people` to be found.

    people: one number, or one a threshold (T,); without anybody to be found AP is -1.
    """
    if not np.any(people):
        return -1.0
    found = np.cumsum(true * weights, axis=1)
    wrong = np.cumsum(false * weights, axis=1)
    precision = found / np.maximum(found + wrong, 1)
    best_after = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    padded = np.hstack([best_after, np.zeros((len(true), 1))])  # recall never reached: precision 0
    at_recall = [
        row[np.searchsorted(recall, RECALLS)]
        for row, recall in zip(padded, found / np.reshape(people, (-1, 1)), strict=True)
    ]
    return float(np.mean(at_recall))
