"""Boxes out of files, by image id; what is no box is named with file, entry and remedy."""

import json

import numpy as np
import pytest

from bottomup.errors import DataError, InputError
from bottomup.roads.given import detections, labelled

GOOD = {"image_id": 7, "bbox": [10, 20, 30, 40], "score": 0.5, "category_id": 1}


def written(folder, content):
    path = folder / "det.json"
    path.write_text(json.dumps(content))
    return path


def test_detections_are_by_image_and_people_alone(tmp_path):
    other = {**GOOD, "image_id": 9, "score": 0.75}
    boxes = detections(written(tmp_path, [GOOD, other, {**GOOD, "bbox": [0, 0, 5, 5]}, {**GOOD, "category_id": 3}]))
    assert boxes.by_image.keys() == {7, 9} and boxes.source == str(tmp_path / "det.json")
    np.testing.assert_array_equal(boxes.of(7, (100, 100)).xyxy, [[10, 20, 40, 60], [0, 0, 5, 5]])
    np.testing.assert_array_equal(boxes.of(9, (100, 100)).scores, [0.75])
    assert len(boxes.of(8, (100, 100))) == 0


def test_another_file_has_another_digest(tmp_path):
    first = detections(written(tmp_path, [GOOD])).digest
    assert detections(written(tmp_path, [GOOD])).digest == first
    assert detections(written(tmp_path, [{**GOOD, "score": 0.51}])).digest != first


@pytest.mark.parametrize(
    "entry, message",
    [
        ({**GOOD, "bbox": [10, 20, 0, 40]}, "entry 2: box 0 .*10, 20, 10, 60.* has no size"),
        ({**GOOD, "bbox": [10, 20, 30]}, "entry 2: "),
        ({**GOOD, "bbox": ["a", 20, 30, 40]}, "entry 2: "),
        ({k: v for k, v in GOOD.items() if k != "score"}, "entry 2: has no 'score'; give image_id, bbox"),
        ({k: v for k, v in GOOD.items() if k != "image_id"}, "entry 2: has no 'image_id'"),
        ([1, 2], "entry 2: "),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, entry, message):
    with pytest.raises(DataError, match=f"det.json: {message}"):
        detections(written(tmp_path, [GOOD, entry]))


def test_files_of_another_kind_are_named(tmp_path):
    with pytest.raises(DataError, match=r"det\.json: no COCO detections"):
        detections(written(tmp_path, {"images": [], "annotations": []}))
    with pytest.raises(DataError, match=r"det\.json: no COCO file"):
        labelled(written(tmp_path, [GOOD]))
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        detections(tmp_path / "none.json")


def test_a_box_outside_its_picture_is_named(tmp_path):
    boxes = detections(written(tmp_path, [GOOD]))
    with pytest.raises(InputError, match=r"det.json: image 7: box 0 .* is outside the picture of 9 x 100 pixels"):
        boxes.of(7, (9, 100))
    with pytest.raises(InputError, match="which picture is this"):
        boxes.of(None, (100, 100))


def test_boxes_of_none_of_the_pictures_are_an_error(tmp_path):
    boxes = detections(written(tmp_path, [GOOD]))
    boxes.require_any_of([1, 7])
    with pytest.raises(InputError, match="images such as 7, none of the pictures"):
        boxes.require_any_of([1, 2])
    detections(written(tmp_path, [])).require_any_of([1])  # a detector that found nobody


def test_labels_give_the_boxes_of_people_not_of_regions(tmp_path):
    person = {"id": 3, "image_id": 7, "bbox": [1, 2, 3, 4], "num_keypoints": 5, "score": 0.2}
    annotations = [person, {**person, "iscrowd": 1}, {**person, "ignore": True}, {**person, "num_keypoints": 0}]
    boxes = labelled(written(tmp_path, {"images": [], "annotations": annotations})).of(7, (10, 10))
    np.testing.assert_array_equal(boxes.xyxy, [[1, 2, 4, 6]])
    assert boxes.scores.tolist() == [1]
    broken = {"images": [], "annotations": [{**person, "bbox": [1, 2, 0, 4]}]}
    with pytest.raises(DataError, match="annotation 3: box 0 .* has no size"):
        labelled(written(tmp_path, broken))
