"""CrowdPose numbers: hand-worked, and equal to pycocotools run with CrowdPose's areas, sigmas and subsets."""

from __future__ import annotations

import contextlib
import copy
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bottomup.core import CROWDPOSE14
from bottomup.errors import DataError
from bottomup.metrics.crowdpose import LEVELS, NUMBERS, evaluate_crowdpose


def person(number: int, image_id: int, x: float, size: float = 100.0) -> dict:
    angles = 2 * np.pi * np.arange(14) / 14
    points = np.stack([x + size / 2 * np.cos(angles), 300 + size / 2 * np.sin(angles), np.full(14, 2.0)], 1)
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": points.ravel().tolist(),
        "num_keypoints": 14,
        "bbox": [x - size / 2, 300 - size / 2, size, size],
    }


def found(annotation: dict, score: float = 0.9, dx: float = 0.0) -> dict:
    points = np.reshape(annotation["keypoints"], (-1, 3)) + (dx, 0, 0)
    return {"image_id": annotation["image_id"], "category_id": 1, "keypoints": points.ravel().tolist(), "score": score}


def truth_of(people: list[dict], indices: dict[int, float]) -> dict:
    images = [{"id": i, "crowdIndex": index} for i, index in indices.items()]
    return {"images": images, "annotations": people, "categories": [{"id": 1}]}


def test_each_level_is_the_ap_of_its_pictures():
    # easy ends before .2, medium before .8; the easy person is found, the medium one of two, the hard one not
    people = [person(1, 1, 200), person(2, 2, 200), person(3, 2, 600), person(4, 3, 200)]
    truth = truth_of(people, {1: 0.19, 2: 0.2, 3: 0.8})
    numbers = evaluate_crowdpose(truth, [found(people[0]), found(people[1])]).numbers
    assert tuple(numbers) == NUMBERS
    assert numbers["APeasy"] == pytest.approx(1)
    assert numbers["APmedium"] == pytest.approx(51 / 101)
    assert numbers["APhard"] == 0
    assert numbers["AP"] == pytest.approx(51 / 101) and numbers["AR"] == pytest.approx(0.5)


def test_a_level_without_people_has_no_number():
    numbers = evaluate_crowdpose(truth_of([person(1, 1, 200)], {1: 0.5}), []).numbers
    assert (numbers["APeasy"], numbers["APmedium"], numbers["APhard"]) == (-1, 0, -1)


def test_the_area_is_53_hundredths_of_the_box():
    someone = person(1, 1, 200)
    dx = 8.0
    oks = np.mean(np.exp(-(dx**2) / (2 * 0.53 * 100 * 100 * (2 * np.array(CROWDPOSE14.sigmas)) ** 2)))
    reached = np.mean(np.linspace(0.5, 0.95, 10) < oks)
    assert 0 < reached < 1
    numbers = evaluate_crowdpose(truth_of([someone | {"area": 1.0}], {1: 0.5}), [found(someone, dx=dx)]).numbers
    assert numbers["AP"] == pytest.approx(reached)


def public(truth: dict, results: list[dict], images: list[int]) -> COCOeval:
    """pycocotools on these pictures with what the public tool changes in it."""
    truth = copy.deepcopy(truth)
    for annotation in truth["annotations"]:
        annotation["area"] = 0.53 * annotation["bbox"][2] * annotation["bbox"][3]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = truth
        reference.createIndex()
        run = COCOeval(reference, reference.loadRes(copy.deepcopy(results)), "keypoints")
        run.params.kpt_oks_sigmas = np.array(CROWDPOSE14.sigmas)
        run.params.imgIds = images
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run


@pytest.mark.parametrize("seed", range(3))
def test_the_nine_numbers_equal_the_public_definition(seed):
    random = np.random.default_rng(seed)
    people, results = [], []
    indices = {image: float(random.random()) for image in range(1, 13)}
    for image in indices:
        for _ in range(random.integers(1, 5)):
            people.append(person(len(people) + 1, image, random.uniform(0, 900), random.uniform(30, 200)))
            for _ in range(random.integers(0, 3)):
                results.append(found(people[-1], float(random.integers(1, 9)), random.normal(0, 12)))
    truth = truth_of(people, indices)
    run = public(truth, results, list(indices))
    expected = [*run.stats[:3], *run.stats[5:8]]
    for low, high in LEVELS.values():
        images = [image for image, index in indices.items() if low <= index < high]
        expected.append(public(truth, results, images).eval["precision"][:, :, :, 0, :].mean())
    np.testing.assert_allclose(list(evaluate_crowdpose(truth, results).numbers.values()), expected, atol=1e-9)


def test_pictures_without_a_crowd_index_are_named():
    truth = truth_of([person(1, 1, 200)], {1: 0.5, 2: 0.1})
    del truth["images"][1]["crowdIndex"]
    with pytest.raises(DataError, match="picture 2 has no `crowdIndex`"):
        evaluate_crowdpose(truth, [])


def test_real_truth_as_prediction_is_perfect(shared_data):
    path = shared_data / "native" / "crowdpose" / "test_crowdpose.json"
    people = [a for a in json.loads(path.read_text())["annotations"] if a["num_keypoints"]]
    evaluation = evaluate_crowdpose(path, [found(someone) for someone in people])
    assert evaluation.numbers["AP"] == evaluation.numbers["APmedium"] == pytest.approx(1)
    assert evaluation.people.sum() == len(people) == 4
