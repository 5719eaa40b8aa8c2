"""Ids through frames: who is whom, who is new, who is gone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.core import COCO17, POSETRACK15, People, Skeleton
from bottomup.tracking.tracker import Rules, Tracker
from tests.tracking.scenes import RATE, crowd, followed, people, walk

few = settings(max_examples=25)  # each is a whole scene
SPOT = Skeleton("spot", ["spot"], [], [0], [0.1])


def ids_of(frames):
    return [list(frame.ids) for frame in frames]


@pytest.mark.parametrize("skeleton", [COCO17, POSETRACK15], ids=lambda skeleton: skeleton.name)
def test_those_who_stand_still_keep_their_ids(skeleton):
    frames = [people([(100, 100), (300, 100), (500, 120)], skeleton)] * 10
    assert ids_of(followed(frames)) == [[1, 2, 3]] * 10


def test_a_skeleton_of_one_joint_can_be_followed():
    frames = [people([(100 + 2 * n, 100), (300 - n, 100)], SPOT) for n in range(20)]
    assert ids_of(followed(frames)) == [[1, 2]] * 20


def test_joints_and_scores_come_back_untouched():
    frame = people([(100, 100), (300, 100)], scores=[0.6, 0.9])
    tracked = Tracker(COCO17)(frame, 0.0)
    np.testing.assert_array_equal(tracked.joints, frame.joints)
    np.testing.assert_array_equal(tracked.scores, frame.scores)
    assert tracked.boxes is None


def test_people_who_cross_keep_their_ids():
    left, right = walk((100, 200), (6, 0), 60), walk((460, 204), (-6, 0), 60)
    tracked = followed([people([a, b]) for a, b in zip(left, right, strict=True)])
    assert ids_of(tracked) == [[1, 2]] * 60


@pytest.mark.parametrize("gap", [1, 5, 15, 30])
def test_somebody_who_walks_on_behind_something_keeps_the_id(gap):
    places = walk((100, 200), (4, 1), 40 + gap)
    hidden = range(20, 20 + gap)
    tracked = followed([people([] if n in hidden else [place]) for n, place in enumerate(places)])
    assert ids_of(tracked) == [[] if n in hidden else [1] for n in range(40 + gap)]


def test_two_who_cross_while_one_is_hidden_keep_their_ids():
    left, right = walk((100, 200), (5, 0), 60), walk((395, 200), (-5, 0), 60)
    frames = [people([a] if 27 <= n <= 33 else [a, b]) for n, (a, b) in enumerate(zip(left, right, strict=True))]
    assert ids_of(followed(frames)) == [[1] if 27 <= n <= 33 else [1, 2] for n in range(60)]


@pytest.mark.parametrize(("joints", "score", "ids"), [(3, 0.05, []), (17, 0.05, [1]), (3, 0.9, [1])])
def test_who_was_away_for_long_does_not_come_back_by_a_doubtful_piece(joints, score, ids):
    away = [people([])] * round(1.4 * RATE)
    found = people([(110, 105)], scores=[score])
    found.joints[:, joints:] = 0
    assert ids_of(followed([people([(100, 100)])] * 10 + away + [found]))[-1] == ids


def test_who_is_there_goes_on_by_a_doubtful_find():
    frames = [people([(100, 100)])] * 5 + [people([])] * 2 + [people([(100, 100)], scores=[0.05])] * 5
    assert ids_of(followed(frames)) == [[1]] * 5 + [[]] * 2 + [[1]] * 5


def test_after_the_patience_somebody_is_new_and_the_old_id_is_not_given_again():
    away = round(1.5 * RATE) + 2
    frames = [people([(100, 100)])] * 5 + [people([])] * away + [people([(100, 100)])] * 5
    assert ids_of(followed(frames)) == [[1]] * 5 + [[]] * away + [[2]] * 5


def test_without_patience_a_neighbouring_frame_still_counts():
    frames = [people([(100, 100)])] * 3 + [people([])] + [people([(100, 100)])] * 3
    assert ids_of(followed(frames, Rules(patience=0))) == [[1]] * 3 + [[]] + [[2]] * 3


def test_somebody_elsewhere_is_somebody_else():
    frames = [people([(100, 100)]), people([(400, 300)])]
    assert ids_of(followed(frames)) == [[1], [2]]


def test_a_jerk_of_the_camera_is_followed():
    frames = [people([(100 + shift, 100), (300 + shift, 100)]) for shift in (0, 0, 0, 40, 40, 40)]
    assert ids_of(followed(frames)) == [[1, 2]] * 6


def test_size_does_not_matter():
    def scene(scale):
        left, right = walk((100, 200), (6, 0), 60), walk((460, 204), (-6, 0), 60)
        return [people(scale * np.array([a, b]), height=100 * scale) for a, b in zip(left, right, strict=True)]

    assert ids_of(followed(scene(1))) == ids_of(followed(scene(8)))


def test_somebody_unsure_has_an_id_after_three_frames_in_a_row():
    unsure = people([(100, 100)], scores=[0.2])
    assert ids_of(followed([unsure] * 5)) == [[], [], [1], [1], [1]]
    flickering = [unsure, unsure, people([])] * 4
    assert not any(ids_of(followed(flickering)))


def test_a_low_score_continues_a_track_but_begins_none():
    weak = people([(100, 100)], scores=[0.05])
    assert ids_of(followed([people([(100, 100)]), weak, weak])) == [[1], [1], [1]]
    assert not any(ids_of(followed([weak] * 10)))


def test_a_second_answer_for_one_body_has_no_id():
    once, twice = [(100, 100), (300, 100)], [(100, 100), (300, 100), (102, 101)]
    tracked = followed([people(once)] + [people(twice, scores=[0.9, 0.9, 0.8])] * 5)
    assert ids_of(tracked) == [[1, 2]] * 6


def test_somebody_unsure_in_front_of_somebody_has_an_id_only_when_apart():
    def frame(apart):
        mirrored = people([(100 + apart, 102)])
        mirrored.joints[..., 0] = 2 * (100 + apart) - mirrored.joints[..., 0]
        return People.concatenate([people([(100, 100)]), People(mirrored.joints, [0.2], COCO17)])

    assert ids_of(followed([frame(3)] * 10)) == [[1]] * 10
    assert ids_of(followed([frame(3)] * 3 + [frame(60)] * 5))[-1] == [1, 2]


def test_joints_lost_for_some_frames_do_not_break_a_track():
    whole, half = people([(100, 100)]), people([(100, 100)])
    half.joints[:, 8:] = 0
    upper = people([(100, 100)])
    upper.joints[:, :8] = 0
    assert ids_of(followed([whole, half, upper] * 5)) == [[1]] * 15


def test_boxes_decide_where_there_are_no_joints():
    def frame(places):
        boxes = np.array([(x, y, 40, 100) for x, y in places], np.float32)
        return People(np.zeros((len(places), 17, 3)), np.ones(len(places)), COCO17, boxes)

    frames = [frame([(100 + 3 * n, 50), (300 - 3 * n, 180)]) for n in range(30)]
    assert ids_of(followed(frames)) == [[1, 2]] * 30


def test_empty_frames_are_ordinary():
    nobody = People.nobody(COCO17)
    tracked = followed([nobody] * 3)
    assert [frame.joints.shape for frame in tracked] == [(0, 17, 3)] * 3
    assert [frame.ids.shape for frame in tracked] == [(0,)] * 3


def test_uneven_times_are_used():
    """At constant velocity in seconds, not in frames."""
    times = np.cumsum([0.04, 0.04, 0.2, 0.04, 0.12, 0.04, 0.4, 0.04] * 4)
    tracker = Tracker(COCO17)
    ids = [list(tracker(people([(100 + 150 * t, 100), (700 - 150 * t, 110)]), t).ids) for t in times]
    assert ids == [[1, 2]] * len(times)


def test_without_times_frames_are_a_25th_of_a_second_apart():
    tracker = Tracker(COCO17)
    for _ in range(26):
        tracker(people([]))
    assert tracker.time == pytest.approx(1.0)


@pytest.mark.parametrize("time", [1.0, 0.5, float("nan"), float("inf")])
def test_a_time_that_does_not_grow_is_an_error(time):
    tracker = Tracker(COCO17)
    tracker(people([]), 1.0)
    with pytest.raises(ValueError, match="must be greater than 1.0"):
        tracker(people([]), time)


def test_people_of_another_skeleton_are_an_error():
    with pytest.raises(ValueError, match="posetrack15.*coco17"):
        Tracker(COCO17)(people([], POSETRACK15), 0.0)


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"patience": -1}, {"alike": 0}, {"double": 1.5}, {"over": 0}])
def test_rules_that_cannot_be_are_an_error_that_names_them(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        Rules(**wrong)


# ------------------------------------------------------------------------------------ properties


@few
@given(st.integers(0, 10_000))
def test_ids_are_unique_in_a_frame_and_never_given_to_somebody_else_later(seed):
    frames = crowd(seed)
    tracker = Tracker(COCO17)
    seen: dict[int, int] = {}
    for number, frame in enumerate(frames):
        before, ids = tracker.given, tracker(frame, number / RATE).ids
        assert len(set(ids.tolist())) == len(ids)
        new = [i for i in ids.tolist() if i not in seen]
        assert sorted(new) == list(range(before + 1, tracker.given + 1))
        seen |= dict.fromkeys(ids.tolist(), number)
        assert all(number - seen[i] <= 1 for i in ids)


@few
@given(st.integers(0, 10_000))
def test_an_id_that_was_away_for_longer_than_the_patience_does_not_come_back(seed):
    rules = Rules(patience=0.2)
    when: dict[int, list[int]] = {}
    for number, frame in enumerate(followed(crowd(seed, 40), rules)):
        for i in frame.ids.tolist():
            when.setdefault(i, []).append(number)
    assert all(b - a <= 0.2 * RATE + 1e-6 for numbers in when.values() for a, b in pairwise(numbers))


@few
@given(st.integers(0, 10_000))
def test_the_order_of_people_in_a_frame_does_not_matter(seed):
    frames, random = crowd(seed), np.random.default_rng(seed)
    shuffled = [frame[random.permutation(len(frame))] for frame in frames]
    for one, other in zip(followed(frames), followed(shuffled), strict=True):
        first = {joints.tobytes(): i for joints, i in zip(one.joints, one.ids, strict=True)}
        second = {joints.tobytes(): i for joints, i in zip(other.joints, other.ids, strict=True)}
        assert first == second


@few
@given(st.floats(3, 8), st.floats(-8, 0), st.floats(4, 60), st.integers(0, 12))
def test_constant_velocity_people_keep_ids_through_crossing_and_gaps(speed_a, speed_b, aside, gap):
    """Two who meet in the middle of the clip, each hidden for some frames before or after."""
    n = np.arange(60)
    a = np.column_stack((400 + speed_a * (n - 30), np.full(60, 200.0)))
    b = np.column_stack((400 + speed_b * (n - 30), np.full(60, 200 + aside)))
    shown = np.column_stack(((n < 10) | (n >= 10 + gap), (n < 45) | (n >= 45 + gap)))
    frames = [people(np.array(both)[there]) for both, there in zip(zip(a, b, strict=True), shown, strict=True)]
    tracked = ids_of(followed(frames))
    assert sorted(tracked[0]) == [1, 2]
    assert tracked == [[i for i, there in zip(tracked[0], both, strict=True) if there] for both in shown]


def test_memory_does_not_grow():
    """However many have passed, only those of the last seconds are remembered."""
    tracker = Tracker(COCO17, Rules(patience=0.2))
    for n in range(150):
        tracker(people([(200 * n, 100), (200 * n, 400)]), n / RATE)
    assert tracker.given == 300
    assert len(tracker._tracks) <= 2 * (0.2 * RATE + 2)
