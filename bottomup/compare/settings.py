"""What is compared, on what, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

MOST_SYSTEMS = 8  # colours on the page that can be told apart


@dataclass(frozen=True)
class System:
    """One system: weights that are run, or results made elsewhere.

    weights: "default", "topdown" (those that come with the package) or a weights file. results: a file of COCO
    results. boxes: COCO detections that top-down weights look into in place of those of the detector; of results,
    in words, what boxes they were made with. detector: weights of another detector. road: settings in place of
    those in the weights file. Raises ValueError that names what is missing or too much.
    """

    name: str
    weights: str | None = None
    results: str | None = None
    boxes: str | None = None
    detector: str | None = None
    road: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.weights is None) == (self.results is None):
            raise ValueError(f"system {self.name!r} needs either weights or results")
        if self.results is not None and (self.road or self.detector):
            raise ValueError(f"system {self.name!r} is not run here: road and detector do not apply to results")


@dataclass(frozen=True)
class CompareSettings:
    """A comparison. Paths are relative to the folder that the command is run in.

    gt: labelled pictures, a COCO keypoint file (metric posetrack: a PoseTrack file or a folder of them, as are the
    results). images: folder of their pictures or tar shards (default: beside the file). levels: only pictures with
    one of these `annotation_level`s. pictures: how many of those on which the systems disagree most the page shows.
    show: a folder of pictures that it shows in their place, where those of the set may not be passed on. warm_up:
    pictures run before the clock starts. rounds: how often every picture is timed (the median counts). threads: of
    the networks on a CPU. Raises ValueError.
    """

    gt: str
    out: str
    systems: tuple[System, ...]
    images: str | None = None
    levels: tuple[str, ...] = ()
    metric: Literal["coco", "crowdpose", "posetrack"] = "coco"
    show: str | None = None
    pictures: int = 60
    warm_up: int = 3
    rounds: int = 1
    threads: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        if not 2 <= len(self.systems) <= MOST_SYSTEMS:
            raise ValueError(f"{len(self.systems)} systems are named; a comparison takes 2 to {MOST_SYSTEMS}")
        names = [system.name for system in self.systems]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two systems are called {twice[0]!r}; give each a name of its own")
        for name, least in (("pictures", 0), ("warm_up", 0), ("rounds", 1), ("threads", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least {least}")
