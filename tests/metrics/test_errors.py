"""Error analysis: each error made on purpose is told by its name and gives back the AP that it cost."""

from __future__ import annotations

import numpy as np
import pytest

from bottomup.core import COCO17
from bottomup.errors import DataError
from bottomup.metrics.coco import coco_keypoint_numbers
from bottomup.metrics.errors import (
    GHOST,
    GOOD,
    JITTER,
    JOINT_ERRORS,
    MISSED_JOINT,
    MISSED_PERSON,
    REST,
    SCORE,
    SWAPPED_PERSON,
    SWAPPED_SIDES,
    ErrorAnalysis,
    analyse_errors,
)

SIGMAS = np.array(COCO17.sigmas)
AREA = 40_000.0
LEFT, RIGHT = COCO17.joints.index("left_wrist"), COCO17.joints.index("right_wrist")


def body(x: float) -> np.ndarray:
    """17 joints 60 pixels apart in a column at x."""
    return np.stack([np.full(17, x), 60.0 * np.arange(17)], 1)


def person(number: int, points: np.ndarray, image_id: int = 1) -> dict:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "keypoints": np.insert(points, 2, 2, axis=1).ravel().tolist(),
        "bbox": [float(points[0, 0]) - 50, 0, 100, 1000],
        "area": AREA,
    }


def found(points: np.ndarray, score: float = 0.9, image_id: int = 1) -> dict:
    return {"image_id": image_id, "keypoints": np.insert(points, 2, 1, axis=1).ravel().tolist(), "score": score}


def truth_of(*people: dict, images: int = 1) -> dict:
    return {"images": [{"id": n + 1} for n in range(images)], "annotations": list(people)}


def shares(analysis: ErrorAnalysis) -> dict[str, float]:
    return {step.name: step.share for step in analysis.steps}


def off_by(similarity: float, official: bool = False) -> np.ndarray:
    """How far (17,) joints are moved for this similarity."""
    spread = SIGMAS * (1 if official else 2)
    return np.sqrt(-2 * AREA * spread**2 * np.log(similarity))


def test_a_perfect_answer_has_no_errors():
    truth = truth_of(person(1, body(100)), person(2, body(900)))
    analysis = analyse_errors(truth, [found(body(100)), found(body(900))])
    assert analysis.ap == 1 and set(shares(analysis).values()) == {0.0}
    assert sum(analysis.joints[GOOD].values()) == 34


def test_jitter():
    # half the joints at similarity .6: OKS .8 reaches .5 to .75 of the thresholds; mended, they are at .85: OKS .925
    points = body(100)
    points[1::2, 0] += off_by(0.6)[1::2]
    analysis = analyse_errors(truth_of(person(1, body(100))), [found(points)])
    oks = (9 + 8 * 0.6) / 17
    assert analysis.ap == pytest.approx(np.mean(np.linspace(0.5, 0.95, 10) < oks))
    assert sum(analysis.joints[JITTER].values()) == 8 and sum(analysis.joints[GOOD].values()) == 9
    mended = {step.name: step.ap for step in analysis.steps}
    assert mended[SWAPPED_SIDES] == analysis.ap and mended[JITTER] == pytest.approx(0.9)
    assert shares(analysis)[JITTER] == pytest.approx((0.9 - analysis.ap) / (1 - analysis.ap))
    assert shares(analysis)[REST] == pytest.approx(0.1 / (1 - analysis.ap))


def test_officially_joints_are_mended_to_the_fourth_root():
    points = body(100) + np.stack([off_by(0.6), np.zeros(17)], 1)
    plain = analyse_errors(truth_of(person(1, body(100))), [found(points)])
    official = analyse_errors(truth_of(person(1, body(100))), [found(points)], official=True)
    jitter = [next(s.ap for s in a.steps if s.name == JITTER) for a in (plain, official)]
    assert jitter[0] in (pytest.approx(0.7), pytest.approx(0.8))  # at .85 exactly, give or take a bit
    assert jitter[1] == pytest.approx(1)  # .85 ** .25 is .960
    assert shares(official)[REST] == 0


def test_a_missed_joint():
    points = body(100)
    points[[LEFT, RIGHT], 0] += 5000
    analysis = analyse_errors(truth_of(person(1, body(100))), [found(points)])
    assert [joint for joint, count in analysis.joints[MISSED_JOINT].items() if count] == ["left_wrist", "right_wrist"]
    assert analysis.ap == pytest.approx(0.8)  # OKS 15/17
    assert shares(analysis)[MISSED_JOINT] == pytest.approx(0.5)  # at .5 each OKS is .941


def test_swapped_sides():
    points = body(100)
    points[[LEFT, RIGHT]] = points[[RIGHT, LEFT]]
    analysis = analyse_errors(truth_of(person(1, body(100))), [found(points)])
    assert [j for j, count in analysis.joints[SWAPPED_SIDES].items() if count] == ["left_wrist", "right_wrist"]
    assert shares(analysis)[SWAPPED_SIDES] == pytest.approx(1)  # they lay exactly on the mirror joint


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_joint_of_another_person(mirrored):
    points, other = body(100), body(900)
    points[LEFT] = other[RIGHT if mirrored else LEFT]
    analysis = analyse_errors(truth_of(person(1, body(100)), person(2, other)), [found(points), found(other, 0.8)])
    assert analysis.joints[SWAPPED_PERSON]["left_wrist"] == 1
    assert sum(analysis.joints[SWAPPED_PERSON].values()) == 1
    assert shares(analysis)[SWAPPED_PERSON] == pytest.approx(1)


def test_own_joint_counts_before_another_in_the_same_place():
    analysis = analyse_errors(truth_of(person(1, body(100)), person(2, body(100))), [found(body(100))])
    assert sum(analysis.joints[GOOD].values()) == 17


def test_joints_that_are_not_labelled_are_of_no_kind():
    someone = person(1, body(100))
    someone["keypoints"][2::3] = [0] * 8 + [2] * 9
    analysis = analyse_errors(truth_of(someone), [found(body(700) * (0, 1) + body(100) * (1, 0))])
    assert sum(sum(of_joint.values()) for of_joint in analysis.joints.values()) == 9


def test_a_surer_ghost_is_an_error_of_scores_and_a_missed_person_of_its_own():
    truth = truth_of(person(1, body(100)), person(2, body(900)))
    analysis = analyse_errors(truth, [found(body(100), 0.5), found(body(3000), 0.9)])
    assert analysis.ap == pytest.approx(51 / 101 / 2)
    assert shares(analysis)[SCORE] == pytest.approx((51 / 202) / (1 - analysis.ap))
    assert shares(analysis)[MISSED_PERSON] == pytest.approx((50 / 101) / (1 - analysis.ap))
    assert sum(shares(analysis).values()) == pytest.approx(1)


def test_a_ghost_that_no_score_can_mend():
    # someone at OKS .3 to the crowd-free truth meets nobody at .5, yet scores above the rest by its own likeness
    near = body(100) + np.stack([off_by(0.3), np.zeros(17)], 1)
    truth = truth_of(person(1, body(100)), person(2, body(100), 2), images=2)
    weak = body(100) + np.stack([off_by(0.05), np.zeros(17)], 1)
    analysis = analyse_errors(truth, [found(near, 0.9), found(weak, 0.9, image_id=2)])
    by_name = shares(analysis)
    assert analysis.ap == 0 and by_name[GHOST] >= 0 and by_name[MISSED_JOINT] > 0
    assert sum(by_name.values()) == pytest.approx(1)


def test_doubles_lose_their_scores():
    truth = truth_of(person(1, body(100)), person(2, body(900)))
    doubles = [found(body(100), 0.9), found(body(100) + 1, 0.8), found(body(900), 0.1)]
    analysis = analyse_errors(truth, doubles)
    assert analysis.ap < 1 and shares(analysis)[SCORE] == pytest.approx(1)


def test_it_starts_at_the_ap_and_ends_at_one_whatever_the_answers():
    random = np.random.default_rng(1)
    people, results = [], []
    for image in range(1, 9):
        for n in range(random.integers(1, 4)):
            points = body(150.0 * n) + random.normal(0, 3, (17, 2))
            people.append(person(len(people) + 1, points, image))
            for _ in range(random.integers(0, 3)):
                answer = points + random.normal(0, 25, (17, 2)) * random.random()
                results.append(found(answer, float(random.random()), image))
    truth = truth_of(*people, images=8)
    for official in (False, True):
        analysis = analyse_errors(truth, results, official=official)
        assert analysis.ap == coco_keypoint_numbers(truth, results)["AP"] < 1
        assert [step.name for step in analysis.steps] == [*JOINT_ERRORS, SCORE, GHOST, MISSED_PERSON, REST]
        assert analysis.steps[-1].ap == 1 and sum(shares(analysis).values()) == pytest.approx(1)
    part = analyse_errors(truth, results, image_ids=[1, 2, 3])
    assert part.ap == coco_keypoint_numbers(truth, results, image_ids=[1, 2, 3])["AP"]
    assert sum(part.joints[GOOD].values()) < sum(analysis.joints[GOOD].values())


def test_crowds_are_not_diagnosed():
    crowd = person(2, body(900)) | {"iscrowd": 1}
    analysis = analyse_errors(truth_of(person(1, body(100)), crowd), [found(body(100)), found(body(900))])
    assert sum(analysis.joints[GOOD].values()) == 17 and analysis.ap == pytest.approx(1)


def test_nothing_found_is_all_missed_and_nobody_there_is_an_error():
    analysis = analyse_errors(truth_of(person(1, body(100))), [])
    assert shares(analysis)[MISSED_PERSON] == 1
    with pytest.raises(DataError, match="no true person"):
        analyse_errors(truth_of(), [found(body(1))])
