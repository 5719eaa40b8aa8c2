"""Drawn figures, and a network that answers them with analytic maps: a road whose truth is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from bottomup.core import Maps, Skeleton
from bottomup.roads.bottomup import BottomUp, BottomUpSettings
from bottomup.roads.predictor import Predictor

torch.set_num_threads(1)

STRIDE, SIGMA = 4, 2.0
HEAD, HAND = 60, 180  # red of a dot; green is 255, blue numbers the person
THREE = Skeleton("three", ["head", "left_hand", "right_hand"], [(0, 1), (2, 0)], [0, 2, 1], [0.05] * 3)


def drawn_figures(size, figures):
    """A black picture with people as dots: figures are (head, left hand, right hand), each (x, y)."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for number, figure in enumerate(figures, 1):
        for red, (x, y) in zip((HEAD, HAND, HAND), figure, strict=True):
            cv2.circle(image, (round(16 * x), round(16 * y)), 16 * 9, (red, 255, 20 * number), -1, shift=4)
    return image


class DotNetwork(nn.Module):
    """Maps of the dots in RGB images with mean 0 and std 1. As in life, the left hand is the one at the
    picture's right, so that a mirrored picture shows the mirrored person."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, images: torch.Tensor) -> list[Maps]:
        each = [_maps_of(image.detach().permute(1, 2, 0).float().cpu().numpy()) for image in images]
        heat, pafs, tags = (torch.from_numpy(np.stack(parts)) * self.gain for parts in zip(*each, strict=True))
        return [Maps(heat, pafs, tags, stride=STRIDE, sigma=SIGMA)]


def _dots(image):
    _, labels, stats, centres = cv2.connectedComponentsWithStats((image[..., 1] > 128).astype(np.uint8))
    people: dict[int, dict[str, list]] = {}
    for label in range(1, len(centres)):
        if stats[label, cv2.CC_STAT_AREA] < 3:
            continue
        weights = np.where(cv2.dilate((labels == label).astype(np.uint8), np.ones((3, 3))), image[..., 1], 0)
        y, x = np.nonzero(weights)
        xy = np.average(np.stack((x, y), -1), axis=0, weights=weights[y, x])
        red, _, blue = np.median(image[labels == label], axis=0)
        person = people.setdefault(round(blue / 20), {"head": [], "hand": []})
        person["head" if red < (HEAD + HAND) / 2 else "hand"].append(xy)
    return people


def _maps_of(image):
    h, w = image.shape[0] // STRIDE, image.shape[1] // STRIDE
    heat, pafs, tags = (
        np.zeros((3, h, w), np.float32),
        np.zeros((2, 2, h, w), np.float32),
        np.zeros((1, 3, h, w), np.float32),
    )
    y, x = np.mgrid[:h, :w]
    for number, person in _dots(image).items():
        if (len(person["head"]), len(person["hand"])) != (1, 2):
            continue
        right, left = sorted(person["hand"], key=lambda xy: xy[0])
        joints = [(xy + 0.5) / STRIDE - 0.5 for xy in (person["head"][0], left, right)]
        for k, (cx, cy) in enumerate(joints):
            square = (x - cx) ** 2 + (y - cy) ** 2
            heat[k] = np.maximum(heat[k], np.exp(-square / (2 * SIGMA**2)))
            tags[0, k][square < 16] = 5 * number
        for e, (a, b) in enumerate(THREE.limbs):
            length = np.linalg.norm(joints[b] - joints[a])
            ux, uy = (joints[b] - joints[a]) / length
            along, across = (
                (x - joints[a][0]) * ux + (y - joints[a][1]) * uy,
                (x - joints[a][0]) * uy - (y - joints[a][1]) * ux,
            )
            inside = (along > -1) & (along < length + 1) & (abs(across) < 1.5)
            pafs[e, 0][inside], pafs[e, 1][inside] = ux, uy
    return heat, pafs, tags


@pytest.fixture
def skeleton():
    return THREE


@pytest.fixture
def figures():
    """Of two people in 256 x 192 pixels: (2, 3, 2)."""
    return np.array([[[70, 40], [105, 75], [38, 90]], [[180, 100], [222, 140], [150, 150]]], float)


@pytest.fixture
def picture():
    return drawn_figures


@pytest.fixture
def make_road():
    def road(**settings):
        plain = {"long_side": 256, "mean": (0, 0, 0), "std": (1, 1, 1)}
        return BottomUp(DotNetwork(), THREE, BottomUpSettings(**(plain | settings)))

    return road


@pytest.fixture
def predictor(make_road):
    return Predictor(make_road())
