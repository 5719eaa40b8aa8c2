"""CLEAR MOT, hand-worked."""

from __future__ import annotations

import numpy as np
import pytest

from bottomup.metrics.clearmot import ClearMot

NO = np.nan


def counts(mot: ClearMot) -> tuple[int, int, int, int, int]:
    return mot.objects, mot.matches, mot.misses, mot.false_positives, mot.switches


def test_one_track_followed_throughout():
    mot = ClearMot()
    for _ in range(3):
        mot.add([1], [7], np.array([[0.1]]))
    assert counts(mot) == (3, 3, 0, 0, 0)
    assert mot.distance == pytest.approx(0.3)


def test_a_new_id_is_one_switch_and_stays():
    mot = ClearMot()
    for track in (7, 7, 8, 8):
        mot.add([1], [track], np.array([[0.1]]))
    assert counts(mot) == (4, 4, 0, 0, 1)


def test_a_partner_is_kept_though_another_is_nearer():
    mot = ClearMot()
    mot.add([1], [7], np.array([[0.4]]))
    mot.add([1], [7, 8], np.array([[0.4, 0.0]]))
    assert counts(mot) == (2, 2, 0, 1, 0)


def test_a_partner_out_of_reach_is_left_and_its_return_is_a_switch_again():
    mot = ClearMot()
    mot.add([1], [7, 8], np.array([[0.1, NO]]))
    mot.add([1], [7, 8], np.array([[NO, 0.1]]))
    mot.add([1], [7], np.array([[0.1]]))
    assert counts(mot) == (3, 3, 0, 2, 2)


def test_the_partner_is_remembered_while_nobody_finds_the_track():
    mot = ClearMot()
    mot.add([1], [7], np.array([[0.1]]))
    mot.add([1], [], np.zeros((1, 0)))
    mot.add([1], [7], np.array([[0.1]]))
    mot.add([1], [9], np.array([[0.1]]))
    assert counts(mot) == (4, 3, 1, 0, 1)


def test_two_tracks_that_exchange_ids_are_two_switches():
    mot = ClearMot()
    mot.add([1, 2], [7, 8], np.array([[0.1, NO], [NO, 0.1]]))
    mot.add([1, 2], [7, 8], np.array([[NO, 0.1], [0.1, NO]]))
    assert counts(mot) == (4, 4, 0, 0, 2)


def test_as_many_pairs_as_possible_at_the_least_cost():
    mot = ClearMot()
    # the nearest pair of all (1, 7) would leave 2 alone
    mot.add([1, 2], [7, 8], np.array([[0.0, 0.5], [0.1, NO]]))
    assert counts(mot) == (2, 2, 0, 0, 0)
    assert mot.distance == pytest.approx(0.6)


def test_frames_without_one_side_are_misses_or_false_positives():
    mot = ClearMot()
    mot.add([1, 2], [], np.zeros((2, 0)))
    mot.add([], [7], np.zeros((0, 1)))
    mot.add([], [], np.zeros((0, 0)))
    assert counts(mot) == (2, 0, 2, 1, 0)


def test_a_partner_of_two_stays_with_the_first():
    mot = ClearMot()
    mot.add([1], [7], np.array([[0.1]]))
    mot.add([2], [7], np.array([[0.1]]))
    mot.add([1, 2], [7], np.array([[0.4], [0.1]]))
    assert counts(mot) == (4, 3, 1, 0, 0)
