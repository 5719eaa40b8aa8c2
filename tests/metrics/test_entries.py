"""Results files and labels: matched by picture, chosen by level."""

from __future__ import annotations

import json

import pytest

from bottomup.errors import DataError
from bottomup.metrics.entries import images_of_levels, read_results, read_truth

TRUTH = {
    "images": [
        {"id": 0, "file_name": "b.jpg", "annotation_level": "official"},
        {"id": 1, "file_name": "a.jpg", "annotation_level": "partial"},
        {"id": 2, "file_name": "x/c.jpg"},
        {"id": 3, "file_name": "y/c.jpg"},
    ],
    "annotations": [],
}


@pytest.mark.parametrize(
    ("entry", "image_id"),
    [
        ({"image_id": 0, "file_name": "a.jpg"}, 1),  # a run on a folder counts its pictures by itself
        ({"image_id": 0, "file_name": "some/folder/b.jpg"}, 0),
        ({"image_id": 0, "file_name": "y/c.jpg"}, 3),
        ({"image_id": 7, "file_name": "z/c.jpg"}, 7),  # two pictures end so
        ({"image_id": 5, "file_name": "none.jpg"}, 5),
        ({"image_id": 2}, 2),
    ],
)
def test_a_file_name_tells_the_picture(tmp_path, entry, image_id):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([entry]))
    assert [e["image_id"] for e in read_results(path, TRUTH)] == [image_id]


def test_levels_choose_pictures():
    assert images_of_levels(TRUTH, "x", []) is None
    assert images_of_levels(TRUTH, "x", ["official", "partial"]) == [0, 1]
    with pytest.raises(DataError, match="x: no picture has annotation_level 'panoptic'; there are None, official"):
        images_of_levels(TRUTH, "x", ["panoptic"])


def test_truth_keeps_its_name(tmp_path):
    assert read_truth(TRUTH) == (TRUTH, "truth")
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(TRUTH))
    assert read_truth(path) == (TRUTH, str(path))
    path.write_text("[]")
    with pytest.raises(DataError, match="labels.json: a COCO truth needs"):
        read_truth(path)
