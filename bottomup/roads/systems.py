"""What a weights file holds, and the road that runs it: the header's `method` says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bottomup.core import Skeleton
from bottomup.errors import InputError, SettingsError
from bottomup.files.weights import default_weights, read_weights
from bottomup.nets import build
from bottomup.roads.bottomup import BottomUp, BottomUpSettings
from bottomup.roads.crops import CropNetwork, TopDownSettings
from bottomup.roads.given import GivenBoxes
from bottomup.roads.rcnn import RCNN, RCNNSettings
from bottomup.roads.road import Road
from bottomup.roads.topdown import Detector, TopDown

METHODS = ("bottomup", "topdown", "keypoint_rcnn")
DEFAULTS = {None: "default", "bottomup": "default", "topdown": "topdown"}  # method -> weights of the package


@dataclass(frozen=True, eq=False)
class System:
    """A network with how it is run. method: one of METHODS. road: its settings as stored. source: for messages."""

    method: str
    network: nn.Module
    skeleton: Skeleton
    road: Mapping[str, Any]
    source: str


def weights_files(weights: str | Path | Sequence[str | Path] | None, method: str | None) -> list[Path]:
    """The files of one system, by default those of the package for this method. Raises SettingsError, InputError."""
    if weights is None:
        if method not in DEFAULTS:
            raise SettingsError(f"method is {method!r}, it must be one of bottomup, topdown; or name a weights file")
        return [default_weights(DEFAULTS[method])]
    named = [weights] if isinstance(weights, (str, Path)) else weights
    return [Path(file) for file in named]


def read_system(path: Path, method: str | None = None) -> System:
    """The system in a weights file. Raises InputError for an unusable one, SettingsError if it is of another method."""
    tensors, header = read_weights(path)
    stored = header.get("method")
    if stored not in METHODS:
        raise SettingsError(f"{path}: weights of method {stored!r}, this version runs {', '.join(METHODS)}")
    if method not in (None, stored):
        raise SettingsError(f"{path}: weights of method {stored!r}, not {method!r}; name other weights, or no method")
    try:
        network = build(**header["network"])
        network.load_state_dict(tensors)
        return System(stored, network, Skeleton(**header["skeleton"]), header.get("road", {}), str(path))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        what = " ".join(str(error).split())
        raise InputError(f"{path}: header and weights do not make a system ({what}); fetch the file again") from error


def road_of(
    systems: Sequence[System],
    device: torch.device,
    settings: Mapping[str, Any] | None = None,
    *,
    boxes: GivenBoxes | None = None,
    detector: Detector | None = None,
) -> Road:
    """The road that runs these systems (several: an ensemble of top-down ones). settings: in place of those stored.

    Raises SettingsError for settings, boxes or several systems that the road cannot use.
    """
    first, given = systems[0], settings or {}
    methods = {system.method for system in systems}
    if methods == {"topdown"}:
        networks = []
        for system in systems:
            how = TopDownSettings.of(system.road, system.source).replaced(given, "settings")
            networks.append(CropNetwork(system.network, system.skeleton, how, device))
        return TopDown(networks, detector=detector, boxes=boxes)
    if len(systems) > 1:
        raise SettingsError(f"{first.source}: only top-down weights can be averaged; name one file")
    if boxes is not None or detector is not None:
        raise SettingsError(f"{first.source}: weights of method {first.method!r} take no boxes; name top-down weights")
    if first.method == "keypoint_rcnn":
        found = RCNNSettings.of(first.road, first.source).replaced(given, "settings")
        return RCNN(first.network, first.skeleton, found, device)  # type: ignore[arg-type]
    how_stored = BottomUpSettings.of(first.road, first.source)
    return BottomUp(first.network, first.skeleton, how_stored.replaced(given, "settings"), device)


def detector_file(given: str | Path | None, for_weights: str) -> Path:
    """The detector's weights, by default those of the package; raises SettingsError where there are none."""
    if given is not None:
        return Path(given)
    try:
        return default_weights("detector")
    except InputError as error:
        raise SettingsError(
            f"{for_weights}: top-down weights need boxes around people, and the package has no detector; "
            "give boxes (COCO detections), or a detector's weights"
        ) from error
