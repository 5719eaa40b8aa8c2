"""The data sets that are known: format, joints, folders and terms of each. Another set is another row of DATA_SETS."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bottomup.core import COCO17, CROWDPOSE14, JHMDB15, LSP14, MPII16, POSETRACK15, Skeleton
from bottomup.data.cocoform import read_coco_form
from bottomup.data.jhmdb import read_jhmdb
from bottomup.data.labels import Raw
from bottomup.data.lsp import read_lsp
from bottomup.data.mpii import read_mpii
from bottomup.data.posetrack import read_posetrack17, read_posetrack18
from bottomup.errors import SettingsError

Read = Callable[[Path, Skeleton, str | None], Raw]
Splits = Mapping[str, Sequence[str]]  # "train", "val", "test" -> patterns of label files below the set's folder
LOOSE = ("*.json", "annot*/*.json", "json/*.json")


@dataclass(frozen=True)
class DataSetKind:
    """What is to be known of a data set to read it.

    read: one label file -> Raw. layouts: folders in which it is released or usually kept, the first that is there
    counts; loose: where else label files may lie. forms: its file formats, the fullest first. pictures: folders, below
    the set's or the label file's, that hold pictures. everybody: whether all people of a picture are labelled or
    ignored. unlabelled: what it means that a joint that the set knows has no label, "absent" or "unknown". hidden:
    whether hidden joints are told from visible ones. terms: its licence as far as known; home: where to get it.
    """

    name: str
    skeleton: Skeleton
    read: Read
    layouts: Sequence[Splits]
    pictures: Sequence[str]
    everybody: bool
    unlabelled: str
    hidden: bool
    terms: str
    home: str
    also: Sequence[str] = ()
    forms: Sequence[str] = ("coco",)
    loose: Sequence[str] = LOOSE


def _by_split(*patterns: str, **names: str) -> Splits:
    return {split: [pattern.format(name) for pattern in patterns] for split, name in names.items()}


_TRACK = _by_split("annotations*/{}/*.json", "posetrack_data/{}/*.json", train="train", val="val", test="test")

_ALL = (
    DataSetKind(
        name="coco",
        skeleton=COCO17,
        read=read_coco_form,
        layouts=[_by_split("annotations/person_keypoints_{}.json", train="train20*", val="val20*")],
        pictures=("train2017", "val2017", "train2014", "val2014", "images/train2017", "images/val2017", "images"),
        everybody=True,
        unlabelled="absent",
        hidden=True,
        terms="annotations CC BY 4.0; photographs under their Flickr owners' terms",
        home="cocodataset.org",
        also=("coco2017", "coco2014", "coco17"),
    ),
    DataSetKind(
        name="crowdpose",
        skeleton=CROWDPOSE14,
        read=read_coco_form,
        layouts=[
            _by_split(
                *("json/{}.json", "annotations/{}.json", "{}.json"),
                **{"train": "*crowdpose_train", "val": "*crowdpose_val", "test": "*crowdpose_test"},
            )
        ],
        pictures=("images",),
        everybody=True,
        unlabelled="absent",
        hidden=True,
        terms="none stated; research use; its photographs come from COCO, MPII and AI Challenger",
        home="github.com/Jeff-sjtu/CrowdPose",
    ),
    DataSetKind(
        name="mpii",
        skeleton=MPII16,
        read=read_mpii,
        layouts=[
            dict.fromkeys(
                ("train", "test"), ("mpii_human_pose_v1*/mpii_human_pose_v1*.mat", "mpii_human_pose_v1*.mat")
            ),
            {"train": ("annot/train.json",), "val": ("annot/valid.json",), "test": ("annot/test.json",)},
            _by_split("annotations/mpii_{}.json", train="train", val="val", test="test"),
        ],
        pictures=("images",),
        everybody=False,
        unlabelled="absent",
        hidden=True,
        terms="labels and code Simplified BSD, freely available for research; photographs are frames of YouTube videos",
        home="human-pose.mpi-inf.mpg.de",
        forms=("matlab", "list", "coco"),
        loose=(*LOOSE, "*.mat", "annot*/*.mat"),
    ),
    DataSetKind(
        name="posetrack17",
        skeleton=POSETRACK15,
        read=read_posetrack17,
        layouts=[_TRACK],
        pictures=("images", "posetrack_data"),
        everybody=True,
        unlabelled="unknown",
        hidden=True,
        terms="research use",
        home="posetrack.net",
        also=("posetrack2017",),
        forms=("2017",),
    ),
    DataSetKind(
        name="posetrack18",
        skeleton=POSETRACK15,
        read=read_posetrack18,
        layouts=[_TRACK],
        pictures=("images", "posetrack_data"),
        everybody=True,
        unlabelled="unknown",
        hidden=False,
        terms="research use",
        home="posetrack.net",
        also=("posetrack2018", "posetrack"),
        forms=("2018",),
    ),
    DataSetKind(
        name="posetrack21",
        skeleton=POSETRACK15,
        read=read_posetrack18,
        layouts=[_TRACK],
        pictures=("images", "posetrack_data"),
        everybody=True,
        unlabelled="unknown",
        hidden=False,
        terms="research use, on request",
        home="github.com/anDoer/PoseTrack21",
        also=("posetrack2021",),
        forms=("2018",),
    ),
    DataSetKind(
        name="jhmdb",
        skeleton=JHMDB15,
        read=read_jhmdb,
        layouts=[
            dict.fromkeys(("train", "test"), ("joint_positions/*/*/joint_positions.mat",)),
            _by_split("annotations/Sub1_{}.json", train="train", test="test"),
        ],
        pictures=("Rename_Images",),
        everybody=False,
        unlabelled="unknown",
        hidden=False,
        terms="none stated; research use",
        home="jhmdb.is.tue.mpg.de",
        forms=("matlab", "coco"),
    ),
    DataSetKind(
        name="lsp",
        skeleton=LSP14,
        read=read_lsp,
        layouts=[dict.fromkeys(("train", "test"), ("joints.mat",))],
        pictures=("images",),
        everybody=False,
        unlabelled="unknown",
        hidden=True,
        terms="none stated; asks to cite Johnson and Everingham, BMVC 2010; photographs from Flickr",
        home="sam.johnson.io/research/lsp.html",
        forms=("matlab", "coco"),
        loose=(*LOOSE, "annot*/*.mat"),
    ),
    DataSetKind(
        name="lsp_extended",
        skeleton=LSP14,
        read=read_lsp,
        layouts=[{"train": ("joints.mat",)}],
        pictures=("images",),
        everybody=False,
        unlabelled="unknown",
        hidden=False,
        terms="none stated; asks to cite Johnson and Everingham, CVPR 2011; photographs from Flickr",
        home="sam.johnson.io/research/lspet.html",
        also=("lspe", "lspet"),
        forms=("matlab", "coco"),
        loose=(*LOOSE, "annot*/*.mat"),
    ),
)

DATA_SETS = {kind.name: kind for kind in _ALL}


def data_set(name: str) -> DataSetKind:
    """The data set of this name, in any case and spelling that it goes by; raises SettingsError with the known ones."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    for kind in DATA_SETS.values():
        if plain in (kind.name, *kind.also) or plain.replace("_", "") in (kind.name.replace("_", ""), *kind.also):
            return kind
    near = difflib.get_close_matches(plain, DATA_SETS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise SettingsError(f"unknown data set {name!r}{hint} Known are {', '.join(DATA_SETS)}")
