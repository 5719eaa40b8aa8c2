"""Weights in, predictor out: what `bottomup.load()` gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import People
from bottomup.files.images import read_image
from bottomup.nets.device import available_device
from bottomup.roads.given import GivenBoxes, detections
from bottomup.roads.road import Road
from bottomup.roads.runtime import run_by
from bottomup.roads.systems import detector_file, read_system, road_of, weights_files


class Predictor:
    """A road with its reader: predictor(image or path) -> People; of a list -> a list of People.

    Images are RGB uint8 (height, width, 3), people in pixels of the upright picture. Bad input raises
    InputError. clock: seconds in each stage. device: where the network runs; runtime, precision: what by, and in
    which arithmetic. files: of the road's weights, none for a road put together from parts; the first is `weights`.
    """

    def __init__(self, road: Road, *files: Path, runtime: str = "torch", precision: str = "float32") -> None:
        self.road, self.files, self.runtime, self.precision = road, files, runtime, precision
        self.weights = files[0] if files else None
        self.clock, self.device = road.clock, road.device

    def __call__(self, images: np.ndarray | str | Path | Sequence[np.ndarray | str | Path]) -> People | list[People]:
        if isinstance(images, (np.ndarray, str, Path)):
            return self.road([self._read(images)])[0]
        people: list[People] = []
        images, step = list(images), 4 * self.road.batch  # so many are in memory at a time
        for start in range(0, len(images), step):
            people += self.road([self._read(image) for image in images[start : start + step]])
        return people

    def _read(self, image: np.ndarray | str | Path) -> np.ndarray:
        if isinstance(image, np.ndarray):
            return image
        with self.clock("read"):
            return read_image(image)

    def __str__(self) -> str:
        """Which weights run where, in which boxes."""
        boxes = getattr(self.road, "boxes", None)
        given = "" if boxes is None else f", boxes of {boxes.source}"
        how = "" if self.runtime == "torch" else f" by {self.runtime}"
        how += "" if self.precision == "float32" else f" in {self.precision}"
        return f"{' + '.join(map(str, self.files)) or 'a network in memory'} on {self.device}{how}{given}"

    def __repr__(self) -> str:
        return f"Predictor({str(self.weights)!r}, device={str(self.device)!r}, {self.road.settings})"


def load(
    weights: str | Path | Sequence[str | Path] | None = None,
    device: str = "auto",
    *,
    method: str | None = None,
    boxes: str | Path | GivenBoxes | None = None,
    detector: str | Path | None = None,
    runtime: str = "torch",
    precision: str = "float32",
    **settings: Any,
) -> Predictor:
    """The system in a weights file (default: the one that comes with the package), ready to run.

    weights: several top-down files are an ensemble. device: "cpu", "cuda", or "auto" for cuda where there is one.
    method: "bottomup" or "topdown", by default what the weights are of. boxes: COCO detections for top-down weights,
    in place of the detector, whose weights are `detector` (default: those of the package). runtime: "torch",
    "onnxruntime", "openvino", or "auto" for the fastest installed. precision: "float32" or "bfloat16". settings:
    long_side, flip, scales, evidence, refine and the other settings of the road, in place of those in the file.
    Raises InputError for an unusable file, SettingsError for settings, a device or a method that cannot be used.
    """
    place = available_device(device)
    files = weights_files(weights, method)
    systems = [read_system(file, method) for file in files]
    finder = None
    if systems[0].method == "topdown" and boxes is None or detector is not None:
        files.append(detector_file(detector, str(files[0])))
        from bottomup.roads.detector import load_detector

        finder = load_detector(files[-1], place)
    given = detections(boxes) if isinstance(boxes, (str, Path)) else boxes
    road = road_of(systems, place, settings, boxes=given, detector=finder)
    return Predictor(road, *files, runtime=run_by(road, runtime, precision), precision=precision)
