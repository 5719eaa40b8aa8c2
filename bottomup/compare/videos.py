"""Systems compared on labelled video: PoseTrack results made elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bottomup.compare.report import FORMAT, NOT_SAID
from bottomup.compare.settings import CompareSettings, System
from bottomup.errors import DataError, SettingsError
from bottomup.files.posetrack import TrackedVideo, read_posetrack
from bottomup.metrics.posetrack import evaluate_posetrack


def video_report(settings: CompareSettings) -> dict[str, Any]:
    """AP and MOTA of PoseTrack files (or folders of them) against labelled ones.

    Raises SettingsError for weights, which do not run here, and DataError that names the system's file.
    """
    if runs := [system.name for system in settings.systems if system.weights is not None]:
        raise SettingsError(
            f"{runs[0]}: metric posetrack compares results; run the weights on the videos first, name what that wrote"
        )
    truth = read_posetrack(settings.gt)
    systems = [_system(system, truth) for system in settings.systems]
    return {
        "format": FORMAT,
        "metric": settings.metric,
        "truth": {"file": settings.gt, "videos": len(truth), "frames": systems[0].pop("frames")},
        "systems": systems,
    }


def _system(system: System, truth: Sequence[TrackedVideo]) -> dict[str, Any]:
    try:
        numbers = asdict(evaluate_posetrack(truth, str(system.results)))
    except DataError as error:
        raise DataError(f"{system.name}: {error}") from error
    judged = {"numbers": numbers.pop("total"), **numbers}
    about = {"name": system.name, "source": system.results, "boxes": system.boxes or NOT_SAID}
    return about | {key: _without_nan(value) for key, value in judged.items()}


def _without_nan(value: Any) -> Any:
    """The same with None for numbers that are not: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
