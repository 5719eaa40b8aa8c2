"""The ten COCO keypoint numbers through pycocotools, with what a bootstrap over pictures needs.

Source: the official COCO keypoint evaluation (OKS with k = 2 sigma, best 20 people a picture).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import COCO17
from bottomup.metrics.entries import checked_annotations, checked_results, chosen_images, read_truth

NUMBERS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How predicted people met the true ones, over all areas; T thresholds, D counted predictions, I pictures.

    numbers: the ten COCO numbers. images: I ids. image: (D,) each prediction's picture as an index
    into images; entry: (D,) its place among the results; scores: (D,); hits, ignored: bool (T, D);
    person: (T, D) the place among the annotations of whom it met, -1 for nobody; people: (I,) true
    people to be found; precision: (T, 101) at the recalls 0, .01, ..., 1.
    """

    numbers: dict[str, float]
    images: tuple[int, ...]
    image: np.ndarray
    entry: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    person: np.ndarray
    people: np.ndarray
    precision: np.ndarray


def coco_keypoint_numbers(
    truth: dict[str, Any] | str | Path,
    results: list[dict[str, Any]],
    *,
    image_ids: Sequence[int] | None = None,
    sigmas: Sequence[float] | None = None,
) -> dict[str, float]:
    """AP AP50 AP75 APm APl AR AR50 AR75 ARm ARl of COCO results entries; see `evaluate_keypoints`."""
    return evaluate_keypoints(truth, results, image_ids=image_ids, sigmas=sigmas).numbers


def evaluate_keypoints(
    truth: dict[str, Any] | str | Path,
    results: list[dict[str, Any]],
    *,
    image_ids: Sequence[int] | None = None,
    sigmas: Sequence[float] | None = None,
    box_area: float | None = None,
) -> Evaluation:
    """COCO results entries against COCO keypoint truth (a dict or a JSON file).

    image_ids: the pictures to judge (default: all of the truth); results on other pictures of the
    truth do not count. sigmas: K OKS constants (default: COCO's 17). box_area: take this share of its box
    as a person's area, not the annotation's `area`. Annotations with `ignore`,
    `iscrowd` or no labelled joint are regions where predictions are not counted. Without a single
    true person a number is -1; without any prediction it is 0. Raises DataError that names the entry.
    """
    sigmas = COCO17.sigmas if sigmas is None else tuple(sigmas)
    truth, source = read_truth(truth)
    wanted = chosen_images(truth, source, image_ids)
    predictions = checked_results(results, truth, len(sigmas), source)
    annotations = checked_annotations(truth, len(sigmas), source, box_area)
    return _summary(_finished(annotations, predictions, wanted, sigmas), wanted)


def _finished(
    annotations: list[dict[str, Any]], predictions: list[dict[str, Any]], images: list[int], sigmas: Sequence[float]
) -> Any:
    """The finished evaluation of these entries; pycocotools prints, so its output is swallowed."""
    from bottomup.metrics.pycoco import KeypointEval  # slow to import

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = KeypointEval(annotations, predictions, images, sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _summary(evaluation: Any, images: list[int]) -> Evaluation:
    """The numbers and, over all areas, every prediction's fate."""
    thresholds = len(evaluation.params.iouThrs)
    where = {image: number for number, image in enumerate(images)}
    met = [e for e in evaluation.evalImgs[: len(images)] if e is not None]  # the first area range is all areas
    people = np.zeros(len(images), np.int64)
    for e in met:
        people[where[e["image_id"]]] += np.count_nonzero(np.asarray(e["gtIgnore"]) == 0)
    empty = np.zeros((thresholds, 0), int)
    person = np.hstack([empty, *(e["dtMatches"] for e in met)]) - 1
    return Evaluation(
        numbers={name: float(value) for name, value in zip(NUMBERS, evaluation.stats, strict=True)},
        images=tuple(images),
        image=np.array([where[e["image_id"]] for e in met for _ in e["dtScores"]], np.int64),
        entry=np.array([number - 1 for e in met for number in e["dtIds"]], np.int64),
        scores=np.array([score for e in met for score in e["dtScores"]], float),
        hits=person >= 0,
        ignored=np.hstack([empty, *(e["dtIgnore"] for e in met)]).astype(bool),
        person=person,
        people=people,
        precision=evaluation.eval["precision"][:, :, 0, 0, 0],
    )
