"""pycocotools' keypoint evaluation with the two slow parts, OKS and matching, in numpy."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from pycocotools.cocoeval import COCOeval

from bottomup.metrics.entries import Entry, by_picture
from bottomup.metrics.oks import TruePeople, matches, oks_matrix


class KeypointEval(COCOeval):  # type: ignore[misc]
    """COCOeval of checked entries; what it accumulates and summarises is pycocotools' own."""

    def __init__(
        self, annotations: list[Entry], predictions: list[Entry], images: Sequence[int], sigmas: Sequence[float]
    ) -> None:
        super().__init__(None, None, "keypoints")
        self.params.imgIds, self.params.catIds = list(images), [1]
        self.params.kpt_oks_sigmas = np.asarray(sigmas, float)
        self.true, self.found = by_picture(annotations), by_picture(predictions)

    def evaluate(self) -> None:
        """Matches every picture's people in every area range, as COCOeval.evaluate does."""
        fates = [self._picture(image) for image in self.params.imgIds]
        self.evalImgs = [fate and fate[area] for area in range(len(self.params.areaRng)) for fate in fates]
        self._paramsEval = copy.deepcopy(self.params)

    def _picture(self, image: int) -> list[Entry] | None:
        """What evaluateImg gives, for every area range; None for a picture without people on either side."""
        true, found = self.true[image], best_first(self.found[image], self.params.maxDets[-1])
        if not true and not found:
            return None
        sigmas, thresholds = self.params.kpt_oks_sigmas, np.asarray(self.params.iouThrs)
        people = TruePeople.of(true, len(sigmas))
        points = np.array([entry["points"] for entry in found], float).reshape(-1, len(sigmas), 2)
        low, high = np.array(self.params.areaRng, float).T[:, :, None]
        ignored = people.ignored | (people.areas < low) | (people.areas > high)  # (A, G)
        areas = np.array([entry["area"] for entry in found])
        outside = (areas < low) | (areas > high)  # (A, D)
        rows = len(thresholds)
        met = matches(
            oks_matrix(points, people, sigmas), np.tile(thresholds, len(low)), np.repeat(ignored, rows, 0), people.crowd
        ).reshape(len(low), rows, len(found))
        return [self._fate(image, true, found, met[a], ignored[a], outside[a]) for a in range(len(low))]

    def _fate(
        self,
        image: int,
        true: list[Entry],
        found: list[Entry],
        met: np.ndarray,
        ignored: np.ndarray,
        outside: np.ndarray,
    ) -> Entry:
        ids = np.array([entry["id"] for entry in true] + [0])  # -1, nobody, is id 0
        return {
            "image_id": image,
            "dtIds": [entry["id"] for entry in found],
            "dtMatches": ids[met],
            "dtScores": [entry["score"] for entry in found],
            "gtIgnore": ignored.astype(int),
            "dtIgnore": np.where(met >= 0, np.append(ignored, False)[met], outside),
        }


def best_first(predictions: list[Entry], most: int = 20) -> list[Entry]:
    """The `most` predictions of the greatest score, best first, equals in their order."""
    return sorted(predictions, key=lambda entry: -entry["score"])[:most]
