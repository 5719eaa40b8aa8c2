"""Paired tests: blind to nothing, sure of what is plain, and fair to both systems."""

from __future__ import annotations

import numpy as np
import pytest

from bottomup.errors import DataError
from bottomup.metrics.bootstrap import average_precisions
from bottomup.metrics.coco import evaluate_keypoints
from bottomup.metrics.paired import _exchanged_differences, paired_test


def systems(pictures: int, *spreads: float, seed: int = 0):
    """Evaluations of systems whose joints are off by so many pixels, on the same pictures of one person each."""
    random = np.random.default_rng(seed)
    annotations, results = [], [[] for _ in spreads]
    for image in range(1, pictures + 1):
        points = np.append(random.uniform(0, 100, (17, 2)), np.full((17, 1), 2.0), 1)
        annotations.append(
            {
                "id": image,
                "image_id": image,
                "keypoints": points.ravel().tolist(),
                "bbox": [0, 0, 100, 100],
                "area": 1e4,
            }
        )
        for entries, spread in zip(results, spreads, strict=True):
            answer = points.copy()
            answer[:, :2] += random.normal(0, spread, (17, 2))
            entries.append({"image_id": image, "keypoints": answer.ravel().tolist(), "score": float(random.random())})
    truth = {"images": [{"id": n + 1} for n in range(pictures)], "annotations": annotations}
    return [evaluate_keypoints(truth, entries) for entries in results]


def test_a_system_does_not_differ_from_itself():
    (system,) = systems(20, 5.0)
    test = paired_test(system, system, draws=100)
    assert (test.difference, test.interval, test.p, test.pictures) == (0, (0, 0), 1, 20)


def test_a_plain_difference_is_sure():
    worse, better = systems(40, 12.0, 4.0)
    test = paired_test(worse, better, draws=300)
    assert (
        test.difference == pytest.approx(better.numbers["AP"] - worse.numbers["AP"], abs=1e-12)
        and test.difference > 0.2
    )
    assert 0 < test.interval[0] < test.difference < test.interval[1]
    assert test.p == pytest.approx(1 / 301)  # in no draw as large


def test_equally_good_systems_are_not_told_apart():
    values = [paired_test(*systems(20, 6.0, 6.0, seed=seed), draws=100).p for seed in range(12)]
    assert np.mean(np.array(values) > 0.05) >= 0.75
    assert max(values) > 0.5 > min(values)


def test_the_other_way_round_is_the_same_with_the_other_sign():
    first, second = systems(25, 8.0, 6.0)
    there, back = paired_test(first, second, draws=200), paired_test(second, first, draws=200)
    assert back.difference == pytest.approx(-there.difference)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert back.p == pytest.approx(there.p, abs=1e-9)


def test_exchanging_none_or_all_or_one_picture():
    first, second = systems(6, 9.0, 5.0)
    one = np.arange(6) == 2
    none, every, single = _exchanged_differences(first, second, np.stack([one & False, one | True, one]))
    assert none == pytest.approx(second.numbers["AP"] - first.numbers["AP"])
    assert every == pytest.approx(-none)
    assert single != pytest.approx(none)


def test_the_same_seed_gives_the_same_answer():
    pair = systems(15, 8.0, 6.0)
    assert paired_test(*pair, draws=50, seed=3) == paired_test(*pair, draws=50, seed=3)


def test_only_the_same_pictures_can_be_compared():
    (few,), (many,) = systems(5, 4.0), systems(6, 4.0)
    with pytest.raises(DataError, match="different pictures"):
        paired_test(few, many)
    nobody = evaluate_keypoints({"images": [{"id": 1}], "annotations": []}, [])
    with pytest.raises(DataError, match="no true person"):
        paired_test(nobody, nobody)


def test_ap_of_a_subset_is_the_ap_of_its_pictures_alone():
    (system,) = systems(10, 8.0)
    subset = np.arange(10) < 4
    assert average_precisions(system, subset[None].astype(int))[0] != system.numbers["AP"]
    assert average_precisions(system, np.zeros((1, 10), int))[0] == -1
