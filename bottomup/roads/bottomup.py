"""The bottom-up road: pictures -> network -> maps -> grouping -> people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from bottomup.core import Maps, People, Skeleton, Warp
from bottomup.errors import SettingsError
from bottomup.grouping import group, group_batch
from bottomup.roads.clock import Clock
from bottomup.roads.engine import Engine, check_image, check_normalisation, padded, require
from bottomup.roads.passes import averaged, with_mirrored
from bottomup.roads.stored import of_known_keys

EVIDENCE = ("both", "pafs", "tags")
SIDES = ("long_side", "short_side", "height")
LEAST_SIDE = 32
LONGEST = 4  # times the size that is asked for: what another side may reach, or panoramas would fill the memory


@dataclass(frozen=True)
class BottomUpSettings:
    """How pictures become network inputs, and maps people.

    long_side, short_side, height: pixels that this side of a picture is resized to; one of them (else
    long_side 512). multiple: what the padded sides are multiples of, None for what the network needs.
    channels: the order that the network takes, "rgb" or "bgr". mean, std: of the channels in that
    order, 0..255. pad: grey, 0..255, of what is padded, None for the mean colour. sigma: spread of a peak
    in cells, or None for the network's own. flip: average with the mirrored pass. scales: passes at these
    multiples of the size are averaged; 1 is among them, and tags come from it alone. evidence: which maps
    join joints to people: "both", "pafs" or "tags". prior: whether the body prior that comes with the
    package for this skeleton joins pieces of people. fill: whether joints without a peak are looked for where
    that prior expects them. offset: pixels of the input, right and down, by which the
    network's cells lie beside those of the project (see `Warp.cells`). Raises SettingsError that names key and value.
    """

    long_side: int | None = None
    short_side: int | None = None
    height: int | None = None
    multiple: int | None = None
    channels: str = "rgb"
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    pad: int | None = None
    sigma: float | None = None
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    evidence: str = "both"
    prior: bool = True
    fill: bool = False
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mean", "std", "scales"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        self._check_size()
        check_normalisation(self)
        require(self.pad is None or 0 <= self.pad <= 255, "pad", self.pad, "from 0 to 255")
        require(self.sigma is None or self.sigma > 0, "sigma", self.sigma, "positive")
        require(1.0 in self.scales, "scales", self.scales, "a list that contains 1")
        require(all(0.1 <= s <= 8 for s in self.scales), "scales", self.scales, "between 0.1 and 8")
        require(len(set(self.scales)) == len(self.scales), "scales", self.scales, "different numbers")
        require(self.evidence in EVIDENCE, "evidence", self.evidence, f"one of {', '.join(EVIDENCE)}")

    def _check_size(self) -> None:
        if all(getattr(self, side) is None for side in SIDES):
            object.__setattr__(self, "long_side", 512)
        (side, pixels), *others = ((side, getattr(self, side)) for side in SIDES if getattr(self, side) is not None)
        if others:
            raise SettingsError(f"{side} and {others[0][0]} are both given; give one of {', '.join(SIDES)}")
        require(self.multiple is None or self.multiple >= 1, "multiple", self.multiple, "at least 1")
        least = max(LEAST_SIDE, self.multiple or 1)
        require(pixels >= least, side, pixels, f"at least {least}")

    def ratio(self, width: int, height: int) -> float:
        """What a picture of this size is resized by; the longer side stays within `LONGEST` times the size given."""
        pixels = self.long_side or self.short_side or self.height or 0
        longer, shorter = max(width, height), min(width, height)
        side = longer if self.long_side else shorter if self.short_side else height
        return min(pixels / side, LONGEST * pixels / longer)

    def colour(self) -> tuple[int, int, int]:
        """RGB of what is padded."""
        if self.pad is not None:
            return (self.pad,) * 3
        r, g, b = (round(value) for value in (self.mean if self.channels == "rgb" else self.mean[::-1]))
        return r, g, b

    def replaced(self, values: Mapping[str, Any], source: str) -> BottomUpSettings:
        """These settings with other values; a side that is given takes the place of whichever was."""
        own = self.to_dict()
        if any(values.get(side) is not None for side in SIDES):
            own = {key: value for key, value in own.items() if key not in SIDES}
        return BottomUpSettings.of({**own, **values}, source)

    @staticmethod
    def of(values: Mapping[str, Any], source: str) -> BottomUpSettings:
        """Settings out of a dictionary; raises SettingsError that names source, key and the nearest known key."""
        return of_known_keys(BottomUpSettings, values, source)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture ready for the network. inputs: one RGB uint8 (H, W, 3) a scale.

    to_input: from picture pixels to pixels of the input at scale 1. size: (width, height) of the picture.
    """

    inputs: tuple[np.ndarray, ...]
    to_input: Warp
    size: tuple[int, int]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the inputs; pictures with the same shapes can share a batch."""
        return tuple(image.shape for image in self.inputs)


class BottomUp:
    """The road: images -> People in pixels of each image. Deterministic; batches give what single pictures give.

    network: images (B, 3, H, W) -> list of Maps, the last one used. clock: seconds in read (resizing
    included), network and grouping. Raises SettingsError when the network lacks the evidence asked for.
    """

    def __init__(
        self, network: nn.Module, skeleton: Skeleton, settings: BottomUpSettings, device: str | torch.device = "cpu"
    ) -> None:
        self.skeleton = skeleton.with_shipped_prior() if settings.prior and skeleton.prior is None else skeleton
        self.settings, self.device = settings, torch.device(device)
        self.multiple = _multiple(network, settings)
        self.engine = Engine(network, (self.multiple, self.multiple), settings, self.device)
        # On a CPU a batch is slower than its pictures one by one: their maps no longer fit its caches.
        self.batch = 16 if self.device.type == "cuda" else 1
        self.clock = Clock()
        self._evidence(self.engine.maps(self.engine.example))

    def __call__(self, images: Sequence[np.ndarray], image_ids: Sequence[int | None] | None = None) -> list[People]:
        """People of each image, RGB uint8 (H, W, 3); raises InputError that names the number of a wrong one."""
        for number, image in enumerate(images):
            check_image(image, number)
        with self.clock("read"):
            prepared = [self.prepare(image) for image in images]
        people: list[People | None] = [None] * len(images)
        for batch in batches([p.shapes for p in prepared], self.batch):
            with self.clock("network"):
                maps = self.maps([prepared[i] for i in batch])
            with self.clock("grouping"):
                with self.engine.aside():
                    found = group_batch(maps, self.skeleton, fill=self.settings.fill)
                for one, i in zip(found, batch, strict=True):
                    people[i] = self._in_pixels(one, maps.stride, prepared[i])
        return people  # type: ignore[return-value]  # every number is in one batch

    def expect(self, image_ids: Collection[int]) -> None:
        """Nothing is known of pictures beforehand."""

    def decides(self) -> dict[str, Any]:
        """All that results depend on beside the weights."""
        return self.settings.to_dict()

    def share(self, width: int, height: int) -> float:
        """What a picture of this size is resized by at the largest scale."""
        return self.settings.ratio(width, height) * max(self.settings.scales)

    def prepare(self, image: np.ndarray, image_id: int | None = None, size: tuple[int, int] | None = None) -> Prepared:
        """The image resized and padded for every scale. size: the picture's own, where `image` is it reduced."""
        size = size or (image.shape[1], image.shape[0])
        ratio, colour = self.settings.ratio(*size), self.settings.colour()
        scales = self.settings.scales
        inputs = tuple(padded(image, ratio * scale, self.multiple, colour, size) for scale in scales)
        return Prepared(inputs, Warp.resize(ratio), size)

    def maps(self, prepared: Sequence[Prepared]) -> Maps:
        """Maps of pictures whose inputs have the same shapes: a batch in cells of scale 1, in numpy or, ready, on the
        GPU, since grouping looks at few of them."""
        scales = self.settings.scales
        with torch.inference_mode(), self.engine.exact_convolutions():
            passes = [self._pass([p.inputs[i] for p in prepared]) for i in range(len(scales))]
            maps = averaged(passes, scales)
        if self.device.type != "cuda":
            return maps.numpy()
        torch.cuda.current_stream(self.device).synchronize()
        return maps

    def _pass(self, images: list[np.ndarray]) -> Maps:
        """Maps of one scale, averaged with those of the mirrored images if the settings say so."""
        pixels = self.engine.pixels(images)
        maps = self._evidence(self.engine.maps(pixels))
        if not self.settings.flip:
            return maps
        return with_mirrored(maps, self._evidence(self.engine.maps(pixels.flip(3))), self.skeleton)

    def _evidence(self, maps: Maps) -> Maps:
        """The maps without the evidence that the settings leave out."""
        wanted = self.settings.evidence
        pafs = None if wanted == "tags" else maps.pafs
        tags = None if wanted == "pafs" else maps.tags
        if pafs is None and tags is None:
            raise SettingsError(f"evidence is {wanted!r}, the network does not give it; choose another")
        return replace(maps, pafs=pafs, tags=tags, sigma=self.settings.sigma or maps.sigma)

    def people(self, maps: Maps, prepared: Prepared) -> People:
        """The people whom the maps of one picture show, in its pixels."""
        with self.engine.aside():
            found = group(
                maps.heatmaps,
                pafs=maps.pafs,
                tags=maps.tags,
                skeleton=self.skeleton,
                sigma=maps.sigma,
                fill=self.settings.fill,
            )
        return self._in_pixels(found, maps.stride, prepared)

    def _in_pixels(self, found: People, stride: float, prepared: Prepared) -> People:
        cells = Warp.cells(stride) @ Warp.shift(-self.settings.offset, -self.settings.offset)
        return found.warp((cells @ prepared.to_input).inverse())


def _multiple(network: nn.Module, settings: BottomUpSettings) -> int:
    """What the sides of inputs are multiples of: the settings' number, else the network's own."""
    own = getattr(network, "multiple", None)
    wanted = settings.multiple or own or 32
    require(wanted % (own or 1) == 0, "multiple", wanted, f"a multiple of the network's {own}")
    return int(wanted)


def batches(kinds: Sequence[Any], size: int) -> list[list[int]]:
    """Numbers of equal kinds together, in batches of at most `size`, in order of first appearance."""
    alike: dict[Any, list[int]] = {}
    for number, kind in enumerate(kinds):
        alike.setdefault(kind, []).append(number)
    return [numbers[i : i + size] for numbers in alike.values() for i in range(0, len(numbers), size)]
