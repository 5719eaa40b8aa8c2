"""Joints that a set lacks: filled where the model agrees with the labels, masked where it does not."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from bottomup.cli import main
from bottomup.core import COCO17, LABELLED, UNKNOWN, People
from bottomup.data.coco import read_coco
from bottomup.errors import DataError
from bottomup.roads.annotate import annotate, layout_of, matched
from tests.data import sets

NOSE = 0


@pytest.fixture
def merged(tmp_path):
    """MPII's two people of one picture in COCO's layout: neither has a nose."""
    sets.mpii_list(tmp_path / "mpii")
    out = tmp_path / "out"
    assert main(["merge", "--set", f"mpii={tmp_path / 'mpii'}", "--layout", "coco17", "--out", str(out)]) == 0
    return out / "merged.json"


class Model:
    """Finds the labelled people, each moved by so many pixels, with a face of these scores."""

    def __init__(self, path, moved, face):
        people = [a for a in json.loads(path.read_text())["annotations"] if not a["ignore"]]
        joints = np.array([a["keypoints"] for a in people], np.float32).reshape(-1, 17, 3)
        joints[..., 2] = joints[..., 2] > 0
        joints[..., 0] += np.where(joints[..., 2] > 0, np.array(moved)[:, None], 0)
        joints[:, :5] = (30, 12, 1)
        joints[:, :5, 2] = face
        self.people = People(joints, np.ones(len(joints)), COCO17)
        self.files, self.device, self.clock = (Path("model.safetensors"),), torch.device("cpu"), lambda _: nullcontext()
        self.road = self
        self.skeleton = COCO17

    def __call__(self, images, ids):
        assert images[0].shape == (48, 64, 3) and len(ids) == 1
        return [self.people]


def filled(path, model, out):
    content, account = annotate(model, path, out)
    sets.write_json(out, content)
    return content, account, read_coco(out)[0]


def test_who_is_agreed_with_gets_a_nose_and_who_is_not_stays_masked(merged, tmp_path):
    model = Model(merged, [0.5, 30], face=[0.8, 0.1, 0.5, 0.0, 0.3])
    content, account, sample = filled(merged, model, tmp_path / "deep/er/filled.json")
    first, second = (a for a in content["annotations"])
    assert first["filled"] == ["nose", "right_eye", "right_ear"] and first["keypoints"][:3] == [30, 12, 2]
    assert first["agreement"] > 0.9 > 0.6 > second["agreement"] and "filled" not in second
    assert first["num_keypoints"] == 12 + 3
    assert sample.known[:, NOSE].tolist() == [LABELLED, UNKNOWN]
    assert sample.known[0, 1] == UNKNOWN, "an eye that the model is not sure of"
    assert sample.people.joints[0, NOSE, 2] == pytest.approx(0.8) and sample.people.joints[0, 5, 2] == 1
    assert sample.labelled_joints.tolist() == [True, False, True, False, True] + [True] * 12
    assert sample.load().shape == (48, 64, 3), "pictures are found from the new place"
    assert (
        str(account)
        == "mpii: 1 of 2 people agreed with; filled nose 1, left_eye 0, right_eye 1, left_ear 0, right_ear 1"
    )


def test_labels_are_never_changed(merged, tmp_path):
    before = [np.reshape(a["keypoints"], (-1, 3)) for a in json.loads(merged.read_text())["annotations"]]
    content, _, _ = filled(merged, Model(merged, [2, 2], face=[0.9] * 5), tmp_path / "f.json")
    for old, annotation in zip(before, content["annotations"], strict=True):
        np.testing.assert_array_equal(np.reshape(annotation["keypoints"], (-1, 3))[5:], old[5:])


def test_one_found_person_answers_for_one_labelled():
    truth = np.zeros((2, 17, 3), np.float32)
    truth[:, 5:] = np.random.default_rng(0).uniform(0, 100, (12, 3))
    truth[1, 5:, 0] += 3
    truth[:, 5:, 2] = 2
    found = People(truth[:1], np.ones(1), COCO17)
    (_, partner, first), (_, nobody, second) = matched(truth, found, np.full((2, 1), 5000.0))
    assert (partner, first) == (0, 1.0) and (nobody, second) == (-1, 0.0)


def test_too_few_shared_joints_say_nothing():
    truth = np.zeros((1, 17, 3), np.float32)
    truth[0, 5:8] = (10, 10, 2)
    found = People(truth, np.ones(1), COCO17)
    assert matched(truth, found, np.full((1, 1), 100.0)) == [(0, -1, 0.0)]


def test_a_file_that_names_no_sets_is_one_set(tmp_path):
    sets.picture(tmp_path / "a.png")
    image = {"id": 1, "file_name": "a.png", "width": 64, "height": 48, "source": "somewhere.jpg"}
    person = sets.coco_person(1, 1, [[0, 0, 0]] * 5 + sets.COCO_JOINTS[5:], area=900.0, ignore=False)
    categories = [{"id": 1, "name": "person", "keypoints": COCO17.joints}]
    path = sets.write_json(
        tmp_path / "own.json", {"images": [image], "annotations": [person], "categories": categories}
    )
    content, account, sample = filled(path, Model(path, [0], face=[0.9] * 5), tmp_path / "f.json")
    assert account.agreed["own"] == 1 and content["images"][0]["original_source"] == "somewhere.jpg"
    assert sample.labelled_joints.all() and (sample.known == LABELLED).all()


def test_a_file_of_no_known_layout_is_an_error():
    for content in ([], {"images": [], "annotations": [], "categories": [{"keypoints": ["tail"]}]}):
        with pytest.raises(DataError, match="x.json"):
            layout_of(Path("x.json"), content)


def test_the_default_model_fills_faces_of_real_people_of_mpii(shared_data, tmp_path):
    weights = Path(__file__).resolve().parents[2] / "bottomup/weights/default.safetensors"
    if not weights.is_file():
        pytest.skip("no default weights")
    merged, out = tmp_path / "m", tmp_path / "filled.json"
    native = shared_data / "native/mpii"
    assert main(["merge", "--set", f"mpii={native}", "--layout", "coco17", "--out", str(merged)]) == 0
    assert main(["annotate", "--data", str(merged / "merged.json"), "--out", str(out), "--runtime", "torch"]) == 0
    people = [a for a in json.loads(out.read_text())["annotations"] if "filled" in a]
    assert len(people) >= 3
    for person in people:
        x, y, w, h = person["bbox"]
        joints = dict(zip(COCO17.joints, np.reshape(person["keypoints"], (-1, 3)), strict=True))
        nose = joints["nose"]
        assert nose[2] and x <= nose[0] <= x + w and y - 0.05 * h <= nose[1] <= y + 0.3 * h, "faces are at the top"
