"""The COCO reader: people, regions, gaps in the labels, and every kind of wrong file."""

from __future__ import annotations

import copy
import gzip
import json
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from bottomup.core import ABSENT, COCO17, CROWDPOSE14, LABELLED, UNKNOWN
from bottomup.data.coco import load_json, read_coco
from bottomup.errors import DataError

WIDTH, HEIGHT = 40, 30
SHARED = Path(os.environ.get("BOTTOMUP_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def keypoints(**visible: tuple[float, float, int]) -> list[float]:
    """51 numbers, zeros but for the joints named."""
    rows = np.zeros((17, 3))
    for name, row in visible.items():
        rows[COCO17.joints.index(name)] = row
    return rows.reshape(-1).tolist()


def person(**changes: object) -> dict:
    joints = keypoints(nose=(10, 5, 2), left_eye=(12, 4, 1), left_hip=(11.5, 20.25, 2))
    return {"id": 7, "image_id": 1, "bbox": [6, 2, 12, 25], "num_keypoints": 3, "keypoints": joints} | changes


def region(**changes: object) -> dict:
    return {"id": 8, "image_id": 1, "bbox": [20, 4, 10, 6], "ignore": True} | changes


def image(**changes: object) -> dict:
    return {"id": 1, "file_name": "p.png", "width": WIDTH, "height": HEIGHT} | changes


def write(folder: Path, annotations: list, images: list | None = None) -> Path:
    """A labels file in annot/ with its pictures in the folder above."""
    images = [image()] if images is None else images
    for record in images:
        cv2.imwrite(str(folder / record.get("file_name", "p.png")), np.full((HEIGHT, WIDTH, 3), 50, np.uint8))
    (folder / "annot").mkdir(exist_ok=True)
    path = folder / "annot" / "labels.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def boxed(x: int, y: int, w: int, h: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + h, x : x + w] = True
    return mask


def test_a_person_has_joints_box_and_confidence_one(tmp_path):
    (sample,) = read_coco(write(tmp_path, [person()]))
    joints = sample.people.joints[0]
    assert joints[0].tolist() == [10, 5, 1] and joints[1].tolist() == [12, 4, 1]
    assert joints[11].tolist() == [11.5, 20.25, 1]
    assert sample.people.boxes.tolist() == [[6, 2, 12, 25]]
    assert sample.size == (WIDTH, HEIGHT) and sample.load().shape == (HEIGHT, WIDTH, 3)
    assert sample.image_id == 1 and "labels.json" in sample.source and "p.png" in sample.source
    assert sample.ignore is None and sample.everybody and sample.labelled_joints.all()


@pytest.mark.parametrize(("unlabelled", "state"), [("absent", ABSENT), ("unknown", UNKNOWN)])
def test_visible_and_hidden_joints_are_labelled_and_the_others_as_asked(tmp_path, unlabelled, state):
    joints = keypoints(nose=(10, 5, 2), left_eye=(12, 4, 1), right_eye=(3, 3, 0))
    (sample,) = read_coco(write(tmp_path, [person(keypoints=joints)]), unlabelled=unlabelled)
    assert sample.known[0].tolist() == [LABELLED, LABELLED] + [state] * 15
    assert not sample.people.joints[0, 2:].any(), "a joint that nobody labelled is nowhere"


def test_scores_are_the_joints_confidence(tmp_path):
    scores = [0.25, 1.5, *[0.5] * 9, 0.0, *[0.5] * 5]
    (sample,) = read_coco(write(tmp_path, [person(scores=scores)]), least_joints=1)
    assert sample.people.joints[0, [0, 1, 2, 11], 2].tolist() == [0.25, 1.0, 0.0, 0.0]
    assert sample.known[0, [0, 1, 11]].tolist() == [LABELLED, LABELLED, ABSENT]


@pytest.mark.parametrize("packed", [False, True])
def test_a_crowd_is_the_mask_of_its_runs(tmp_path, packed):
    mask = boxed(3, 4, 7, 20) | boxed(25, 10, 10, 3)
    runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    if packed:
        outline = {"size": [HEIGHT, WIDTH], "counts": runs["counts"].decode()}
    else:
        flat = np.concatenate(([0], mask.T.reshape(-1).astype(int), [2]))
        lengths = np.diff(np.flatnonzero(np.diff(flat)), prepend=0)
        outline = {"size": [HEIGHT, WIDTH], "counts": lengths.tolist()}
    crowd = region(ignore=False, iscrowd=1, segmentation=outline, bbox=[0, 0, 1, 1])
    (sample,) = read_coco(write(tmp_path, [person(), crowd]))
    assert len(sample.people) == 1
    np.testing.assert_array_equal(sample.ignore(), mask)


def test_an_ignored_region_without_outline_is_its_box_rounded_outwards(tmp_path):
    (sample,) = read_coco(write(tmp_path, [region(bbox=[20.5, 4.2, 9.3, 5.4])]))
    assert len(sample.people) == 0 and sample.people.boxes.shape == (0, 4)
    np.testing.assert_array_equal(sample.ignore(), boxed(20, 4, 10, 6))


def test_a_region_may_reach_beyond_the_picture(tmp_path):
    (sample,) = read_coco(write(tmp_path, [region(bbox=[-5, -5, 15, 1000]), region(bbox=[-20, -20, 5, 5])]))
    np.testing.assert_array_equal(sample.ignore(), boxed(0, 0, 10, HEIGHT))


def test_a_person_without_keypoints_is_a_region_of_its_polygons(tmp_path):
    squares = [[2, 2, 10, 2, 10, 8, 2, 8], [20, 20, 30, 20, 30, 26, 20, 26]]
    silent = person(num_keypoints=0, keypoints=keypoints(), segmentation=squares, bbox=[2, 2, 28, 24])
    (sample,) = read_coco(write(tmp_path, [silent]))
    assert len(sample.people) == 0
    np.testing.assert_array_equal(sample.ignore(), boxed(2, 2, 8, 6) | boxed(20, 20, 10, 6))


def test_runs_of_another_size_than_the_picture_give_way_to_the_box(tmp_path):
    outline = {"size": [4, 4], "counts": [0, 16]}
    (sample,) = read_coco(write(tmp_path, [region(segmentation=outline)]))
    np.testing.assert_array_equal(sample.ignore(), boxed(20, 4, 10, 6))


def test_regions_unite(tmp_path):
    (sample,) = read_coco(write(tmp_path, [region(), region(id=9, bbox=[0, 0, 3, 3]), person()]))
    np.testing.assert_array_equal(sample.ignore(), boxed(20, 4, 10, 6) | boxed(0, 0, 3, 3))


@pytest.mark.parametrize(("least", "kept"), [(1, 1), (3, 1), (4, 0)])
def test_people_with_too_few_joints_become_regions(tmp_path, least, kept):
    (sample,) = read_coco(write(tmp_path, [person()]), least_joints=least)
    assert len(sample.people) == len(sample.known) == kept
    if kept:
        assert sample.ignore is None
    else:
        np.testing.assert_array_equal(sample.ignore(), boxed(6, 2, 12, 25))


def test_pictures_keep_their_order_people_and_notes(tmp_path):
    images = [image(id=5, file_name="b.png", all_people_labelled=False), image(), image(id=9, file_name="c.png")]
    path = write(tmp_path, [person(), person(id=1, image_id=5), person(id=2), person(id=3, image_id=5)], images)
    samples = read_coco(path)
    assert [s.image_id for s in samples] == [5, 1, 9]
    assert [len(s.people) for s in samples] == [2, 2, 0]
    assert [s.everybody for s in samples] == [False, True, True]
    assert samples[2].known.shape == (0, 17) and samples[2].people.joints.shape == (0, 17, 3)


def test_a_packed_file_reads_as_the_plain_one(tmp_path):
    path = write(tmp_path, [person(), region()])
    packed = path.with_name("labels.json.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    (plain,), (same,) = read_coco(path), read_coco(packed)
    np.testing.assert_array_equal(plain.people.joints, same.people.joints)
    np.testing.assert_array_equal(plain.ignore(), same.ignore())


def test_pictures_may_lie_in_a_folder_named(tmp_path):
    path = write(tmp_path, [person()])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(DataError, match="p.png not found in .*elsewhere"):
        read_coco(path, elsewhere)
    cv2.imwrite(str(elsewhere / "p.png"), np.full((HEIGHT, WIDTH, 3), 99, np.uint8))
    assert read_coco(path, elsewhere)[0].load()[0, 0].tolist() == [99, 99, 99]
    assert read_coco(path)[0].load()[0, 0].tolist() == [50, 50, 50]


def test_samples_travel_to_worker_processes(tmp_path):
    (sample,) = pickle.loads(pickle.dumps(read_coco(write(tmp_path, [person(), region()]))))
    assert sample.ignore().sum() == 60 and len(sample.people) == 1 and sample.load().shape == (HEIGHT, WIDTH, 3)


def test_another_skeleton_counts_its_own_joints(tmp_path):
    path = write(tmp_path, [person(keypoints=[1, 1, 2] * 14)])
    assert read_coco(path, skeleton=CROWDPOSE14)[0].people.joints.shape == (1, 14, 3)
    with pytest.raises(DataError, match="annotation 7 .*17 x 3"):
        read_coco(path)


def without(record: dict, name: str) -> dict:
    return {key: value for key, value in record.items() if key != name}


WRONG_ANNOTATIONS = {
    "short keypoints": (person(keypoints=[1, 2, 2]), "annotation 7"),
    "no keypoints": (without(person(), "keypoints"), "annotation 7 has no keypoints"),
    "keypoints are words": (person(keypoints=["x"] * 51), "annotation 7"),
    "keypoint not finite": (person(keypoints=[float("nan"), 1, 2] * 17), "annotation 7"),
    "short scores": (person(scores=[1, 1]), "annotation 7"),
    "score not finite": (person(scores=[float("nan")] * 17), "annotation 7"),
    "person without box": (without(person(), "bbox"), "annotation 7 has no bbox"),
    "region without box": (without(region(), "bbox"), "annotation 8 has no bbox"),
    "short box": (person(bbox=[1, 2, 3]), "annotation 7"),
    "short box of a region": (region(bbox=[1, 2, 3]), "annotation 8"),
    "box not finite": (person(bbox=[1, 2, 3, float("inf")]), "annotation 7"),
    "box of words": (region(bbox="wide"), "annotation 8"),
    "no image": (without(person(), "image_id"), "annotation 7 has no image_id"),
    "unknown image": (person(image_id=4), "image_id 4"),
}


@pytest.mark.parametrize("case", WRONG_ANNOTATIONS)
def test_a_wrong_annotation_is_named_with_its_file(tmp_path, case):
    record, words = WRONG_ANNOTATIONS[case]
    path = write(tmp_path, [copy.deepcopy(record)])
    with pytest.raises(DataError, match=words) as error:
        read_coco(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("field", ["id", "file_name", "width", "height"])
def test_a_picture_record_that_lacks_something_is_named_with_its_file(tmp_path, field):
    path = write(tmp_path, [], [image(), without(image(id=31, file_name="q.png"), field)])
    with pytest.raises(DataError, match=f"image .*has no {field}") as error:
        read_coco(path)
    assert str(path) in str(error.value)
    assert ("q.png" if field == "id" else "31") in str(error.value)


def test_files_that_are_no_labels_are_named(tmp_path):
    packed = gzip.compress(json.dumps({"images": [], "annotations": [{"id": i} for i in range(999)]}).encode())
    files = {
        "broken.json": b'{"images": [',
        "bytes.json": b"\xff\xfe\x00",
        "other.json": b'{"pictures": []}',
        "list.json": b"[]",
        "plain.json.gz": b"{}",
        "cut.json.gz": packed[: len(packed) // 2],
        "damaged.json.gz": packed[:30] + b"\xff" * 30 + packed[60:],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in (*files, "missing.json", "missing.json.gz"):
        with pytest.raises(DataError, match=name):
            read_coco(tmp_path / name)


def test_a_missing_picture_is_named_before_training_starts(tmp_path):
    path = write(tmp_path, [person()])
    (tmp_path / "p.png").unlink()
    with pytest.raises(DataError, match="p.png"):
        read_coco(path)


def test_unlabelled_is_one_of_two_words(tmp_path):
    with pytest.raises(ValueError, match="'maybe'"):
        read_coco(write(tmp_path, []), unlabelled="maybe")


def test_json_survives_names_in_any_script(tmp_path):
    for name in ("a.json", "a.json.gz"):
        content = json.dumps({"name": "Zoë 人"}, ensure_ascii=False).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        assert load_json(tmp_path / name) == {"name": "Zoë 人"}


@pytest.mark.skipif(
    not (SHARED / "data/coco/train.json").is_file(),
    reason="no data/coco/train.json below the folder that BOTTOMUP_SHARED names",
)
def test_real_labels_hold_what_their_readme_says():
    samples = read_coco(SHARED / "data/coco/train.json")
    assert len(samples) == 270 and sum(len(s.people) for s in samples) == 394
    assert sum(len(s.people) > 0 for s in samples) == 137
    for sample in samples:
        xy = sample.people.joints[sample.known == LABELLED][:, :2]
        assert (xy >= -0.5).all() and (xy <= np.array(sample.size)).all(), sample.source
    assert samples[0].load().shape == (*samples[0].size[::-1], 3)
    assert samples[-1].load().shape == (*samples[-1].size[::-1], 3)
