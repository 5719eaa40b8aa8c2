"""People drawn on their picture."""

from __future__ import annotations

import colorsys
import math

import cv2
import numpy as np

from bottomup.core import People, Skeleton

Colour = tuple[int, int, int]

RIM: Colour = (20, 20, 20)
_SHIFT = 4  # OpenCV takes coordinates in 1/16 pixel
_GOLDEN = 0.618034  # people's hues go round in this step: neighbours in number are far apart in colour


def draw(image: np.ndarray, people: People) -> np.ndarray:
    """A copy of the image, RGB uint8 (H, W, 3), with limbs and found joints that are not faint; the same where there is
    nobody.

    Each person has a hue, by its id if there are ids, which are then written beside the topmost joint; its left
    side is paler and its right side darker. Lines are as wide as suits the
    person's size, dots the larger the surer the joint. Large people are drawn first, small ones on top.
    """
    drawn, people = np.array(image), people.without_faint()
    extents = [_extent(joints) for joints in people.joints]
    for i in np.argsort(extents, kind="stable")[::-1]:
        hue = (0.08 + (i if people.ids is None else people.ids[i]) * _GOLDEN) % 1.0
        _draw_person(drawn, people.joints[i], people.skeleton, hue, _width(extents[i], drawn.shape))
        if people.ids is not None:
            _write_id(drawn, people.joints[i], int(people.ids[i]), _shade(hue, -1))
    return drawn


def _extent(joints: np.ndarray) -> float:
    """Diagonal of the box around the found joints, in pixels."""
    found = joints[joints[:, 2] > 0, :2]
    return float(np.linalg.norm(np.ptp(found, axis=0))) if len(found) else 0.0


def _width(extent: float, shape: tuple[int, ...]) -> float:
    """Line width in pixels: a share of the person, within what can be seen on a picture of this size."""
    diagonal = math.hypot(shape[0], shape[1])
    return float(np.clip(0.014 * extent, max(1.0, 0.0012 * diagonal), max(1.5, 0.008 * diagonal)))


def _draw_person(image: np.ndarray, joints: np.ndarray, skeleton: Skeleton, hue: float, width: float) -> None:
    found, sides = joints[:, 2] > 0, joint_sides(skeleton)
    shades = {side: _shade(hue, side) for side in (-1, 0, 1)}
    limbs = [(a, b) for a, b in skeleton.limbs if found[a] and found[b]]
    if width >= 1.5:  # a dark rim under everything keeps the lines visible on any ground
        for a, b in limbs:
            _line(image, joints[a], joints[b], RIM, width + max(2.0, 0.6 * width))
    for a, b in limbs:
        _line(image, joints[a], joints[b], shades[int(np.clip(sides[a] + sides[b], -1, 1))], width)
    for j in np.flatnonzero(found):
        radius = width * (0.7 + 0.4 * min(float(joints[j, 2]), 1.0))
        if width >= 1.5:
            _dot(image, joints[j], RIM, radius + max(0.7, 0.25 * width))
        _dot(image, joints[j], (255, 255, 255), radius)
        _dot(image, joints[j], shades[sides[j]], 0.6 * radius)


def _write_id(image: np.ndarray, joints: np.ndarray, number: int, colour: Colour) -> None:
    found = joints[joints[:, 2] > 0]
    if not len(found):
        return
    height = max(0.4, math.hypot(*image.shape[:2]) / 2000)
    x, y = np.clip(found[found[:, 1].argmin(), :2], -30000, 30000)
    where = (round(float(x + 12 * height)), round(float(y - 8 * height)))
    for ink, width in ((RIM, 4), (colour, 1)):
        thick = max(1, round(width * height * 1.5))
        cv2.putText(image, str(number), where, cv2.FONT_HERSHEY_SIMPLEX, height, ink, thick, cv2.LINE_AA)


def joint_sides(skeleton: Skeleton) -> list[int]:
    """-1 for the first joint of a mirror pair (left, where names say so), 1 for the second, 0 in the middle."""
    sides = [int(np.sign(joint - partner)) for joint, partner in enumerate(skeleton.mirror)]
    for joint, name in enumerate(skeleton.joints):
        if sides[joint] and ("left" in name or "right" in name):
            sides[joint] = -1 if "left" in name else 1
    return sides


def _shade(hue: float, side: int) -> Colour:
    saturation, value = {-1: (0.6, 1.0), 0: (0.8, 0.95), 1: (1.0, 0.78)}[side]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def _fixed(joint: np.ndarray) -> tuple[int, int]:
    # OpenCV's fixed-point coordinates would overflow for joints far outside the picture
    x, y = np.clip(joint[:2], -30000, 30000) * (1 << _SHIFT)
    return round(float(x)), round(float(y))


def _line(image: np.ndarray, a: np.ndarray, b: np.ndarray, colour: Colour, width: float) -> None:
    cv2.line(image, _fixed(a), _fixed(b), colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def _dot(image: np.ndarray, joint: np.ndarray, colour: Colour, radius: float) -> None:
    cv2.circle(image, _fixed(joint), max(8, round(radius * (1 << _SHIFT))), colour, -1, cv2.LINE_AA, _SHIFT)
