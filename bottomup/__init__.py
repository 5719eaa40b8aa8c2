"""Bottom-up multi-person pose estimation.

    import bottomup

    predictor = bottomup.load()             # weights=, device=, long_side=, flip=, scales=, evidence=
    people = predictor("photo.jpg")         # or an RGB image, or a list of either
    people.joints                           # (N, K, 3): x, y, score
    bottomup.draw.draw(image, people)       # the people drawn on an RGB image

Pixel (0, 0) is the centre of the top-left pixel, x right, y down. Names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bottomup.core import SKELETONS, Maps, People, Skeleton, Warp
    from bottomup.errors import DataError, InputError, SettingsError
    from bottomup.files.images import read_image
    from bottomup.grouping import group
    from bottomup.roads.predictor import load

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "InputError",
    "Maps",
    "People",
    "SKELETONS",
    "SettingsError",
    "Skeleton",
    "Warp",
    "group",
    "load",
    "read_image",
]

_HOMES = {
    "DataError": "errors",
    "InputError": "errors",
    "Maps": "core",
    "People": "core",
    "SKELETONS": "core",
    "SettingsError": "errors",
    "Skeleton": "core",
    "Warp": "core",
    "group": "grouping",
    "load": "roads.predictor",
    "read_image": "files.images",
}


def __getattr__(name: str) -> Any:
    if name == "draw":
        return import_module("bottomup.draw")
    if name not in _HOMES:
        raise AttributeError(f"module 'bottomup' has no attribute {name!r}")
    return getattr(import_module(f"bottomup.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
