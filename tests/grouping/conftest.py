"""Drawn people: exact maps of known people, and their mirror images."""

from types import SimpleNamespace

import numpy as np
import pytest

from bottomup.core import COCO17, CROWDPOSE14, MPII16, OPENPOSE18, POSETRACK15, Maps, Skeleton

LIZARD = Skeleton(
    "lizard",
    ("head", "neck", "left_foot", "right_foot", "hip", "tail"),
    ((0, 1), (1, 2), (3, 1), (1, 4), (4, 5)),
    (0, 1, 3, 2, 4, 5),
    (0.05,) * 6,
)
ALL = [COCO17, OPENPOSE18, POSETRACK15, MPII16, CROWDPOSE14, LIZARD]


def draw_heatmaps(joints, size, sigma):
    """The highest of all people's gaussians: joints (N, K, 3), score 0 where absent, to (K, h, w)."""
    y, x = np.mgrid[: size[0], : size[1]]
    heat = np.zeros((joints.shape[1], *size))
    for person in joints:
        for k, (px, py, score) in enumerate(person):
            bump = score * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2))
            heat[k] = np.maximum(heat[k], bump)
    return heat.astype(np.float32)


def draw_pafs(joints, limbs, size):
    """Unit vectors within a cell of each limb, the mean where people overlap: (E, 2, h, w)."""
    y, x = np.mgrid[: size[0], : size[1]]
    pafs = np.zeros((len(limbs), 2, *size))
    for e, (a, b) in enumerate(limbs):
        count = np.zeros(size)
        for person in joints:
            start, along = person[a, :2], person[b, :2] - person[a, :2]
            length = np.hypot(*along)
            if person[a, 2] == 0 or person[b, 2] == 0 or length == 0:
                continue
            t = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length**2, 0, 1)
            near = np.hypot(x - start[0] - t * along[0], y - start[1] - t * along[1]) <= 1
            pafs[e] += near * (along / length)[:, None, None]
            count += near
        pafs[e] /= np.maximum(count, 1)
    return pafs.astype(np.float32)


def draw_tags(joints, values, size, sigma):
    """Every person's tag (N, L) around each joint, 0 elsewhere: (L, K, h, w)."""
    y, x = np.mgrid[: size[0], : size[1]]
    tags = np.zeros((values.shape[1], joints.shape[1], *size))
    nearest = np.full((joints.shape[1], *size), 3 * sigma)
    for person, value in zip(joints, values, strict=True):
        for k, (px, py, score) in enumerate(person):
            far = np.hypot(x - px, y - py)
            here = (far < nearest[k]) & (score > 0)
            nearest[k][here] = far[here]
            tags[:, k, here] = value[:, None]
    return tags.astype(np.float32)


def draw(skeleton, joints, size, sigma=2.0, values=None):
    """Exact maps of people (N, K, 3); tags are 0, 1.5, 3, ... unless given (N, L)."""
    joints = np.asarray(joints, np.float64).reshape(-1, len(skeleton), 3)
    values = 1.5 * np.arange(len(joints))[:, None] if values is None else np.asarray(values, np.float64)
    return Maps(
        draw_heatmaps(joints, size, sigma),
        draw_pafs(joints, skeleton.limbs, size),
        draw_tags(joints, values, size, sigma),
        sigma=sigma,
    )


def somebody(skeleton, rng, low, high):
    """One person (K, 3) whose joints lie anywhere in the box from low to high (x, y), each at least a bit apart."""
    while True:
        places = rng.uniform(low, high, (len(skeleton), 2))
        gaps = np.hypot(*(places[:, None] - places[None]).T) + 99 * np.eye(len(places))
        if gaps.min() > 0.1 * min(np.subtract(high, low)):
            return np.column_stack((places, rng.uniform(0.6, 1, len(places))))


def row_of_people(skeleton, rng, count, box=44, gap=12):
    """People side by side that do not touch: joints (count, K, 3) and the map's size (h, w)."""
    people = [somebody(skeleton, rng, (i * (box + gap), 6), (i * (box + gap) + box, 6 + box)) for i in range(count)]
    return np.array(people) + (6, 0, 0), (box + 12, count * (box + gap) + 12)


def mirror_maps(maps, skeleton):
    """What a network would say of the mirrored picture: flipped, channels swapped, fields turned."""
    swap = list(skeleton.mirror)
    pafs = np.empty_like(maps.pafs)
    for e, (image, reversed_limb) in enumerate(skeleton.limb_mirror):
        flipped = maps.pafs[image, :, :, ::-1] * np.array([-1, 1], np.float32)[:, None, None]
        pafs[e] = -flipped if reversed_limb else flipped
    return Maps(maps.heatmaps[swap][..., ::-1], pafs, maps.tags[:, swap][..., ::-1], sigma=maps.sigma)


def mirror_joints(joints, skeleton, width):
    """People (N, K, 3) as they stand in a mirrored map of this width."""
    mirrored = joints[:, list(skeleton.mirror)].copy()
    mirrored[..., 0] = np.where(mirrored[..., 2] > 0, width - 1 - mirrored[..., 0], 0)
    return mirrored


def prior_of(bodies):
    """Where each joint lies from each other, from poses (M, K, 2) of height 1: (K, K, 7)."""
    offsets = bodies[:, None] - bodies[:, :, None]
    mean = offsets.mean(0)
    spread = np.einsum("mkla,mklb->klab", offsets - mean, offsets - mean) / len(bodies) + 1e-3 * np.eye(2)
    inverse = np.linalg.inv(spread)
    columns = (inverse[..., 0, 0], inverse[..., 0, 1], inverse[..., 1, 1], np.log(np.linalg.det(spread)))
    return np.stack((*np.moveaxis(mean, -1, 0), *columns, (offsets**2).sum(-1).mean(0)), -1).astype(np.float32)


@pytest.fixture(scope="session")
def drawn():
    """The drawing functions of this file."""
    return SimpleNamespace(
        ALL=ALL,
        LIZARD=LIZARD,
        draw=draw,
        somebody=somebody,
        row_of_people=row_of_people,
        mirror_maps=mirror_maps,
        mirror_joints=mirror_joints,
        prior_of=prior_of,
    )
