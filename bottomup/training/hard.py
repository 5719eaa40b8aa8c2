"""Staged training: only the people are trained on whom an earlier stage does not find well enough.

Source: the winners' report on COCO 2018 (stage 2: OKS below .8 under stage 1; stage 3: below .6 under stage 2).
Stages are runs: each `adopt`s the earlier one's parts as its `start`, keeps them `fixed`, and judges by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bottomup.core import LABELLED, Skeleton, Warp, crop_warp
from bottomup.core.oks import oks_matrix
from bottomup.data.augment import GREY, load_checked
from bottomup.data.crops import Person
from bottomup.errors import SettingsError
from bottomup.files.weights import read_weights
from bottomup.nets import build
from bottomup.training.forward import normalise

BODY = 0.53  # share of a box that its person fills
TOGETHER = 32  # crops a forward pass


@dataclass(frozen=True, eq=False)
class Judge:
    """A trained top-down network. road: its settings, of which size, enlarge, mean and std count here."""

    network: nn.Module
    road: dict[str, Any]

    @staticmethod
    def of(path: str | Path, skeleton: Skeleton) -> Judge:
        """Out of a weights file; raises InputError, or SettingsError for weights of another kind."""
        tensors, header = read_weights(path)
        if header.get("method") != "topdown" or header["skeleton"]["joints"] != list(skeleton.joints):
            raise SettingsError(f"topdown.judge: {path} holds no top-down network for {skeleton.name}; name another")
        if missing := {"size", "enlarge", "mean", "std"} - header["road"].keys():
            raise SettingsError(f"topdown.judge: the road of {path} has no {min(missing)}; train it with one")
        network = build(**header["network"])
        network.load_state_dict(tensors)
        return Judge(network.eval(), header["road"])

    def warp(self, person: Person) -> Warp:
        """To the crop around the person's first box."""
        return crop_warp(person.boxes[0], tuple(self.road["size"]), tuple(self.road["enlarge"]))

    def joints(self, people: Sequence[Person]) -> np.ndarray:
        """(N, K, 3) x, y, score in pixels of each person's picture, from one crop each, not mirrored."""
        warps, size = [self.warp(person) for person in people], tuple(self.road["size"])
        pictures = [load_checked(person.sample) for person in people]
        crops = np.stack([w.image(image, size, border=GREY) for w, image in zip(warps, pictures, strict=True)])
        with torch.inference_mode():
            maps = self.network(normalise(torch.from_numpy(crops).permute(0, 3, 1, 2), self.road))[-1]
        joints = quarter_peaks(maps.heatmaps.float()).numpy()
        cells = Warp.cells(maps.stride).inverse()
        for person, warp in zip(joints, warps, strict=True):
            person[:, :2] = (warp.inverse() @ cells).points(person[:, :2])
        return joints


def quarter_peaks(heatmaps: Tensor) -> Tensor:
    """(B, K, h, w) -> (B, K, 3): x, y of the highest cell, a quarter of a cell towards the higher neighbours, value."""
    height, width = heatmaps.shape[-2:]
    value, place = heatmaps.flatten(2).max(-1)
    x, y = place % width, place // width

    def at(column: Tensor, row: Tensor) -> Tensor:
        cell = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        return heatmaps.flatten(2).gather(2, cell[..., None])[..., 0]

    dx, dy = at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1)
    return torch.stack((x + dx.sign() / 4, y + dy.sign() / 4, value), -1)


def oks_of(people: Sequence[Person], judge: Judge) -> Iterator[float]:
    """How well the network finds each person's labelled joints, 0 to 1."""
    for start in range(0, len(people), TOGETHER):
        some = people[start : start + TOGETHER]
        for person, joints in zip(some, judge.joints(some), strict=True):
            truth = person.sample.people[person.number]
            joints[:, 2], labelled = 1, person.sample.known[person.number] == LABELLED
            true = np.dstack((truth.joints[..., :2], labelled[None]))
            area = BODY * _area(person.boxes[0])
            yield float(oks_matrix(joints[None], true, np.array(area), truth.skeleton.sigmas)[0, 0])


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def hard_people(people: Sequence[Person], judge: Judge, below: float) -> list[Person]:
    """The people whom the network finds with an OKS below the limit."""
    return [person for person, oks in zip(people, oks_of(people, judge), strict=True) if oks < below]
