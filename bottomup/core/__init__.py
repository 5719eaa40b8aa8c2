"""The five central types. They know nothing of networks, files or command lines."""

from bottomup.core.maps import Maps
from bottomup.core.people import People
from bottomup.core.sample import ABSENT, LABELLED, UNKNOWN, Sample
from bottomup.core.skeleton import COCO17, CROWDPOSE14, MPII16, OPENPOSE18, POSETRACK15, SKELETONS, Skeleton
from bottomup.core.warp import Warp

__all__ = [
    "ABSENT",
    "COCO17",
    "CROWDPOSE14",
    "LABELLED",
    "MPII16",
    "Maps",
    "OPENPOSE18",
    "POSETRACK15",
    "People",
    "SKELETONS",
    "Sample",
    "Skeleton",
    "UNKNOWN",
    "Warp",
]
