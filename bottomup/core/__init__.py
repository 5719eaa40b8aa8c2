"""The five central types. They know nothing of networks, files or command lines."""

from bottomup.core.boxes import Boxes
from bottomup.core.crop import crop_warp, framed
from bottomup.core.maps import Maps
from bottomup.core.people import People
from bottomup.core.sample import ABSENT, LABELLED, UNKNOWN, Sample
from bottomup.core.skeleton import (
    COCO17,
    CROWDPOSE14,
    JHMDB15,
    LSP14,
    MPII16,
    OPENPOSE18,
    POSETRACK15,
    SKELETONS,
    UNION21,
    Skeleton,
)
from bottomup.core.warp import Warp

__all__ = [
    "ABSENT",
    "Boxes",
    "COCO17",
    "CROWDPOSE14",
    "JHMDB15",
    "LABELLED",
    "LSP14",
    "MPII16",
    "Maps",
    "OPENPOSE18",
    "POSETRACK15",
    "People",
    "SKELETONS",
    "Sample",
    "Skeleton",
    "UNION21",
    "UNKNOWN",
    "Warp",
    "crop_warp",
    "framed",
]
