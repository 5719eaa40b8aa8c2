"""COCO keypoint files as they are released, for any skeleton: COCO, CrowdPose, and conversions of other sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bottomup.core import Skeleton
from bottomup.data.labels import Raw, Record, WrongFormat
from bottomup.files.jsonfile import load_json

# What joints are also called in the categories of released and converted files.
ALSO_CALLED = {"top_head": "head_top", "head": "head_top", "upper_neck": "neck", "head_bottom": "neck"}


def read_coco_form(path: Path, skeleton: Skeleton, split: str | None = None) -> Raw:
    """A COCO keypoint file whose people have the skeleton's joints; of several categories the one with keypoints.

    Raises WrongFormat for other files, among them those whose joints are in another order.
    """
    return coco_raw(path, load_json(path), skeleton)


def coco_raw(path: Path, content: Any, skeleton: Skeleton) -> Raw:
    """The same out of a file's content."""
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise WrongFormat(f"{path}: no COCO file (needs 'images' and 'annotations')")
    if not all(isinstance(record, dict) for name in ("images", "annotations") for record in content[name]):
        raise WrongFormat(f"{path}: no COCO file (an image or annotation is no record)")
    categories = [c for c in content.get("categories") or () if isinstance(c, dict)]
    _check_joints(path, categories, content["annotations"], skeleton)
    people = {c["id"] for c in categories if c.get("keypoints")} or {c["id"] for c in categories if "id" in c}
    annotations = [a for a in content["annotations"] if not people or a.get("category_id") in (*people, None)]
    return Raw([_named(image) for image in content["images"]], [_named(a) for a in annotations])


def _named(record: Record) -> Record:
    """The record with the number that it has in its file, so that it can be found there again."""
    return {"original_id": record["id"]} | record if "id" in record else dict(record)


def _check_joints(path: Path, categories: list[Record], annotations: list[Record], skeleton: Skeleton) -> None:
    count = next((len(a["keypoints"]) for a in annotations if a.get("keypoints")), 3 * len(skeleton))
    if count != 3 * len(skeleton):
        raise WrongFormat(
            f"{path}: its people have {count} numbers in keypoints, {skeleton.name} has {3 * len(skeleton)}; "
            "name the set that the file is of"
        )
    ours = _plain(skeleton.joints)
    for category in categories:
        theirs = _plain(category.get("keypoints") or ())
        if sorted(theirs) == sorted(ours) and theirs != ours:
            raise WrongFormat(
                f"{path}: its joints are in another order than {skeleton.name}'s ({', '.join(theirs)}); "
                "name the set that the file is of"
            )


def _plain(joints: Any) -> list[str]:
    names = [str(joint).lower().replace("-", "_").replace(" ", "_") for joint in joints]
    sided = [{"l_": "left_", "r_": "right_"}.get(name[:2], name[:2]) + name[2:] for name in names]
    return [ALSO_CALLED.get(name, name) for name in sided]
