"""The one place that knows about pixel centres: affine maps between pictures.

Pixel (0, 0) is the centre of the top-left pixel, x right, y down. Resizing by r takes x to
(x + 1/2) r - 1/2; a mirrored picture of width W takes x to W - 1 - x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

# EXIF orientation: matrix rows act on centred coordinates (x right, y down)
_EXIF = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, -1), (1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, 1), (-1, 0)),
}


@dataclass(frozen=True, eq=False)
class Warp:
    """An affine map from source to target pixels, as a 2 x 3 matrix (float64)."""

    matrix: np.ndarray

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (2, 3) or not np.isfinite(matrix).all():
            raise ValueError(f"a warp is a finite 2 x 3 matrix, got shape {matrix.shape}: {matrix.tolist()}")
        object.__setattr__(self, "matrix", matrix)

    @staticmethod
    def identity() -> Warp:
        """Leaves everything where it is."""
        return Warp(np.eye(2, 3))

    @staticmethod
    def resize(x: float, y: float | None = None) -> Warp:
        """Resizes by factors x and y (y defaults to x)."""
        y = x if y is None else y
        return Warp(np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]]))

    @staticmethod
    def shift(x: float, y: float) -> Warp:
        """Moves by (x, y) pixels."""
        return Warp(np.array([[1, 0, x], [0, 1, y]]))

    @staticmethod
    def flip(width: float) -> Warp:
        """Mirrors a picture of this width left to right."""
        return Warp(np.array([[-1, 0, width - 1], [0, 1, 0]]))

    @staticmethod
    def rotation(degrees: float, scale: float = 1.0) -> Warp:
        """Turns clockwise (as seen, y pointing down) about pixel (0, 0) and scales."""
        c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
        return Warp(np.array([[c, -s, 0], [s, c, 0]]))

    @staticmethod
    def cells(stride: float) -> Warp:
        """From picture pixels to map cells: cell i of stride s is centred at s i + (s - 1) / 2."""
        return Warp.resize(1 / stride)

    @staticmethod
    def exif(orientation: int, width: int, height: int) -> tuple[Warp, tuple[int, int]]:
        """From stored pixels to the upright picture, and the upright (width, height)."""
        turn = np.array(_EXIF[orientation], dtype=np.float64)
        upright = np.abs(turn) @ (width, height)
        old, new = (np.array([width, height]) - 1) / 2, (upright - 1) / 2
        return Warp(np.column_stack((turn, new - turn @ old))), (int(upright[0]), int(upright[1]))

    @property
    def scale(self) -> float:
        """Length of a unit square's side after the map (root of the area factor)."""
        return math.sqrt(abs(np.linalg.det(self.matrix[:, :2])))

    def __matmul__(self, first: Warp) -> Warp:
        """`self @ first`: first `first`, then this one."""
        linear, offset = self.matrix[:, :2], self.matrix[:, 2:]
        return Warp(np.hstack((linear @ first.matrix[:, :2], linear @ first.matrix[:, 2:] + offset)))

    def inverse(self) -> Warp:
        """From target back to source pixels; raises ValueError for a map that cannot be undone."""
        linear = self.matrix[:, :2]
        if abs(np.linalg.det(linear)) < 1e-12:
            raise ValueError(f"warp {self.matrix.tolist()} has no inverse")
        back = np.linalg.inv(linear)
        return Warp(np.hstack((back, -back @ self.matrix[:, 2:])))

    def points(self, xy: np.ndarray) -> np.ndarray:
        """Maps points (..., 2), keeping their floating type."""
        xy = np.asarray(xy)
        mapped = xy @ self.matrix[:, :2].T + self.matrix[:, 2]
        return mapped.astype(xy.dtype if xy.dtype.kind == "f" else np.float64, copy=False)

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Maps boxes (N, 4) of x, y, width, height to the upright boxes around the mapped corners."""
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        x, y, w, h = boxes.T
        corners = np.stack([np.stack((x + i * w, y + j * h), -1) for i in (0, 1) for j in (0, 1)], 1)
        mapped = self.points(corners)
        low, high = mapped.min(1), mapped.max(1)
        return np.hstack((low, high - low))

    def image(self, image: np.ndarray, size: tuple[int, int], *, border: int = 0, nearest: bool = False) -> np.ndarray:
        """The picture (H, W) or (H, W, C) seen through the map, as (height, width) = size reversed.

        size: (width, height) of the result. border: value outside the source. A strong reduction
        averages areas first, so that it does not alias.
        """
        warp = self
        shrink = min(self._axis_scales())
        if not nearest and shrink < 0.7 and min(image.shape[:2]) > 2:
            height, width = image.shape[:2]
            to = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            image = cv2.resize(image, to, interpolation=cv2.INTER_AREA)
            warp = self @ Warp.resize(to[0] / width, to[1] / height).inverse()
        flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        # OpenCV takes half the time or less over pixels of four bytes than of three.
        three = image.dtype == np.uint8 and image.shape[2:] == (3,)
        seen = cv2.warpAffine(
            cv2.cvtColor(image, cv2.COLOR_RGB2RGBA) if three else image,
            warp.matrix,
            size,
            flags=flags,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(border,) * 4,
        )
        return cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB) if three else seen

    def _axis_scales(self) -> tuple[float, float]:
        return tuple(np.linalg.norm(self.matrix[:, :2], axis=0))  # type: ignore[return-value]
