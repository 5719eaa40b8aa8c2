"""PCK and PCKh, hand-worked."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.io import savemat

from bottomup.core import MPII16
from bottomup.errors import DataError
from bottomup.metrics.mpii import evaluate_pckh, evaluate_pckh_mat, pckh
from bottomup.metrics.pck import assigned, box_sides, head_size, pck, torso_lengths


def people(count: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True joints (N, 16, 2), all labelled, head sizes 10."""
    true = np.random.default_rng(0).uniform(0, 500, (count, 16, 2))
    return true, np.ones((count, 16), bool), np.full(count, 10.0)


def test_an_exact_alpha_counts():
    true, labelled, sizes = people(2)
    found = true + [[[5.0, 0.0]], [[0.0, 5.001]]]
    found[0] = np.round(true[0]) + (3, 4)  # 5 off exactly
    true[0] = np.round(true[0])
    np.testing.assert_array_equal(pck(found, true, labelled, sizes, 0.5), np.full(16, 0.5))
    np.testing.assert_array_equal(pck(found, true, labelled, sizes, [0.1, 1.0]), [np.zeros(16), np.ones(16)])


def test_unlabelled_joints_do_not_count_and_missing_answers_are_wrong():
    true, labelled, sizes = people(4)
    found = true.copy()
    labelled[:, 3] = False
    labelled[0, 2], found[0, 2] = False, -999
    found[1, 5] = np.nan
    shares = pck(found, true, labelled, sizes, 0.5)
    assert math.isnan(shares[3]) and shares[2] == 1 and shares[5] == 0.75


def test_lengths():
    joints = np.zeros((1, 16, 3))
    joints[0, MPII16.joints.index("left_shoulder")] = 30, 40, 2
    assert torso_lengths(joints, MPII16) == pytest.approx([50])
    assert box_sides(np.array([[0, 0, 20, 70], [5, 5, 30, 10]])).tolist() == [70, 30]
    assert head_size([0, 0, 30, 40], "x") == pytest.approx(30)
    for box in (None, [1, 2, 0, 0]):
        with pytest.raises(DataError, match="person 4 has no head box"):
            head_size(box, "person 4")


def test_truth_is_perfect():
    true, labelled, sizes = people()
    numbers = pckh(true, true, labelled, sizes)
    assert set(numbers.mean.values()) == set(numbers.unweighted.values()) == {100.0}
    assert all(row["PCKh@0.5"] == 100 for row in (*numbers.joints.values(), *numbers.rows.values()))
    assert numbers.people == 4


def test_the_mean_leaves_out_pelvis_and_thorax_and_weighs_by_labels():
    true, labelled, sizes = people(4)
    found = true.copy()
    found[:, [6, 7]] += 100  # pelvis and thorax all wrong
    labelled[1:, 0] = False  # the right ankle is labelled once,
    found[0, 0] += 100  # and wrong there
    numbers = pckh(found, true, labelled, sizes)
    assert numbers.mean["PCKh@0.5"] == pytest.approx(100 * (13 * 4) / (13 * 4 + 1))
    assert numbers.unweighted["PCKh@0.5"] == pytest.approx(100 * 13 / 14)
    assert numbers.joints["pelvis"]["PCKh@0.5"] == 0 and numbers.joints["right_ankle"]["labelled"] == 1
    assert numbers.rows["Ankle"]["PCKh@0.5"] == pytest.approx(50)  # plain mean of left and right
    assert numbers.rows["Head"] == {"PCKh@0.5": 100, "PCKh@0.1": 100, "PCKh@0.11": 100}


def test_upper_neck_is_in_the_mean_not_in_head():
    true, labelled, sizes = people(1)
    found = true.copy()
    found[:, MPII16.joints.index("upper_neck")] += 100
    numbers = pckh(found, true, labelled, sizes)
    assert numbers.rows["Head"]["PCKh@0.5"] == 100
    assert numbers.mean["PCKh@0.5"] == pytest.approx(100 * 13 / 14)


def test_what_is_printed_as_a_tenth_is_eleven_hundredths():
    true, labelled, sizes = people(1)
    numbers = pckh(true + (1.05, 0), true, labelled, sizes)
    assert (numbers.mean["PCKh@0.1"], numbers.mean["PCKh@0.11"]) == (0, 100)


def test_forgetting_that_matlab_counts_from_1_costs_a_pixel():
    true, labelled, _ = people(1)
    numbers = pckh(true, true + 1, labelled, np.array([13.0]))
    assert (numbers.mean["PCKh@0.1"], numbers.mean["PCKh@0.11"]) == (0, 100)  # 1.414 pixels of 13


def test_without_labels_there_is_no_number():
    true, labelled, sizes = people(1)
    with pytest.raises(DataError, match="no labelled joint"):
        pckh(true, true, ~labelled, sizes)


def test_everybody_stands_for_at_most_one():
    near = np.zeros((3, 2, 4), bool)
    near[0, 0, :3] = near[1, 0] = near[2, 1, :1] = True
    labelled = np.ones((2, 4), bool)
    assert assigned(near, labelled).tolist() == [-1, 0, 1]
    assert assigned(near[:0], labelled).tolist() == []
    assert assigned(near[:, :0], labelled[:0]).tolist() == [-1, -1, -1]


def coco_like(true: np.ndarray, **more) -> dict:
    annotations = [
        {"id": n + 10, "image_id": n // 2, "keypoints": np.insert(j, 2, 2, 1).ravel().tolist()}
        | {"bbox_head": [0, 0, 10, 10]} | more
        for n, j in enumerate(true)
    ]  # fmt: skip
    return {"images": [{"id": 0}, {"id": 1}], "annotations": annotations}


def entries(found: np.ndarray, **more) -> list[dict]:
    return [
        {"image_id": n // 2, "score": 1, "keypoints": np.insert(j, 2, 1, 1).ravel().tolist()} | more
        for n, j in enumerate(found)
    ]


def test_people_found_meet_those_of_their_picture():
    true, _, _ = people(4)
    results = entries(true)
    numbers = evaluate_pckh(coco_like(true), results[::-1])
    assert numbers.mean["PCKh@0.5"] == 100
    numbers = evaluate_pckh(coco_like(true), [*results[:3], results[0]])
    assert numbers.mean["PCKh@0.5"] == pytest.approx(75)


def test_an_entry_may_say_whom_it_stands_for():
    true, _, _ = people(4)
    results = [entry | {"annotation_id": 10 + n} for n, entry in enumerate(entries(true))]
    assert evaluate_pckh(coco_like(true), results[:2]).mean["PCKh@0.5"] == pytest.approx(50)
    exchanged = [results[0] | {"annotation_id": 11}, results[1] | {"annotation_id": 10}]
    assert evaluate_pckh(coco_like(true), exchanged).mean["PCKh@0.5"] == 0


def test_regions_and_people_without_joints_are_left_out():
    true, _, _ = people(2)
    truth = coco_like(true)
    truth["annotations"][1]["iscrowd"] = 1
    truth["annotations"].append({"id": 30, "image_id": 0, "keypoints": [0] * 48})
    assert evaluate_pckh(truth, entries(true)[:1]).people == 1


def test_wrong_files_are_named():
    true, _, _ = people(2)
    with pytest.raises(DataError, match="annotation 10 has no head box"):
        evaluate_pckh(coco_like(true, bbox_head=None), entries(true))
    with pytest.raises(DataError, match="picture 7"):
        evaluate_pckh(coco_like(true), entries(true, image_id=7))
    with pytest.raises(DataError, match="results entry 1: `keypoints` must be 48"):
        evaluate_pckh(coco_like(true), [{"image_id": 0, "keypoints": [1.0]}])
    with pytest.raises(DataError, match="joints that its category names"):
        evaluate_pckh(coco_like(true) | {"categories": [{"keypoints": ["a"]}]}, entries(true))


def test_matlab_files(tmp_path):
    true, labelled, _ = people(3)
    labelled[2, 4] = False
    heads = np.zeros((2, 2, 3))
    heads[1] = [[6.0] * 3, [8.0] * 3]  # diagonal 10: head size 6
    gt, pred = tmp_path / "gt_valid.mat", tmp_path / "pred.mat"
    savemat(gt, {"jnt_missing": ~labelled.T * 1.0, "pos_gt_src": true.transpose(1, 2, 0), "headboxes_src": heads})
    savemat(pred, {"preds": true + (3.0, 0.0)})
    numbers = evaluate_pckh_mat(gt, pred)
    assert (numbers.mean["PCKh@0.5"], numbers.mean["PCKh@0.1"]) == (100, 0)
    assert numbers.joints[MPII16.joints[4]]["labelled"] == 2
    savemat(pred, {"preds": true[:2]})
    with pytest.raises(DataError, match="predict the same people"):
        evaluate_pckh_mat(gt, pred)
    with pytest.raises(DataError, match="needs jnt_missing"):
        evaluate_pckh_mat(pred, pred)
    pred.write_text("no")
    with pytest.raises(DataError, match="not a readable Matlab file"):
        evaluate_pckh_mat(gt, pred)


def test_real_head_boxes(shared_data):
    path = shared_data / "native" / "posetrack18" / "annotations" / "test_posetrack18_val.json"
    truth = json.loads(path.read_text())
    numbers = evaluate_pckh(path, truth["annotations"])
    assert numbers.mean["PCKh@0.1"] == 100 and numbers.people == 14
    assert math.isnan(numbers.joints["left_ear"]["PCKh@0.5"])
