"""From a person's box to the picture that a top-down network sees."""

from __future__ import annotations

import numpy as np

from bottomup.core.warp import Warp


def framed(xyxy: np.ndarray, size: tuple[int, int], enlarge: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Boxes (..., 4) of left, top, right, bottom enlarged in x and y, then brought to the shape of (width, height).

    The centre stays; the side that is too short grows.
    """
    xyxy = np.asarray(xyxy, np.float64)
    centre = (xyxy[..., :2] + xyxy[..., 2:]) / 2
    sides = (xyxy[..., 2:] - xyxy[..., :2]) * enlarge
    half = np.max(sides / size, axis=-1, keepdims=True) * size / 2
    return np.concatenate((centre - half, centre + half), -1)


def crop_warp(xyxy: np.ndarray, size: tuple[int, int], enlarge: tuple[float, float] = (1.0, 1.0)) -> Warp:
    """From pixels of the picture to pixels of the crop (width, height) around a box (4,), framed by `framed`.

    The frame's borders fall on the crop's borders, which lie half a pixel outside its outer pixel centres.
    Raises ValueError for a box that has no size.
    """
    left, top, right, bottom = framed(xyxy, size, enlarge)
    if not (right > left and bottom > top):
        raise ValueError(f"box {np.asarray(xyxy).tolist()} (left, top, right, bottom) has no size")
    return Warp.resize(size[0] / (right - left)) @ Warp.shift(-left, -top)


def cut(image: np.ndarray, warp: Warp, size: tuple[int, int], *, border: int = 0) -> np.ndarray:
    """`warp.image` of a small part of a large picture (H, W, C): the rest is not even looked at.

    size: (width, height) of the crop. border: value outside the picture.
    """
    width, height = size
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]])
    seen = warp.inverse().points(corners)
    room = 2 / warp.scale + 2  # what is averaged or interpolated at the crop's border
    left, top = np.floor(seen.min(0) - room).astype(int).clip(0)
    right, bottom = np.ceil(seen.max(0) + room).astype(int) + 1
    part = image[top : max(bottom, 0), left : max(right, 0)]
    if part.size == 0:
        return np.full((height, width, *image.shape[2:]), border, image.dtype)
    return (warp @ Warp.shift(float(left), float(top))).image(part, size, border=border)
