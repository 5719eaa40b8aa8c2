"""True people without their ids, tracked, score MOTA 100 for every joint."""

from dataclasses import replace

import numpy as np
import pytest

from bottomup.core import POSETRACK15, People
from bottomup.files.posetrack import TrackedFrame, TrackedPerson, TrackedVideo, read_posetrack
from bottomup.metrics.posetrack import evaluate_posetrack
from bottomup.tracking.links import linked
from bottomup.tracking.tracker import Tracker
from tests.tracking.scenes import pose, walk

RATE = 25


def streamed(frames):
    tracker = Tracker(POSETRACK15)
    return [tracker(people, number / RATE) for number, people in enumerate(frames)]


def offline(frames):
    return linked(frames, [number / RATE for number in range(len(frames))])


def without_ids(frame):
    joints = np.array([person.joints for person in frame.people], np.float32).reshape(-1, 15, 3)
    return People(joints, np.ones(len(joints)), POSETRACK15)


def tracked(video, follow):
    """The video with ids by the tracker in place of its own."""

    def given(frame, people):
        assert people.ids is not None and len(people) == len(frame.people)
        persons = zip(frame.people, people.ids, strict=True)
        return replace(frame, people=tuple(replace(person, track_id=int(i)) for person, i in persons))

    found = follow([without_ids(frame) for frame in video.frames])
    return replace(video, frames=tuple(map(given, video.frames, found)))


def crossing():
    """Three people who walk past each other, one hidden for some frames."""
    body = pose(POSETRACK15)
    paths = [walk((100, 200), (6, 0), 50), walk((400, 206), (-6, 0), 50), walk((50, 350), (3, -1), 50)]
    frames = []
    for number in range(50):
        seen = [path for path in range(3) if not (path == 2 and 20 <= number < 32)]
        people = (TrackedPerson(body + (*paths[path][number], 0), 70 + path, head=(0, 0, 20, 25)) for path in seen)
        frames.append(TrackedFrame(number, f"clip/{number:06d}.jpg", tuple(people)))
    return TrackedVideo("clip", tuple(frames))


@pytest.mark.parametrize("follow", [streamed, offline])
def test_people_who_cross(follow):
    numbers = evaluate_posetrack([crossing()], [tracked(crossing(), follow)])
    assert {joint["MOTA"] for joint in numbers.joints.values()} == {100.0}
    assert numbers.total["switches"] == 0


@pytest.mark.parametrize("follow", [streamed, offline])
def test_the_labelled_video(shared_data, follow):
    file = shared_data / "video/posetrack_bonn/annotations/val/470979_bonn_val.json"
    if not file.exists():
        pytest.skip(f"no labelled video at {file}")
    (video,) = read_posetrack(file)
    numbers = evaluate_posetrack([video], [tracked(video, follow)])
    assert {joint["MOTA"] for joint in numbers.joints.values() if not np.isnan(joint["MOTA"])} == {100.0}
    assert numbers.total["switches"] == 0
