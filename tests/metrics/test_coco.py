"""COCO keypoint numbers: hand-worked cases, and equality with pycocotools used plainly."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bottomup.core import COCO17, CROWDPOSE14
from bottomup.errors import DataError
from bottomup.metrics.coco import NUMBERS, coco_keypoint_numbers, evaluate_keypoints


def person(image_id: int = 1, x: float = 100.0, size: float = 100.0, joints: int = 17, **more) -> dict:
    """A true person: joints on a circle of this size around (x, 200); area size squared."""
    angles = 2 * np.pi * np.arange(joints) / joints
    points = np.stack([x + size / 2 * np.cos(angles), 200 + size / 2 * np.sin(angles), np.full(joints, 2.0)], 1)
    annotation = {
        "id": 0,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": points.ravel().tolist(),
        "num_keypoints": joints,
        "bbox": [x - size / 2, 200 - size / 2, size, size],
        "area": size * size,
    }
    return annotation | more


def truth_of(*annotations: dict, images: int = 3) -> dict:
    """A COCO truth of pictures 1..images, annotations numbered from 0 (which trips plain pycocotools)."""
    numbered = [annotation | {"id": number} for number, annotation in enumerate(annotations)]
    names = [{"id": i} for i in range(1, images + 1)]
    return {"images": names, "annotations": numbered, "categories": [{"id": 1, "name": "person"}]}


def found(annotation: dict, score: float = 0.9, dx: float = 0.0) -> dict:
    """A results entry: this person, moved by dx pixels."""
    points = np.reshape(annotation["keypoints"], (-1, 3)) + (dx, 0, 0)
    return {"image_id": annotation["image_id"], "category_id": 1, "keypoints": points.ravel().tolist(), "score": score}


def joint_oks(d: float, area: float, sigma: float) -> float:
    """OKS of one joint at distance d, by the formula."""
    return math.exp(-(d**2) / (2 * area * (2 * sigma) ** 2))


def plain_pycocotools(truth: dict, results: list[dict]) -> np.ndarray:
    """The ten numbers as pycocotools gives them without any help of ours."""
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = copy.deepcopy(truth)
        reference.createIndex()
        run = COCOeval(reference, reference.loadRes(copy.deepcopy(results)), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats


def test_truth_as_prediction_is_perfect():
    people = [person(1), person(1, x=400), person(2, size=50), person(3)]
    numbers = coco_keypoint_numbers(truth_of(*people), [found(p) for p in people])
    assert tuple(numbers) == NUMBERS
    assert numbers == pytest.approx(dict.fromkeys(NUMBERS, 1.0))


def test_one_of_two_people_missed():
    # precision 1 up to recall 1/2: the recalls 0, .01, ... .50 are 51 of 101
    people = [person(1), person(1, x=400)]
    numbers = coco_keypoint_numbers(truth_of(*people), [found(people[0])])
    assert numbers["AP"] == pytest.approx(51 / 101)
    assert numbers["AR"] == pytest.approx(0.5)


def test_a_surer_false_positive_halves_precision():
    someone = person(1)
    ghost = found(person(1, x=900), score=0.95)
    numbers = coco_keypoint_numbers(truth_of(someone), [found(someone, 0.9), ghost])
    assert numbers["AP"] == pytest.approx(0.5)
    assert numbers["AR"] == 1


def test_a_less_sure_false_positive_costs_nothing_once_everybody_is_found():
    someone = person(1)
    results = [found(someone, 0.9), found(person(1, x=900), score=0.5)]
    assert coco_keypoint_numbers(truth_of(someone), results)["AP"] == pytest.approx(1)


def test_a_second_answer_for_one_person_is_a_false_positive():
    people = [person(1), person(2)]
    results = [found(people[0], 0.9), found(people[0], 0.8, dx=1), found(people[1], 0.7)]
    # recall 1/2 at precision 1 (51 recalls), recall 1 at precision 2/3 (50 recalls)
    assert coco_keypoint_numbers(truth_of(*people), results)["AP"] == pytest.approx((51 + 50 * 2 / 3) / 101)


@pytest.mark.parametrize(
    "region",
    [{"iscrowd": 1}, {"ignore": True}, {"num_keypoints": 0, "keypoints": [0] * 51}, {"keypoints": None}],
    ids=["crowd", "ignore flag", "no joints", "box only"],
)
def test_predictions_in_ignore_regions_do_not_count(region):
    someone, ignored = person(1), person(1, x=600) | region
    results = [found(someone, 0.5), found(person(1, x=600), 0.9)]
    assert coco_keypoint_numbers(truth_of(someone, ignored), results)["AP"] == pytest.approx(1)
    assert coco_keypoint_numbers(truth_of(someone), results)["AP"] == pytest.approx(0.5)


def test_a_crowd_takes_many_predictions_but_a_jointless_person_one():
    someone, results = person(1), [found(person(1, x=600), s) for s in (0.9, 0.8)]
    results.append(found(someone, 0.5))
    crowd, jointless = person(1, x=600, iscrowd=1), person(1, x=600, keypoints=[0] * 51)
    assert coco_keypoint_numbers(truth_of(someone, crowd), results)["AP"] == pytest.approx(1)
    assert coco_keypoint_numbers(truth_of(someone, jointless), results)["AP"] == pytest.approx(0.5)


@pytest.mark.parametrize("results", [[], "elsewhere"])
def test_nothing_predicted_is_zero(results):
    truth = truth_of(person(1), person(1, x=400, size=50))
    results = [found(person(2))] if results else []
    assert coco_keypoint_numbers(truth, results) == dict.fromkeys(NUMBERS, 0.0)


def test_without_a_true_person_there_is_no_number():
    assert coco_keypoint_numbers(truth_of(), [found(person(1))]) == dict.fromkeys(NUMBERS, -1.0)
    assert coco_keypoint_numbers(truth_of(person(1, size=50)), [])["APl"] == -1


def test_medium_and_large_people_are_told_apart_at_96_pixels():
    people = [person(1, size=95), person(2, size=97)]
    numbers = coco_keypoint_numbers(truth_of(*people), [found(people[1])])
    assert (numbers["APm"], numbers["APl"]) == pytest.approx((0, 1))


@given(st.floats(0.0, 60.0), st.floats(40, 300))
@settings(max_examples=40, deadline=None)
def test_ap_counts_the_thresholds_that_the_oks_formula_reaches(dx, size):
    someone = person(1, size=size)
    oks = np.mean([joint_oks(dx, size**2, sigma) for sigma in COCO17.sigmas])
    thresholds = np.linspace(0.5, 0.95, 10)
    if np.abs(thresholds - oks).min() < 1e-6:
        return
    numbers = coco_keypoint_numbers(truth_of(someone), [found(someone, dx=dx)])
    assert numbers["AP"] == pytest.approx(np.mean(thresholds < oks))


def test_oks_of_pycocotools_is_the_formula_over_labelled_joints():
    random = np.random.default_rng(3)
    someone = person(1, size=120)
    points = np.reshape(someone["keypoints"], (17, 3))
    points[[2, 9], 2] = 0  # not labelled: they do not count, wherever they are predicted
    moved = points + np.append(random.normal(0, 6, (17, 2)), np.zeros((17, 1)), 1)
    labelled = np.flatnonzero(points[:, 2] > 0)
    distance = np.linalg.norm(moved - points, axis=1)
    expected = np.mean([joint_oks(distance[j], 120**2, COCO17.sigmas[j]) for j in labelled])
    reference = COCO()
    with contextlib.redirect_stdout(io.StringIO()):
        reference.dataset = truth_of(someone | {"keypoints": points.ravel().tolist()})
        reference.createIndex()
        run = COCOeval(
            reference, reference.loadRes([found(someone) | {"keypoints": moved.ravel().tolist()}]), "keypoints"
        )
        run.evaluate()
    assert run.ious[1, 1][0, 0] == pytest.approx(expected, abs=1e-6)


def random_scene(seed: int) -> tuple[dict, list[dict]]:
    """People of many sizes in five pictures, with crowds, misses, doubles, ghosts and equal scores."""
    random = np.random.default_rng(seed)
    people, results = [], []
    for image_id in range(1, 6):
        for _ in range(random.integers(0, 5)):
            someone = person(image_id, x=random.uniform(0, 900), size=random.uniform(20, 200))
            people.append(someone | {"iscrowd": int(random.random() < 0.1)})
            for _ in range(random.integers(0, 3)):
                score = float(random.integers(1, 6)) / 5
                results.append(found(someone, score, dx=random.normal(0, someone["area"] ** 0.5 / 10)))
    truth = truth_of(person(1), *people, images=5)
    for annotation in truth["annotations"]:
        annotation["id"] += 1  # plain pycocotools takes id 0 for no match
    return truth, [*results, found(person(1))]


@pytest.mark.parametrize("seed", range(6))
def test_the_ten_numbers_equal_pycocotools(seed):
    truth, results = random_scene(seed)
    ours = coco_keypoint_numbers(truth, results)
    np.testing.assert_allclose(list(ours.values()), plain_pycocotools(truth, results), atol=1e-9)


def test_a_box_in_the_results_changes_nothing():
    truth, results = random_scene(7)
    boxed = [entry | {"bbox": [0, 0, 5, 5]} for entry in results]
    assert coco_keypoint_numbers(truth, boxed) == coco_keypoint_numbers(truth, results)


def test_inputs_are_left_as_they_were():
    truth, results = random_scene(8)
    before = copy.deepcopy((truth, results))
    coco_keypoint_numbers(truth, results)
    assert (truth, results) == before


def test_only_the_pictures_asked_for_count():
    people = [person(1), person(2)]
    results = [found(people[0]), found(person(2, x=900), 0.95)]
    assert coco_keypoint_numbers(truth_of(*people), results, image_ids=[1])["AP"] == pytest.approx(1)
    assert coco_keypoint_numbers(truth_of(*people), results, image_ids=[2])["AP"] == 0


def test_other_skeletons_bring_their_sigmas():
    someone = person(1, joints=14)
    numbers = coco_keypoint_numbers(truth_of(someone), [found(someone)], sigmas=CROWDPOSE14.sigmas)
    assert numbers["AP"] == pytest.approx(1)


def test_truth_may_be_a_file_and_nothing_is_printed(tmp_path, capsys):
    someone = person(1)
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(truth_of(someone)))
    assert coco_keypoint_numbers(path, [found(someone)])["AP"] == pytest.approx(1)
    assert coco_keypoint_numbers(str(path), [found(someone)])["AP"] == pytest.approx(1)
    assert capsys.readouterr() == ("", "")


def test_every_prediction_has_one_fate():
    truth, results = random_scene(9)
    evaluation = evaluate_keypoints(truth, results)
    assert evaluation.images == (1, 2, 3, 4, 5)
    assert len(evaluation.scores) == len(evaluation.image) == len(results)
    assert evaluation.hits.shape == evaluation.ignored.shape == (10, len(results))
    assert evaluation.people.sum() == sum(not a["iscrowd"] for a in truth["annotations"])
    # a higher threshold never finds more people
    assert (np.diff((evaluation.hits & ~evaluation.ignored).sum(axis=1)) <= 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"area": None}, ["annotation 0", "area"]),
        ({"bbox": None}, ["annotation 0", "bbox"]),
        ({"keypoints": [1, 2, 2]}, ["annotation 0", "51"]),
        ({"image_id": 77}, ["annotation 0", "77"]),
    ],
)
def test_wrong_annotations_are_named(change, words):
    with pytest.raises(DataError) as error:
        coco_keypoint_numbers(truth_of(person(1) | change), [])
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"image_id": 77}, "77"),
        ({"keypoints": [1.0] * 50}, "51"),
        ({"keypoints": [math.nan] * 51}, "finite"),
        ({"score": math.inf}, "finite"),
        ({"category_id": 3}, "category_id 3"),
    ],
)
def test_wrong_results_are_named(change, word):
    someone = person(1)
    with pytest.raises(DataError, match="entry 2") as error:
        coco_keypoint_numbers(truth_of(someone), [found(someone), found(someone) | change])
    assert word in str(error.value)


def test_results_without_a_score_are_named():
    entry = found(person(1))
    del entry["score"]
    with pytest.raises(DataError, match="entry 1 has no `score`"):
        coco_keypoint_numbers(truth_of(person(1)), [entry])


def test_wrong_truths_are_named(tmp_path):
    with pytest.raises(DataError, match="picture has id 9"):
        coco_keypoint_numbers(truth_of(person(1)), [], image_ids=[1, 9])
    with pytest.raises(DataError, match=r"categories \[1, 2\]"):
        coco_keypoint_numbers(truth_of(person(1), person(2, category_id=2)), [])
    with pytest.raises(DataError, match="images"):
        coco_keypoint_numbers({"annotations": []}, [])
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for path in (broken, tmp_path / "absent.json"):
        with pytest.raises(DataError, match=path.name):
            coco_keypoint_numbers(path, [])
