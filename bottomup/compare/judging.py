"""What an evaluation says beyond its ten numbers: by people in the picture, along the recall, picture by picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bottomup.metrics.bootstrap import average_precisions
from bottomup.metrics.coco import Evaluation

BINS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, None))  # true people in a picture: from, to


@dataclass(frozen=True)
class OperatingPoint:
    """Where a system's F1 at OKS 0.5 is best: people with at least this score count as found."""

    score: float
    precision: float
    recall: float
    f1: float


def by_people(evaluation: Evaluation) -> list[dict[str, object]]:
    """AP of pictures with few and with many true people: rows of people (text), pictures, true people and AP.

    AP is None where there is no such picture.
    """
    count = evaluation.people
    inside = np.array([(count >= low) & (count <= (high or np.inf)) for low, high in BINS])
    there = inside.any(axis=1)
    values = iter(average_precisions(evaluation, inside[there].astype(int)).tolist())
    return [
        {
            "people": f"{low}" if low == high else f"{low}+" if high is None else f"{low}-{high}",
            "pictures": int(row.sum()),
            "true_people": int(count[row].sum()),
            "AP": next(values) if row.any() else None,
        }
        for (low, high), row in zip(BINS, inside, strict=True)
    ]


def operating_point(evaluation: Evaluation) -> OperatingPoint:
    """The score from which on people count as found: that of the best F1 at the lowest OKS threshold."""
    order = np.argsort(-evaluation.scores, kind="stable")
    counted = ~evaluation.ignored[0, order]
    hits = evaluation.hits[0, order] & counted
    people = int(evaluation.people.sum())
    if not people or not counted.any():
        return OperatingPoint(0.0, 0.0, 0.0, 0.0)
    found, given = np.cumsum(hits), np.cumsum(counted)
    f1 = 2 * found / (given + people)
    best = int(np.argmax(f1))
    precision = float(found[best] / max(given[best], 1))
    return OperatingPoint(
        float(evaluation.scores[order][best]), precision, float(found[best] / people), float(f1[best])
    )


def picture_quality(evaluation: Evaluation, score: float) -> np.ndarray:
    """F1 of each picture, (I,), averaged over the OKS thresholds, of the predictions with at least this score.

    1 where nobody is and nobody is found.
    """
    sure = evaluation.scores >= score
    counted = ~evaluation.ignored & sure
    pictures = len(evaluation.images)

    def per_picture(chosen: np.ndarray) -> np.ndarray:
        return np.array([np.bincount(evaluation.image[row], minlength=pictures) for row in chosen])

    found, given = per_picture(evaluation.hits & counted), per_picture(counted)
    total = given + evaluation.people
    return np.asarray(np.where(total > 0, 2 * found / np.maximum(total, 1), 1.0).mean(axis=0))
