"""COCO results files: what is written is read again."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from bottomup.core import COCO17, People
from bottomup.errors import DataError
from bottomup.files.coco_results import read_coco_results, write_coco_results


def test_round_trip(tmp_path):
    joints = np.random.default_rng(0).uniform(0, 500, (3, 17, 3)).astype(np.float32)
    people = People(joints, np.array([0.5, 0.25, 1.0]), COCO17, ids=np.array([4, 5, 6]))
    entries = people.to_coco(139, file_name="ä/139.jpg")
    path = tmp_path / "new" / "results.json"
    write_coco_results(path, entries)
    assert read_coco_results(path) == entries
    again = People.from_coco(read_coco_results(path), COCO17)
    np.testing.assert_allclose(again.joints, joints, atol=1e-4)
    assert again.ids.tolist() == [4, 5, 6]


def test_nobody_is_an_empty_list(tmp_path):
    write_coco_results(tmp_path / "r.json", [])
    assert read_coco_results(tmp_path / "r.json") == []


def test_gzipped_results_are_read(tmp_path):
    (tmp_path / "r.json.gz").write_bytes(gzip.compress(json.dumps([{"image_id": 1}]).encode()))
    assert read_coco_results(tmp_path / "r.json.gz") == [{"image_id": 1}]


@pytest.mark.parametrize(
    ("content", "words"),
    [('{"images": [], "annotations": []}', "holds labels"), ("3", "holds int"), ("[1]", "entry 1 is 1"), ("[", "JSON")],
)
def test_other_files_are_named(tmp_path, content, words):
    path = tmp_path / "wrong.json"
    path.write_text(content)
    with pytest.raises(DataError, match=f"wrong.json.*{words}"):
        read_coco_results(path)
