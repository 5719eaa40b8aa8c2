"""The person detector: pictures -> boxes around people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bottomup.core import Boxes, Maps
from bottomup.errors import InputError, SettingsError
from bottomup.files.weights import read_weights
from bottomup.nets import build
from bottomup.nets.detector_mobile import STRIDES, DetectorMobile, boxes_of
from bottomup.roads.engine import Engine, check_image, check_normalisation, padded, require
from bottomup.roads.nms import nms, soft_nms
from bottomup.roads.stored import of_known_keys

CANDIDATES = 400  # best cells of a picture that suppression looks at
LEAST_SIDE = 2.0  # of a box in pixels of the picture


@dataclass(frozen=True)
class DetectorSettings:
    """How pictures become network inputs, and cells boxes.

    long_side: of the input in pixels. channels, mean, std: as in `BottomUpSettings`. threshold: least score of a box.
    most: boxes of a picture. soft: scores of overlapping boxes fall by exp(-overlap^2 / `overlap`) (soft-NMS);
    else boxes are dropped that a better one overlaps by more than `overlap`. Raises SettingsError that names key
    and value.
    """

    long_side: int = 448
    channels: str = "rgb"
    mean: tuple[float, float, float] = (127.0, 127.0, 127.0)
    std: tuple[float, float, float] = (128.0, 128.0, 128.0)
    threshold: float = 0.05
    most: int = 100
    soft: bool = True
    overlap: float = 0.5

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        check_normalisation(self)
        require(self.long_side >= STRIDES[-1], "long_side", self.long_side, f"at least {STRIDES[-1]}")
        require(0 < self.threshold < 1, "threshold", self.threshold, "between 0 and 1")
        require(self.most >= 1, "most", self.most, "at least 1")
        require(0 < self.overlap <= 1, "overlap", self.overlap, "above 0, at most 1")

    @staticmethod
    def of(values: Mapping[str, Any], source: str) -> DetectorSettings:
        """Settings out of a dictionary; raises SettingsError that names source, key and the nearest known key."""
        return of_known_keys(DetectorSettings, values, source)


class Detector:
    """images -> Boxes of people in pixels of each image, best first. Pictures are taken one by one."""

    def __init__(
        self, network: DetectorMobile, settings: DetectorSettings, device: str | torch.device = "cpu", source: str = ""
    ) -> None:
        self.settings, self.device, self.source = settings, torch.device(device), source
        self.engine = Engine(_InOneMap(network), (2 * STRIDES[-1],) * 2, settings, self.device)

    def __call__(self, images: Sequence[np.ndarray]) -> list[Boxes]:
        """Boxes in each image, RGB uint8 (H, W, 3); raises InputError that names the number of a wrong one."""
        for number, image in enumerate(images):
            check_image(image, number)
        return [self._suppressed(self.proposals(image)) for image in images]

    def proposals(self, image: np.ndarray) -> Boxes:
        """The picture's best boxes before suppression, best first: several around each person."""
        ratio = self.settings.long_side / max(image.shape[:2])
        grey = (round(sum(self.settings.mean) / 3),) * 3
        inputs = padded(image, ratio, STRIDES[-1], grey)
        with self.engine.exact_convolutions():
            rows = self.engine.maps(self.engine.pixels([inputs])).heatmaps[..., 0]
        boxes, scores = self._best(boxes_of(rows, inputs.shape[:2]).squeeze(0), rows[0, 0].sigmoid())
        return _in_picture(boxes, scores, ratio, image)

    def decides(self) -> dict[str, Any]:
        """All that results depend on beside the weights."""
        return {"detector": asdict(self.settings)}

    def _best(self, boxes: Tensor, scores: Tensor) -> tuple[np.ndarray, np.ndarray]:
        best = scores.argsort(descending=True, stable=True)[:CANDIDATES]
        best = best[scores[best] >= self.settings.threshold]
        return boxes[best].cpu().numpy(), scores[best].cpu().numpy()

    def _suppressed(self, boxes: Boxes) -> Boxes:
        chosen = self.settings
        if chosen.soft:
            return soft_nms(boxes, chosen.overlap, chosen.threshold)[: chosen.most]
        return nms(boxes, chosen.overlap)[: chosen.most]


class _InOneMap(nn.Module):
    """The detector as the engine runs networks: what all cells say as Maps with heatmaps (B, 5, P, 1)."""

    def __init__(self, network: DetectorMobile) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Maps]:
        return [Maps(torch.cat([head.flatten(2) for head in self.network.heads(images)], 2)[..., None])]


def _in_picture(boxes: np.ndarray, scores: np.ndarray, ratio: float, image: np.ndarray) -> Boxes:
    """Boxes of the resized picture in pixels of the picture, cut at its borders; slivers are left out."""
    height, width = image.shape[:2]
    corners = np.clip(boxes / ratio, 0, (width, height, width, height))
    kept = (corners[:, 2:] - corners[:, :2] >= LEAST_SIDE).all(1)
    return Boxes(corners[kept], scores[kept])


def load_detector(
    path: str | Path, device: str | torch.device = "cpu", settings: Mapping[str, Any] | None = None
) -> Detector:
    """The detector in a weights file. settings: in place of those in the file.

    Raises InputError for an unusable file, SettingsError for weights of another method or unusable settings.
    """
    tensors, header = read_weights(path)
    if header.get("method") != "detector":
        raise SettingsError(f"{path}: weights of method {header.get('method')!r}, not of a detector; name its weights")
    try:
        network = build(**header["network"])
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        what = " ".join(str(error).split())
        raise InputError(f"{path}: header and weights do not make a detector ({what}); fetch the file again") from error
    how = DetectorSettings.of({**header.get("road", {}), **(settings or {})}, str(path))
    return Detector(network, how, device, str(path))  # type: ignore[arg-type]
