"""Tracked people as PoseTrack JSON, written while the frames come."""

import json

import numpy as np
import pytest

from bottomup.core import COCO17, POSETRACK15, People
from bottomup.files.posetrack import read_posetrack
from bottomup.files.tracks import FIRST_SAVE, TrackFile


def somebody(ids, skeleton=COCO17):
    joints = np.arange(len(ids) * len(skeleton) * 3, dtype=np.float32).reshape(-1, len(skeleton), 3)
    joints[..., 2] = 0.5
    joints[:, 0] = 0
    return People(joints, np.full(len(ids), 0.75), skeleton, ids=np.array(ids, np.int64))


def written(path, skeleton=COCO17):
    with TrackFile(path, "clip", skeleton) as file:
        file.add(0, 0.0, (64, 48), somebody([3, 1], skeleton))
        file.add(1, 0.04, None, None)
        file.add(2, 0.08, (64, 48), somebody([], skeleton))
        file.add(3, 0.12, (64, 48), somebody([3], skeleton))
    return json.loads(path.read_text())


def test_frames_and_people_are_posetracks(tmp_path):
    content = written(tmp_path / "clip.json")
    assert [image["frame_id"] for image in content["images"]] == [0, 1, 2, 3]
    assert [image["is_labeled"] for image in content["images"]] == [True, False, True, True]
    assert [image["time"] for image in content["images"]] == [0.0, 0.04, 0.08, 0.12]
    assert {image["nframes"] for image in content["images"]} == {4}
    assert [(a["image_id"], a["track_id"]) for a in content["annotations"]] == [(0, 3), (0, 1), (3, 3)]
    assert len({a["id"] for a in content["annotations"]}) == 3
    (category,) = content["categories"]
    assert category["keypoints"] == list(COCO17.joints)
    assert category["skeleton"] == [[a + 1, b + 1] for a, b in COCO17.limbs]


def test_joints_have_a_flag_and_a_score_each(tmp_path):
    entry = written(tmp_path / "clip.json")["annotations"][1]
    expected = somebody([3, 1]).joints[1]
    np.testing.assert_allclose(np.reshape(entry["keypoints"], (17, 3))[:, :2], expected[:, :2])
    assert entry["keypoints"][2::3] == [0] + [1] * 16
    assert entry["scores"] == [0] + [0.5] * 16
    assert entry["score"] == 0.75


def test_the_reader_of_posetrack_files_reads_it(tmp_path):
    written(tmp_path / "clip.json", POSETRACK15)
    (video,) = read_posetrack(tmp_path / "clip.json")
    assert [[person.track_id for person in frame.people] for frame in video.frames] == [[3, 1], [], [], [3]]
    np.testing.assert_allclose(
        video.frames[3].people[0].joints[:, :2], somebody([3], POSETRACK15).joints[0, :, :2], atol=1e-4
    )
    assert video.frames[0].name == "clip/000000.jpg"


def test_only_the_json_is_left(tmp_path):
    written(tmp_path / "clip.json")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.json"]


def test_a_video_without_frames_is_a_valid_file(tmp_path):
    with TrackFile(tmp_path / "clip.json", "clip", COCO17):
        pass
    content = json.loads((tmp_path / "clip.json").read_text())
    assert content["images"] == content["annotations"] == []


def test_after_an_error_what_was_added_is_there(tmp_path):
    with pytest.raises(KeyboardInterrupt), TrackFile(tmp_path / "clip.json", "clip", COCO17) as file:
        file.add(0, 0.0, (64, 48), somebody([1]))
        raise KeyboardInterrupt
    assert len(json.loads((tmp_path / "clip.json").read_text())["annotations"]) == 1


def test_without_closing_at_least_half_of_many_frames_are_there(tmp_path):
    file = TrackFile(tmp_path / "clip.json", "clip", COCO17)
    for number in range(3 * FIRST_SAVE):
        file.add(number, number / 25, (64, 48), somebody([1]))
    assert len(json.loads((tmp_path / "clip.json").read_text())["images"]) == 2 * FIRST_SAVE
    assert len(file.lines.read_text().splitlines()) == 3 * FIRST_SAVE
