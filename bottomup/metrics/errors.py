"""What a system's lost AP is lost to: its errors are mended one kind after the other, and AP is taken anew.

Source: Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation" (ICCV 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import COCO17, Skeleton
from bottomup.core.oks import oks_matrix as similarity
from bottomup.errors import DataError
from bottomup.metrics.bootstrap import average_precision
from bottomup.metrics.coco import Evaluation, evaluate_keypoints
from bottomup.metrics.entries import Entry, by_picture, checked_annotations, checked_results, read_truth
from bottomup.metrics.oks import TruePeople, joint_similarities, matches, oks_matrix

MISSED_JOINT, SWAPPED_PERSON, SWAPPED_SIDES, JITTER = "missed joint", "swapped person", "swapped left/right", "jitter"
JOINT_ERRORS = (MISSED_JOINT, SWAPPED_PERSON, SWAPPED_SIDES, JITTER)  # in the order of mending
GOOD, SCORE, GHOST, MISSED_PERSON, REST = "good", "score", "ghost", "missed person", "rest"
NEAR, GOOD_ENOUGH = 0.5, 0.85  # similarity of a joint to a place: at least NEAR is there, above GOOD_ENOUGH is good
LEAST_OKS = 0.1  # of a person found to whom it is compared
SOFT_NMS = 0.5


@dataclass(frozen=True)
class Step:
    """One kind of error. ap: once it and all before are mended; share: of the lost AP, which it gave back."""

    name: str
    ap: float
    share: float


@dataclass(frozen=True)
class ErrorAnalysis:
    """ap: as it is. steps: one a kind of error, in the order of mending; their shares add to 1 (all 0 at AP 1).

    joints: how many joints of the people found are of each kind (good, or one of the joint errors), by joint.
    """

    ap: float
    steps: tuple[Step, ...]
    joints: dict[str, dict[str, int]]


def analyse_errors(
    truth: Entry | str | Path,
    results: list[Entry],
    *,
    image_ids: Sequence[int] | None = None,
    skeleton: Skeleton = COCO17,
    official: bool = False,
) -> ErrorAnalysis:
    """Why COCO results entries have not AP 1 against COCO truth; thresholds and matching are the AP's own.

    A joint of a person found (OKS at least .1) is good, or it jitters, or it lies at its mirror joint, at
    another person's joint, or nowhere (missed). Mended it lies as near as that error class allows: at similarity
    .5 if it was missed, .85 if it jittered, else as near as it was to the wrong place. Then scores are ordered as
    OKS would; then ghosts (people who meet nobody at the lowest threshold) go, then missed people. The rest is
    what good and mended joints are still off, much at high thresholds. official: as the public tool, joints are
    mended to the fourth root of those, and ghosts and missed people are those of each threshold: nothing is left.
    """
    truth, source = read_truth(truth)
    if image_ids is not None:
        wanted = set(image_ids)
        results = [entry for entry in results if entry.get("image_id") in wanted]
    evaluation = evaluate_keypoints(truth, results, image_ids=image_ids, sigmas=skeleton.sigmas)
    if not evaluation.people.any():
        raise DataError(f"{source}: no true person in these pictures; AP has no errors to analyse")
    pictures = _pictures(truth, results, skeleton, source)
    spread = np.array(skeleton.sigmas) * (1 if official else 2)
    points = np.array([entry["keypoints"] for entry in results], float).reshape(-1, len(skeleton), 3)
    kinds, places = _diagnosis(pictures, points, skeleton, spread)
    aps = [evaluation.numbers["AP"]]
    for kind in JOINT_ERRORS:
        points[..., :2][kinds == kind] = places[kinds == kind]
        rows = points.reshape(-1, 3 * len(skeleton)).tolist()
        entries = [entry | {"keypoints": row} for entry, row in zip(results, rows, strict=True)]
        evaluation = evaluate_keypoints(truth, entries, image_ids=image_ids, sigmas=skeleton.sigmas)
        aps.append(evaluation.numbers["AP"])
    scores = _best_scores(pictures, points, skeleton)
    entries = [entry | {"score": score} for entry, score in zip(entries, scores.tolist(), strict=True)]
    evaluation = evaluate_keypoints(truth, entries, image_ids=image_ids, sigmas=skeleton.sigmas)
    aps += [evaluation.numbers["AP"], *_without_strangers(evaluation, official), 1.0]
    counts = {
        kind: dict(zip(skeleton.joints, (kinds == kind).sum(0).tolist(), strict=True)) for kind in (GOOD, *JOINT_ERRORS)
    }
    return ErrorAnalysis(aps[0], _steps(aps), counts)


def _steps(aps: list[float]) -> tuple[Step, ...]:
    lost = 1 - aps[0]
    names = (*JOINT_ERRORS, SCORE, GHOST, MISSED_PERSON, REST)
    return tuple(
        Step(name, after, (after - before) / lost if lost > 0 else 0.0)
        for name, before, after in zip(names, aps[:-1], aps[1:], strict=True)
    )


def _pictures(truth: Entry, results: list[Entry], skeleton: Skeleton, source: str) -> list[tuple[TruePeople, Any]]:
    """Each picture's true people, and the numbers of its results entries, best score first."""
    true = by_picture(checked_annotations(truth, len(skeleton), source))
    found = by_picture(checked_results(results, truth, len(skeleton), source))
    pictures = []
    for image, entries in found.items():
        order = sorted(entries, key=lambda entry: -entry["score"])
        numbers = np.array([entry["id"] - 1 for entry in order])
        pictures.append((TruePeople.of(true.get(image, []), len(skeleton)), numbers))
    return pictures


def _diagnosis(
    pictures: list[tuple[TruePeople, Any]], points: np.ndarray, skeleton: Skeleton, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The kind of every joint (D, K), "" where there is nothing to compare it to, and its mended place (D, K, 2)."""
    kinds = np.full(points.shape[:2], "", dtype="<U20")
    places = np.zeros((*points.shape[:2], 2))
    sigmas = np.array(skeleton.sigmas)
    for people, numbers in pictures:
        there = points[numbers][..., :2]
        met = matches(oks_matrix(there, people, sigmas), np.array([LEAST_OKS]), people.ignored[None], people.crowd)[0]
        for number, xy, person in zip(numbers, there, met, strict=True):
            if person < 0 or people.ignored[person]:
                continue
            kinds[number], alike = _kinds(xy, people, person, skeleton)
            wanted = np.select([kinds[number] == MISSED_JOINT, kinds[number] == JITTER], [NEAR, GOOD_ENOUGH], alike)
            off = np.sqrt(-2 * people.areas[person] * spread**2 * np.log(np.clip(wanted, np.spacing(1), 1)))
            places[number] = people.joints[person, :, :2] + np.stack([off, np.zeros_like(off)], 1)
    return kinds, places


def _kinds(xy: np.ndarray, people: TruePeople, person: int, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """The kind of each joint (K,) of someone found who is this true person, and how near it is to where it lies."""
    mirror = list(skeleton.mirror)
    straight = _similarities(xy, people, skeleton)
    crossed = _similarities(xy, people.with_joints(people.joints[:, mirror]), skeleton)
    others = np.arange(len(people.areas)) != person
    # Of equals the first counts: own joint, another's, own mirror joint, another's mirror joint.
    ways = np.stack(
        [
            straight[person],
            np.max(straight[others], axis=0, initial=-1),
            crossed[person],
            np.max(crossed[others], axis=0, initial=-1),
        ]
    )
    alike, way = ways.max(0), ways.argmax(0)
    kinds = np.array([JITTER, SWAPPED_PERSON, SWAPPED_SIDES, SWAPPED_PERSON])[way].astype("<U20")
    kinds[alike < NEAR] = MISSED_JOINT
    kinds[(way == 0) & (alike > GOOD_ENOUGH)] = GOOD
    kinds[people.joints[person, :, 2] <= 0] = ""
    return kinds, alike


def _similarities(xy: np.ndarray, people: TruePeople, skeleton: Skeleton) -> np.ndarray:
    """Similarity (G, K) of one person's joints to everybody's of the same number; -1 to one that is not labelled."""
    alike = joint_similarities(xy[None], people, np.array(skeleton.sigmas))[0]
    return np.where(people.joints[..., 2] > 0, alike, -1)


def _best_scores(pictures: list[tuple[TruePeople, Any]], points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Scores (D,) in the order that serves AP best: OKS to the true person most alike, after soft suppression."""
    scores = np.zeros(len(points))
    for people, numbers in pictures:
        there = points[numbers]
        oks = oks_matrix(there[..., :2], people, np.array(skeleton.sigmas))[:, ~people.ignored]
        scores[numbers] = _suppressed(oks.max(1, initial=0), there, skeleton)
    return scores


def _suppressed(scores: np.ndarray, joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Scores (D,) of which each was lowered for being like a better one (D, K, 3)."""
    areas = np.prod(np.ptp(joints[..., :2], axis=1), axis=1)
    everywhere = joints.copy()
    everywhere[..., 2] = 1
    alike = similarity(everywhere, everywhere, (areas[:, None] + areas) / 2 + np.spacing(1), skeleton.sigmas)
    left, scores = np.ones(len(scores), bool), scores.copy()
    for _ in range(len(scores)):
        best = int(np.argmax(np.where(left, scores, -1)))
        left[best] = False
        scores[left] *= np.exp(-(alike[best, left] ** 2) / SOFT_NMS)
    return scores


def _without_strangers(evaluation: Evaluation, each_threshold: bool) -> tuple[float, float]:
    """AP without ghosts, and also without missed people: of the lowest threshold, or of each its own."""
    order = np.argsort(-evaluation.scores, kind="stable")
    counted = ~evaluation.ignored[:, order]
    true = evaluation.hits[:, order] & counted
    false = ~evaluation.hits[:, order] & counted
    false &= False if each_threshold else evaluation.hits[:1, order]
    people = int(evaluation.people.sum())
    met = true.sum(1) if each_threshold else np.full(len(true), true[0].sum())
    met = np.maximum(met, true.sum(1))
    without_ghosts = average_precision(true, false, 1, people)
    known = met > 0  # where nobody is met, all was lost to missed people
    each = zip(true[known, None], false[known, None], met[known], strict=True)
    rest = [average_precision(t, f, 1, number) for t, f, number in each]
    return without_ghosts, float((sum(rest) + np.count_nonzero(~known)) / len(met))
