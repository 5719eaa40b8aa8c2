"""People cut out of pictures, and what a top-down network says about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bottomup.core import Boxes, Skeleton, Warp, crop_warp
from bottomup.core.crop import cut
from bottomup.errors import SettingsError
from bottomup.roads.decode import REFINEMENTS
from bottomup.roads.engine import Engine, check_normalisation, require
from bottomup.roads.stored import of_known_keys

GEOMETRY = ("size", "enlarge", "origin")  # what the networks of an ensemble must agree on


@dataclass(frozen=True)
class TopDownSettings:
    """How boxes become network inputs, and heatmaps people.

    size: (width, height) of a crop. enlarge: of boxes, in x and y, before the short side grows to the crop's shape.
    channels, mean, std, pad: as in `BottomUpSettings`. flip: average with the mirrored crop. shift_flipped: the
    mirrored maps move one cell right, for networks whose cells are not centred. refine: from the highest cell to the
    joint: "none", a "quarter" cell towards the higher neighbours, or towards the "second" highest cell, or the vertex
    of the peak's logarithm ("dark"). blur: cells of the gaussian kernel before "second" and "dark". origin: pixel of a
    crop where cell 0 is, None for its centre. peak: height of perfect heatmaps. least: joints of a higher score count
    in the person's; None: all. bonus: added to each there. same: of people more alike in OKS the best is kept. soft:
    their scores fall instead, by exp(-OKS^2 / same). person_least: lowest score of a person in a box
    of the detector. Raises SettingsError that names key and value.
    """

    size: tuple[int, int] = (192, 256)
    enlarge: tuple[float, float] = (1.25, 1.25)
    channels: str = "rgb"
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    pad: int | None = None
    flip: bool = False
    shift_flipped: bool = False
    refine: str = "dark"
    blur: int = 11
    origin: float | None = None
    peak: float = 1.0
    least: float | None = 0.2
    bonus: float = 0.0
    same: float = 0.9
    soft: bool = False
    person_least: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(int(side) for side in self.size))
        for name in ("enlarge", "mean", "std"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        require(len(self.size) == 2 and min(self.size) >= 32, "size", self.size, "(width, height), each at least 32")
        require(len(self.enlarge) == 2 and min(self.enlarge) > 0, "enlarge", self.enlarge, "two positive numbers")
        check_normalisation(self)
        require(self.pad is None or 0 <= self.pad <= 255, "pad", self.pad, "from 0 to 255")
        require(self.refine in REFINEMENTS, "refine", self.refine, f"one of {', '.join(REFINEMENTS)}")
        require(self.blur >= 1 and self.blur % 2 == 1, "blur", self.blur, "an odd number of cells")
        require(self.peak > 0, "peak", self.peak, "positive")
        require(0 < self.same <= 1, "same", self.same, "above 0, at most 1")
        require(0 <= self.person_least < 1, "person_least", self.person_least, "at least 0, below 1")

    @staticmethod
    def of(values: Mapping[str, Any], source: str) -> TopDownSettings:
        """Settings out of a dictionary; raises SettingsError that names source, key and the nearest known key."""
        return of_known_keys(TopDownSettings, values, source)

    def replaced(self, values: Mapping[str, Any], source: str) -> TopDownSettings:
        """These settings with other values."""
        return TopDownSettings.of({**self.to_dict(), **values}, source)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return asdict(self)


def cut_out(image: np.ndarray, boxes: Boxes, settings: TopDownSettings) -> tuple[list[np.ndarray], list[Warp]]:
    """A crop (h, w, 3) for every box, and the warp from the picture to it."""
    grey = round(sum(settings.mean) / 3) if settings.pad is None else settings.pad
    warps = [crop_warp(box, settings.size, settings.enlarge) for box in boxes.xyxy]
    return [cut(image, warp, settings.size, border=grey) for warp in warps], warps


class CropNetwork:
    """One top-down network ready to run: crops -> heatmaps whose perfect peak is 1."""

    def __init__(
        self, network: nn.Module, skeleton: Skeleton, settings: TopDownSettings, device: str | torch.device = "cpu"
    ) -> None:
        self.skeleton, self.settings, self.device = skeleton, settings, torch.device(device)
        multiple = int(getattr(network, "multiple", None) or 1)
        width, height = settings.size
        require(width % multiple == height % multiple == 0, "size", settings.size, f"multiples of {multiple}")
        self.engine = Engine(network, (height, width), settings, self.device)
        maps = self.engine.maps(self.engine.example)
        if maps.heatmaps.shape[1] != len(skeleton):
            given = maps.heatmaps.shape[1]
            raise SettingsError(f"the network gives {given} joints, skeleton {skeleton.name} has {len(skeleton)}")
        self.cells, self.stride = tuple(maps.heatmaps.shape[-2:]), float(maps.stride)

    def __call__(self, crops: Sequence[np.ndarray]) -> Tensor:
        """Heatmaps (N, K, h, w) on the device, averaged with those of the mirrored crops if the settings say so."""
        with self.engine.exact_convolutions():
            pixels = self.engine.pixels(crops)
            maps = self.engine.maps(pixels).heatmaps
            if self.settings.flip:
                maps = (maps + self._unmirrored(self.engine.maps(pixels.flip(3)).heatmaps)) / 2
        return maps / self.settings.peak

    def _unmirrored(self, maps: Tensor) -> Tensor:
        """Maps of mirrored crops as the crops have them: a left joint's map is its partner's."""
        maps = maps.flip(-1)[:, list(self.skeleton.mirror)]
        if self.settings.shift_flipped:
            maps = torch.cat((maps[..., :1], maps[..., :-1]), -1)
        return maps


def to_crop(network: CropNetwork) -> Warp:
    """From cells of the network's maps to pixels of its crops."""
    origin = network.settings.origin
    if origin is None:
        return Warp.cells(network.stride).inverse()
    return Warp(np.array([[network.stride, 0, origin], [0, network.stride, origin]]))


def require_alike(networks: Sequence[CropNetwork]) -> None:
    """Raises SettingsError that names what networks of an ensemble do not share: geometry, maps or skeleton."""
    first = networks[0]
    for other in networks[1:]:
        pairs = [(name, getattr(first.settings, name), getattr(other.settings, name)) for name in GEOMETRY]
        pairs += [("joints", first.skeleton.joints, other.skeleton.joints), ("cells", first.cells, other.cells)]
        for name, ours, theirs in pairs:
            if ours != theirs:
                raise SettingsError(f"networks of an ensemble differ in {name} ({ours}, {theirs}); run them alone")
