"""Targets: hand-worked maps, masks that hide what is not known and nothing else, mirror symmetry."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.core import ABSENT, COCO17, LABELLED, UNKNOWN, Maps, People, Skeleton
from bottomup.targets.encode import Labels, Targets, encode, encode_outputs, encode_people

torch.set_num_threads(1)

PAIR = Skeleton("pair", ["a", "b"], [(0, 1)], [0, 1], [0.1, 0.1])
CHAIN = Skeleton("chain", ["a", "b", "c"], [(0, 1), (1, 2)], [0, 1, 2], [0.1] * 3)
SIDE = 12


def someone(
    *cells: tuple[float, float],
    known: int | tuple[int, ...] = LABELLED,
    confidence: float | tuple[float, ...] = 1.0,
    box: tuple[float, float, float, float] = (0, 0, SIDE - 1, SIDE - 1),
    picture: int = 0,
) -> dict:
    """A person whose joints and box are given in cells."""
    states = np.broadcast_to(known, len(cells)).astype(np.uint8)
    trust = np.broadcast_to(confidence, len(cells)).astype(np.float32)
    return {"joints": cells, "known": states, "confidence": trust, "boxes": box, "picture": picture}


def encoded(
    *people: dict,
    skeleton: Skeleton = PAIR,
    stride: int = 4,
    sigma: float = 1.0,
    pictures: int = 1,
    side: int = SIDE,
    taught: torch.Tensor | None = None,
    taught_joints: torch.Tensor | None = None,
) -> Targets:
    """Targets of people given in cells, through pixels."""
    count = len(skeleton)

    def column(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.tensor(np.array([p[name] for p in people], np.float32).reshape(-1, *shape))

    boxes = column("boxes", (4,))
    labels = Labels(
        joints=stride * column("joints", (count, 2)) + (stride - 1) / 2,
        known=column("known", (count,)).to(torch.uint8),
        confidence=column("confidence", (count,)),
        boxes=torch.cat((stride * boxes[:, :2] + (stride - 1) / 2, stride * boxes[:, 2:]), 1),
        picture=column("picture", ()).long(),
    )
    taught = torch.ones(pictures, side, side, dtype=torch.uint8) if taught is None else taught
    taught_joints = torch.ones(pictures, count, dtype=torch.bool) if taught_joints is None else taught_joints
    return encode(labels, taught, taught_joints, skeleton=skeleton, stride=stride, sigma=sigma)


def close(actual: torch.Tensor, expected: object, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(actual.numpy(), np.asarray(expected), atol=atol)


# heatmaps


def test_a_joint_is_a_gaussian_of_cells_cut_at_one_hundredth():
    heat = encoded(someone((5, 4), (9, 9))).maps.heatmaps[0, 0]
    bump = [math.exp(-d * d / 2) for d in (3, 2, 1, 0, 1, 2, 3)]
    close(heat[4, 2:9], bump)
    close(heat[1:8, 5], bump)
    assert heat[3, 4].item() == pytest.approx(math.exp(-1))
    assert heat[1, 5] > 0 and heat[1, 6] == 0, "exp(-9/2) = .0111 stays, exp(-10/2) = .0067 goes"
    assert heat[4, 9] == 0 and heat[0].max() == 0


def test_sigma_is_in_cells():
    heat = encoded(someone((5, 4), (5, 4)), sigma=2.0).maps.heatmaps[0, 0]
    close(heat[4, 5:8], [1, math.exp(-1 / 8), math.exp(-4 / 8)])


@given(x=st.floats(2, 9), y=st.floats(2, 9), stride=st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_peak_lies_at_the_nearest_cell_and_is_as_high_as_it_is_near(x, y, stride):
    heat = encoded(someone((x, y), (0, 0)), stride=stride).maps.heatmaps[0, 0]
    row, column = divmod(int(heat.argmax()), SIDE)
    assert abs(column - x) <= 0.501 and abs(row - y) <= 0.501
    assert heat.max().item() == pytest.approx(math.exp(-((column - x) ** 2 + (row - y) ** 2) / 2), abs=1e-4)


def test_a_joint_between_two_cells_gives_two_equal_ones():
    heat = encoded(someone((4.5, 6), (0, 0))).maps.heatmaps[0, 0]
    close(heat[6, 4:6], [math.exp(-0.125)] * 2)


def test_stride_four_has_its_cells_amid_four_pixels():
    pixels = Labels(
        torch.tensor([[[13.5, 5.5], [1.5, 1.5]]]),
        torch.full((1, 2), LABELLED, dtype=torch.uint8),
        torch.ones(1, 2),
        torch.tensor([[0.0, 0, 40, 40]]),
        torch.zeros(1, dtype=torch.long),
    )
    targets = encode(
        pixels, torch.ones(1, SIDE, SIDE), torch.ones(1, 2, dtype=torch.bool), skeleton=PAIR, stride=4, sigma=1.0
    )
    assert targets.maps.heatmaps[0, 0, 1, 3] == 1 and targets.maps.heatmaps[0, 1, 0, 0] == 1
    assert targets.maps.stride == 4 and targets.maps.sigma == 1.0


def test_neighbours_join_by_the_larger_value_not_the_sum():
    heat = encoded(someone((3, 5), (0, 0)), someone((5, 5), (0, 0))).maps.heatmaps[0, 0]
    close(heat[5, 3:6], [1, math.exp(-0.5), 1])


def test_people_and_joints_stay_in_their_pictures_and_channels():
    heat = encoded(someone((3, 3), (8, 8), picture=1), someone((6, 2), (2, 6)), pictures=3).maps.heatmaps
    peaks = [tuple(cell) for cell in torch.nonzero(heat == 1).tolist()]
    assert peaks == [(0, 0, 2, 6), (0, 1, 6, 2), (1, 0, 3, 3), (1, 1, 8, 8)]
    assert not heat[2].any()


@pytest.mark.parametrize("state", [ABSENT, UNKNOWN])
def test_joints_that_are_not_labelled_leave_no_trace(state):
    targets = encoded(someone((3, 3), (8, 8), known=(LABELLED, state)))
    assert targets.maps.heatmaps[0, 1].max() == 0 and not targets.maps.pafs.any()
    assert targets.tag_cells.tolist() == [[0, 0, 3, 3]]


# fields of limbs


def test_a_limb_is_a_unit_vector_within_one_cell_of_its_line():
    field = encoded(someone((2, 5), (8, 5))).maps.pafs[0, 0]
    expected = np.zeros((SIDE, SIDE))
    expected[4:7, 2:9] = 1
    expected[5, [1, 9]] = 1  # the ends are round
    close(field[0], expected)
    assert not field[1].any()


def test_a_slanted_limb_points_along_itself():
    field = encoded(someone((1, 1), (7, 9))).maps.pafs[0, 0]
    on = field.norm(dim=0) > 0
    close(field[:, on].T, np.tile([0.6, 0.8], (int(on.sum()), 1)))


@pytest.mark.parametrize("seed", range(5))
def test_a_limb_covers_the_cells_within_one_of_its_line_and_no_others(seed):
    start, end = np.random.default_rng(seed).uniform(0, SIDE - 1, (2, 2))
    on = encoded(someone(tuple(start), tuple(end))).maps.pafs[0, 0].norm(dim=0).numpy() > 0
    cells = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1)
    share = np.clip((cells - start) @ (end - start) / ((end - start) ** 2).sum(), 0, 1)
    distance = np.linalg.norm(cells - start - share[..., None] * (end - start), axis=-1)
    np.testing.assert_array_equal(on, distance <= 1)


def test_a_limb_the_other_way_round_points_the_other_way():
    there, back = encoded(someone((2.1, 3.2), (9.3, 6.8))), encoded(someone((9.3, 6.8), (2.1, 3.2)))
    close(there.maps.pafs, -back.maps.pafs)


def test_limbs_of_a_kind_average_where_they_cross():
    east, north = someone((2, 5), (8, 5)), someone((5, 8), (5, 2))
    field = encoded(east, north).maps.pafs[0, 0]
    close(field[:, 5, 5], [0.5, -0.5])
    close(field[:, 5, 8], [1, 0])
    close(field[:, 2, 5], [0, -1])
    twice = encoded(east, east, north).maps.pafs[0, 0]
    close(twice[:, 5, 5], [2 / 3, -1 / 3])


def test_opposite_limbs_cancel_and_still_count():
    targets = encoded(someone((2, 5), (8, 5), confidence=0.5), someone((8, 5), (2, 5), confidence=0.25))
    close(targets.maps.pafs, np.zeros((1, 1, 2, SIDE, SIDE)))
    assert targets.paf_weights[0, 0, 5, 5] == 0.5


@pytest.mark.parametrize("length", [0.0, 0.4])
def test_a_limb_without_length_has_no_direction(length):
    assert not encoded(someone((5, 5), (5 + length, 5))).maps.pafs.any()


def test_a_limb_needs_both_ends():
    targets = encoded(someone((2, 2), (9, 2), (9, 9), known=(LABELLED, LABELLED, ABSENT)), skeleton=CHAIN)
    assert targets.maps.pafs[0, 0].any() and not targets.maps.pafs[0, 1].any()


# weights


def test_everything_counts_once_where_everything_is_known():
    targets = encoded(someone((3, 3), (8, 8)), pictures=2)
    assert (targets.heat_weights == 1).all() and (targets.paf_weights == 1).all()


def test_an_absent_joint_is_taught_as_absent():
    targets = encoded(someone((3, 3), (8, 8), known=(LABELLED, ABSENT)))
    assert (targets.heat_weights == 1).all() and (targets.paf_weights == 1).all()


BOXED = {"box": (2, 3, 3, 4)}  # from the middle of cell (2, 3) to the middle of (5, 7)


def outside_box() -> np.ndarray:
    weights = np.ones((SIDE, SIDE))
    weights[3:8, 2:6] = 0
    return weights


def test_an_unknown_joint_hides_its_channel_in_its_box_alone():
    targets = encoded(someone((10, 1), (3, 4), known=(LABELLED, UNKNOWN), **BOXED), pictures=2)
    close(targets.heat_weights[0, 1], outside_box())
    close(targets.paf_weights[0, 0], outside_box())
    assert (targets.heat_weights[0, 0] == 1).all()
    assert (targets.heat_weights[1] == 1).all() and (targets.paf_weights[1] == 1).all()


def test_limbs_are_hidden_only_where_they_may_be():
    def hidden(*known: int) -> list[bool]:
        targets = encoded(someone((3, 4), (4, 5), (10, 10), known=known, **BOXED), skeleton=CHAIN)
        return [not np.allclose(weights, 1) for weights in targets.paf_weights[0]]

    assert hidden(LABELLED, LABELLED, LABELLED) == [False, False]
    assert hidden(UNKNOWN, LABELLED, LABELLED) == [True, False]
    assert hidden(UNKNOWN, UNKNOWN, LABELLED) == [True, True]
    assert hidden(UNKNOWN, ABSENT, UNKNOWN) == [False, False], "a limb to a joint that is not there is not there"


def test_an_unknown_joint_never_hides_a_labelled_peak_or_limb():
    hiding = someone((0, 0), (0, 0), known=UNKNOWN, box=(0, 0, SIDE, SIDE))
    targets = encoded(hiding, someone((4, 5), (8, 5), confidence=(0.75, 0.5)))
    on = targets.maps.heatmaps[0] > 0
    assert on.any() and (targets.heat_weights[0, 0][on[0]] == 0.75).all()
    assert (targets.heat_weights[0, 1][on[1]] == 0.5).all() and not targets.heat_weights[0][~on].any()
    limb = targets.maps.pafs[0, 0, 0] > 0
    assert (targets.paf_weights[0, 0][limb] == 0.5).all() and not targets.paf_weights[0, 0][~limb].any()


def test_the_surest_of_overlapping_labels_counts():
    targets = encoded(someone((4, 5), (9, 9), confidence=0.25), someone((5, 5), (9, 9), confidence=0.75))
    assert targets.heat_weights[0, 0, 5, 4] == 0.75
    assert targets.heat_weights[0, 0, 5, 1] == 0.25, "only the first reaches here"
    assert targets.heat_weights[0, 0, 0, 0] == 1


def test_ground_that_may_not_be_taught_counts_only_at_labelled_joints_and_limbs():
    taught = torch.ones(1, SIDE, SIDE, dtype=torch.uint8)
    taught[:, :, 6:] = 0
    targets = encoded(someone((8, 5), (8, 9)), taught=taught)
    heat = targets.maps.heatmaps[0]
    assert (targets.heat_weights[0][heat > 0] == 1).all()
    bare = (heat == 0) & (torch.arange(SIDE) >= 6)
    assert not targets.heat_weights[0][bare].any()
    assert (targets.heat_weights[0, :, :, :6] == 1).all()
    limb = targets.maps.pafs[0, 0].norm(dim=0) > 0
    assert (targets.paf_weights[0, 0][limb] == 1).all() and not targets.paf_weights[0, 0, :, 6:][~limb[:, 6:]].any()


def test_joints_that_a_set_does_not_label_count_nowhere():
    person = someone((2, 2), (9, 2), (9, 9))
    taught_joints = torch.tensor([[True, True, False], [True, True, True]])
    targets = encoded(person, person | {"picture": 1}, skeleton=CHAIN, pictures=2, taught_joints=taught_joints)
    assert targets.heat_weights.amax((2, 3)).tolist() == [[1, 1, 0], [1, 1, 1]]
    assert targets.paf_weights.amax((2, 3)).tolist() == [[1, 0], [1, 1]]


# tags


def test_tags_are_taught_at_the_cells_of_labelled_joints_in_the_picture():
    people = [
        someone((3.2, 4.4), (8, 9)),
        someone((2, 2), (1, 1), known=(UNKNOWN, LABELLED), picture=1),
        someone((-2, 3), (5, SIDE + 1), picture=1),
    ]
    targets = encoded(*people, pictures=2)
    assert targets.tag_cells.tolist() == [[0, 0, 4, 3], [0, 1, 9, 8], [1, 1, 1, 1]]
    assert targets.tag_people.tolist() == [0, 0, 1]


# the whole


def test_a_batch_without_people_is_empty_ground():
    taught = torch.rand(2, SIDE, SIDE).round()
    targets = encoded(pictures=2, taught=taught, skeleton=COCO17)
    assert targets.maps.heatmaps.shape == (2, 17, SIDE, SIDE) and not targets.maps.heatmaps.any()
    assert targets.maps.pafs.shape == (2, 19, 2, SIDE, SIDE) and not targets.maps.pafs.any()
    assert (targets.heat_weights == taught[:, None]).all() and (targets.paf_weights == taught[:, None]).all()
    assert targets.tag_cells.shape == (0, 4) and targets.tag_people.shape == (0,)


def crowd(seed: int, count: int = 6) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [
        someone(
            *rng.uniform(0, SIDE - 1, (17, 2)).tolist(),
            known=tuple(rng.choice([ABSENT, UNKNOWN, LABELLED], 17, p=[0.1, 0.1, 0.8]).tolist()),
            confidence=tuple(rng.uniform(0.2, 1, 17).tolist()),
            box=(*rng.uniform(0, 6, 2), *rng.uniform(2, 5, 2)),
            picture=int(rng.integers(2)),
        )
        for _ in range(count)
    ]


def mirrored(person: dict) -> dict:
    order = list(COCO17.mirror)
    joints = (np.array([SIDE - 1, 0]) + np.array(person["joints"]) * (-1, 1))[order]
    x, y, w, h = person["boxes"]
    return person | {
        "joints": joints,
        "known": person["known"][order],
        "confidence": person["confidence"][order],
        "boxes": (SIDE - 1 - x - w, y, w, h),
    }


@pytest.mark.parametrize("seed", range(4))
def test_mirrored_people_give_mirrored_maps(seed):
    people, order = crowd(seed), list(COCO17.mirror)
    limbs = [number for number, _ in COCO17.limb_mirror]
    sign = torch.tensor([-1.0 if turned else 1.0 for _, turned in COCO17.limb_mirror])[:, None, None, None]
    plain = encoded(*people, skeleton=COCO17, pictures=2)
    image = encoded(*map(mirrored, people), skeleton=COCO17, pictures=2)
    close(image.maps.heatmaps, plain.maps.heatmaps[:, order].flip(-1), atol=1e-4)
    close(image.maps.pafs, plain.maps.pafs[:, limbs].flip(-1) * sign * torch.tensor([-1.0, 1.0])[:, None, None], 1e-4)
    close(image.heat_weights, plain.heat_weights[:, order].flip(-1), atol=1e-4)
    close(image.paf_weights, plain.paf_weights[:, limbs].flip(-1), atol=1e-4)


def test_the_order_of_people_does_not_matter():
    people = crowd(9)
    one, other = (encoded(*some, skeleton=COCO17, pictures=2) for some in (people, people[::-1]))
    close(one.maps.heatmaps, other.maps.heatmaps)
    close(one.maps.pafs, other.maps.pafs)
    close(one.heat_weights, other.heat_weights)
    close(one.paf_weights, other.paf_weights)


def test_a_picture_is_encoded_alike_alone_and_in_a_batch():
    people = crowd(3)
    batch = encoded(*people, skeleton=COCO17, pictures=2)
    alone = encoded(*(p | {"picture": 0} for p in people if p["picture"] == 1), skeleton=COCO17)
    close(batch.maps.heatmaps[1], alone.maps.heatmaps[0])
    close(batch.maps.pafs[1], alone.maps.pafs[0])
    close(batch.paf_weights[1], alone.paf_weights[0])


def test_a_skeleton_of_one_joint_has_no_fields():
    targets = encoded(someone((4, 5)), skeleton=Skeleton("dot", ["a"], [], [0], [0.1]))
    assert targets.maps.heatmaps[0, 0, 5, 4] == 1
    assert targets.maps.pafs.shape == (1, 0, 2, SIDE, SIDE) and targets.paf_weights.shape == (1, 0, SIDE, SIDE)


# exact maps of people in cells


def people_at(*joints: list[tuple[float, float, float]], skeleton: Skeleton = PAIR) -> People:
    rows = np.array(joints, np.float32).reshape(-1, len(skeleton), 3)
    return People(rows, np.ones(len(rows)), skeleton)


def test_exact_maps_have_a_number_for_every_person_at_their_joints():
    first, second = [(2, 3, 1), (4, 3, 0.5)], [(9, 8, 1), (3, 9, 1)]
    maps = encode_people([people_at(first, second), People.nobody(PAIR), people_at(second)], (11, SIDE), sigma=1.5)
    assert maps.heatmaps.shape == (3, 2, 11, SIDE) and maps.pafs.shape == (3, 1, 2, 11, SIDE)
    assert maps.tags.shape == (3, 1, 2, 11, SIDE) and maps.stride == 1 and maps.sigma == 1.5
    assert not maps.heatmaps[1].any() and not maps.pafs[1].any()
    for image, joint, x, y, tag in [
        (0, 0, 2, 3, 0),
        (0, 1, 4, 3, 0),
        (0, 0, 9, 8, 1),
        (0, 1, 3, 9, 1),
        (2, 0, 9, 8, 0),
    ]:
        assert maps.heatmaps[image, joint, y, x] == 1 and maps.tags[image, 0, joint, y, x] == tag
    assert maps.tags[0, 0, 0, 8, 8] == 1 and maps.tags[0, 0, 0, 2, 3] == 0, "around a joint its own tag holds"


def test_joints_of_score_zero_are_not_there():
    maps = encode_people([people_at([(2, 3, 1), (9, 3, 0)])], (SIDE, SIDE), sigma=1.0)
    assert maps.heatmaps[0, 0].max() == 1 and not maps.heatmaps[0, 1].any() and not maps.pafs.any()


def test_outputs_of_two_strides_have_targets_of_their_own():
    coarse, fine = (Maps(torch.zeros(1, 2, 16 // s, 16 // s), stride=s, sigma=1.0) for s in (4, 2))
    joints = torch.tensor([[[5.5, 9.5], [13.5, 1.5]]])  # centres of cells (1, 2), (3, 0) of stride 4
    labels = Labels(joints, torch.full((1, 2), LABELLED), torch.ones(1, 2), torch.zeros(1, 4), torch.zeros(1).long())
    taught = torch.ones(1, 8, 8, dtype=torch.uint8)
    taught[0, 7, 0] = 0  # one fine cell: it hides the coarse cell that it lies in
    outputs = [coarse, fine, coarse]
    first, second, third = encode_outputs(outputs, labels, taught, torch.ones(1, 2, dtype=torch.bool), skeleton=PAIR)
    assert third is first and first.maps.heatmaps[0, :, [2, 0], [1, 3]].diagonal().tolist() == [1, 1]
    assert second.maps.stride == 2 and second.maps.heatmaps.shape == (1, 2, 8, 8)
    assert torch.equal(second.maps.heatmaps[0, 0, 4:6, 2:4].unique(), torch.exp(torch.tensor([-0.25])))
    assert (first.heat_weights[0, 1] == 0).nonzero().tolist() == [[3, 0]]
    assert (second.heat_weights[0, 1] == 0).nonzero().tolist() == [[7, 0]]
