"""People: N = 0 is ordinary, and selecting, joining, warping and writing keep everybody whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.core import COCO17, MPII16, People, Skeleton, Warp

TRIO = Skeleton("trio", ("left", "right", "top"), ((2, 0), (2, 1)), (1, 0, 2), (0.1,) * 3)
counts = pytest.mark.parametrize("count", [0, 1, 5])


def crowd(count: int, *, boxes: bool = True, ids: bool = True, seed: int = 0, first_id: int = 10) -> People:
    """So many people of the trio skeleton, with scores apart from 0."""
    random = np.random.default_rng(seed)
    joints = random.uniform(1, 100, (count, 3, 3)).astype(np.float32)
    joints[..., 2] = random.uniform(0.1, 1, (count, 3))
    return People(
        joints,
        random.random(count),
        TRIO,
        random.uniform(1, 50, (count, 4)) if boxes else None,
        np.arange(first_id, first_id + count) if ids else None,
    )


def assert_same(a: People, b: People, atol: float = 0) -> None:
    for name in ("joints", "scores", "boxes", "ids"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=0, atol=atol, err_msg=name)


@counts
def test_shapes_and_types(count):
    people = crowd(count)
    assert len(people) == count
    assert people.joints.shape == (count, 3, 3) and people.joints.dtype == np.float32
    assert people.scores.shape == (count,) and people.scores.dtype == np.float32
    assert people.boxes.shape == (count, 4) and people.ids.dtype == np.int64


def test_nobody_is_zero_people():
    nobody = People.nobody(COCO17)
    assert nobody.joints.shape == (0, 17, 3) and nobody.scores.shape == (0,)
    assert nobody.boxes is None and nobody.ids is None
    assert nobody.to_coco(3) == [] and len(nobody.warp(Warp.flip(10))) == 0
    assert list(nobody) == []


@pytest.mark.parametrize(
    ("index", "chosen"),
    [
        (2, [2]),
        (-1, [4]),
        (np.int64(0), [0]),
        (slice(1, 4), [1, 2, 3]),
        (slice(0, 0), []),
        (slice(None, None, -1), [4, 3, 2, 1, 0]),
        ([3, 0], [3, 0]),
        ([], []),
        (np.array([True, False, False, True, False]), [0, 3]),
    ],
)
def test_selecting_keeps_each_person_whole(index, chosen):
    people = crowd(5)
    some = people[index]
    assert some.ids.tolist() == [10 + i for i in chosen]
    for row, i in enumerate(chosen):
        np.testing.assert_array_equal(some.joints[row], people.joints[i])
        np.testing.assert_array_equal(some.boxes[row], people.boxes[i])
        assert some.scores[row] == people.scores[i]


@pytest.mark.parametrize("index", [0, -1, 7])
def test_a_person_that_is_not_there(index):
    with pytest.raises(IndexError):
        People.nobody(TRIO)[index]


def test_iterating_gives_one_person_at_a_time():
    people = crowd(3)
    assert_same(People.concatenate(list(people)), people)


@given(st.integers(0, 6), st.integers(0, 6))
def test_cutting_and_joining_changes_nothing(count, cut):
    people = crowd(count)
    assert_same(People.concatenate([people[:cut], people[cut:]]), people)


def test_boxes_survive_joining_only_if_everybody_has_one():
    joined = People.concatenate([crowd(2), crowd(1, boxes=False), People.nobody(TRIO)])
    assert len(joined) == 3 and joined.boxes is None and joined.ids is None
    assert People.concatenate([crowd(2), crowd(1)]).boxes.shape == (3, 4)


def test_what_cannot_be_joined():
    with pytest.raises(ValueError, match="coco17.*mpii16"):
        People.concatenate([People.nobody(COCO17), People.nobody(MPII16)])
    with pytest.raises(ValueError, match="nothing"):
        People.concatenate([])


@counts
@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("ids", [True, False])
def test_coco_entries_give_the_people_back(count, boxes, ids):
    people = crowd(count, boxes=boxes, ids=ids)
    entries = json.loads(json.dumps(people.to_coco(139)))
    back = People.from_coco(entries, TRIO)
    if count:
        assert_same(back, people, atol=6e-4)
    assert len(back) == count


def test_coco_entries_hold_what_readers_expect():
    (entry,) = crowd(1, ids=False).to_coco(139, category_id=7, file_name="a/b.jpg")
    assert entry["image_id"] == 139 and entry["category_id"] == 7 and entry["file_name"] == "a/b.jpg"
    assert len(entry["keypoints"]) == 9 and len(entry["bbox"]) == 4 and "track_id" not in entry
    assert all(type(v) is float for v in [*entry["keypoints"], entry["score"]])


def test_annotations_without_scores_count_as_certain():
    people = People.from_coco([{"keypoints": [1, 2, 2, 3, 4, 1, 0, 0, 0]}], TRIO)
    assert people.scores.tolist() == [1] and people.joints[0, 1].tolist() == [3, 4, 1]


def test_entries_of_another_skeleton_are_named():
    with pytest.raises(ValueError, match="entry 44 has 6 numbers.*trio needs 9"):
        People.from_coco([{"id": 44, "keypoints": [0] * 6}], TRIO)


@counts
def test_warping_moves_joints_and_boxes_and_keeps_the_rest(count):
    people = crowd(count)
    moved = people.warp(Warp.shift(5, -2) @ Warp.resize(2))
    np.testing.assert_allclose(moved.joints[..., :2], people.joints[..., :2] * 2 + [5.5, -1.5], rtol=1e-6)
    np.testing.assert_array_equal(moved.joints[..., 2], people.joints[..., 2])
    np.testing.assert_allclose(moved.boxes[:, 2:], people.boxes[:, 2:] * 2, rtol=1e-5)
    np.testing.assert_array_equal(moved.scores, people.scores)
    np.testing.assert_array_equal(moved.ids, people.ids)


def test_joints_not_found_stay_zero_under_any_warp():
    people = crowd(2)
    joints = people.joints.copy()
    joints[0, 1] = 0
    moved = People(joints, people.scores, TRIO).warp(Warp.shift(30, 40))
    assert moved.joints[0, 1].tolist() == [0, 0, 0] and (moved.joints[1] != 0).all()


@given(st.floats(-180, 180), st.floats(0.2, 5), st.floats(-100, 100))
def test_warping_there_and_back(degrees, scale, x):
    people, warp = crowd(3, boxes=False), Warp.shift(x, 7) @ Warp.rotation(degrees, scale)
    assert_same(people.warp(warp).warp(warp.inverse()), people, atol=1e-2)


def test_warping_leaves_the_original_alone():
    people = crowd(2)
    before = people.joints.copy()
    people.warp(Warp.shift(1, 1))
    np.testing.assert_array_equal(people.joints, before)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"joints": np.zeros((2, 4, 3))}, "joints"),
        ({"joints": np.zeros((2, 3))}, "joints"),
        ({"joints": np.zeros((2, 3, 2))}, "joints"),
        ({"scores": np.zeros(3)}, "scores"),
        ({"scores": np.zeros((2, 1))}, "scores"),
        ({"boxes": np.zeros((2, 3))}, "boxes"),
        ({"boxes": np.zeros((1, 4))}, "boxes"),
        ({"ids": np.zeros(1)}, "ids"),
    ],
)
def test_wrong_fields_are_named(change, word):
    fields = {"joints": np.zeros((2, 3, 3)), "scores": np.zeros(2), "skeleton": TRIO}
    with pytest.raises(ValueError, match=f"^{word} must be"):
        People(**(fields | change))


def test_people_cannot_be_changed():
    with pytest.raises(AttributeError):
        crowd(1).scores = np.ones(1)


def test_faint_joints_count_as_not_found():
    joints = np.ones((1, 17, 3), np.float32)
    joints[0, :, 2] = np.linspace(0.02, 0.34, 17)
    sure = People(joints, [0.5], COCO17).without_faint()
    assert (sure.joints[0, :, 2] > 0).tolist() == [False] * 4 + [True] * 13
    assert not sure.joints[0, :4].any() and (sure.joints[0, 4:] == joints[0, 4:]).all()
