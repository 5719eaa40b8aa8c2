"""What every road offers to those who run it: a predictor, a folder run, an evaluation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from bottomup.core import People, Skeleton
from bottomup.roads.clock import Clock


class Prepared(Protocol):
    """A picture ready for the road."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""

    @property
    def shapes(self) -> tuple[Any, ...]:
        """Equal where pictures can share a batch."""


class Settings(Protocol):
    """Settings of a road."""

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and text."""


class Road(Protocol):
    """images -> People in pixels of each image; a folder run takes the three steps one by one, in threads.

    batch: pictures that suit one call of `maps`. clock: seconds in each stage.
    """

    skeleton: Skeleton
    device: torch.device
    batch: int
    clock: Clock

    @property
    def settings(self) -> Settings:
        """Size, flip and whatever else the kind of road has."""

    def __call__(self, images: Sequence[np.ndarray], image_ids: Sequence[int | None] | None = None) -> list[People]:
        """People of each image, RGB uint8 (H, W, 3). image_ids: which picture each is, where boxes are given by id."""

    def expect(self, image_ids: Collection[int]) -> None:
        """Raises InputError if the road cannot have anything to say about all of these pictures."""

    def decides(self) -> dict[str, Any]:
        """All that results depend on beside the weights."""

    def prepare(self, image: np.ndarray, image_id: int | None = None) -> Any:
        """First step: the picture as `maps` takes it (a `Prepared`). Raises InputError."""

    def maps(self, prepared: Sequence[Any]) -> Any:
        """Second step, the network: for pictures of equal shapes what `people` takes, by number."""

    def people(self, maps: Any, prepared: Any) -> People:
        """Third step: the people of one picture, in its pixels."""


@runtime_checkable
class Reducing(Protocol):
    """A road that does not need all pixels of large pictures."""

    def share(self, width: int, height: int) -> float:
        """What a picture of this size is resized by."""

    def prepare(self, image: np.ndarray, image_id: int | None = None, size: tuple[int, int] | None = None) -> Any:
        """As in `Road`. size: (width, height) of the picture, where `image` is it reduced (see `read_reduced`)."""
