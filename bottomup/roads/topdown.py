"""The top-down road: pictures -> boxes around people -> crops -> network -> heatmaps -> joints -> people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bottomup.core import Boxes, People, Skeleton, Warp
from bottomup.core.crop import framed
from bottomup.errors import InputError, SettingsError
from bottomup.roads.clock import Clock
from bottomup.roads.crops import CropNetwork, TopDownSettings, cut_out, require_alike, to_crop
from bottomup.roads.decode import decoded
from bottomup.roads.engine import check_image
from bottomup.roads.given import GivenBoxes
from bottomup.roads.nms import oks_nms, soft_oks_nms

Detector = Callable[[Sequence[np.ndarray]], list[Boxes]]  # RGB uint8 pictures -> boxes of people in their pixels


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture with the boxes that are known, None where the detector has to find them."""

    image: np.ndarray
    boxes: Boxes | None
    shapes: tuple[Any, ...] = ()  # any pictures share a batch: crops are all of one size

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, eq=False)
class Crops:
    """What the network says about one picture: heatmaps (N, K, h, w) and, of every crop, box and warp to it."""

    heatmaps: np.ndarray
    boxes: Boxes
    warps: list[Warp]


class TopDown:
    """The road: images -> People in pixels of each image, each with its box.

    networks: one, or an ensemble whose heatmaps are averaged; all with one geometry, the first one's settings
    decide on decoding and scores. detector: finds boxes where none are given. boxes: given ones, by image id.
    clock: seconds in read, detector, crops, network and decoding. Raises SettingsError where neither can be had.
    """

    def __init__(
        self, networks: Sequence[CropNetwork], *, detector: Detector | None = None, boxes: GivenBoxes | None = None
    ) -> None:
        require_alike(networks)
        self.networks, self.detector, self.boxes = list(networks), detector, boxes
        self.skeleton: Skeleton = networks[0].skeleton
        self.settings: TopDownSettings = networks[0].settings
        self.device = networks[0].device
        self.batch = 16 if self.device.type == "cuda" else 1  # pictures
        self.crops_at_once = 128 if self.device.type == "cuda" else 8
        self.clock = Clock()

    def __call__(
        self,
        images: Sequence[np.ndarray],
        image_ids: Sequence[int | None] | None = None,
        *,
        boxes: Sequence[Boxes] | None = None,
    ) -> list[People]:
        """People of each image, RGB uint8 (H, W, 3), in the given boxes where there are any.

        Raises InputError that names the image that is wrong, or the box that lies outside of it.
        """
        ids = image_ids or [None] * len(images)
        prepared = []
        for number, image in enumerate(images):
            check_image(image, number)
            with self.clock("read"):
                given = None if boxes is None else boxes[number]
                prepared.append(self.prepare(image, ids[number], boxes=given))
        people: list[People] = []
        for start in range(0, len(images), self.batch):
            batch = prepared[start : start + self.batch]
            people += map(self.people, self.maps(batch), batch)
        return people

    def expect(self, image_ids: Collection[int]) -> None:
        """Raises InputError if boxes are given, but of none of these pictures."""
        if self.boxes is not None:
            self.boxes.require_any_of(image_ids)

    def decides(self) -> dict[str, Any]:
        """All that results depend on beside the weights."""
        by = getattr(self.detector, "decides", dict)() if self.boxes is None else {"boxes": self.boxes.digest}
        others = [network.settings.to_dict() for network in self.networks[1:]]
        return self.settings.to_dict() | by | ({"ensemble": others} if others else {})

    def prepare(self, image: np.ndarray, image_id: int | None = None, *, boxes: Boxes | None = None) -> Prepared:
        """The picture with its boxes, if they are known. Raises InputError that names a box outside of it."""
        size = (image.shape[1], image.shape[0])
        if boxes is not None:
            try:
                return Prepared(image, boxes.require_inside(size))
            except ValueError as error:
                raise InputError(str(error)) from error
        if self.boxes is not None:
            return Prepared(image, self.boxes.of(image_id, size))
        if self.detector is None:
            raise SettingsError("a top-down network needs boxes around people; give some, or a detector")
        return Prepared(image, None)

    def maps(self, prepared: Sequence[Prepared]) -> list[Crops]:
        """Heatmaps of everybody in these pictures, in batches over all of them."""
        boxes = self._boxes(prepared)
        with self.clock("crops"):
            cut = [cut_out(p.image, found, self.settings) for p, found in zip(prepared, boxes, strict=True)]
        with self.clock("network"):
            heatmaps = self._heatmaps([crop for crops, _ in cut for crop in crops])
        ends = np.cumsum([len(found) for found in boxes])[:-1]
        parts = np.split(heatmaps, ends)
        return [Crops(maps, found, warps) for maps, found, (_, warps) in zip(parts, boxes, cut, strict=True)]

    def _boxes(self, prepared: Sequence[Prepared]) -> list[Boxes]:
        """Of each picture: those known, or found now."""
        unknown = [p.image for p in prepared if p.boxes is None]
        found = iter(())  # type: Any
        if unknown and self.detector is not None:
            with self.clock("detector"):
                found = iter([self._promising(boxes) for boxes in self.detector(unknown)])
        return [next(found) if p.boxes is None else p.boxes for p in prepared]

    def _promising(self, boxes: Boxes) -> Boxes:
        """Boxes from which somebody can come: joints, whose scores are 1 at best, only lower a box's."""
        return boxes[boxes.scores * (1 + self.settings.bonus) >= self.settings.person_least]

    def _heatmaps(self, crops: list[np.ndarray]) -> np.ndarray:
        """Heatmaps (N, K, h, w) of crops, the mean over the networks."""
        step = self.crops_at_once
        batches = [crops[start : start + step] for start in range(0, len(crops), step)]
        means = [torch.stack([network(batch) for network in self.networks]).mean(0).cpu().numpy() for batch in batches]
        return np.concatenate([np.zeros((0, len(self.skeleton), *self.networks[0].cells), np.float32), *means])

    def people(self, maps: Crops, prepared: Prepared) -> People:
        """The people of one picture, best first, in its pixels."""
        with self.clock("decoding"):
            joints = decoded(maps.heatmaps, self.settings.refine, self.settings.blur)
            found = joints[..., 2] > 0
            cells = to_crop(self.networks[0])
            for person, warp in zip(joints, maps.warps, strict=True):
                person[:, :2] = (warp.inverse() @ cells).points(person[:, :2].astype(np.float64))
            joints[~found] = 0
            scores = maps.boxes.scores * joint_confidence(joints[..., 2], self.settings)
            somebody = (scores > 0) & found.any(1)
            people = People(joints, scores, self.skeleton, maps.boxes.xywh)[somebody]
            distinct = self._distinct(people, maps.boxes[somebody])
            # Whoever gives boxes says that people are there; what the detector takes for one may be nobody.
            return distinct[distinct.scores >= self.settings.person_least] if prepared.boxes is None else distinct

    def _distinct(self, people: People, boxes: Boxes) -> People:
        """The people without those that are another one again. Areas are those of the crops."""
        frames = framed(boxes.xyxy, self.settings.size, self.settings.enlarge)
        areas = (frames[:, 2:] - frames[:, :2]).prod(1)
        suppress = soft_oks_nms if self.settings.soft else oks_nms
        return suppress(people, areas, self.settings.same)


def joint_confidence(scores: np.ndarray, settings: TopDownSettings) -> np.ndarray:
    """(N,) what the joints (N, K) of each person say about its score: the mean of those that count, 0 if none does.

    Sources: HRNet's and CPN's released code, which count joints above .2, and all joints with half a point more.
    """
    counts = np.ones_like(scores, bool) if settings.least is None else scores > settings.least
    return ((scores + settings.bonus) * counts).sum(1) / np.maximum(counts.sum(1), 1)
