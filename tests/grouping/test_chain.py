"""Drawn people are found again: the whole chain on exact maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.core import COCO17, MPII16, Skeleton
from bottomup.grouping import chain, group

EVIDENCE = ["pafs", "tags", "both"]


def grouped(maps, skeleton, evidence="both", sigma=None):
    return group(
        maps.heatmaps,
        pafs=maps.pafs if evidence != "tags" else None,
        tags=maps.tags if evidence != "pafs" else None,
        skeleton=skeleton,
        sigma=sigma,
    )


def errors_of(people, truth):
    """Offsets (M, 2) of all joints, after checking that everybody is there with just their own joints."""
    assert len(people) == len(truth)
    errors = []
    for person in truth:
        found = min(people.joints, key=lambda other: offsets(other, person)[1])
        assert np.array_equal(found[:, 2] > 0, person[:, 2] > 0)
        errors.append(offsets(found, person)[0])
    return np.concatenate(errors)


def offsets(found, person):
    both = (found[:, 2] > 0) & (person[:, 2] > 0)
    gaps = found[both, :2] - person[both, :2]
    return gaps, (np.abs(gaps).sum() / max(both.sum(), 1) + 99 * np.sum(both != (person[:, 2] > 0)))


@pytest.mark.parametrize("kernel", ["join_by_limbs", "join_by_prior"])
def test_kernels_are_asked_again_with_more_room(drawn, monkeypatch, kernel):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(8), 2)
    maps, real, rooms = drawn.draw(COCO17, truth, size), getattr(chain, kernel), []

    def in_need_of_room(*given):
        rooms.append(max(len(array) for array in given if isinstance(array, np.ndarray) and array.shape[1:] == (2,)))
        return 2 * rooms[0] if len(rooms) == 1 else real(*given)

    plain = grouped(maps, COCO17.with_shipped_prior(), "pafs", sigma=2.0)
    monkeypatch.setattr(chain, kernel, in_need_of_room)
    again = grouped(maps, COCO17.with_shipped_prior(), "pafs", sigma=2.0)
    assert rooms[1] >= 2 * rooms[0] and len(rooms) == 2 and np.array_equal(plain.joints, again.joints)


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("number", range(6))
def test_people_of_every_skeleton_are_found_again(drawn, number, evidence):
    skeleton = drawn.ALL[number]
    truth, size = drawn.row_of_people(skeleton, np.random.default_rng(number), 3)
    people = grouped(drawn.draw(skeleton, truth, size), skeleton, evidence, sigma=2.0)
    errors = errors_of(people, truth)
    assert np.abs(errors.mean(0)).max() <= 0.005
    assert np.percentile(np.hypot(*errors.T), 95) <= 0.06


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_the_spread_need_not_be_known(drawn, evidence):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(8), 3)
    for sigma in (1.0, 2.5):
        people = grouped(drawn.draw(COCO17, truth, size, sigma), COCO17, evidence)
        assert np.percentile(np.hypot(*errors_of(people, truth).T), 95) <= 0.06


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from(EVIDENCE))
def test_any_layout_of_separate_people_is_found_again(drawn, seed, count, evidence):
    rng = np.random.default_rng(seed)
    truth, size = drawn.row_of_people(drawn.LIZARD, rng, count)
    people = grouped(drawn.draw(drawn.LIZARD, truth, size), drawn.LIZARD, evidence, sigma=2.0)
    assert np.abs(errors_of(people, truth)).max() <= 0.06


def test_sixty_people_are_sixty(drawn):
    rng = np.random.default_rng(0)
    truth = [drawn.somebody(drawn.LIZARD, rng, (2 + 24 * x, 2 + 24 * y), (20 + 24 * x, 20 + 24 * y))
             for x in range(10) for y in range(6)]  # fmt: skip
    maps = drawn.draw(drawn.LIZARD, truth, (146, 242), 1.0)
    for evidence in EVIDENCE:
        assert len(grouped(maps, drawn.LIZARD, evidence)) == 60


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_the_order_of_the_people_does_not_matter(drawn, evidence):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(4), 4)
    one = grouped(drawn.draw(COCO17, truth, size), COCO17, evidence)
    tags = 1.5 * np.array([2, 0, 3, 1])[:, None]
    other = grouped(drawn.draw(COCO17, truth[[2, 0, 3, 1]], size, values=tags), COCO17, evidence)
    assert np.array_equal(one.joints, other.joints) and np.array_equal(one.scores, other.scores)


def test_people_across_each_other_are_told_apart(drawn):
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        first, second = (drawn.somebody(COCO17, rng, (5, 5), (85, 85)) for _ in range(2))
        if np.hypot(*(first - second)[:, :2].T).min() < 8:
            continue  # melted joints are another matter
        people = grouped(drawn.draw(COCO17, [first, second], (92, 92)), COCO17)
        assert np.abs(errors_of(people, np.array([first, second]))).max() <= 0.1
        found += 1
    assert found >= 3


def test_one_missing_joint_does_not_cut_a_person_where_a_redundant_limb_goes_around_it(drawn):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(2), 2)
    truth[:, 11, 2] = 0  # the left hip: its knee and ankle lose touch, the rest holds
    people = grouped(drawn.draw(COCO17, truth, size), COCO17, "pafs", sigma=2.0)
    held = [j for j in range(17) if j not in (11, 13, 15)]
    assert len(people) == 2
    for person in people.joints:
        assert (person[held, 2] > 0).all() and not (person[[11, 13, 15], 2] > 0).any()


def test_tags_join_what_fields_cannot(drawn):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(2), 2)
    truth[:, 11, 2] = 0
    assert np.abs(errors_of(grouped(drawn.draw(COCO17, truth, size), COCO17), truth)).max() <= 0.06


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_joints_at_and_beyond_the_border_are_kept(drawn, evidence):
    person = drawn.somebody(MPII16, np.random.default_rng(3), (8, 8), (50, 50))
    person[0, :2], person[5, :2], person[9, :2], person[15, :2] = (0, 30), (57, 20), (30, 0.4), (20, 56.8)
    people = grouped(drawn.draw(MPII16, person, (58, 58)), MPII16, evidence, sigma=2.0)
    assert np.abs(errors_of(people, person[None])).max() <= 0.06


def test_equal_tags_far_apart_are_told_apart_by_the_fields_and_by_the_distance(drawn):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(6), 2, gap=60)
    maps = drawn.draw(COCO17, truth, size, values=np.zeros((2, 1)))
    for evidence in EVIDENCE:
        assert np.abs(errors_of(grouped(maps, COCO17, evidence), truth)).max() <= 0.06


def test_tags_of_two_components_work_like_one(drawn):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(7), 3)
    values = np.array([(0, 0), (0, 2), (2, 0)])
    maps = drawn.draw(COCO17, truth, size, values=values)
    assert np.abs(errors_of(grouped(maps, COCO17, "tags"), truth)).max() <= 0.06


def test_joints_in_one_place_stay_in_one_person(drawn):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(9), 2)
    truth[:, [1, 2, 3, 4], :2] = truth[:, :1, :2]  # a face seen from far: all in the nose's place
    truth[:, 2, 0] += 0.7
    maps = drawn.draw(COCO17, truth, size)
    assert np.abs(errors_of(grouped(maps, COCO17, "pafs"), truth)).max() <= 0.06


def test_half_way_between_cells_is_one_whole_person(drawn):
    person = drawn.somebody(COCO17, np.random.default_rng(1), (6, 6), (50, 50))
    person[:, :2] = np.floor(person[:, :2]) + 0.5
    for evidence in EVIDENCE:
        people = grouped(drawn.draw(COCO17, person, (58, 58)), COCO17, evidence)
        assert np.abs(errors_of(people, person[None])).max() <= 0.01


def noisy(drawn, skeleton, seed, levels):
    """Maps with far more peaks than people, in coarse steps so that equal values abound, of odd and even width."""
    rng = np.random.default_rng(seed)
    truth, size = drawn.row_of_people(skeleton, rng, 2, box=24, gap=2)
    maps = drawn.draw(skeleton, truth, (size[0], size[1] + seed % 2), 1.3)
    return maps.each(lambda a: (np.round((a + rng.normal(0, 0.06, a.shape)) * levels) / levels).astype(np.float32))


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("number", range(6))
def test_mirrored_maps_give_exactly_mirrored_people(drawn, number, evidence):
    skeleton = drawn.ALL[number]
    for seed, levels in ((0, 2**20), (1, 2**20), (2, 40), (3, 12)):
        maps = noisy(drawn, skeleton, seed, levels)
        here = grouped(maps, skeleton, evidence, sigma=(None, 1.3)[seed % 2])
        there = grouped(drawn.mirror_maps(maps, skeleton), skeleton, evidence, sigma=(None, 1.3)[seed % 2])
        width = maps.heatmaps.shape[-1]
        assert len(here) > 0
        assert np.array_equal(drawn.mirror_joints(here.joints, skeleton, width), there.joints)
        assert np.array_equal(here.scores, there.scores)


def test_people_come_best_first_with_scores_between_nought_and_one(drawn):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(5), 3)
    truth[:, :, 2] *= np.array([0.5, 1.0, 0.7])[:, None]
    people = grouped(drawn.draw(COCO17, truth, size), COCO17)
    assert people.scores.tolist() == sorted(people.scores.tolist(), reverse=True)
    assert people.scores.min() > 0 and people.scores.max() <= 1
    assert np.allclose(people.joints[0, :, 2], truth[1, :, 2], atol=0.02)


def test_two_joints_can_be_a_whole_animal(drawn):
    worm = Skeleton("worm", ("head", "tail"), ((0, 1),), (0, 1), (0.1, 0.1))
    truth = np.array([[(10, 10, 0.9), (25, 12, 0.9)], [(10, 30, 0.8), (25, 32, 0.8)]])
    maps = drawn.draw(worm, truth, (42, 42))
    assert np.abs(errors_of(grouped(maps, worm, "pafs"), truth)).max() <= 0.06
