"""The bootstrap: equal to evaluating drawn pictures again, sure where it may be, wide where it must be."""

from __future__ import annotations

import numpy as np
import pytest

from bottomup.errors import DataError
from bottomup.metrics.bootstrap import average_precisions, bootstrap_interval
from bottomup.metrics.coco import coco_keypoint_numbers, evaluate_keypoints


def scene(pictures: int, seed: int = 0) -> tuple[dict, list[dict]]:
    """Pictures of one to three people, of whom some are found more or less well, and ghosts."""
    random = np.random.default_rng(seed)
    annotations, results = [], []
    for image_id in range(1, pictures + 1):
        for number in range(random.integers(1, 4)):
            points = np.append(random.uniform(0, 100, (17, 2)) + 200 * number, np.full((17, 1), 2), 1)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "keypoints": points.ravel().tolist(),
                    "bbox": [200 * number, 200 * number, 100, 100],
                    "area": 1e4,
                }
            )
            points[:, :2] += random.normal(0, 8, (17, 2)) + 500 * (random.random() < 0.2)
            results.append(
                {"image_id": image_id, "keypoints": points.ravel().tolist(), "score": float(random.integers(1, 20))}
            )
    return {"images": [{"id": i} for i in range(1, pictures + 1)], "annotations": annotations}, results


def drawn(truth: dict, results: list[dict], counts: np.ndarray) -> tuple[dict, list[dict]]:
    """The same pictures, each listed as often as it was drawn, as new pictures."""
    images, annotations, entries = [], [], []
    for image_id, count in enumerate(counts, start=1):
        for _ in range(count):
            new = len(images) + 1
            images.append({"id": new})
            annotations += [a | {"image_id": new} for a in truth["annotations"] if a["image_id"] == image_id]
            entries += [r | {"image_id": new} for r in results if r["image_id"] == image_id]
    return {"images": images, "annotations": annotations}, entries


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_equals_evaluating_the_drawn_pictures(seed):
    truth, results = scene(8, seed)
    counts = np.random.default_rng(seed).multinomial(8, np.full(8, 1 / 8))
    ours = average_precisions(evaluate_keypoints(truth, results), counts[None])[0]
    assert ours == pytest.approx(coco_keypoint_numbers(*drawn(truth, results, counts))["AP"], abs=1e-12)


def test_every_picture_once_is_the_ap_itself():
    evaluation = evaluate_keypoints(*scene(20))
    once = average_precisions(evaluation, np.ones((1, 20), int))[0]
    assert once == pytest.approx(evaluation.numbers["AP"], abs=1e-12)


def test_the_interval_holds_the_ap_and_narrows_with_more_pictures():
    few, many = (evaluate_keypoints(*scene(n)) for n in (10, 80))
    widths = []
    for evaluation in (few, many):
        low, high = bootstrap_interval(evaluation, draws=300)
        assert 0 <= low < evaluation.numbers["AP"] < high <= 1
        widths.append(high - low)
    assert widths[1] < 0.7 * widths[0]


def test_a_wider_level_gives_a_wider_interval():
    evaluation = evaluate_keypoints(*scene(20))
    (low, high), (lower, higher) = (bootstrap_interval(evaluation, level=level) for level in (0.5, 0.95))
    assert lower < low < high < higher


def test_the_same_seed_gives_the_same_interval():
    evaluation = evaluate_keypoints(*scene(20))
    assert bootstrap_interval(evaluation, seed=4) == bootstrap_interval(evaluation, seed=4)
    assert bootstrap_interval(evaluation, seed=4) != bootstrap_interval(evaluation, seed=5)


def test_perfect_and_empty_answers_are_certain():
    truth, _ = scene(6)
    perfect = [{"image_id": a["image_id"], "keypoints": a["keypoints"], "score": 1.0} for a in truth["annotations"]]
    assert bootstrap_interval(evaluate_keypoints(truth, perfect), draws=50) == (1, 1)
    assert bootstrap_interval(evaluate_keypoints(truth, []), draws=50) == (0, 0)


def test_draws_without_people_are_left_out():
    truth, results = scene(1)
    truth["images"] += [{"id": 2}, {"id": 3}]
    low, high = bootstrap_interval(evaluate_keypoints(truth, results), draws=50)
    assert 0 <= low <= high <= 1


def test_without_people_there_is_no_interval():
    with pytest.raises(DataError, match="no true person"):
        bootstrap_interval(evaluate_keypoints({"images": [{"id": 1}], "annotations": []}, []))
