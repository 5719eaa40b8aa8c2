"""PoseTrack JSON: read as it is, written as it was."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from bottomup.core import COCO17, POSETRACK15, People
from bottomup.errors import DataError
from bottomup.files.posetrack import (
    CATEGORY,
    POINT_IDS,
    SLOTS,
    TrackedFrame,
    TrackedPerson,
    TrackedVideo,
    frame_key,
    read_posetrack,
    write_posetrack,
)
from bottomup.files.tracks import TrackFile


def keypoints(slots: int = 17) -> list[float]:
    points = np.zeros((slots, 3))
    points[:, 0], points[:, 1], points[:, 2] = np.arange(slots) + 0.5, np.arange(slots) * 2, 1
    points[3:5] = 0  # the ears
    return points.ravel().tolist()


def content(**more) -> dict:
    image = {"id": 1000, "file_name": "images/val/9_x/000000.jpg", "is_labeled": True, "vid_id": "9", "nframes": 2}
    regions = {"ignore_regions_x": [[0, 10.5, 10], [1, 2, 3]], "ignore_regions_y": [[0, 0, 10], [4, 5, 6]]}
    person = {
        "id": 100000, "image_id": 1000, "category_id": 1, "track_id": 3, "person_id": 7, "keypoints": keypoints(),
        "scores": [], "bbox_head": [1.0, 2.0, 3.0, 4.5], "bbox": [0.0, 0.0, 9.0, 9.0], "occluded": [0] * 17,
    }  # fmt: skip
    images = [image | regions, image | {"id": 1001, "is_labeled": False, "file_name": "images/val/9_x/000001.jpg"}]
    return {"categories": [CATEGORY], "images": images, "annotations": [person]} | more


def written(tmp_path, data: dict, name: str = "9_x.json"):
    path = tmp_path / name
    path.write_text(json.dumps(data))
    return path


def sorted_content(path) -> dict:
    data = json.loads(path.read_text())
    return data | {"annotations": sorted(data["annotations"], key=lambda a: a["id"])}


def test_what_is_read(tmp_path):
    (video,) = read_posetrack(written(tmp_path, content()))
    assert video.name == "9_x" and [frame.image_id for frame in video.frames] == [1000, 1001]
    first, second = video.frames
    assert first.labelled and not second.labelled and second.people == ()
    assert [region.tolist() for region in first.regions] == [[[0, 0], [10.5, 0], [10, 10]], [[1, 4], [2, 5], [3, 6]]]
    (person,) = first.people
    assert person.joints[POSETRACK15.joints.index("left_shoulder")].tolist() == [5.5, 10, 1]
    assert (person.track_id, person.head, person.scores, person.more["person_id"]) == (3, (1, 2, 3, 4.5), None, 7)


def test_round_trip_keeps_every_field(tmp_path):
    path = written(tmp_path, content(info={"year": 2018}))
    (video,) = read_posetrack(path)
    write_posetrack(tmp_path / "again.json", video)
    assert sorted_content(tmp_path / "again.json") == sorted_content(path)


def test_scores_of_joints_stay_with_them(tmp_path):
    data = content()
    data["annotations"][0]["scores"] = [n / 100 for n in range(17)]
    data["annotations"][0]["score"] = 0.25
    (video,) = read_posetrack(written(tmp_path, data))
    person = video.frames[0].people[0]
    assert person.scores[2:4].tolist() == [0.02, 0.05] and person.score == 0.25  # without the ears
    write_posetrack(tmp_path / "again.json", video)
    (again,) = read_posetrack(tmp_path / "again.json")
    np.testing.assert_array_equal(again.frames[0].people[0].scores, person.scores)


def test_a_file_of_two_videos_is_two(tmp_path):
    data = content()
    data["images"][1]["vid_id"] = "10"
    assert [video.name for video in read_posetrack(written(tmp_path, data))] == ["9", "10"]


def test_a_folder_is_all_its_files(tmp_path):
    for name in ("b.json", "a.json"):
        written(tmp_path, content(), name)
    (tmp_path / "notes.txt").write_text("not this")
    assert [video.name for video in read_posetrack(tmp_path)] == ["a", "b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no .json file"):
        read_posetrack(tmp_path / "empty")


def test_people_of_another_skeleton_are_read_by_the_joints_names(tmp_path):
    joints = np.random.default_rng(0).uniform(1, 90, (2, 17, 3)).astype(np.float32)
    people = People(joints, np.array([0.5, 0.75]), COCO17, ids=np.array([4, 9]))
    with TrackFile(tmp_path / "clip.json", "clip", COCO17) as file:
        file.add(0, 0.0, (90, 90), people)
        file.add(1, 0.1, None, None)
    (video,) = read_posetrack(tmp_path / "clip.json")
    first, broken = video.frames
    assert [person.track_id for person in first.people] == [4, 9] and not broken.labelled
    wrist = POSETRACK15.joints.index("left_wrist")
    np.testing.assert_allclose(first.people[1].joints[wrist, :2], joints[1, 9, :2], atol=1e-4)
    np.testing.assert_allclose(first.people[1].scores[wrist], joints[1, 9, 2], atol=1e-4)
    assert not first.people[0].joints[POSETRACK15.joints.index("head_top")].any()  # COCO has none


def test_the_2017_layout(tmp_path):
    point = {"id": [POINT_IDS.index("nose")], "x": [4.5], "y": [6.0], "is_visible": [1], "score": [0.5]}
    head = {"x1": [10], "y1": [20], "x2": [40], "y2": [60]}
    person = {"track_id": [2], "annopoints": [{"point": [point]}], "score": [0.75], **head}
    region = {"point": [{"x": [0], "y": [1]}, {"x": [2], "y": [3]}, {"x": [4], "y": [5]}]}
    frames = [
        {"image": [{"name": "v/0001.jpg"}], "annorect": [person, {"track_id": [5]}], "ignore_regions": [region]},
        {"image": [{"name": "v/0002.jpg"}], "annorect": [], "is_labeled": [0]},
    ]
    (video,) = read_posetrack(written(tmp_path, {"annolist": frames}))
    first, second = video.frames
    nose, nobody = first.people
    assert nose.joints[0].tolist() == [4.5, 6, 1] and not nose.joints[1:].any()
    assert (nose.head, nose.scores[0], nose.score, nobody.joints.any()) == ((10, 20, 30, 40), 0.5, 0.75, False)
    assert first.regions[0].tolist() == [[0, 1], [2, 3], [4, 5]] and not second.labelled
    with pytest.raises(DataError, match="frame 0: not in the layout of PoseTrack 2017"):
        read_posetrack(written(tmp_path, {"annolist": [{"annorect": []}]}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"annotations": 3}, "no PoseTrack file"),
        ({"categories": [{"keypoints": ["tail"]}]}, "names none of PoseTrack's joints"),
        ({"images": [{"file_name": "x.jpg"}]}, "image x.jpg has no `id`"),
        ({"annotations": [{"id": 5, "image_id": 77}]}, "annotation 5 is on image 77"),
        ({"annotations": [{"id": 5}]}, "annotation 5 has no `image_id`"),
        ({"annotations": [{"id": 5, "image_id": 1000}]}, "annotation 5 has no `keypoints`"),
        ({"annotations": [{"id": 5, "image_id": 1000, "keypoints": [1]}]}, "must be 51 finite"),
        ({"annotations": [{"id": 5, "image_id": 1000, "keypoints": keypoints(), "scores": [1]}]}, "1 `scores` for 17"),
        ({"images": [{"id": 1000, "ignore_regions_x": [[1]], "ignore_regions_y": [[1, 2]]}]}, "differ in length"),
    ],
)
def test_wrong_files_are_named(tmp_path, change, words):
    with pytest.raises(DataError, match=f"9_x.json.*{words}"):
        read_posetrack(written(tmp_path, content(**change)))


def test_a_frame_is_named_by_folder_and_stem():
    assert frame_key("images/val/9_x/000000.webp") == frame_key("9_x/000000.jpg") == "9_x/000000"


def test_people_of_ones_own_making_are_written(tmp_path):
    joints = np.zeros((15, 3))
    joints[0] = 1, 2, 1
    video = TrackedVideo("v", (TrackedFrame(7, "v/0.jpg", (TrackedPerson(joints, 0), TrackedPerson(joints, 1))),))
    write_posetrack(tmp_path / "v.json", video)
    data = json.loads((tmp_path / "v.json").read_text())
    assert [entry["id"] for entry in data["annotations"]] == [700, 701]
    assert data["annotations"][0]["keypoints"] == [1, 2, 1, *[0] * 48] and len(SLOTS) == 17


@pytest.mark.parametrize("where", ["video/posetrack_bonn/annotations/val", "native/posetrack18/annotations/val"])
def test_real_files_come_back_as_they_were(shared_data, tmp_path, where):
    for path in sorted((shared_data / where).glob("*.json")):
        (video,) = read_posetrack(path)
        write_posetrack(tmp_path / path.name, video)
        assert sorted_content(tmp_path / path.name) == sorted_content(path)


def test_both_layouts_of_a_real_video_say_the_same(shared_data):
    folder = shared_data / "video" / "posetrack_bonn"
    (new,) = read_posetrack(folder / "annotations" / "val" / "470979_bonn_val.json")
    (old,) = read_posetrack(folder / "annotations_2017" / "val" / "470979_bonn_val.json")
    assert len(new.frames) == len(old.frames) == 41
    for one, other in zip(new.frames, old.frames, strict=True):
        assert frame_key(one.name) == frame_key(other.name)
        for person, same in zip(one.people, other.people, strict=True):
            np.testing.assert_array_equal(person.joints, same.joints)
            np.testing.assert_allclose(person.head, same.head, atol=0.011)
            assert person.track_id == same.track_id


def test_all_sixty_labelled_videos_are_read(shared_data, tmp_path):
    shutil.unpack_archive(shared_data / "video" / "posetrack_bonn" / "labels_only_60_sequences.tar.gz", tmp_path)
    videos = read_posetrack(tmp_path / "annotations" / "val") + read_posetrack(tmp_path / "annotations" / "train")
    assert len(videos) == 60 and sum(len(video.frames) for video in videos) == 3092
    assert sum(len(frame.people) for video in videos for frame in video.frames) == 14574
