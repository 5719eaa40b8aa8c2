"""Published checkpoints as weights files: which road, and with which settings, runs each as its authors did."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from bottomup.core import COCO17, CROWDPOSE14, MPII16, OPENPOSE18, POSETRACK15, Skeleton
from bottomup.errors import DataError
from bottomup.files.weights import FORMAT, read_checkpoint, save_weights, tensors_to_keep
from bottomup.nets import description
from bottomup.nets.published import load_published

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class System:
    """How published networks are run whose name fits the pattern.

    method: "bottomup" (`road` as `BottomUpSettings`), "topdown" or "detector". Settings of top-down roads: size:
    width and height of a crop. enlarge: of boxes, in x and y. flip; shift_flipped: the mirrored maps move one cell
    to the right. refine: a "quarter" cell towards the higher neighbour, or towards the "second" highest cell.
    blur: kernel of the Gaussian before. origin: pixel of a crop where cell 0 is. peak: of perfect heatmaps.
    """

    pattern: str
    method: str
    road: Settings


def normalised(channels: str, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Settings:
    """Settings of a normalisation, whose numbers are 0..255 and in the order of the channels."""
    return {"channels": channels, "mean": mean, "std": std}


MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, in RGB
IMAGENET = normalised("rgb", MEAN, STD)
UNIT = normalised("rgb", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
CAFFE = {**normalised("bgr", (128.0, 128.0, 128.0), (256.0, 256.0, 256.0)), "pad": 128}
EMBEDDING = {"pad": 0, "flip": True, "multiple": 64, "offset": 0.5}  # joints' cells are rounded down in training
HRNET = {"size": (192, 256), "enlarge": (1.25, 1.25), "flip": True, "shift_flipped": True, "refine": "quarter"}
MEGVII = {"size": (192, 256), "flip": True, "shift_flipped": False, "refine": "second", "origin": 2.0, "peak": 255.0}
MPII = {"size": (256, 256), "enlarge": (1.25, 1.25), "flip": True, "shift_flipped": False, "refine": "quarter"}

SYSTEMS: tuple[System, ...] = (
    # The authors average scales 0.5, 1, 1.5 and 2 of this height.
    System(r"paf\d+", "bottomup", {**CAFFE, "height": 368}),
    System(r"paf\d+_rtpose", "bottomup", {**CAFFE, "short_side": 368, "flip": True}),
    System(r"lightweight_openpose", "bottomup", {**CAFFE, "height": 368}),
    System(r"higherhrnet_w32", "bottomup", {**IMAGENET, **EMBEDDING, "short_side": 512}),
    System(r"higherhrnet_w\d+", "bottomup", {**IMAGENET, **EMBEDDING, "short_side": 640}),
    System(r"ae_hourglass\d+", "bottomup", {**UNIT, **EMBEDDING, "long_side": 512}),
    System(r"hrnet_w\d+", "topdown", {**IMAGENET, **HRNET, "origin": 0.0, "peak": 1.0}),
    # The authors feed BGR pixels although mean and std are in RGB order.
    System(r"simplebaseline_r\d+", "topdown", {**normalised("bgr", MEAN, STD), **HRNET, "origin": 0.0, "peak": 1.0}),
    System(r"cpn_r\d+", "topdown",
           {**normalised("rgb", (122.7717, 115.9465, 102.9801), (255.0, 255.0, 255.0)), **MEGVII,
            "enlarge": (1.2, 1.3), "blur": 21}),
    System(r"mspn\d+", "topdown",
           {**normalised("bgr", MEAN[::-1], STD[::-1]), **MEGVII, "enlarge": (1.09, 1.135), "blur": 5}),
    System(r"hourglass\d+", "topdown", {**UNIT, **MPII, "origin": 2.0, "peak": 1.0}),
    System(r"hg_s\d+_b\d+", "topdown",
           {**normalised("rgb", (112.302, 113.22, 110.3385), (255.0, 255.0, 255.0)), **MPII,
            "origin": 2.0, "peak": 1.0}),
    System(r"keypointrcnn_r\d+_fpn", "detector", {**IMAGENET, "short_side": 800, "longest": 1333}),
)  # fmt: skip

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
    road = dict(system.road)
    if system.method == "topdown" and skeleton is MPII16:
        road["size"] = MPII["size"]
    return {
        "format": FORMAT,
        "method": system.method,
        "network": description(network),
        "skeleton": skeleton.to_dict(),
        "road": road,
        "published": name,
    }


def skeleton_of(name: str, network: nn.Module) -> Skeleton:
    """The released skeleton with as many joints (and limbs, where it has fields) as the network."""
    joints, limbs = getattr(network, "joints", None), getattr(network, "limbs", None)
    skeleton = SKELETONS_BY_COUNT.get(joints) if isinstance(joints, int) else None
    if skeleton is None or limbs not in (None, len(skeleton.limbs)):
        raise DataError(f"checkpoint for {name}: no skeleton that is known has {joints} joints and {limbs} limbs")
    return skeleton
