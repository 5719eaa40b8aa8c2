"""The PoseTrack numbers: AP of joints matched by PCKh, and MOTA and MOTP of tracks, for every joint.

Source: poseval, the official PoseTrack evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bottomup.files.posetrack import TrackedVideo, read_posetrack
from bottomup.metrics.clearmot import ClearMot
from bottomup.metrics.judged_frames import JOINTS, REACH, JudgedFrame, judged_frames, paired_videos

PARTS = {
    "Head": ("head_top", "head_bottom", "nose"),
    **{
        part.capitalize(): (f"left_{part}", f"right_{part}")
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
}
DETECTION = ("AP", "precision", "recall")
TRACKING = ("MOTA", "MOTP", "MOTprecision", "MOTrecall")
COUNTS = ("objects", "matches", "misses", "false_positives", "switches")


@dataclass(frozen=True)
class PoseTrackNumbers:
    """In percent. joints: of each of the 15 joints AP, precision, recall of all people found, MOTA, MOTP,
    MOTprecision, MOTrecall (NaN where the truth has no such joint, or there are no track ids) and the counts.

    total: the same, as the plain mean of the joints that the truth has, and sums of the counts. parts: AP and
    MOTA of Head, Shoulder ... official: AP and the MOT numbers with the public tool's quirks: each video's last
    frame is not tracked; a frame without people on one side counts as one miss and one false positive a
    joint; a joint that nobody has and nobody found has AP 0. frames: how many were judged.
    """

    joints: dict[str, dict[str, float]]
    total: dict[str, float]
    parts: dict[str, dict[str, float]]
    official: dict[str, float]
    frames: int


def evaluate_posetrack(
    truth: Sequence[TrackedVideo] | str | Path, results: Sequence[TrackedVideo] | str | Path
) -> PoseTrackNumbers:
    """Videos of people found against labelled ones: PoseTrack files, folders of them, or what was read of them.

    Videos belong together by name (one and one always do), frames by image id, else by folder and stem, else,
    if they are as many, in their order.
    Frames without any annotation are not judged. Raises DataError that names video, frame or person.
    """
    videos = [list(judged_frames(true, found)) for true, found in paired_videos(_read(truth), _read(results))]
    frames = [frame for video in videos for frame in video]
    joints = {joint: _detection(frames, number) for number, joint in enumerate(JOINTS)}
    tracked = _tracks(videos, official=False)
    for joint, mot in tracked.items():
        joints[joint] |= _mot_numbers(mot) | {count: getattr(mot, count) for count in COUNTS}
    names = (*DETECTION, *TRACKING) if tracked else DETECTION
    total = {name: _mean([joints[joint][name] for joint in JOINTS]) for name in names}
    if tracked:
        total |= {count: sum(joints[joint][count] for joint in JOINTS) for count in COUNTS}
    parts = {
        part: {name: _mean([joints[joint][name] for joint in of]) for name in names if name in ("AP", "MOTA")}
        for part, of in PARTS.items()
    }
    return PoseTrackNumbers(joints, total, parts, _official(frames, videos), len(frames))


def _official(frames: list[JudgedFrame], videos: list[list[JudgedFrame]]) -> dict[str, float]:
    """AP and the MOT numbers as the public tool prints them."""
    numbers = [_detection(frames, number) for number in range(len(JOINTS))]
    for number, joint in enumerate(numbers):
        if not any(frame.has_found[:, number].any() for frame in frames):
            joint |= dict.fromkeys(DETECTION, 0.0)
    total = {name: _mean([joint[name] for joint in numbers]) for name in DETECTION}
    tracked = [_mot_numbers(mot) for mot in _tracks(videos, official=True).values()]
    for joint in tracked:
        joint["MOTP"] = 0.0 if np.isnan(joint["MOTP"]) else joint["MOTP"]
    return total | {name: _mean([joint[name] for joint in tracked]) for name in TRACKING if tracked}


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _read(videos: Sequence[TrackedVideo] | str | Path) -> list[TrackedVideo]:
    return read_posetrack(videos) if isinstance(videos, (str, Path)) else list(videos)


def _detection(frames: list[JudgedFrame], joint: int) -> dict[str, float]:
    """AP, precision and recall of one joint, in percent: all found, best score first, as VOC."""
    has = [frame.has_found[:, joint] for frame in frames]
    scores = [np.zeros(0), *(f.scores[h, joint] for f, h in zip(frames, has, strict=True))]
    right = [np.zeros(0, bool), *(f.right[h, joint] for f, h in zip(frames, has, strict=True))]
    labelled = sum(int(frame.has_true[:, joint].sum()) for frame in frames)
    if not labelled:
        return dict.fromkeys(DETECTION, float("nan"))
    order = np.argsort(np.concatenate(scores), kind="stable")[::-1]  # of equals the last first, as the public tool
    hits = np.concatenate(right)[order]
    if not len(hits):
        return dict.fromkeys(DETECTION, 0.0)
    recall, precision = np.cumsum(hits) / labelled, np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best_after = np.maximum.accumulate(precision[::-1])[::-1]
    area = float(np.sum(np.diff(recall, prepend=0) * best_after))
    return {"AP": 100 * area, "precision": 100 * float(precision[-1]), "recall": 100 * float(recall[-1])}


def _tracks(videos: list[list[JudgedFrame]], *, official: bool) -> dict[str, ClearMot]:
    """CLEAR MOT of each joint over all videos; empty where somebody has no track id."""
    frames = [frame for video in videos for frame in video]
    if any(track is None for frame in frames for track in (*frame.true_ids, *frame.found_ids)):
        return {}
    return {joint: _track(videos, number, official) for number, joint in enumerate(JOINTS)}


def _track(videos: list[list[JudgedFrame]], joint: int, official: bool) -> ClearMot:
    total = ClearMot()
    for video in videos:
        mot = ClearMot()
        for frame in video[:-1] if official else video:
            if official and not (len(frame.has_true) and len(frame.has_found)):
                mot.add([0], [0], np.full((1, 1), np.nan))
            else:
                _add(mot, frame, joint)
        for count in (*COUNTS, "distance"):
            setattr(total, count, getattr(total, count) + getattr(mot, count))
    return total


def _add(mot: ClearMot, frame: JudgedFrame, joint: int) -> None:
    true, found = np.flatnonzero(frame.has_true[:, joint]), np.flatnonzero(frame.has_found[:, joint])
    distances = frame.distances[:, :, joint][np.ix_(found, true)].T
    mot.add(
        [frame.true_ids[n] for n in true],
        [frame.found_ids[n] for n in found],
        np.where(distances <= REACH, distances, np.nan),
    )


def _mot_numbers(mot: ClearMot) -> dict[str, float]:
    def share(part: float, whole: float) -> float:
        return part / whole if whole else float("nan")

    wrong = mot.misses + mot.switches + mot.false_positives
    return {
        "MOTA": 100 * (1 - share(wrong, mot.objects)),
        "MOTP": 100 * (1 - share(mot.distance, mot.matches)),
        "MOTprecision": 100 * share(mot.matches, mot.matches + mot.false_positives),
        "MOTrecall": 100 * share(mot.matches, mot.objects),
    }
