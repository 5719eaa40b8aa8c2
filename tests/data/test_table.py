"""Samples out of arrays: the same every time, and nothing that one does to a sample reaches the table."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from bottomup.core import Sample
from bottomup.data.coco import read_coco
from bottomup.data.table import Texts
from tests.data import sets


@pytest.fixture
def table(tmp_path):
    for k in range(3):
        sets.picture(tmp_path / "below" / f"{k}.png", seed=k)
    images = [{"id": k, "file_name": f"below/{k}.png", "width": 64, "height": 48} for k in range(3)]
    people = [
        sets.coco_person(1, 0, track_id=5, bbox_head=[1, 2, 3, 4]),
        sets.coco_person(2, 0),
        sets.coco_person(3, 2, [[1, 2, k % 3] for k in range(17)]),
        {"id": 4, "image_id": 1, "ignore": True, "bbox": [0, 0, 8, 8]},
    ]
    return read_coco(sets.write_json(tmp_path / "labels.json", {"images": images, "annotations": people}))


def test_people_and_regions_belong_to_their_picture(table):
    assert [len(sample.people) for sample in table] == [2, 0, 1]
    assert [sample.ignore is not None for sample in table] == [False, True, False]
    assert table[1].ignore().sum() == 64
    assert table[2].visibility[0, :3].tolist() == [0, 1, 2]
    assert table[0].people.ids.tolist() == [5, -1] and table[2].people.ids is None
    np.testing.assert_array_equal(table[0].heads, [[1, 2, 3, 4], [np.nan] * 4])


def test_it_is_a_sequence_of_samples(table):
    assert len(table) == 3 and isinstance(table[0], Sample)
    assert [sample.image_id for sample in table[1:]] == [1, 2] and table[-1].image_id == 2
    with pytest.raises(IndexError):
        table[3]


def test_a_sample_is_ones_own(table):
    sample = table[0]
    sample.people.joints[:] = -7
    sample.known[:] = 9
    sample.labelled_joints[:] = False
    again = table[0]
    assert again.people.joints.min() >= 0 and again.known.max() <= 2 and again.labelled_joints.all()


def test_it_travels_whole_and_its_arrays_are_few(table):
    copy = pickle.loads(pickle.dumps(table))
    assert copy[0].source == table[0].source == "labels.json:below/0.png"
    np.testing.assert_array_equal(copy[2].load(), table[2].load())


def test_confidence_is_a_factor_on_every_joint(tmp_path, table):
    path = tmp_path / "labels.json"
    np.testing.assert_allclose(read_coco(path, confidence=0.5)[0].people.joints[..., 2], 0.5)


def test_texts_of_any_script_come_back():
    words = ["", "Zoë", "人 x", ""]
    texts = Texts(words)
    assert [texts[k] for k in range(4)] == words


def test_labels_alone_need_no_pictures(tmp_path):
    image = {"id": 1, "file_name": "gone.jpg", "width": 64, "height": 48}
    path = sets.write_json(tmp_path / "l.json", {"images": [image], "annotations": [sets.coco_person(1, 1)]})
    assert len(read_coco(path, find_pictures=False)[0].people) == 1
    with pytest.raises(ValueError, match="gone.jpg"):
        read_coco(path)


@pytest.mark.slow
def test_the_whole_of_coco_is_small(shared_data):
    table = read_coco(shared_data / "coco/coco_train_labels.json.gz", find_pictures=False)
    persons = table.persons
    assert len(persons.joints) == 149_813 and len(table) == 56_599
    held = sum(a.nbytes for a in (persons.joints, persons.visibility, persons.boxes, persons.tracks, persons.heads))
    assert held < 50e6
