"""Pictures inside the page: data URIs of bounded size."""

from __future__ import annotations

import base64
import io

import numpy as np

from bottomup.core import Warp

LONG_SIDE, QUALITY = 640, 72


def jpeg_uri(image: np.ndarray) -> str:
    """An RGB picture as a data URI: a JPEG of at most `LONG_SIDE` pixels a side."""
    from PIL import Image

    height, width = image.shape[:2]
    shrink = min(1.0, LONG_SIDE / max(width, height))
    small = Warp.resize(shrink).image(image, (max(1, round(width * shrink)), max(1, round(height * shrink))))
    file = io.BytesIO()
    Image.fromarray(small).save(file, "JPEG", quality=QUALITY, optimize=True)
    return data_uri("image/jpeg", file.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """Bytes as a link that needs no network."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
