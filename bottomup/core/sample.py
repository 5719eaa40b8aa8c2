"""A labelled picture: what every data set reader yields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bottomup.core.people import People

ABSENT, UNKNOWN, LABELLED = 0, 1, 2  # what is known of one joint of one person


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture with what is known about its people.

    load: gives the image, RGB uint8 (H, W, 3). size: its (width, height). people: joints with the
    label's confidence (0..1) as score; ids are tracks, -1 for who has none. known: uint8 (N, K) of ABSENT (teach
    that nothing is there), UNKNOWN (mask it) or LABELLED. ignore: gives a bool mask (H, W) of regions where nothing
    may be taught, or None. everybody: whether all people are labelled or ignored; if not, only the labelled
    people's boxes may be taught. labelled_joints: bool (K,), False where the set has no such joint.
    source: set, file and picture, for messages. image_id: its number in the set's file.
    visibility: uint8 (N, K) of COCO's flags 0 not labelled, 1 hidden, 2 visible (all 2 where the set does not tell).
    heads: float32 (N, 4) of x, y, width, height, NaN for who has no head box, or None.
    """

    load: Callable[[], np.ndarray]
    size: tuple[int, int]
    people: People
    known: np.ndarray
    labelled_joints: np.ndarray
    source: str
    image_id: int
    ignore: Callable[[], np.ndarray] | None = None
    everybody: bool = True
    visibility: np.ndarray | None = None
    heads: np.ndarray | None = None
