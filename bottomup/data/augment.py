"""Training pictures out of samples: scaled, turned, mirrored, tiled into mosaics, coloured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from bottomup.core import ABSENT, LABELLED, UNKNOWN, Sample, Skeleton, Warp
from bottomup.data.colour import recolour
from bottomup.errors import DataError

GREY = 124


@dataclass(frozen=True)
class Augmentation:
    """How strongly training pictures are varied. Lengths in pixels of the training crop.

    whole: share of tiles that show a picture as a whole, as it is seen at inference; the others are
    centred on a person. person: range of heights at which the chosen person appears (log-uniform). enlarge: how far a
    picture may be enlarged at most. rotation: standard deviation in degrees. mosaic: shares of crops
    that are tiled 1 x 1, 2 x 2 and 3 x 3. paste: share of crops into which people of another picture
    are pasted. occlude: share of crops with patches over them. colour: strength of colour changes.
    """

    whole: float = 0.0
    person: tuple[float, float] = (30.0, 320.0)
    enlarge: float = 1.6
    rotation: float = 12.0
    mosaic: tuple[float, float, float] = (0.55, 0.35, 0.10)
    paste: float = 0.15
    occlude: float = 0.15
    colour: float = 1.0


@dataclass
class Example:
    """One training picture: image uint8 (S, S, 3) and its labels in pixels of it.

    joints (N, K, 2); known uint8 (N, K); confidence (N, K); boxes (N, 4) x, y, width, height;
    taught uint8 (S / stride, S / stride): 1 where background may be taught;
    taught_joints bool (K,): joints that every tile's set labels.
    """

    image: np.ndarray
    joints: np.ndarray
    known: np.ndarray
    confidence: np.ndarray
    boxes: np.ndarray
    taught: np.ndarray
    taught_joints: np.ndarray


Pick = Callable[[np.random.Generator], Sample]


def person_height(sample: Sample, person: int) -> float:
    """Longer side of a person's box, in pixels: its size for scaling (a lying person is long, not high)."""
    assert sample.people.boxes is not None
    return float(max(sample.people.boxes[person, 2:].max(), 8.0))


def make_example(
    pick: Pick, size: int, stride: int, settings: Augmentation, skeleton: Skeleton, rng: np.random.Generator
) -> Example:
    """One training picture of size x size out of the samples that `pick` draws."""
    tiles = int(rng.choice(3, p=np.array(settings.mosaic) / sum(settings.mosaic))) + 1
    example = _blank(size, stride, len(skeleton))
    for left, top, width, height in _rectangles(tiles, size, stride, rng):
        sample = pick(rng)
        warp, mirrored = _tile_warp(sample, width, height, settings, tiles, rng)
        _place(example, sample, Warp.shift(left, top) @ warp, mirrored, (left, top, width, height), stride, skeleton)
    if rng.random() < settings.paste:
        _paste_people(example, pick(rng), stride, skeleton, settings, rng)
    if rng.random() < settings.occlude:
        _occlude(example.image, rng)
    example.image = recolour(example.image, settings.colour, rng)
    return example


def _blank(size: int, stride: int, joints: int) -> Example:
    return Example(
        image=np.full((size, size, 3), GREY, np.uint8),
        joints=np.zeros((0, joints, 2), np.float32),
        known=np.zeros((0, joints), np.uint8),
        confidence=np.zeros((0, joints), np.float32),
        boxes=np.zeros((0, 4), np.float32),
        taught=np.ones((size // stride, size // stride), np.uint8),
        taught_joints=np.ones(joints, bool),
    )


def _rectangles(tiles: int, size: int, stride: int, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Tiles of a mosaic as (left, top, width, height), cut at whole map cells a little off the regular places."""

    def cuts() -> list[int]:
        inner = [size * i / tiles + size / tiles * rng.uniform(-0.25, 0.25) for i in range(1, tiles)]
        return [0, *(round(cut / stride) * stride for cut in inner), size]

    across, down = cuts(), cuts()
    return [
        (across[i], down[j], across[i + 1] - across[i], down[j + 1] - down[j])
        for j in range(tiles)
        for i in range(tiles)
    ]


def _tile_warp(
    sample: Sample, width: int, height: int, settings: Augmentation, tiles: int, rng: np.random.Generator
) -> tuple[Warp, bool]:
    """From a sample's pixels to a tile's, and whether it mirrors."""
    source_width, source_height = sample.size
    whole = settings.whole > 0 and rng.random() < settings.whole
    if len(sample.people) and not whole:
        person = int(rng.integers(len(sample.people)))
        x, y, w, h = sample.people.boxes[person]  # type: ignore[index]
        # Up to twice the tile: somebody of whom head and shoulders fill a picture must be known at that size too.
        scale = _height(settings, 2.0 * max(width, height), rng) / person_height(sample, person)
        centre = (x + w * rng.uniform(0.1, 0.9), y + h * rng.uniform(0.1, 0.9))
    else:
        scale = min(width / source_width, height / source_height) * np.exp(rng.uniform(-0.1, 0.5))
        centre = (source_width * rng.uniform(0.3, 0.7), source_height * rng.uniform(0.3, 0.7))
    # Never so small that much of the tile would be empty.
    least = 0.9 * min(width / source_width, height / source_height)
    scale = float(np.clip(scale, least, settings.enlarge))
    mirrored = bool(rng.random() < 0.5)
    goal = _towards_picture(centre, scale, (width, height), sample.size, rng)
    turn = Warp.rotation(float(np.clip(rng.normal(0, settings.rotation), -45, 45)), scale)
    warp = Warp.shift(*goal) @ turn @ Warp.shift(-centre[0], -centre[1])
    return (Warp.flip(width) @ warp if mirrored else warp), mirrored


def _height(settings: Augmentation, most: float, rng: np.random.Generator) -> float:
    """A person's height, log-uniform over the range asked for, at most `most` (unless the range lies above it)."""
    low, high = settings.person
    return float(np.exp(rng.uniform(np.log(low), np.log(max(low, min(high, most))))))


def _towards_picture(
    centre: tuple[float, float],
    scale: float,
    tile: tuple[int, int],
    picture: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Where in the tile the chosen point goes: near its middle, but without baring empty margins."""
    goal = []
    for point, length, extent in zip(centre, tile, picture, strict=True):
        place = length * rng.uniform(0.35, 0.65)
        before, after = point * scale, (extent - point) * scale
        low, high = sorted((length - after, before))
        goal.append(float(np.clip(place, low, high)))
    return goal[0], goal[1]


def _place(
    example: Example,
    sample: Sample,
    warp: Warp,
    mirrored: bool,
    rectangle: tuple[int, int, int, int],
    stride: int,
    skeleton: Skeleton,
) -> None:
    """Draws a sample into a rectangle of the example and adds its people."""
    left, top, width, height = rectangle
    inside = Warp.shift(-left, -top) @ warp
    picture = load_checked(sample)
    example.image[top : top + height, left : left + width] = inside.image(picture, (width, height), border=GREY)
    cells = (slice(top // stride, (top + height) // stride), slice(left // stride, (left + width) // stride))
    example.taught[cells] = _taught(sample, inside, width // stride, height // stride, stride)
    example.taught_joints &= sample.labelled_joints
    if len(sample.people):
        _add_people(example, sample, warp, mirrored, rectangle, skeleton)


def load_checked(sample: Sample) -> np.ndarray:
    """The sample's image; raises DataError if its size is not the labels', for then no joint is where it should be."""
    image = sample.load()
    if (image.shape[1], image.shape[0]) != tuple(sample.size):
        raise DataError(
            f"{sample.source}: the picture is {image.shape[1]} x {image.shape[0]}, its labels say "
            f"{sample.size[0]} x {sample.size[1]}; take the pictures that the labels were made for"
        )
    return image


def _taught(sample: Sample, warp: Warp, width: int, height: int, stride: int) -> np.ndarray:
    """uint8 (height, width) in cells: 1 where background may be taught."""
    taught = np.ones((sample.size[1], sample.size[0]), np.uint8)
    if sample.ignore is None and sample.everybody:
        return np.ones((height, width), np.uint8)
    if not sample.everybody:
        taught[:] = 0
        for x, y, w, h in sample.people.boxes:  # type: ignore[union-attr]
            taught[max(0, int(y)) : int(y + h) + 1, max(0, int(x)) : int(x + w) + 1] = 1
    if sample.ignore is not None:
        taught[sample.ignore()] = 0
    return (Warp.cells(stride) @ warp).image(taught, (width, height), border=1, nearest=True)


def _add_people(
    example: Example,
    sample: Sample,
    warp: Warp,
    mirrored: bool,
    rectangle: tuple[int, int, int, int],
    skeleton: Skeleton,
) -> None:
    left, top, width, height = rectangle
    xy = warp.points(sample.people.joints[..., :2])
    known, confidence = sample.known.copy(), sample.people.joints[..., 2]
    out = (xy[..., 0] < left) | (xy[..., 1] < top) | (xy[..., 0] > left + width - 1) | (xy[..., 1] > top + height - 1)
    known[out & (known == LABELLED)] = ABSENT
    if mirrored:
        order = list(skeleton.mirror)
        xy, known, confidence = xy[:, order], known[:, order], confidence[:, order]
    boxes = warp.boxes(sample.people.boxes)  # type: ignore[arg-type]
    low = np.maximum(boxes[:, :2], (left, top))
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], (left + width, top + height))
    seen = (high > low).all(1)
    _append(example, xy[seen], known[seen], confidence[seen], np.hstack((low, high - low))[seen])


def _append(example: Example, joints: np.ndarray, known: np.ndarray, confidence: np.ndarray, boxes: np.ndarray) -> None:
    example.joints = np.concatenate((example.joints, joints.astype(np.float32)))
    example.known = np.concatenate((example.known, known.astype(np.uint8)))
    example.confidence = np.concatenate((example.confidence, confidence.astype(np.float32)))
    example.boxes = np.concatenate((example.boxes, boxes.astype(np.float32)))


def _paste_people(
    example: Example,
    sample: Sample,
    stride: int,
    skeleton: Skeleton,
    settings: Augmentation,
    rng: np.random.Generator,
) -> None:
    """Cuts one well-labelled person out of a sample along the limbs and pastes it into the example."""
    rich = np.flatnonzero((sample.known == LABELLED).sum(1) >= 9)
    if not len(rich):
        return
    person = int(rng.choice(rich))
    size = len(example.image)
    scale = min(_height(settings, 0.8 * size, rng) / person_height(sample, person), settings.enlarge)
    x, y, w, h = sample.people.boxes[person]  # type: ignore[index]
    goal = rng.uniform(0.1 * size, 0.9 * size, 2)
    mirrored = bool(rng.random() < 0.5)
    warp = Warp.shift(*goal) @ Warp.resize(scale) @ Warp.shift(-x - w / 2, -y - h / 2)
    warp = Warp.flip(size) @ warp if mirrored else warp
    xy = warp.points(sample.people.joints[person, :, :2])
    seen = sample.known[person] == LABELLED
    mask = body_mask(xy, seen, skeleton, size)
    soft = cv2.GaussianBlur(mask, (0, 0), 1.0).astype(np.float32)[..., None] / 255
    picture = warp.image(load_checked(sample), (size, size), border=GREY)
    example.image = (example.image * (1 - soft) + picture * soft).astype(np.uint8)
    _hide_behind(example, mask)
    inside = ((xy >= 0) & (xy <= size - 1)).all(-1)
    known = np.where(seen & ~inside, ABSENT, sample.known[person])
    example.taught_joints &= sample.labelled_joints
    confidence = sample.people.joints[person, :, 2]
    order = list(skeleton.mirror) if mirrored else list(range(len(skeleton)))
    box = warp.boxes(sample.people.boxes[person : person + 1])  # type: ignore[index]
    _append(example, xy[None, order], known[None, order], confidence[None, order], box)


def body_mask(xy: np.ndarray, seen: np.ndarray, skeleton: Skeleton, size: int) -> np.ndarray:
    """uint8 (size, size), 255 on a person drawn as thick limbs with a filled trunk. xy (K, 2), seen (K,)."""
    mask = np.zeros((size, size), np.uint8)
    extent = np.ptp(xy[seen], axis=0).max()
    width = max(2, int(0.16 * extent))
    for a, b in skeleton.limbs:
        if seen[a] and seen[b]:
            ends = [tuple(int(v) for v in np.clip(np.round(xy[j]), -4 * size, 4 * size)) for j in (a, b)]
            cv2.line(mask, ends[0], ends[1], 255, width)
    trunk = [j for j, name in enumerate(skeleton.joints) if seen[j] and name.endswith(("shoulder", "hip"))]
    if len(trunk) >= 3:
        hull = cv2.convexHull(np.round(xy[trunk]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 255)
    return mask


def _hide_behind(example: Example, mask: np.ndarray) -> None:
    """Joints of earlier people that the pasted person covers are no longer there to be found."""
    if not len(example.joints):
        return
    size = len(mask)
    cell = np.clip(np.round(example.joints), 0, size - 1).astype(int)
    covered = (mask[cell[..., 1], cell[..., 0]] > 0) & (example.known == LABELLED)
    example.known[covered] = UNKNOWN  # hidden joints are sometimes labelled, so neither is taught


def _occlude(image: np.ndarray, rng: np.random.Generator) -> None:
    """Covers a few small patches with one colour or with noise. Labels stay: people guess hidden joints too."""
    size = len(image)
    for _ in range(int(rng.integers(1, 4))):
        w, h = (rng.uniform(0.04, 0.2, 2) * size).astype(int)
        x, y = int(rng.integers(0, size - w)), int(rng.integers(0, size - h))
        patch = rng.integers(0, 256, (1, 1, 3) if rng.random() < 0.5 else (h, w, 3))
        image[y : y + h, x : x + w] = patch
