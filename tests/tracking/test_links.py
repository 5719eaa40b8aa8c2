"""Ids by all frames at once: gaps are bridged, the unlikely is left out, whoever is sure stays."""

import numpy as np
import pytest

from bottomup.core import COCO17, People
from bottomup.tracking.links import linked
from bottomup.tracking.tracker import Rules
from tests.tracking.scenes import RATE, crowd, followed, people, walk


def ids_of(frames, rate=RATE):
    return [list(frame.ids) for frame in linked(frames, [number / rate for number in range(len(frames))])]


def test_no_frames_and_nobody():
    assert linked([], []) == []
    assert ids_of([People.nobody(COCO17)] * 3) == [[], [], []]


def test_people_without_gaps_keep_their_ids():
    frames = [people([(100 + 3 * n, 100), (300, 150)]) for n in range(20)]
    assert ids_of(frames) == [[1, 2]] * 20


def test_a_gap_longer_than_the_streaming_patience_is_bridged():
    places, gap = walk((100, 200), (2, 0), 140), range(40, 95)
    frames = [people([] if n in gap else [place]) for n, place in enumerate(places)]
    assert ids_of(frames) == [[] if n in gap else [1] for n in range(140)]


def test_two_who_cross_behind_something_go_on_as_they_went():
    left, right, hidden = walk((100, 200), (5, 0), 60), walk((395, 205), (-5, 0), 60), range(22, 38)
    frames = [people([] if n in hidden else [a, b]) for n, (a, b) in enumerate(zip(left, right, strict=True))]
    assert ids_of(frames) == [[] if n in hidden else [1, 2] for n in range(60)]


def test_people_of_the_same_frames_are_never_one():
    frames = [people([(100, 100), (110, 102)], scores=[0.9, 0.8])] * 10
    ids = ids_of(frames)
    assert all(len(set(some)) == len(some) == 2 for some in ids)


def test_a_flicker_of_low_score_is_nobody_and_the_same_for_long_is_somebody():
    flicker = [people([(100, 100)], scores=[0.2]) if n == 5 else people([]) for n in range(30)]
    assert not any(ids_of(flicker))
    steady = [people([(100, 100)], scores=[0.2])] * 30
    assert ids_of(steady) == [[1]] * 30


def test_one_sure_frame_is_enough():
    assert ids_of([people([(100, 100)])]) == [[1]]


def test_somebody_far_away_after_a_gap_is_somebody_else():
    frames = [people([(100, 100)])] * 5 + [people([])] * 5 + [people([(600, 100)])] * 5
    assert ids_of(frames) == [[1]] * 5 + [[]] * 5 + [[2]] * 5


def test_ids_are_unique_in_a_frame_and_the_same_every_time():
    frames = crowd(3, 40)
    ids = ids_of(frames)
    assert ids == ids_of(frames)
    assert all(len(set(some)) == len(some) for some in ids)
    assert sorted({i for some in ids for i in some})[0] == 1


def test_fewer_tracks_than_as_the_frames_come():
    """Everybody is lost in one frame of five: links see what comes after."""
    frames = crowd(7, 60)
    after = {i for some in ids_of(frames) for i in some}
    tracked = followed(frames, Rules(patience=0.04))
    assert len(after) < len({i for frame in tracked for i in frame.ids})


def test_times_must_be_those_of_the_frames():
    with pytest.raises(ValueError, match="1 frames and 2 times"):
        linked([people([])], [0.0, 1.0])


def test_joints_come_back_untouched():
    frames = [people([(100, 100), (300, 100)])] * 4
    for before, after in zip(frames, linked(frames, np.arange(4) / RATE), strict=True):
        np.testing.assert_array_equal(before.joints, after.joints)
