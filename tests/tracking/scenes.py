"""People who walk: what the tests of tracking follow."""

import numpy as np

from bottomup.core import COCO17, People
from bottomup.tracking.tracker import Tracker

RATE = 25


def pose(skeleton=COCO17, height=100.0, seed=0):
    """A body (K, 3) around the origin, as tall as said and a third as wide."""
    unit = np.random.default_rng(seed).uniform(-0.5, 0.5, (len(skeleton), 2))
    unit = (unit - unit.min(0)) / np.maximum(np.ptp(unit, axis=0), 1e-9) - 0.5
    return np.column_stack((unit * (height / 3, height), np.ones(len(skeleton))))


def people(places, skeleton=COCO17, scores=None, height=100.0):
    """People with one pose at these places (N, 2)."""
    joints = np.array([pose(skeleton, height) + (*place, 0) for place in places]).reshape(-1, len(skeleton), 3)
    return People(joints, np.ones(len(joints)) if scores is None else scores, skeleton)


def followed(frames, rules=None, rate=RATE):
    tracker = Tracker(frames[0].skeleton, rules)
    return [tracker(frame, number / rate) for number, frame in enumerate(frames)]


def walk(start, speed, count):
    """Places (count, 2) at constant velocity, in pixels a frame."""
    return np.array(start) + np.arange(count)[:, None] * np.array(speed)


def crowd(seed, count=30, size=6):
    """A scene: people who walk at random speeds, and are lost and imagined now and then."""
    random = np.random.default_rng(seed)
    starts, speeds = random.uniform(0, 600, (size, 2)), random.uniform(-6, 6, (size, 2))
    frames = []
    for number in range(count):
        seen = [s + number * v for s, v in zip(starts, speeds, strict=True) if random.random() > 0.2]
        seen += list(random.uniform(0, 600, (int(random.random() < 0.3), 2)))
        frames.append(people(seen, scores=random.uniform(0.1, 1, len(seen))))
    return frames
