"""PCKh: PCK in head sizes, with the means that are in use for MPII.

Source: the MPII evaluation and that of HRNet and SimpleBaseline, whose Mean leaves out pelvis and thorax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import MPII16, SKELETONS
from bottomup.errors import DataError
from bottomup.files.mpii_mat import read_mpii_predictions, read_mpii_truth
from bottomup.metrics.entries import Entry, read_truth
from bottomup.metrics.pck import HEAD_SHARE, assigned, head_size, pck

NOT_IN_MEAN = ("pelvis", "thorax")
ROWS = {
    "Head": ("head_top",),
    **{
        part.capitalize(): (f"left_{part}", f"right_{part}")
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
}
REACH = 0.5
THRESHOLDS = {"PCKh@0.5": 0.5, "PCKh@0.1": 0.1, "PCKh@0.11": 0.11}


@dataclass(frozen=True)
class PckhNumbers:
    """In percent; each at PCKh@0.5, @0.1 and @0.11, the last being what HRNet and SimpleBaseline print as @0.1.

    mean: of the joints but pelvis and thorax, weighted by how often each is labelled. unweighted: their plain mean.
    joints: each joint's (NaN where never labelled), with `labelled`, how often it is. rows: the usual table, a
    row being the plain mean of left and right; Head is the head's top alone. people: how many were judged.
    """

    mean: dict[str, float]
    unweighted: dict[str, float]
    joints: dict[str, dict[str, float]]
    rows: dict[str, dict[str, float]]
    people: int


def pckh(
    found: np.ndarray,
    true: np.ndarray,
    labelled: np.ndarray,
    head_sizes: np.ndarray,
    names: Sequence[str] = MPII16.joints,
) -> PckhNumbers:
    """PCKh of found places (N, K, 2), NaN where not found, of joints (N, K, 2) labelled (N, K); see `pck.head_size`.

    Only differences count: both sides must count pixels alike, MPII's own files from 1.
    """
    shares = 100 * pck(found, true, labelled, head_sizes, list(THRESHOLDS.values()))
    counts = np.asarray(labelled, bool).sum(0)
    use = (counts > 0) & ~np.isin(names, NOT_IN_MEAN)
    joints = {
        name: {**dict(zip(THRESHOLDS, shares[:, number].tolist(), strict=True)), "labelled": int(counts[number])}
        for number, name in enumerate(names)
    }
    rows = {
        row: {at: float(np.mean([joints[joint][at] for joint in of])) for at in THRESHOLDS}
        for row, of in ROWS.items()
        if set(of) <= joints.keys()
    }
    if not use.any():
        raise DataError("no labelled joint to judge; PCKh needs labelled people")
    weighted = np.average(shares[:, use], axis=1, weights=counts[use]).tolist()
    plain = shares[:, use].mean(1).tolist()
    mean, unweighted = (dict(zip(THRESHOLDS, values, strict=True)) for values in (weighted, plain))
    return PckhNumbers(mean, unweighted, joints, rows, len(true))


def evaluate_pckh(truth: Entry | str | Path, results: list[Entry]) -> PckhNumbers:
    """COCO results entries against COCO-like truth whose people have a head box (`bbox_head`).

    An entry with an `annotation_id` stands for that person. If none has one, in each picture everybody found
    stands for the person of whom it has the greatest share of joints, each true person having at most one; a
    person for whom nobody stands has no joint found. Raises DataError that names the person or entry.
    """
    truth, source = read_truth(truth)
    names = _joint_names(truth, source)
    people = [
        row
        for row in truth["annotations"]
        if not row.get("iscrowd") and not row.get("ignore") and any(v > 0 for v in (row.get("keypoints") or [])[2::3])
    ]
    known = {image["id"] for image in truth["images"]}
    if strange := [entry for entry in results if entry.get("image_id") not in known]:
        raise DataError(f"results entry on picture {strange[0].get('image_id')}, which {source} does not have")
    true = _joints(people, len(names), f"{source}: annotation")
    heads = np.array([head_size(row.get("bbox_head"), f"{source}: annotation {row.get('id')}") for row in people])
    found = _joints(results, len(names), "results entry")
    places = np.full((len(people), len(names), 2), np.nan)
    for number, entry in _who_stands(people, results, true, found, heads):
        places[number] = np.where((found[entry] != 0).any(1)[:, None], found[entry, :, :2], np.nan)
    return pckh(places, true[..., :2], true[..., 2] > 0, heads, names)


def _joint_names(truth: Entry, source: str) -> Sequence[str]:
    """As the category says, else those of the skeleton of so many joints."""
    categories: list[Any] = truth.get("categories") or [{}]
    lengths = {len(row["keypoints"]) // 3 for row in truth["annotations"] if row.get("keypoints")}
    names = categories[0].get("keypoints") or []
    if lengths == {len(names)}:
        return list(names)
    known = {len(skeleton): skeleton.joints for skeleton in (*SKELETONS.values(), MPII16)}
    if len(lengths) == 1 and (count := lengths.pop()) in known and not names:
        return known[count]
    raise DataError(f"{source}: its people do not have the {len(names)} joints that its category names")


def _joints(entries: list[Entry], joints: int, name: str) -> np.ndarray:
    for number, entry in enumerate(entries, start=1):
        points = np.asarray(entry.get("keypoints", ()), float)
        if points.shape != (3 * joints,) or not np.isfinite(points).all():
            raise DataError(f"{name} {entry.get('id', number)}: `keypoints` must be {3 * joints} finite numbers")
    return np.array([entry["keypoints"] for entry in entries], float).reshape(-1, joints, 3)


def _who_stands(
    people: list[Entry], results: list[Entry], true: np.ndarray, found: np.ndarray, heads: np.ndarray
) -> list[tuple[int, int]]:
    """Pairs of the numbers of a true person and of the entry that stands for it."""
    named = [entry.get("annotation_id") for entry in results]
    if results and all(name is not None for name in named):
        entries = {name: number for number, name in enumerate(named)}
        return [(number, entries[row["id"]]) for number, row in enumerate(people) if row.get("id") in entries]
    pairs = []
    theirs = _by_picture(results)
    for image, here in _by_picture(people).items():
        there = theirs.get(image, [])
        off = np.linalg.norm(found[there][:, None, :, :2] - true[here][None, :, :, :2], axis=-1)
        both = (found[there] != 0).any(2)[:, None] & (true[here][..., 2] > 0)[None]
        near = both & (off <= REACH * heads[here][None, :, None])
        whom = assigned(near, true[here][..., 2] > 0)
        pairs += [(here[person], there[entry]) for entry, person in enumerate(whom) if person >= 0]
    return pairs


def _by_picture(entries: list[Entry]) -> dict[int, list[int]]:
    pictures: dict[int, list[int]] = {}
    for number, entry in enumerate(entries):
        pictures.setdefault(entry["image_id"], []).append(number)
    return pictures


def evaluate_pckh_mat(truth: str | Path, results: str | Path) -> PckhNumbers:
    """MPII's validation truth as Matlab file (jnt_missing, pos_gt_src, headboxes_src) and predictions (preds).

    Both count pixels from 1 and list the same people, as HRNet and SimpleBaseline write them.
    """
    true, labelled, diagonals = read_mpii_truth(truth)
    found = read_mpii_predictions(results)
    if found.shape != true.shape:
        raise DataError(f"{results}: joints {found.shape}, the truth has {true.shape}; predict the same people")
    return pckh(found, true, labelled, HEAD_SHARE * diagonals)
