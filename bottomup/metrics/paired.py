"""Whether one system is better than another on the same pictures, or was lucky with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bottomup.errors import DataError
from bottomup.metrics.bootstrap import average_precision, average_precisions
from bottomup.metrics.coco import Evaluation


@dataclass(frozen=True)
class PairedTest:
    """Two systems on the same pictures. difference: AP of the second less AP of the first.

    interval: where it lies in `level` of draws of as many pictures. p: how often it would be at least as large
    either way if the two were interchangeable in every picture.
    """

    difference: float
    interval: tuple[float, float]
    p: float
    pictures: int


def paired_test(
    first: Evaluation, second: Evaluation, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> PairedTest:
    """Paired percentile bootstrap of the difference in AP, and a two-sided permutation test of it.

    Both draw pictures: people of one picture are not independent. Raises DataError where the two were not
    judged on the same pictures and people, or nobody is to be found. Source: Efron and Tibshirani (1993).
    """
    if first.images != second.images or (first.people != second.people).any():
        raise DataError("the two systems were judged on different pictures or people; judge both on the same")
    if not first.people.any():
        raise DataError("no true person in these pictures: nothing to compare; evaluate labelled pictures")
    random = np.random.default_rng(seed)
    pictures = len(first.images)
    counts = random.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws)
    counts = counts[counts @ first.people > 0]  # a draw without people has no AP
    differences = average_precisions(second, counts) - average_precisions(first, counts)
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    once = np.ones((1, pictures), int)
    difference = float(average_precisions(second, once)[0] - average_precisions(first, once)[0])
    exchanged = _exchanged_differences(first, second, random.random((draws, pictures)) < 0.5)
    as_large = np.count_nonzero(np.abs(exchanged) >= abs(difference) - 1e-12)
    p = float((1 + as_large) / (1 + draws))
    return PairedTest(difference, (float(low), float(high)), p, pictures)


def _exchanged_differences(first: Evaluation, second: Evaluation, exchanged: np.ndarray) -> np.ndarray:
    """The difference in AP for every row of exchanged (draws, I): where the two change places."""
    scores = np.concatenate([first.scores, second.scores])
    order = np.argsort(-scores, kind="stable")
    image = np.concatenate([first.image, second.image])[order]
    of_second = np.repeat([False, True], [len(first.scores), len(second.scores)])[order]
    counted = ~np.hstack([first.ignored, second.ignored])[:, order]
    hits = np.hstack([first.hits, second.hits])[:, order]
    true, false = hits & counted, ~hits & counted
    people = int(first.people.sum())
    differences = []
    for row in exchanged:
        now_second = of_second ^ row[image]
        one, other = (average_precision(true[:, w], false[:, w], 1, people) for w in (~now_second, now_second))
        differences.append(other - one)
    return np.array(differences)
