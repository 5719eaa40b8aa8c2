"""People found in videos beside the labelled ones, frame by frame, in head sizes.

Source: poseval, the official PoseTrack evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bottomup.core import POSETRACK15
from bottomup.errors import DataError
from bottomup.files.posetrack import TrackedFrame, TrackedPerson, TrackedVideo, frame_key
from bottomup.metrics.pck import assigned, head_size

REACH = 0.5  # of the head size: how far off a joint may be
NO_SCORE = -9999.0
JOINTS = POSETRACK15.joints


@dataclass(frozen=True, eq=False)
class JudgedFrame:
    """One frame's judged people: which joints each side has, and distances in head sizes (found, true, 15)."""

    has_true: np.ndarray
    has_found: np.ndarray
    distances: np.ndarray
    scores: np.ndarray
    true_ids: list[int | None]
    found_ids: list[int | None]

    @cached_property
    def near(self) -> np.ndarray:
        """(found, true, 15): whether both have the joint and are close enough."""
        return self.distances <= REACH

    @cached_property
    def right(self) -> np.ndarray:
        """(found, 15): whether a joint is near that of the true person for whom its person stands."""
        whom = assigned(self.near, self.has_true)
        right = np.zeros(self.has_found.shape, bool)
        right[whom >= 0] = self.near[whom >= 0, whom[whom >= 0]]
        return right


def paired_videos(truth: list[TrackedVideo], results: list[TrackedVideo]) -> list[tuple[TrackedVideo, TrackedVideo]]:
    """Each labelled video with that of its name in the results; raises DataError where one has none."""
    if len(truth) == len(results) == 1:
        return [(truth[0], results[0])]
    found = {video.name: video for video in results}
    if lacking := [video.name for video in truth if video.name not in found]:
        raise DataError(f"the results have no video {lacking[0]}; write one file a video, named as the truth's")
    if strange := sorted(found.keys() - {video.name for video in truth}):
        raise DataError(f"the truth has no video {strange[0]}, which the results have; judge the same videos")
    return [(video, found[video.name]) for video in truth]


def judged_frames(truth: TrackedVideo, results: TrackedVideo) -> Iterator[JudgedFrame]:
    """The judged frames of one video, in order."""
    for true, found in zip(truth.frames, _same_frames(truth, results), strict=True):
        if true.people:
            yield _frame(truth.name, true, found or TrackedFrame(true.image_id, true.name))


def _same_frames(truth: TrackedVideo, results: TrackedVideo) -> list[TrackedFrame | None]:
    """The results' frame for each of the truth's: by id, else by name, else by place if they are as many."""
    ways: tuple[Callable[[TrackedFrame], Any], ...] = (lambda f: f.image_id, lambda f: frame_key(f.name))
    for key in ways:
        by_key = {key(frame): frame for frame in results.frames}
        wanted = [key(frame) for frame in truth.frames]
        if by_key.keys() <= set(wanted) and len(by_key) == len(results.frames):
            return [by_key.get(at) for at in wanted]
    if len(truth.frames) == len(results.frames):
        return list(results.frames)
    raise DataError(
        f"video {results.name}: its {len(results.frames)} frames are not among the truth's {len(truth.frames)}, "
        "by id or by name; give them the truth's image ids"
    )


def _frame(video: str, true: TrackedFrame, found: TrackedFrame) -> JudgedFrame:
    name = f"video {video}, frame {true.name or true.image_id}"
    labelled, predicted = (_outside(frame.people, true.regions) for frame in (true, found))
    heads = np.array([_head_size(person, name) for person in labelled])
    joints_true, joints_found = (
        np.array([person.joints for person in people]).reshape(-1, len(JOINTS), 3) for people in (labelled, predicted)
    )
    has_true: np.ndarray = (joints_true != 0).any(2)
    has_found: np.ndarray = (joints_found != 0).any(2)
    apart = np.linalg.norm(joints_found[:, None, :, :2] - joints_true[None, :, :, :2], axis=-1)
    distances = apart / heads.reshape(1, -1, 1)
    distances[~(has_found[:, None] & has_true[None])] = np.inf
    no_scores = np.full(len(JOINTS), NO_SCORE)
    scores = np.array([no_scores if person.scores is None else person.scores for person in predicted])
    return JudgedFrame(
        has_true,
        has_found,
        distances,
        scores.reshape(-1, len(JOINTS)),
        _tracks_of(labelled, f"{name} of the truth"),
        _tracks_of(predicted, f"{name} of the results"),
    )


def _tracks_of(people: Sequence[TrackedPerson], name: str) -> list[int | None]:
    tracks = [person.track_id for person in people]
    given = [track for track in tracks if track is not None]
    if twice := [track for track in given if given.count(track) > 1]:
        raise DataError(f"{name}: track_id {twice[0]} is given to two people")
    return tracks


def _head_size(person: TrackedPerson, name: str) -> float:
    return head_size(person.head, f"{name}: person {person.more.get('id', person.track_id)} of the truth")


def _outside(people: Sequence[TrackedPerson], regions: Sequence[np.ndarray]) -> list[TrackedPerson]:
    """The people with what joints they have outside the regions; nobody without joints."""
    kept = []
    for person in people:
        inside = np.zeros(len(JOINTS), bool)
        for region in regions:
            inside |= [_inside(region, x, y) for x, y in person.joints[:, :2]]
        joints = np.where(inside[:, None], 0, person.joints)
        if joints.any():
            kept.append(replace(person, joints=joints))
    return kept


def _inside(region: np.ndarray, x: float, y: float) -> bool:
    """Whether a point is within a polygon (P, 2), not on its border."""
    import cv2  # slow to import

    return len(region) > 2 and cv2.pointPolygonTest(region.astype(np.float32), (x, y), False) > 0
