import numpy as np

from bottomup.core import COCO17, Maps
from bottomup.grouping import group
from bottomup.grouping.doubles import without_doubles

START = np.array([0, 4, 5, 5])
#                    one person's joint, twice | another's beside | far away | another joint
SPOT = np.array([[10.0, 14, 12, 40, 12], [10, 10, 12, 10, 10], [0.9, 0.4, 0.5, 0.3, 0.2]])
TAG = np.array([[1.0, 2], [1.2, 2], [2.5, 2], [1, 2], [1, 2]])


def kept(spot=SPOT, start=START, tag=TAG, reach=9.0, limit=0.5):
    return without_doubles(np.ascontiguousarray(spot, np.float64), start, np.ascontiguousarray(tag), reach, limit)


def test_the_lesser_of_two_near_peaks_of_a_joint_with_one_tag_goes():
    spot, start, tag = kept()
    np.testing.assert_array_equal(spot, SPOT[:, [0, 2, 3, 4]])
    np.testing.assert_array_equal(start, [0, 3, 4, 4])
    np.testing.assert_array_equal(tag, TAG[[0, 2, 3, 4]])


def test_other_tags_and_far_peaks_stay_and_so_do_equal_ones():
    assert kept(limit=0.1)[0].shape[1] == 5 and kept(reach=3.9)[0].shape[1] == 5
    level = SPOT.copy()
    level[2] = 0.5
    assert kept(spot=level)[0].shape[1] == 5
    assert [part.shape for part in kept(SPOT[:, :0], np.zeros(4, int), TAG[:0])] == [(3, 0), (4,), (0, 2)]


def test_reference_on_many_peaks_and_mirrored_ones():
    rng = np.random.default_rng(0)
    spot, tag, start = rng.uniform(0, 30, (3, 90)), rng.normal(0, 1, (90, 1)), np.array([0, 30, 60, 90])
    joint = np.repeat(np.arange(3), 30)
    near = np.hypot(spot[0][:, None] - spot[0], spot[1][:, None] - spot[1]) < 9
    like = (np.abs(tag - tag.T) < 0.5) & (joint[:, None] == joint)
    stays = ~(near & like & (spot[2] > spot[2][:, None])).any(1)
    assert 20 < stays.sum() < 80
    np.testing.assert_array_equal(kept(spot, start, tag)[0], spot[:, stays])
    mirrored = spot * [[-1], [1], [1]]
    np.testing.assert_array_equal(kept(mirrored, start, tag)[0], mirrored[:, stays])


def test_a_joint_seen_twice_makes_no_second_person_of_tags_alone(drawn):
    truth, size = drawn.row_of_people(COCO17, np.random.default_rng(3), 1)
    twice = np.concatenate((truth, truth + (3, 3, 0)))
    twice[1, :, 2] *= 0.7
    maps = drawn.draw(COCO17, twice, (size[0] + 6, size[1] + 6), 1.0, values=[[0], [0.1]])
    assert isinstance(maps, Maps)
    people = group(maps.heatmaps, tags=maps.tags, skeleton=COCO17, sigma=1.0)
    assert len(people) == 1 and np.abs(people.joints[0, :, :2] - truth[0, :, :2]).max() < 0.5
