"""Joints that a data set lacks, filled in by a trained model where it agrees with the set's own labels.

Source: MPII gets noses from a model trained on COCO, so that it can be merged with PoseTrack (MSPAF's talk).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bottomup.core import SKELETONS, People, Skeleton
from bottomup.core.layouts import relaid
from bottomup.core.oks import oks_matrix
from bottomup.data.labels import Record, is_labelled, is_region
from bottomup.data.shards import StoredImage, locate, named_from
from bottomup.errors import DataError
from bottomup.files.jsonfile import load_json
from bottomup.roads.predictor import Predictor
from bottomup.roads.streams import in_order, one_thread_a_stream

AGREE = 0.6  # OKS between the model's and the labelled shared joints, from which on the model is believed
SHARED = 4  # joints that both must have, for the OKS to say something
SURE = 0.3  # score below which a joint of the model stays unknown


@dataclass
class Account:
    """What was filled in: joints of each set; people asked about, agreed with, and joints filled, by set and name."""

    lacking: dict[str, tuple[str, ...]] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    agreed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    filled: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def __str__(self) -> str:
        lines = []
        for name, joints in self.lacking.items():
            counts = ", ".join(f"{joint} {self.filled[name, joint]:,}" for joint in joints)
            people = f"{self.agreed[name]:,} of {self.people[name]:,} people agreed with"
            lines.append(f"{name}: {people}; filled {counts or 'nothing'}")
        return "\n".join(lines)


def annotate(
    predictor: Predictor,
    data: str | Path,
    out: str | Path,
    images: str | Path | None = None,
    *,
    progress: bool = False,
) -> tuple[dict[str, Any], Account]:
    """The content of a COCO file (one that `bottomup merge` wrote, at best) with the joints that its sets lack.

    A joint is filled where the model's person agrees with the labels (AGREE, SHARED) and the joint is sure (SURE);
    its score goes into the person's `scores`, its name into `filled`, the OKS into `agreement`. Joints of people
    refused stay masked in training, which `info.sets` says. out: the file that it will be written to, from where
    pictures are named. Raises DataError that names the file.
    """
    data = Path(data)
    content = load_json(data)
    skeleton = layout_of(data, content)
    folders = [Path(images)] if images is not None else [data.parent, data.parent.parent]
    stored = [locate(image["file_name"], image.get("shard"), folders) for image in content["images"]]
    people = _people_of(content)
    account = Account(_lacking(content, skeleton, predictor.road.skeleton, data.stem))
    asked = [(i, s) for i, s in zip(content["images"], stored, strict=True) if is_labelled(i) and people[i["id"]]]
    for (image, _), found in zip(asked, _found(predictor, asked, progress), strict=True):
        _fill(image["source"], people[image["id"]], relaid(found, skeleton), account)
    _tell(content, account, predictor)
    folder = os.path.realpath(Path(out).parent)
    for image, where in zip(content["images"], stored, strict=True):
        image |= named_from(where, folder)
    return content, account


def layout_of(path: Path, content: Any) -> Skeleton:
    """The skeleton of a COCO file: the one it names (`info.layout`), or the one with its category's joints."""
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise DataError(f"{path}: no COCO file (needs 'images' and 'annotations')")
    named = (content.get("info") or {}).get("layout")
    joints = next((tuple(c["keypoints"]) for c in content.get("categories") or () if c.get("keypoints")), ())
    for skeleton in SKELETONS.values():
        if skeleton.name == named or (not named and skeleton.joints == joints):
            return skeleton
    raise DataError(f"{path}: its joints are of no known layout; merge it first (bottomup merge)")


def _people_of(content: Record) -> dict[Any, list[Record]]:
    people: dict[Any, list[Record]] = defaultdict(list)
    for annotation in content["annotations"]:
        if not is_region(annotation):
            people[annotation["image_id"]].append(annotation)
    return people


def _lacking(content: Record, skeleton: Skeleton, model: Skeleton, stem: str) -> dict[str, tuple[str, ...]]:
    """Of each set the joints that nobody in it has and the model knows. A file that names no sets is one."""
    sets = content.setdefault("info", {}).setdefault("sets", {})
    if not sets:
        sets[stem] = {}
        for image in content["images"]:
            image |= {"source": stem} | ({"original_source": image["source"]} if "source" in image else {})
    known = relaid(People(np.ones((1, len(model), 3)), np.ones(1), model), skeleton).joints[0, :, 2] > 0
    seen = {name: np.zeros(len(skeleton), bool) for name in sets}
    source = {image["id"]: image.get("source") for image in content["images"]}
    for annotation in content["annotations"]:
        if not is_region(annotation) and source[annotation["image_id"]] in seen:
            seen[source[annotation["image_id"]]] |= np.array(annotation["keypoints"][2::3]) > 0
    return {
        name: tuple(joint for k, joint in enumerate(skeleton.joints) if known[k] and not has[k])
        for name, has in seen.items()
    }


def _found(predictor: Predictor, asked: Sequence[tuple[Record, StoredImage]], progress: bool) -> list[People]:
    def people(one: tuple[Record, StoredImage]) -> People:
        with predictor.clock("read"):
            image = one[1]()
        return predictor.road([image], [one[0]["id"]])[0]

    with one_thread_a_stream(predictor.device, len(asked)) as streams, ThreadPoolExecutor(streams) as pool:
        each = in_order(pool, people, asked, streams)
        return list(tqdm(each, total=len(asked), unit="picture", disable=None if progress else True))


def _fill(name: str, people: Sequence[Record], found: People, account: Account) -> None:
    """Fills the people of one picture of the set `name`."""
    skeleton, lacking = found.skeleton, account.lacking.get(name, ())
    truth = np.array([a["keypoints"] for a in people], np.float32).reshape(-1, len(skeleton), 3)
    areas = np.array([a["area"] for a in people])[:, None]
    for i, j, agreement in matched(truth, found, areas):
        account.people[name] += 1
        person = people[i]
        person["agreement"] = round(agreement, 4)
        if j < 0 or agreement < AGREE:
            continue
        account.agreed[name] += 1
        numbers = [k for k, joint in enumerate(skeleton.joints) if joint in lacking and found.joints[j, k, 2] >= SURE]
        _fill_person(person, truth[i], found.joints[j], numbers)
        person["filled"] = [skeleton.joints[k] for k in numbers]
        for k in numbers:
            account.filled[name, skeleton.joints[k]] += 1


def matched(truth: np.ndarray, found: People, areas: np.ndarray) -> list[tuple[int, int, float]]:
    """For every labelled person (N, K, 3) the found one that it is (or -1), and their OKS over shared joints.

    areas (N, 1). One to one, so that the sum of all OKS is greatest. Too few shared joints count as OKS 0.
    """
    from scipy.optimize import linear_sum_assignment

    alike = oks_matrix(truth, found.joints, areas, found.skeleton.sigmas)
    common = ((truth[:, None, :, 2] > 0) & (found.joints[None, :, :, 2] > 0)).sum(-1)
    alike = np.where(common >= SHARED, alike, 0)
    rows, columns = linear_sum_assignment(alike, maximize=True)
    partner = {int(i): int(j) for i, j in zip(rows, columns, strict=True) if alike[i, j] > 0}
    return [(i, partner.get(i, -1), float(alike[i, partner[i]]) if i in partner else 0.0) for i in range(len(truth))]


def _fill_person(person: Record, joints: np.ndarray, found: np.ndarray, numbers: Sequence[int]) -> None:
    """Puts the model's joints of these numbers into the annotation, with their scores."""
    keypoints = np.array(person["keypoints"], float).reshape(-1, 3)
    scores = np.array(person.get("scores", joints[:, 2] > 0), float)
    for k in numbers:
        keypoints[k] = (round(float(found[k, 0]), 2), round(float(found[k, 1]), 2), 2)
        scores[k] = round(min(float(found[k, 2]), 1.0), 4)
    person["keypoints"] = [int(v) if float(v).is_integer() else float(v) for v in keypoints.reshape(-1)]
    person |= {"scores": scores.tolist(), "num_keypoints": int((keypoints[:, 2] > 0).sum())}


def _tell(content: Record, account: Account, predictor: Predictor) -> None:
    """Writes into the file's head which joints are labelled only in part now, and by what."""
    sets = content["info"]["sets"]
    layout = content["info"].get("layout")
    joints = SKELETONS[layout].joints if layout else tuple(content["categories"][0]["keypoints"])
    for name, lacking in account.lacking.items():
        facts = sets[name]
        new = [joint for joint in lacking if account.filled[name, joint]]
        before = facts.get("labelled_joints", [joint for joint in joints if joint not in lacking])
        facts["labelled_joints"] = [joint for joint in joints if joint in (*before, *new)]
        facts["filled_joints"] = [*facts.get("filled_joints", ()), *new]
        facts["filled_by"] = [file.name for file in predictor.files]
