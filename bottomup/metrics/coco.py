"""The ten COCO keypoint numbers through pycocotools, with what a bootstrap over pictures needs.

Source: the official COCO keypoint evaluation (OKS with k = 2 sigma, best 20 people a picture).
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import COCO17
from bottomup.errors import DataError

NUMBERS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How predicted people met the true ones, over all areas; T thresholds, D counted predictions, I pictures.

    numbers: the ten COCO numbers. images: I ids. image: (D,) each prediction's picture as an index
    into images; scores: (D,); hits, ignored: bool (T, D); people: (I,) true people to be found.
    """

    numbers: dict[str, float]
    images: tuple[int, ...]
    image: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    people: np.ndarray


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
) -> Evaluation:
    """COCO results entries against COCO keypoint truth (a dict or a JSON file).

    image_ids: the pictures to judge (default: all of the truth); results on other pictures of the
    truth do not count. sigmas: K OKS constants (default: COCO's 17). Annotations with `ignore`,
    `iscrowd` or no labelled joint are regions where predictions are not counted. Without a single
    true person a number is -1; without any prediction it is 0. Raises DataError that names the entry.
    """
    sigmas = COCO17.sigmas if sigmas is None else tuple(sigmas)
    truth, source = _read_truth(truth)
    known = {image["id"] for image in truth["images"]}
    wanted = sorted(known if image_ids is None else set(image_ids))
    if unknown := [image for image in wanted if image not in known]:
        raise DataError(f"{source}: no picture has id {unknown[0]}; take image_ids from its images")
    category = _only_category(truth["annotations"], source)
    annotations = _checked_annotations(truth["annotations"], known, len(sigmas), source)
    predictions = _checked_results(results, known, len(sigmas), category, source)
    return _summary(_run_pycocotools(annotations, predictions, wanted, sigmas), wanted)


def _read_truth(truth: dict[str, Any] | str | Path) -> tuple[dict[str, Any], str]:
    source = "truth"
    if not isinstance(truth, dict):
        source = str(truth)
        try:
            truth = json.loads(Path(truth).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{source}: not a readable COCO JSON file: {error}") from error
    if not isinstance(truth, dict) or not all(isinstance(truth.get(k), list) for k in ("images", "annotations")):
        raise DataError(f"{source}: a COCO truth needs the lists `images` and `annotations`")
    return truth, source


def _only_category(annotations: list[dict[str, Any]], source: str) -> int | None:
    categories = {annotation.get("category_id", 1) for annotation in annotations}
    if len(categories) > 1:
        raise DataError(f"{source}: annotations of categories {sorted(categories)}; keep those of people alone")
    return next(iter(categories), None)


def _checked_annotations(
    annotations: list[dict[str, Any]], known: set[int], joints: int, source: str
) -> list[dict[str, Any]]:
    """Annotations as pycocotools needs them: numbered from 1 (it takes id 0 for no match), ignore as crowd."""
    checked = []
    for number, annotation in enumerate(annotations, start=1):
        name = f"{source}: annotation {annotation.get('id', f'number {number}')}"
        for key in ("image_id", "bbox", "area"):
            if annotation.get(key) is None:
                raise DataError(f"{name} has no `{key}`, which OKS needs; add it to the file")
        if annotation["image_id"] not in known:
            raise DataError(f"{name} belongs to picture {annotation['image_id']}, which is not among the images")
        keypoints = annotation.get("keypoints") or [0] * (3 * joints)
        if len(keypoints) != 3 * joints:
            raise DataError(f"{name} has {len(keypoints)} numbers in `keypoints`, {joints} joints need {3 * joints}")
        checked.append(
            {
                "id": number,
                "image_id": annotation["image_id"],
                "category_id": 1,
                "keypoints": keypoints,
                "num_keypoints": sum(1 for v in keypoints[2::3] if v > 0),
                "bbox": annotation["bbox"],
                "area": annotation["area"],
                "iscrowd": int(bool(annotation.get("iscrowd") or annotation.get("ignore"))),
            }
        )
    return checked


def _checked_results(
    results: list[dict[str, Any]], known: set[int], joints: int, category: int | None, source: str
) -> list[dict[str, Any]]:
    """Results as pycocotools needs them; a person's area is the extent of its joints, whatever its box."""
    checked = []
    for number, entry in enumerate(results, start=1):
        name = f"results entry {number}"
        if missing := [key for key in ("image_id", "keypoints", "score") if key not in entry]:
            raise DataError(f"{name} has no `{missing[0]}`; write COCO keypoint results")
        if entry["image_id"] not in known:
            raise DataError(f"{name} is on picture {entry['image_id']}, which {source} does not have")
        points = np.asarray(entry["keypoints"], dtype=float)
        if points.shape != (3 * joints,) or not np.isfinite(points).all():
            raise DataError(f"{name} (picture {entry['image_id']}): `keypoints` must be {3 * joints} finite numbers")
        if not np.isfinite(entry["score"]):
            raise DataError(f"{name} (picture {entry['image_id']}): score {entry['score']} is not a finite number")
        if category is not None and entry.get("category_id", category) != category:
            raise DataError(f"{name} has category_id {entry['category_id']}; the people of {source} have {category}")
        width, height = np.ptp(points[0::3]), np.ptp(points[1::3])
        checked.append(
            {
                "id": number,
                "image_id": entry["image_id"],
                "category_id": 1,
                "keypoints": entry["keypoints"],
                "score": entry["score"],
                "area": width * height,
            }
        )
    return checked


def _run_pycocotools(
    annotations: list[dict[str, Any]],
    predictions: list[dict[str, Any]],
    images: list[int],
    sigmas: Sequence[float],
) -> Any:
    """The finished COCOeval of these entries; pycocotools prints, so its output is swallowed."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def indexed(entries: list[dict[str, Any]]) -> Any:
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in images],
            "categories": [{"id": 1}],
            "annotations": [entry for entry in entries if entry["image_id"] in wanted],
        }
        coco.createIndex()
        return coco

    wanted = set(images)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(indexed(annotations), indexed(predictions), "keypoints")
        evaluation.params.imgIds = images
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=float)
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
    empty = np.zeros((thresholds, 0), bool)
    return Evaluation(
        numbers={name: float(value) for name, value in zip(NUMBERS, evaluation.stats, strict=True)},
        images=tuple(images),
        image=np.array([where[e["image_id"]] for e in met for _ in e["dtScores"]], np.int64),
        scores=np.array([score for e in met for score in e["dtScores"]], float),
        hits=np.hstack([empty, *(e["dtMatches"] > 0 for e in met)]),
        ignored=np.hstack([empty, *(e["dtIgnore"].astype(bool) for e in met)]),
        people=people,
    )
