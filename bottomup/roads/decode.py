"""Where in a heatmap of one person's joint the joint is: the highest cell, and how it is refined.

All take heatmaps (N, K, h, w), float32, and give (N, K, 3) of x, y in cells and the heatmap's value there.
"""

from __future__ import annotations

import cv2
import numpy as np

REFINEMENTS = ("none", "quarter", "second", "dark")
PAD = 10  # cells around a map in which CPN and MSPN also look for the second highest
FLOOR = 1e-10  # below it a logarithm says nothing
FARTHEST = 1.0  # cells: a vertex beyond is no vertex of this peak


def decoded(heatmaps: np.ndarray, refine: str, blur: int = 11) -> np.ndarray:
    """Joints by one of `REFINEMENTS`. blur: kernel, in cells, of the gaussian that "second" and "dark" apply first."""
    if heatmaps.shape[0] == 0:
        return np.zeros((*heatmaps.shape[:2], 3), np.float32)
    if refine == "second":
        return towards_second(heatmaps, blur)
    x, y, value = highest(heatmaps)
    dx, dy = np.zeros(x.shape), np.zeros(y.shape)
    if refine == "quarter":
        dx, dy = quarter_steps(heatmaps, x, y)
    elif refine == "dark":
        dx, dy = vertices(heatmaps, x, y, blur)
    return np.stack((x + dx, y + dy, value), -1).astype(np.float32)


def highest(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Column, row (int) and value of the highest cell of every map, each (N, K)."""
    flat = maps.reshape(*maps.shape[:2], -1)
    place = flat.argmax(-1)
    return place % maps.shape[-1], place // maps.shape[-1], at(maps, place % maps.shape[-1], place // maps.shape[-1])


def at(maps: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values (N, K) at one cell a map; cells outside are those at the border."""
    height, width = maps.shape[-2:]
    place = y.clip(0, height - 1) * width + x.clip(0, width - 1)
    return np.take_along_axis(maps.reshape(*maps.shape[:2], -1), place[..., None], -1)[..., 0]


def quarter_steps(maps: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A quarter of a cell towards the higher neighbour, along each axis on which the peak has both.

    Source: Newell et al., "Stacked Hourglass Networks" (ECCV 2016), section 3.2.
    """
    dx = np.sign(at(maps, x + 1, y) - at(maps, x - 1, y)) * ((x > 0) & (x < maps.shape[-1] - 1))
    dy = np.sign(at(maps, x, y + 1) - at(maps, x, y - 1)) * ((y > 0) & (y < maps.shape[-2] - 1))
    return dx / 4, dy / 4


def towards_second(maps: np.ndarray, blur: int) -> np.ndarray:
    """A quarter of a cell from the highest towards the second highest cell of the blurred map.

    The value is the unblurred map's at the nearest cell. Source: the released code of CPN and MSPN.
    """
    height, width = maps.shape[-2:]
    wide = np.pad(maps, ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)))
    wide = blurred(wide, blur, cv2.BORDER_REFLECT_101)
    x, y, _ = highest(wide)
    np.put_along_axis(wide.reshape(*maps.shape[:2], -1), (y * wide.shape[-1] + x)[..., None], 0, -1)
    second_x, second_y, _ = highest(wide)
    step = np.stack((second_x - x, second_y - y), -1)
    step = step / np.maximum(np.linalg.norm(step, axis=-1, keepdims=True), 1)  # whole cells, or none
    refined = np.stack((x, y), -1) - PAD + step / 4
    refined = refined.clip(0, (width - 1, height - 1))
    nearest = np.rint(refined).astype(np.int64)
    value = at(maps, nearest[..., 0], nearest[..., 1])
    return np.concatenate((refined, value[..., None]), -1).astype(np.float32)


def vertices(maps: np.ndarray, x: np.ndarray, y: np.ndarray, blur: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets to the top of the blurred peak, as the second order expansion of its logarithm has it.

    None for peaks within two cells of the border, and where the logarithm is not that of a peak.
    Source: Zhang et al., "Distribution-Aware Coordinate Representation" (CVPR 2020), section 3.2.
    """
    height, width = maps.shape[-2:]
    smooth = blurred(maps, blur, cv2.BORDER_CONSTANT)
    smooth *= maps.max((-2, -1), keepdims=True) / np.maximum(smooth.max((-2, -1), keepdims=True), FLOOR)
    logarithm = np.log(np.maximum(smooth, FLOOR)).astype(np.float64)

    def f(dx: int, dy: int) -> np.ndarray:
        return at(logarithm, x + dx, y + dy)

    gx, gy = (f(1, 0) - f(-1, 0)) / 2, (f(0, 1) - f(0, -1)) / 2
    xx = (f(2, 0) - 2 * f(0, 0) + f(-2, 0)) / 4
    yy = (f(0, 2) - 2 * f(0, 0) + f(0, -2)) / 4
    xy = (f(1, 1) - f(1, -1) - f(-1, 1) + f(-1, -1)) / 4
    determinant = xx * yy - xy * xy
    good = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2) & (determinant > FLOOR) & (xx < 0)
    below = np.where(good, determinant, 1.0)
    dx, dy = (xy * gy - yy * gx) / below, (xy * gx - xx * gy) / below
    good &= np.maximum(np.abs(dx), np.abs(dy)) <= FARTHEST
    return np.where(good, dx, 0.0), np.where(good, dy, 0.0)


def blurred(maps: np.ndarray, kernel: int, border: int) -> np.ndarray:
    """Every map (N, K, h, w) through OpenCV's gaussian of kernel x kernel cells."""
    flat = maps.reshape(-1, *maps.shape[-2:]).astype(np.float32, copy=False)
    smooth = np.stack([cv2.GaussianBlur(one, (kernel, kernel), 0, borderType=border) for one in flat])
    return smooth.reshape(maps.shape)
