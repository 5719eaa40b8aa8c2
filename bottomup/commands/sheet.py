"""Labels drawn before and after a merge, side by side, for somebody to check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np

from bottomup.core import People, Skeleton, Warp
from bottomup.data.labels import Record, is_region
from bottomup.data.merge import Merged
from bottomup.data.regions import IgnoreMask
from bottomup.draw import draw

HEIGHT = 480  # of the drawn picture
GAP = 6


def chosen_images(merged: Merged, count: int) -> dict[str, list[int]]:
    """Numbers of some images of each set: with people, spread evenly over the set."""
    with_people = {a["image_id"] for a in merged.content["annotations"] if not is_region(a)}
    by_set: dict[str, list[int]] = defaultdict(list)
    for number, image in enumerate(merged.content["images"]):
        if image["id"] in with_people:
            by_set[image["source"]].append(number)
    return {
        name: [numbers[i] for i in np.unique(np.linspace(0, len(numbers) - 1, count).round().astype(int))]
        for name, numbers in by_set.items()
    }


def before_and_after(merged: Merged, number: int) -> np.ndarray:
    """RGB: image `number` as its set labels it, and as it is merged."""
    labels, image_id = merged.origins[number]
    record = merged.content["images"][number]
    picture = labels.pictures[image_id]()
    before = [a for a in labels.annotations if a["image_id"] == image_id]
    after = [a for a in merged.content["annotations"] if a["image_id"] == record["id"]]
    size = (record["width"], record["height"])
    pair = [
        _drawn(picture, annotations, skeleton, size)
        for annotations, skeleton in ((before, labels.skeleton), (after, merged.skeleton))
    ]
    return np.hstack((pair[0], np.full((HEIGHT, GAP, 3), 255, np.uint8), pair[1]))


def _drawn(picture: np.ndarray, annotations: Sequence[Record], skeleton: Skeleton, size: tuple[int, int]) -> np.ndarray:
    regions = tuple(a for a in annotations if is_region(a))
    humans = [a for a in annotations if not is_region(a)]
    shaded = picture.copy()
    hidden_region = IgnoreMask(size, regions)()
    shaded[hidden_region] = shaded[hidden_region] // 3 + np.array([90, 0, 0], np.uint8)
    scale = HEIGHT / size[1]
    shown = cv2.resize(shaded, (round(size[0] * scale), HEIGHT), interpolation=cv2.INTER_AREA)
    joints = np.array([a["keypoints"] for a in humans], np.float32).reshape(-1, len(skeleton), 3)
    people = People(joints, np.ones(len(joints)), skeleton).warp(Warp.resize(scale))
    drawn = draw(shown, people)
    for x, y, flag in people.joints.reshape(-1, 3):
        if flag == 1:  # hidden
            cv2.circle(drawn, (round(float(x)), round(float(y))), 3, (0, 0, 0), -1, cv2.LINE_AA)
    return drawn
