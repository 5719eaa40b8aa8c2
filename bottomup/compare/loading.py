"""The systems that a comparison names, ready to run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bottomup.compare.settings import System
    from bottomup.roads.predictor import Predictor

OF_THE_PACKAGE = {"default": "bottomup", "topdown": "topdown"}  # name of its weights -> method


def load_system(system: System, device: str) -> Predictor:
    """The predictor of a system's weights: "default", "topdown", or a file. Raises InputError, SettingsError."""
    from bottomup.roads.predictor import load

    method = OF_THE_PACKAGE.get(str(system.weights))
    file = None if method else system.weights
    return load(file, device, method=method, boxes=system.boxes, detector=system.detector, **system.road)


def described(predictor: Predictor) -> tuple[str, str]:
    """Method and boxes of a predictor, in words."""
    from bottomup.roads.bottomup import BottomUp
    from bottomup.roads.topdown import TopDown

    road = predictor.road
    if isinstance(road, BottomUp):
        return "bottom-up", "none"
    if not isinstance(road, TopDown):
        return type(road).__name__, "its own proposals"
    return "top-down", f"detector {Path(predictor.files[-1]).name}" if road.boxes is None else road.boxes.source
