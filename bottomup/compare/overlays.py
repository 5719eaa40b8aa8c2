"""Heatmaps and PAFs as small see-through pictures to lie over the photograph."""

from __future__ import annotations

import colorsys
import io

import numpy as np

from bottomup.core import Maps, Warp
from bottomup.roads.bottomup import BottomUp

SIDE = 160  # pixels of an overlay's longer side
STOPS = (0, 0.5, 1)  # of strength, with their red, green and blue
HOT = ((80, 240, 255), (0, 40, 230), (160, 60, 60))
HUES = 64


def overlays(road: BottomUp, image: np.ndarray) -> dict[str, bytes]:
    """PNGs of the strongest heatmap and of the strongest PAF (hue: direction) at each place of an RGB picture."""
    prepared = road.prepare(image)
    maps = road.maps([prepared])[0].numpy()
    width, height = prepared.size
    shrink = min(1.0, SIDE / max(width, height))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    cells = Warp.cells(maps.stride) @ prepared.to_input
    place = Warp.resize(shrink) @ cells.inverse()
    layers = {"heatmaps": heat_layer(maps)}
    if maps.pafs is not None:
        layers["pafs"] = paf_layer(maps)
    return {name: _png(place.image(layer, size, border=0)) for name, layer in layers.items()}


def heat_layer(maps: Maps) -> np.ndarray:
    """RGBA uint8 (h, w, 4): the strongest joint at each cell."""
    strength = np.clip(maps.heatmaps.max(axis=0), 0, 1)
    shades = [np.interp(strength, STOPS, channel) for channel in HOT]
    return _layer(np.stack(shades), strength)


def paf_layer(maps: Maps) -> np.ndarray:
    """RGBA uint8 (h, w, 4): the strongest limb at each cell, its direction as hue."""
    assert maps.pafs is not None
    lengths = np.linalg.norm(maps.pafs, axis=1)
    strongest = lengths.argmax(axis=0)[None, None]
    x, y = np.take_along_axis(maps.pafs, strongest, axis=0)[0]
    wheel = np.array([colorsys.hsv_to_rgb(hue / HUES, 0.85, 1.0) for hue in range(HUES)]) * 255
    hue = np.round((np.arctan2(y, x) / (2 * np.pi)) % 1 * HUES).astype(int) % HUES
    return _layer(np.moveaxis(wheel[hue], -1, 0), np.clip(lengths.max(axis=0), 0, 1))


def _layer(shades: np.ndarray, strength: np.ndarray) -> np.ndarray:
    return np.round(np.stack([*shades, 255 * strength**0.7], axis=-1)).astype(np.uint8)


def _png(layer: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(layer, "RGBA").quantize(64, Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()
