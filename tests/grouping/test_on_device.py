"""Maps on a device give the people that they give on the CPU, to the bit, and little of them travels.

Tensors of the CPU stand in for those of a GPU; `cuda` runs where there is one.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.core import COCO17, Maps, Skeleton
from bottomup.grouping import group, group_batch, on_device, pipeline
from bottomup.grouping.on_device import Distant, covered, crests_of, grown, numbers_of

torch.set_num_threads(1)
WITH_PRIOR = COCO17.with_shipped_prior()
HAND = Skeleton("hand", ("palm", "left_tip", "right_tip"), ((0, 1), (0, 2)), (0, 2, 1), (0.05,) * 3)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
fetched: list[int] = []


class Strict(Distant):
    """What was not fetched is no number, and what was is counted."""

    def __init__(self, *args):
        super().__init__(*args)
        self.here[:] = np.nan

    def fetch(self, cells):
        fetched.append(len(cells) * (1 + self.there.shape[1]))
        super().fetch(cells)


@pytest.fixture(autouse=True)
def distant(monkeypatch):
    """All tensors count as distant, and what is read without being fetched shows."""
    monkeypatch.setattr(pipeline, "is_distant", lambda maps: isinstance(maps, torch.Tensor))
    monkeypatch.setattr(on_device, "Distant", Strict)
    fetched.clear()


@pytest.fixture(scope="module")
def scenes(drawn):
    """Pictures of nobody to five people who touch, noisy, in one batch; peaks of different widths."""
    rng, maps = np.random.default_rng(0), []
    for count in range(6):
        truth, _ = drawn.row_of_people(COCO17, rng, 5, box=34, gap=-12)
        one = drawn.draw(COCO17, truth[:count], (45, 125), 1 + 0.3 * count)
        maps.append(one.each(lambda a: a + rng.normal(0, 0.03, a.shape).astype(np.float32)))
    return Maps(*(np.stack([getattr(m, name) for m in maps]) for name in ("heatmaps", "pafs", "tags")), sigma=1.5)


def torch_maps(maps, device="cpu"):
    return maps.each(lambda a: torch.from_numpy(np.array(a)).to(device))


def assert_same(here, there):
    assert len(here) == len(there)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.joints, other.joints)
        np.testing.assert_array_equal(one.scores, other.scores)


def check(maps, skeleton, fill=False, device="cpu"):
    here = group_batch(maps, skeleton, fill=fill)
    assert_same(here, group_batch(torch_maps(maps, device), skeleton, fill=fill))
    return here


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("sigma", [None, 0.6, 1.5, 2.7])
@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize("evidence", ["pafs", "tags", "both"])
@pytest.mark.parametrize("skeleton", [COCO17, WITH_PRIOR], ids=["plain", "prior"])
def test_a_batch_gives_the_same_people_to_the_bit(scenes, skeleton, evidence, fill, sigma, device):
    pafs, tags = (scenes.pafs if evidence != "tags" else None), (scenes.tags if evidence != "pafs" else None)
    people = check(Maps(scenes.heatmaps, pafs, tags, sigma=sigma), skeleton, fill, device)
    assert sum(map(len, people)) >= 8
    (heat_cells, *_), size = fetched, scenes.heatmaps.size
    assert 0 < heat_cells < 0.7 * size


@pytest.mark.parametrize("number", range(6))
def test_one_picture_alone_gives_the_same_people(scenes, number):
    one = scenes[number]
    here, there = (
        group(m.heatmaps, pafs=m.pafs, tags=m.tags, skeleton=WITH_PRIOR, fill=True) for m in (one, torch_maps(one))
    )
    assert_same([here], [there])


def coarse(shape, levels):
    """Maps of so few different values that they are full of ties and flat tops."""
    return st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).choice(np.array(levels, np.float32), shape)
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_ties_flat_tops_and_any_size_change_nothing(data):
    size = data.draw(st.tuples(st.integers(1, 14), st.integers(1, 14)))
    heat = data.draw(coarse((2, 3, *size), [0, 0, 0, 0.1, 0.25, 0.5, 0.5, 0.9]))
    pafs = data.draw(st.none() | coarse((2, 2, 2, *size), [-1, 0, 0.2, 0.5, 1]))
    tags = data.draw(coarse((2, 2, 3, *size), [0, 1, 2, 3]) if pafs is None else st.none())
    check(Maps(heat, pafs, tags, sigma=data.draw(st.sampled_from([None, 0.5, 1.2, 3.0]))), HAND)


@pytest.mark.parametrize("sigma", [None, 0.9, 1.45])
def test_sharp_peaks_and_their_shoulders_are_the_same(scenes, sigma):
    rng = np.random.default_rng(4)
    heat = np.where(rng.random(scenes.heatmaps.shape) < 0.02, rng.random(scenes.heatmaps.shape), 0)
    heat[:2] = scenes.heatmaps[:2]  # of which the spread is another where it is measured
    check(Maps(heat.astype(np.float32), scenes.pafs, scenes.tags, sigma=sigma), WITH_PRIOR, fill=True)


def test_wide_flat_tops_and_saturated_maps_change_nothing(scenes):
    for top, sigma in ((0.5, None), (0.3, 2.0), (0.15, None)):
        heat = np.minimum(np.round(scenes.heatmaps, 2), top).astype(np.float32)
        check(Maps(heat, scenes.pafs, scenes.tags, sigma=sigma), WITH_PRIOR, fill=True)


@pytest.mark.parametrize("size", [(0, 0), (0, 8), (1, 1), (1, 9), (9, 1)])
@pytest.mark.parametrize("level", [0.0, 0.7])
def test_small_and_constant_maps_are_the_same(size, level):
    pafs, tags = np.ones((1, 19, 2, *size), np.float32), np.ones((1, 1, 17, *size), np.float32)
    check(Maps(np.full((1, 17, *size), level, np.float32), pafs, tags), COCO17)
    assert group_batch(Maps(torch.zeros(0, 17, *size), torch.zeros(0, 19, 2, *size)), COCO17) == []


@pytest.mark.parametrize("name", ["heatmaps", "pafs", "tags"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_the_same_error(scenes, name, value):
    broken = scenes.each(np.copy)
    y, x = np.unravel_index(broken.heatmaps[3, 5].argmax(), broken.heatmaps.shape[2:])
    getattr(broken, name)[3][..., max(y - 6, 0) : y + 7, max(x - 6, 0) : x + 7] = value
    errors = []
    for maps in (broken, torch_maps(broken)):
        with pytest.raises(ValueError, match=f"image 3 of the batch: {name} hold") as error:
            group_batch(maps, COCO17)
        errors.append(str(error.value))
    assert errors[0] == errors[1]


def test_wrong_shapes_are_the_same_error(scenes):
    for change in ({"heatmaps": scenes.heatmaps[:, :16], "tags": None}, {"pafs": scenes.pafs[:, :18]}):
        given = {"heatmaps": scenes.heatmaps, "pafs": scenes.pafs, "tags": scenes.tags} | change
        errors = []
        for maps in (Maps(**given), torch_maps(Maps(**given))):
            with pytest.raises(ValueError) as error:
                group_batch(maps, COCO17)
            with pytest.raises(ValueError) as alone:
                group(maps.heatmaps[0], pafs=maps.pafs[0], skeleton=COCO17)
            errors.append((str(error.value), str(alone.value)))
        assert errors[0] == errors[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.requires_grad_(),
        lambda a: a.double().transpose(-1, -2).contiguous().transpose(-1, -2),
        lambda a: a.to(torch.bfloat16).float().to(torch.bfloat16),
    ],
    ids=["graph", "strided double", "bfloat16"],
)
def test_types_and_strides_change_nothing(scenes, change):
    maps = torch_maps(scenes).each(change)
    assert_same(group_batch(maps.numpy(), WITH_PRIOR), group_batch(maps, WITH_PRIOR))


def test_the_threads_change_nothing(scenes, monkeypatch):
    first = group_batch(torch_maps(scenes), WITH_PRIOR)
    for threads in (1, 8):
        monkeypatch.setattr("os.cpu_count", lambda count=threads: count)
        assert_same(first, group_batch(torch_maps(scenes), WITH_PRIOR))


def test_crests_are_those_that_a_sweep_calls():
    heat = torch.tensor([[0, 0, 0, 0, 9], [0, 1, 1, 0, 0], [0, 0, 0, 0.1, 0], [3, 0, 0, 0, 5]])[None, None]
    crests, flat = crests_of(heat, 0.1)
    assert numbers_of(crests).tolist() == [4, 6, 15, 19] and numbers_of(flat).tolist() == [6]


def test_a_mask_grows_by_rows_and_columns_and_stays_in_the_map():
    mask = torch.zeros(1, 1, 4, 5, dtype=torch.bool)
    mask[0, 0, 1, 4] = True
    assert numbers_of(grown(mask, 1)).tolist() == [3, 4, 8, 9, 13, 14]
    assert grown(mask, 9).all() and not grown(~grown(mask, 9), 2).any()


def test_boxes_cover_their_cells_where_they_overlap_too():
    rng, expected = np.random.default_rng(0), np.zeros((3, 7, 9), bool)
    low, high = np.sort(rng.integers(0, 10, (2, 12)), 0), np.sort(rng.integers(0, 8, (2, 12)), 0)
    boxes = np.stack((rng.integers(0, 3, 12), low[0], high[0], low[1], high[1]))
    for plane, x0, y0, x1, y1 in boxes.T:
        expected[plane, y0:y1, x0:x1] = True
    assert np.array_equal(covered(boxes, 3, 7, 9, torch.device("cpu")).numpy(), expected)
