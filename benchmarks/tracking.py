"""How well ids hold: MOTA and id switches on PoseTrack labels, of true people and of those whom a road finds.

python benchmarks/tracking.py ../shared/data/video/posetrack_bonn --video 470979_bonn_val
python benchmarks/tracking.py FOLDER --labels labels.tar.gz
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import bottomup
from bottomup.core import POSETRACK15, People
from bottomup.core.layouts import relaid
from bottomup.files.posetrack import TrackedFrame, TrackedPerson, TrackedVideo, read_posetrack
from bottomup.metrics.posetrack import evaluate_posetrack
from bottomup.tracking.links import linked
from bottomup.tracking.tracker import Tracker

RATE = 25  # frames a second; the labels do not say
ROW = "{:34s} {:>7} {:>7} {:>9} {:>8} {:>9} {:>7} {:>8}"
Followed = Callable[[Sequence[People]], list[People]]


def streamed(frames: Sequence[People]) -> list[People]:
    """Ids as the frames come."""
    tracker = Tracker(frames[0].skeleton)
    return [tracker(people, number / RATE) for number, people in enumerate(frames)]


def offline(frames: Sequence[People]) -> list[People]:
    """Ids by all frames at once."""
    return linked(frames, [number / RATE for number in range(len(frames))])


def true_people(video: TrackedVideo) -> list[People]:
    """The labelled people without their ids."""
    frames = [[person.joints for person in frame.people if person.joints[:, 2].any()] for frame in video.frames]
    joints = [np.array(people, np.float32).reshape(-1, len(POSETRACK15), 3) for people in frames]
    return [People(some, np.ones(len(some), np.float32), POSETRACK15) for some in joints]


def thinned(frames: Sequence[People], share: float, noise: float, seed: int = 0) -> list[People]:
    """The people with this share of them and of their joints lost, and joints off by `noise` of the body's height."""
    random = np.random.default_rng(seed)
    return [_thin(people[random.random(len(people)) >= share], share, noise, random) for people in frames]


def _thin(people: People, share: float, noise: float, random: np.random.Generator) -> People:
    joints = people.joints.copy()
    found = joints[..., 2] > 0

    height = np.array([np.ptp(j[j[:, 2] > 0, 1]) for j in joints]).reshape(-1, 1, 1)
    joints[..., :2] += noise * height * random.normal(size=joints[..., :2].shape)
    joints[~found | (random.random(found.shape) < share)] = 0
    return People(joints, people.scores, people.skeleton)[joints[..., 2].any(1)]


def with_people(video: TrackedVideo, frames: Sequence[People]) -> TrackedVideo:
    """The video with these people, who have ids, in place of its own."""
    laid = [people if people.skeleton is POSETRACK15 else relaid(people, POSETRACK15) for people in frames]
    return replace(video, frames=tuple(_frame(frame, people) for frame, people in zip(video.frames, laid, strict=True)))


def _frame(frame: TrackedFrame, people: People) -> TrackedFrame:
    assert people.ids is not None
    each = zip(people.joints, people.ids, people.scores, strict=True)
    persons = (TrackedPerson(joints.astype(float), int(i), joints[:, 2], float(score)) for joints, i, score in each)
    return replace(frame, people=tuple(persons), regions=())


def row(name: str, truth: list[TrackedVideo], frames: list[list[People]], follow: Followed) -> None:
    """Prints one line."""
    results = [with_people(video, follow(people)) for video, people in zip(truth, frames, strict=True)]
    tracks = sum(len({person.track_id for frame in video.frames for person in frame.people}) for video in results)
    numbers = evaluate_posetrack(truth, results)
    total, common = numbers.total, [j for j in numbers.joints.values() if j["matches"]]
    shown = (total["MOTA"], np.mean([j["MOTA"] for j in common]), total["MOTP"], total["MOTrecall"])
    print(ROW.format(name, *(f"{value:.2f}" for value in shown), total["switches"], total["objects"], tracks))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with annotations/val/NAME.json and the pictures they name")
    parser.add_argument("--video", default="470979_bonn_val", help="NAME")
    parser.add_argument("--labels", type=Path, help="a tar file of labels alone, to track true people in")
    parser.add_argument("--weights", help="a weights file, default: the package's")
    options = parser.parse_args()
    print(ROW.format("people, ids", "MOTA", "found*", "MOTP", "recall", "switches", "joints", "tracks"))
    truth = read_posetrack(options.folder / f"annotations/val/{options.video}.json")
    for name, follow in (("as they come", streamed), ("linked", offline)):
        row(f"true, {name}", truth, [true_people(video) for video in truth], follow)
    predictor = bottomup.load(options.weights)
    found = [[predictor(options.folder / frame.name) for frame in video.frames] for video in truth]
    for name, follow in (("as they come", streamed), ("linked", offline)):
        row(f"found, {name}", truth, found, follow)
    if options.labels:
        labels_alone(options.labels)
    print("* mean MOTA of the joints that the system has; recall: MOT recall of all joints; switches: of joints")


def with_heads(video: TrackedVideo) -> TrackedVideo:
    """The video without those whose head is not labelled: by its size joints are judged."""
    frames = (replace(f, people=tuple(p for p in f.people if p.head is not None)) for f in video.frames)
    return replace(video, frames=tuple(frames))


def labels_alone(path: Path) -> None:
    """Rows of true people of many videos, whole and thinned."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as tar:
        tar.extractall(folder, filter="data")
        truth = [video for file in sorted(Path(folder).rglob("*.json")) for video in read_posetrack(file)]
    truth = [with_heads(video) for video in truth]
    people = [true_people(video) for video in truth]
    for name, follow in (("as they come", streamed), ("linked", offline)):
        row(f"true, {len(truth)} videos, {name}", truth, people, follow)
        row(f"20 % lost, 2 % off, {name}", truth, [thinned(frames, 0.2, 0.02) for frames in people], follow)


if __name__ == "__main__":
    main()
