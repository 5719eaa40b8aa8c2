"""Changes of colour, sharpness and compression, so that pictures of any camera are alike to the network."""

from __future__ import annotations

import cv2
import numpy as np


def recolour(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """An RGB uint8 picture with random brightness, contrast, tint, saturation, blur and JPEG traces.

    strength 0 returns the picture as it is, 1 is the usual amount.
    """
    if strength <= 0:
        return image
    image = _tone(image, strength, rng)
    if rng.random() < 0.5 * strength:
        image = _saturate(image, max(0.0, 1 + strength * rng.uniform(-0.5, 0.5)))
    if rng.random() < 0.08 * strength:
        image = _saturate(image, 0.0)
    if rng.random() < 0.12 * strength:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.3))
    if rng.random() < 0.15 * strength:
        image = _compress(image, int(rng.integers(25, 85)))
    return image


def _tone(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Gamma, contrast and brightness, a little different for each colour channel."""
    ramp = np.linspace(0, 1, 256)
    gamma = np.exp(strength * rng.uniform(-0.35, 0.35))
    tables = []
    for _ in range(3):
        contrast = np.exp(strength * rng.uniform(-0.12, 0.12)) * np.exp(strength * rng.uniform(-0.15, 0.15))
        shift = strength * rng.uniform(-0.06, 0.06)
        tables.append((ramp**gamma - 0.5) * contrast + 0.5 + shift)
    table = np.clip(255 * np.stack(tables, -1), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table[:, None])


def _saturate(image: np.ndarray, amount: float) -> np.ndarray:
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, amount, grey, 1 - amount, 0)


def _compress(image: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
