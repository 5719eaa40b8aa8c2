"""The nine CrowdPose numbers: AP and AR as COCO's, and AP where pictures are more or less crowded.

Source: the official CrowdPose evaluation (CVPR 2019): COCO's with 14 sigmas and .53 of the box as area.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import CROWDPOSE14
from bottomup.errors import DataError
from bottomup.metrics.bootstrap import average_precisions
from bottomup.metrics.coco import Evaluation, evaluate_keypoints
from bottomup.metrics.entries import read_truth

BOX_AREA = 0.53
LEVELS = {"APeasy": (0.0, 0.2), "APmedium": (0.2, 0.8), "APhard": (0.8, np.inf)}  # of crowdIndex, end not included
NUMBERS = ("AP", "AP50", "AP75", "AR", "AR50", "AR75", *LEVELS)


def evaluate_crowdpose(
    truth: dict[str, Any] | str | Path, results: list[dict[str, Any]], *, image_ids: Sequence[int] | None = None
) -> Evaluation:
    """COCO results entries of 14 joints against CrowdPose truth, whose pictures have a `crowdIndex`.

    The evaluation's numbers are AP AP50 AP75 AR AR50 AR75 APeasy APmedium APhard; a number is -1 where
    there is nobody to be found. Raises DataError as `evaluate_keypoints` does, or for a missing crowdIndex.
    """
    truth, source = read_truth(truth)
    evaluation = evaluate_keypoints(truth, results, image_ids=image_ids, sigmas=CROWDPOSE14.sigmas, box_area=BOX_AREA)
    crowded = _crowd_indices(truth, evaluation.images, source)
    of_level = np.array([(low <= crowded) & (crowded < high) for low, high in LEVELS.values()], int)
    numbers = evaluation.numbers | dict(zip(LEVELS, average_precisions(evaluation, of_level).tolist(), strict=True))
    return replace(evaluation, numbers={name: numbers[name] for name in NUMBERS})


def _crowd_indices(truth: dict[str, Any], images: Sequence[int], source: str) -> np.ndarray:
    index = {image["id"]: image.get("crowdIndex") for image in truth["images"]}
    if lacking := [image for image in images if index[image] is None]:
        raise DataError(f"{source}: picture {lacking[0]} has no `crowdIndex`; take CrowdPose's own labels")
    return np.array([index[image] for image in images], float)
