"""Published checkpoints as weights files: which road, and with which settings, runs each as its authors did."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from bottomup.core import COCO17, CROWDPOSE14, MPII16, OPENPOSE18, POSETRACK15, Skeleton
from bottomup.errors import DataError
from bottomup.files.weights import FORMAT, read_checkpoint, save_weights, tensors_to_keep
from bottomup.nets import description
from bottomup.nets.published import load_published
from bottomup.roads.bottomup import BottomUpSettings
from bottomup.roads.crops import TopDownSettings
from bottomup.roads.rcnn import RCNNSettings

RoadSettings = BottomUpSettings | TopDownSettings | RCNNSettings
METHODS = {BottomUpSettings: "bottomup", TopDownSettings: "topdown", RCNNSettings: "keypoint_rcnn"}


@dataclass(frozen=True)
class System:
    """How published networks are run whose name fits the pattern; the kind of settings says by which road."""

    pattern: str
    road: RoadSettings

    @property
    def method(self) -> str:
        """As headers of weights files name the road."""
        return METHODS[type(self.road)]


def normalised(channels: str, mean: tuple[float, float, float], std: tuple[float, float, float]) -> dict[str, Any]:
    """Settings of a normalisation, whose numbers are 0..255 and in the order of the channels."""
    return {"channels": channels, "mean": mean, "std": std}


MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, in RGB
IMAGENET = normalised("rgb", MEAN, STD)
UNIT = normalised("rgb", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
CAFFE: dict[str, Any] = {**normalised("bgr", (128.0, 128.0, 128.0), (256.0, 256.0, 256.0)), "pad": 128}
# Joints' cells are rounded down in training.
EMBEDDING: dict[str, Any] = {"pad": 0, "flip": True, "multiple": 64, "offset": 0.5}
QUARTER: dict[str, Any] = {"pad": 0, "flip": True, "refine": "quarter"}
HRNET: dict[str, Any] = {**QUARTER, "shift_flipped": True, "origin": 0.0}
MEGVII: dict[str, Any] = {"flip": True, "refine": "second", "origin": 2.0, "peak": 255.0, "least": None, "bonus": 0.5}
SQUARE: dict[str, Any] = {**QUARTER, "size": (256, 256), "origin": 2.0}

SYSTEMS: tuple[System, ...] = (
    # The authors average scales 0.5, 1, 1.5 and 2 of this height.
    System(r"paf\d+", BottomUpSettings(**CAFFE, height=368)),
    System(r"paf\d+_rtpose", BottomUpSettings(**CAFFE, short_side=368, flip=True)),
    System(r"lightweight_openpose", BottomUpSettings(**CAFFE, height=368)),
    System(r"higherhrnet_w32", BottomUpSettings(**IMAGENET, **EMBEDDING, short_side=512)),
    System(r"higherhrnet_w\d+", BottomUpSettings(**IMAGENET, **EMBEDDING, short_side=640)),
    System(r"ae_hourglass\d+", BottomUpSettings(**UNIT, **EMBEDDING, long_side=512)),
    System(r"hrnet_w\d+", TopDownSettings(**IMAGENET, **HRNET)),
    # The authors feed BGR pixels although mean and std are in RGB order.
    System(r"simplebaseline_r\d+", TopDownSettings(**normalised("bgr", MEAN, STD), **HRNET)),
    System(
        r"cpn_r\d+",
        TopDownSettings(
            **normalised("rgb", (122.7717, 115.9465, 102.9801), (255.0, 255.0, 255.0)),
            **MEGVII,
            enlarge=(1.2, 1.3),
            blur=21,
        ),
    ),
    System(
        r"mspn\d+",
        TopDownSettings(**normalised("bgr", MEAN[::-1], STD[::-1]), **MEGVII, pad=0, enlarge=(1.09, 1.135), blur=5),
    ),
    System(r"hourglass\d+", TopDownSettings(**UNIT, **SQUARE)),
    System(
        r"hg_s\d+_b\d+",
        TopDownSettings(**normalised("rgb", (112.302, 113.22, 110.3385), (255.0, 255.0, 255.0)), **SQUARE),
    ),
    System(r"keypointrcnn_r\d+_fpn", RCNNSettings(**IMAGENET)),
)

SKELETONS_BY_COUNT = {len(s): s for s in (COCO17, OPENPOSE18, MPII16, POSETRACK15, CROWDPOSE14)}


def convert(checkpoint: str | Path, name: str, out: str | Path) -> dict[str, Any]:
    """Writes the published checkpoint of this name ("higherhrnet_w32") as a weights file; the file's header.

    Raises InputError for a file that cannot be read, DataError for a name that is not known, or tensors
    that do not fit it.
    """
    network = load_published(name, read_checkpoint(checkpoint))
    header = header_of(name, network)
    save_weights(out, tensors_to_keep(network), header)
    return header


def header_of(name: str, network: nn.Module) -> dict[str, Any]:
    """How to build the network of this published name, and how its authors run it."""
    system = next(system for system in SYSTEMS if re.fullmatch(system.pattern, name))
    skeleton = skeleton_of(name, network)
    road = system.road
    if isinstance(road, TopDownSettings) and skeleton is MPII16:
        road = replace(road, size=(256, 256))
    return {
        "format": FORMAT,
        "method": system.method,
        "network": description(network),
        "skeleton": skeleton.to_dict(),
        "road": road.to_dict(),
        "published": name,
    }


def skeleton_of(name: str, network: nn.Module) -> Skeleton:
    """The released skeleton with as many joints (and limbs, where it has fields) as the network."""
    joints, limbs = getattr(network, "joints", None), getattr(network, "limbs", None)
    skeleton = SKELETONS_BY_COUNT.get(joints) if isinstance(joints, int) else None
    if skeleton is None or limbs not in (None, len(skeleton.limbs)):
        raise DataError(f"checkpoint for {name}: no skeleton that is known has {joints} joints and {limbs} limbs")
    return skeleton
