"""The road of keypoint R-CNN: pictures -> network -> boxes and joints in one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from bottomup.core import People, Skeleton, Warp
from bottomup.nets.keypoint_rcnn import Detections, KeypointRCNN
from bottomup.roads.clock import Clock
from bottomup.roads.engine import check_image, check_normalisation, padded, require
from bottomup.roads.stored import of_known_keys


@dataclass(frozen=True)
class RCNNSettings:
    """How pictures become network inputs.

    short_side: pixels that it is resized to, unless the longer side then exceeds `longest`. channels, mean, std: as in
    `BottomUpSettings`. Raises SettingsError that names key and value.
    """

    short_side: int = 800
    longest: int = 1333
    channels: str = "rgb"
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        require(self.short_side >= 32, "short_side", self.short_side, "at least 32")
        require(self.longest >= self.short_side, "longest", self.longest, f"at least short_side, {self.short_side}")
        check_normalisation(self)

    @staticmethod
    def of(values: Mapping[str, Any], source: str) -> RCNNSettings:
        """Settings out of a dictionary; raises SettingsError that names source, key and the nearest known key."""
        return of_known_keys(RCNNSettings, values, source)

    def replaced(self, values: Mapping[str, Any], source: str) -> RCNNSettings:
        """These settings with other values."""
        return RCNNSettings.of({**self.to_dict(), **values}, source)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Prepared:
    """pixels: RGB uint8 padded; valid: (height, width) without the padding; size: (width, height) of the picture."""

    pixels: np.ndarray
    valid: tuple[int, int]
    ratio: float
    size: tuple[int, int]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the input; pictures with the same can share a batch."""
        return (self.pixels.shape,)


class RCNN:
    """The road: images -> People, each with its box. clock: seconds in read, network and decoding."""

    def __init__(
        self, network: KeypointRCNN, skeleton: Skeleton, settings: RCNNSettings, device: str | torch.device = "cpu"
    ) -> None:
        self.skeleton, self.settings, self.device = skeleton, settings, torch.device(device)
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.batch = 4 if self.device.type == "cuda" else 1
        self.clock = Clock()
        self._mean = torch.tensor(settings.mean, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(settings.std, device=self.device).view(1, 3, 1, 1)

    def __call__(self, images: Sequence[np.ndarray], image_ids: Sequence[int | None] | None = None) -> list[People]:
        """People of each image, RGB uint8 (H, W, 3); raises InputError that names the number of a wrong one."""
        people = []
        for number, image in enumerate(images):
            check_image(image, number)
            with self.clock("read"):
                prepared = self.prepare(image)
            with self.clock("network"):
                maps = self.maps([prepared])
            with self.clock("decoding"):
                people.append(self.people(maps[0], prepared))
        return people

    def expect(self, image_ids: Collection[int]) -> None:
        """Nothing is known of pictures beforehand."""

    def decides(self) -> dict[str, Any]:
        """All that results depend on beside the weights."""
        return self.settings.to_dict()

    def prepare(self, image: np.ndarray, image_id: int | None = None) -> Prepared:
        """The image resized, and padded with the mean colour."""
        height, width = image.shape[:2]
        ratio = min(self.settings.short_side / min(height, width), self.settings.longest / max(height, width))
        mean = self.settings.mean if self.settings.channels == "rgb" else self.settings.mean[::-1]
        red, green, blue = (round(value) for value in mean)
        pixels = padded(image, ratio, self.network.multiple, (red, green, blue))
        valid = (max(1, round(height * ratio)), max(1, round(width * ratio)))
        return Prepared(pixels, valid, ratio, (width, height))

    def maps(self, prepared: Sequence[Prepared]) -> list[Detections]:
        """What the network finds in pictures whose inputs have the same shapes."""
        pixels = torch.from_numpy(np.stack([p.pixels for p in prepared])).to(self.device).permute(0, 3, 1, 2).float()
        pixels = pixels.flip(1) if self.settings.channels == "bgr" else pixels
        with torch.inference_mode():
            return self.network((pixels - self._mean) / self._std, [p.valid for p in prepared])

    def people(self, maps: Detections, prepared: Prepared) -> People:
        """The people of one picture, in its pixels. Boxes, and joints of networks not `aligned`, grow from pixel 0."""
        boxes, joints = maps.boxes.cpu().numpy() / prepared.ratio, maps.joints.cpu().numpy().copy()
        back = Warp.resize(prepared.ratio).inverse() if self.network.aligned else Warp(np.eye(2, 3) / prepared.ratio)
        joints[..., :2] = back.points(joints[..., :2])
        joints[joints[..., 2] <= 0] = 0
        xywh = np.hstack((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]))
        return People(joints, maps.scores.cpu().numpy(), self.skeleton, xywh)
