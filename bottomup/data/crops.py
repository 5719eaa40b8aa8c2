"""Training pictures of top-down networks: one person a crop, placed as a detector would, turned, mirrored, coloured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bottomup.core import LABELLED, Boxes, Sample, Skeleton, Warp, crop_warp
from bottomup.core.boxes import overlaps
from bottomup.data.augment import GREY, load_checked
from bottomup.data.colour import recolour

LEAST_SIDE = 16  # of a box's longer side in pixels: smaller people show nothing that could be learnt
FITS = 0.5  # overlap from which on a box found is somebody's
LOWER_BODY = ("hip", "knee", "ankle", "foot", "pelvis")  # how the names of its joints end
HALF_ENLARGE = 1.3  # of the box around half a body's joints: they are the body's axis, not its outline


@dataclass(frozen=True)
class CropAugmentation:
    """How strongly crops are varied.

    enlarge: of boxes, as at inference. scale: range of further factors. shift: standard deviation of the centre, as a
    share of the box. rotation: standard deviation in degrees, of the share `turned` of crops. half_body: share of
    crops around the upper or the lower joints alone, of people with more than 8 joints. colour: strength.
    """

    enlarge: float = 1.25
    scale: tuple[float, float] = (0.7, 1.35)
    shift: float = 0.05
    rotation: float = 30.0
    turned: float = 0.6
    half_body: float = 0.3
    colour: float = 0.5


@dataclass
class Crop:
    """One person: image uint8 (h, w, 3); joints (K, 2) in its pixels; known uint8 (K,); confidence (K,)."""

    image: np.ndarray
    joints: np.ndarray
    known: np.ndarray
    confidence: np.ndarray


@dataclass
class CropBatch:
    """B people: images uint8 (B, 3, h, w), joints (B, K, 2) in pixels, known uint8 (B, K), confidence (B, K)."""

    images: Tensor
    joints: Tensor
    known: Tensor
    confidence: Tensor

    def to(self, device: torch.device | str) -> CropBatch:
        """The same batch on a device."""
        return CropBatch(**{name: tensor.to(device, non_blocking=True) for name, tensor in vars(self).items()})

    def pin_memory(self) -> CropBatch:
        """The same batch in memory from which a GPU copies while its processor goes on."""
        return CropBatch(**{name: tensor.pin_memory() for name, tensor in vars(self).items()})


def collate_crops(crops: Sequence[Crop]) -> CropBatch:
    """Crops of one size as a batch."""

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(crop, name) for crop in crops]))

    return CropBatch(stacked("image").permute(0, 3, 1, 2), stacked("joints"), stacked("known"), stacked("confidence"))


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody to train on: number in a sample, and the boxes (N, 4) of x0, y0, x1, y1 to choose from."""

    sample: Sample
    number: int
    boxes: np.ndarray


def labelled_people(samples: Sequence[Sample]) -> list[Person]:
    """Everybody large enough who has a labelled joint, with the box of the labels."""
    people = []
    for sample in samples:
        for number in range(len(sample.people)):
            x, y, w, h = sample.people.boxes[number]  # type: ignore[index]
            if min(w, h) > 0 and max(w, h) >= LEAST_SIDE and (sample.known[number] == LABELLED).any():
                people.append(Person(sample, number, np.array([[x, y, x + w, y + h]], np.float32)))
    return people


def in_fitting_boxes(people: Sequence[Person], by_image: Mapping[int, Boxes], least: float = FITS) -> list[Person]:
    """The people with those boxes of their pictures that overlap their own by `least`; the others are left out.

    by_image: boxes by image id, of a detector after suppression, or its proposals before: several around everybody.
    """
    found = []
    for person in people:
        boxes = by_image.get(person.sample.image_id, Boxes.none()).xyxy
        fitting = boxes[overlaps(person.boxes[:1], boxes)[0] >= least]
        if len(fitting):
            found.append(replace(person, boxes=fitting))
    return found


def make_crop(
    person: Person, size: tuple[int, int], settings: CropAugmentation, skeleton: Skeleton, rng: np.random.Generator
) -> Crop:
    """One training crop of (width, height)."""
    sample, number = person.sample, person.number
    xy, known = sample.people.joints[number, :, :2], sample.known[number]
    confidence = sample.people.joints[number, :, 2]
    box = person.boxes[int(rng.integers(len(person.boxes)))]
    half = half_body(xy, known, skeleton, rng) if rng.random() < settings.half_body else None
    if half is not None:
        box = half
    mirrored = bool(rng.random() < 0.5)
    warp = varied_warp(box, size, settings, rng)
    warp = Warp.flip(size[0]) @ warp if mirrored else warp
    image = recolour(warp.image(load_checked(sample), size, border=GREY), settings.colour, rng)
    order = list(skeleton.mirror) if mirrored else list(range(len(skeleton)))
    return Crop(image, warp.points(xy)[order], known[order], confidence[order])


def varied_warp(box: np.ndarray, size: tuple[int, int], settings: CropAugmentation, rng: np.random.Generator) -> Warp:
    """From the picture to the crop of a box (4,), moved, scaled and turned at random about the crop's middle."""
    plain = crop_warp(box, size, (settings.enlarge, settings.enlarge))
    middle = (np.array(size) - 1) / 2
    sides = plain.scale * (box[2:] - box[:2])
    moved = middle + rng.normal(0, settings.shift, 2) * sides
    scale = float(np.exp(rng.uniform(*np.log(settings.scale))))
    degrees = float(np.clip(rng.normal(0, settings.rotation), -2 * settings.rotation, 2 * settings.rotation))
    if rng.random() >= settings.turned:
        degrees = 0.0
    return Warp.shift(*middle) @ Warp.rotation(degrees, scale) @ Warp.shift(*-moved) @ plain


def half_body(xy: np.ndarray, known: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray | None:
    """Box (4,) around the labelled upper or lower joints; None for people with too few of either.

    Source: Wang et al., "Mask-Pose Cascaded CNN" (2018), and the released code of MSPN and HRNet.
    """
    seen = known == LABELLED
    lower = np.array([name.endswith(LOWER_BODY) for name in skeleton.joints])
    if seen.sum() <= 8:
        return None
    first, second = (lower, ~lower) if rng.random() < 0.5 else (~lower, lower)
    chosen = next((part & seen for part in (first, second) if (part & seen).sum() > 2), None)
    if chosen is None:
        return None
    low, high = xy[chosen].min(0), xy[chosen].max(0)
    grown = np.maximum(HALF_ENLARGE * (high - low), LEAST_SIDE) / 2
    return np.concatenate(((low + high) / 2 - grown, (low + high) / 2 + grown))


class Crops(Dataset[Crop]):
    """Training crops by number; the number and the seed alone decide what a crop is.

    sets: people of each data set; weights: how often each set is drawn. size: (width, height).
    """

    def __init__(
        self,
        sets: Sequence[Sequence[Person]],
        weights: Sequence[float],
        *,
        size: tuple[int, int],
        skeleton: Skeleton,
        augmentation: CropAugmentation,
        seed: int,
    ) -> None:
        if len(sets) != len(weights) or not sets or min(map(len, sets)) == 0 or min(weights) <= 0:
            raise ValueError("every data set needs people and a positive weight")
        self.sets = [list(people) for people in sets]
        self.shares = np.array(weights, float) / sum(weights)
        self.size, self.skeleton, self.augmentation, self.seed = size, skeleton, augmentation, seed

    def __getitem__(self, number: int) -> Crop:
        rng = np.random.default_rng((self.seed, number))
        people = self.sets[int(rng.choice(len(self.sets), p=self.shares))]
        person = people[int(rng.integers(len(people)))]
        return make_crop(person, self.size, self.augmentation, self.skeleton, rng)
