"""The person detector judged on a labelled set, and its boxes written for those who train or run on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bottomup.core import Boxes, Sample
from bottomup.data.coco import read_coco
from bottomup.files.jsonfile import load_json
from bottomup.metrics.boxes import box_numbers
from bottomup.metrics.entries import images_of_levels
from bottomup.roads.detector import Detector, DetectorSettings


def detections_of(detector: Detector, samples: Sequence[Sample], *, proposals: bool = False) -> list[dict[str, Any]]:
    """COCO detections (image_id, category_id, bbox, score) of labelled pictures; proposals: before suppression."""
    entries = []
    for sample in samples:
        image = sample.load()
        boxes = detector.proposals(image) if proposals else detector([image])[0]
        entries += to_coco(boxes, sample.image_id)
    return entries


def to_coco(boxes: Boxes, image_id: int) -> list[dict[str, Any]]:
    """COCO detections of one picture; numbers are rounded to what matters."""
    return [
        {
            "image_id": image_id,
            "category_id": 1,
            "bbox": [round(float(v), 2) for v in box],
            "score": round(float(score), 5),
        }
        for box, score in zip(boxes.xywh, boxes.scores, strict=True)
    ]


def evaluate_boxes(
    detector: Detector, data: str | Path, images: str | Path | None = None, *, levels: Sequence[str] = ()
) -> dict[str, float]:
    """AP and its relatives, and `recall`, of the boxes found in the pictures of a COCO file (see `box_numbers`).

    levels: only pictures with one of these `annotation_level`s. Raises DataError that names the file.
    """
    wanted = images_of_levels(load_json(data), str(data), levels)
    samples = [s for s in read_coco(data, images) if wanted is None or s.image_id in wanted]
    return box_numbers(data, detections_of(detector, samples), image_ids=[sample.image_id for sample in samples])


def box_judge(
    header: Mapping[str, Any], data: str | Path, images: str | Path | None = None
) -> Callable[[nn.Module], dict[str, float]]:
    """What gives the box numbers of a detector that is being trained, run as the header of its weights will say."""
    settings = DetectorSettings.of(header["road"], "road")
    read_coco(data, images)  # raises now what it would raise in the middle of a run

    def judge(network: nn.Module) -> dict[str, float]:
        device: torch.device = next(network.parameters()).device
        return evaluate_boxes(Detector(network, settings, device), data, images)  # type: ignore[arg-type]

    return judge
