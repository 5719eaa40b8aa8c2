"""Weights in, predictor out: what `bottomup.load()` gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import People, Skeleton
from bottomup.errors import InputError, SettingsError
from bottomup.files.images import read_image
from bottomup.files.weights import default_weights, read_weights
from bottomup.nets import build
from bottomup.nets.device import available_device
from bottomup.roads.bottomup import BottomUp, BottomUpSettings


class Predictor:
    """A road with its reader: predictor(image or path) -> People; of a list -> a list of People.

    Images are RGB uint8 (height, width, 3), people in pixels of the upright picture. Bad input raises
    InputError. clock: seconds in each stage. device: where the network runs. weights: the file of the
    road's weights, None for a road put together from parts.
    """

    def __init__(self, road: BottomUp, weights: Path | None = None) -> None:
        self.road, self.weights = road, weights
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

    def __repr__(self) -> str:
        return f"Predictor({str(self.weights)!r}, device={str(self.device)!r}, {self.road.settings})"


def load(weights: str | Path | None = None, device: str = "auto", **settings: Any) -> Predictor:
    """The system in a weights file (default: the one that comes with the package), ready to run.

    device: "cpu", "cuda", or "auto" for cuda where there is one. settings: long_side, flip, scales,
    evidence and the other settings of the road, in place of those in the file.
    Raises InputError for an unusable file, SettingsError for settings, a device or a method that cannot be used.
    """
    place = available_device(device)
    path = default_weights() if weights is None else Path(weights)
    tensors, header = read_weights(path)
    if header.get("method") != "bottomup":
        method = header.get("method")
        raise SettingsError(f"{path}: weights of method {method!r}, this version runs only bottom-up weights")
    try:
        skeleton = Skeleton(**header["skeleton"])
        network = build(**header["network"])
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        what = " ".join(str(error).split())
        raise InputError(f"{path}: header and weights do not make a system ({what}); fetch the file again") from error
    stored = BottomUpSettings.of(header.get("road", {}), str(path))
    return Predictor(BottomUp(network, skeleton, stored.replaced(settings, "settings"), place), path)
