"""Judging beyond the ten numbers: bins of people, operating point, quality of single pictures."""

import numpy as np
import pytest

from bottomup.compare.judging import by_people, operating_point, picture_quality
from bottomup.metrics.coco import evaluate_keypoints


@pytest.fixture
def judge(truth):
    return lambda entries: evaluate_keypoints(truth, entries)


def test_pictures_are_put_into_bins_by_their_labelled_people(judge, perfect):
    rows = by_people(judge(perfect))
    assert [(row["people"], row["pictures"], row["true_people"]) for row in rows] == [
        ("1", 1, 1),
        ("2", 1, 2),
        ("3-4", 1, 4),
        ("5-8", 1, 6),
        ("9+", 0, 0),
    ]
    assert [row["AP"] for row in rows] == [pytest.approx(1)] * 4 + [None]


def test_the_ap_of_a_bin_is_that_of_its_pictures_alone(truth, judge, crowded_out):
    rows = by_people(judge(crowded_out))
    for row, image in zip(rows, (1, 2, 3, 4), strict=False):
        alone = evaluate_keypoints(truth, crowded_out, image_ids=[image])
        assert row["AP"] == pytest.approx(alone.numbers["AP"])
    assert [row["AP"] for row in rows[:4]] == pytest.approx([1, 1, 0, 0])


def test_the_operating_point_leaves_out_scores_that_are_mostly_wrong(judge, truth, perfect):
    ghosts = [dict(entry, score=0.2, keypoints=[1, 1, 1] * 17) for entry in perfect]
    point = operating_point(judge(perfect + ghosts))
    assert (point.score, point.precision, point.recall, point.f1) == (0.9, 1, 1, 1)


def test_an_operating_point_where_nobody_is_found_is_zero(judge):
    point = operating_point(judge([]))
    assert (point.score, point.precision, point.recall, point.f1) == (0, 0, 0, 0)


def test_the_quality_of_a_picture_is_its_f1(judge, perfect, crowded_out):
    assert picture_quality(judge(perfect), 0.5) == pytest.approx(np.ones(4))
    assert picture_quality(judge(crowded_out), 0.5) == pytest.approx([1, 1, 0, 0])
    half = [entry for entry in perfect if entry["image_id"] != 2] + [e for e in perfect if e["image_id"] == 2][:1]
    assert picture_quality(judge(half), 0.5)[1] == pytest.approx(2 / 3)  # 1 of 2 found: precision 1, recall .5
    assert picture_quality(judge(perfect), 0.95) == pytest.approx(np.zeros(4))  # nobody is that sure


def test_a_ghost_lowers_the_quality_of_its_picture_alone(judge, perfect):
    ghost = dict(perfect[0], keypoints=[300, 190, 1] * 17)
    assert picture_quality(judge([*perfect, ghost]), 0.5) == pytest.approx([2 / 3, 1, 1, 1])
