"""What comes in is checked, whatever its type, and goes out the same however it is computed."""

import numpy as np
import pytest
import torch

import bottomup
from bottomup.core import COCO17, Maps
from bottomup.grouping import group, group_batch

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def scenes(drawn):
    """Five pictures of nobody to four people, noisy, in one batch."""
    rng, maps = np.random.default_rng(0), []
    for count in range(5):
        truth, _ = drawn.row_of_people(COCO17, rng, 4, box=30, gap=4)
        one = drawn.draw(COCO17, truth[:count], (42, 150), 1.5)
        maps.append(one.each(lambda a: a + rng.normal(0, 0.02, a.shape).astype(np.float32)))
    return Maps(
        np.stack([m.heatmaps for m in maps]),
        np.stack([m.pafs for m in maps]),
        np.stack([m.tags for m in maps]),
        sigma=1.5,
    )


def same(one, other):
    return np.array_equal(one.joints, other.joints) and np.array_equal(one.scores, other.scores)


def alone(maps):
    return group(maps.heatmaps, pafs=maps.pafs, tags=maps.tags, skeleton=COCO17, sigma=maps.sigma)


def test_the_public_name_is_this_function():
    assert bottomup.group is group


@pytest.mark.parametrize(
    "heat",
    [np.zeros((17, 0, 0)), np.zeros((17, 0, 8)), np.zeros((17, 1, 1)), np.ones((17, 1, 1)), np.full((17, 9, 9), 0.7)],
    ids=["empty", "no rows", "one cell", "one high cell", "constant"],
)
def test_nobody_is_found_in_maps_without_peaks(heat):
    size = heat.shape[1:]
    for pafs, tags in ((np.ones((19, 2, *size)), None), (None, np.ones((1, 17, *size)))):
        people = group(heat, pafs=pafs, tags=tags, skeleton=COCO17)
        assert people.joints.shape == (0, 17, 3) and people.scores.shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pafs": None, "tags": None}, "neither pafs nor tags"),
        ({"heatmaps": np.zeros((18, 6, 8))}, r"heatmaps \(18, 6, 8\).*coco17.*\(17, h, w\)"),
        ({"heatmaps": np.zeros((6, 8))}, r"\(6, 8\)"),
        ({"heatmaps": np.zeros((2, 17, 6, 8))}, r"heatmaps \(2, 17, 6, 8\) are a batch"),
        ({"pafs": np.zeros((38, 6, 8))}, r"pafs \(38, 6, 8\).*\(17, 6, 8\)"),
        ({"pafs": np.zeros((18, 2, 6, 8))}, r"pafs \(18, 2, 6, 8\).*\(17, 6, 8\)"),
        ({"pafs": np.zeros((19, 2, 8, 6))}, r"pafs \(19, 2, 8, 6\).*\(17, 6, 8\)"),
        ({"tags": np.zeros((17, 6, 8))}, r"tags \(17, 6, 8\).*\(17, 6, 8\)"),
        ({"tags": np.zeros((1, 16, 6, 8))}, r"tags \(1, 16, 6, 8\).*\(17, 6, 8\)"),
        ({"tags": np.zeros((0, 17, 6, 8))}, r"tags \(0, 17, 6, 8\).*L >= 1"),
        ({"sigma": 0}, "sigma.*more than 0.*got 0"),
        ({"sigma": float("nan")}, "sigma.*got nan"),
        ({"heatmaps": np.zeros((17, 6, 8), complex)}, "heatmaps must be real numbers, got complex128"),
    ],
)
def test_wrong_input_is_refused_with_both_shapes(change, message):
    given = {"heatmaps": np.zeros((17, 6, 8)), "pafs": np.zeros((19, 2, 6, 8)), "tags": np.zeros((1, 17, 6, 8))}
    given |= change
    with pytest.raises(ValueError, match=message):
        group(given.pop("heatmaps"), skeleton=COCO17, **given)


@pytest.mark.parametrize("name", ["heatmaps", "pafs", "tags"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused_with_their_place(scenes, name, value):
    maps = {n: getattr(scenes, n)[2].copy() for n in ("heatmaps", "pafs", "tags")}
    y, x = np.unravel_index(maps["heatmaps"][5].argmax(), maps["heatmaps"][5].shape)  # a joint, which is looked at
    if name == "pafs":
        maps[name][:, :, y - 6 : y + 7, x - 6 : x + 7] = value  # somewhere along its limbs
    else:
        maps[name][..., 5, y, x] = value
    with pytest.raises(ValueError, match=rf"{name} hold \d+ NaN or infinite values, the first at \(\d+, .*\d+\)"):
        group(maps.pop("heatmaps"), skeleton=COCO17, **maps)


def test_fields_and_tags_where_nobody_looks_are_no_error():
    heat, nothing = np.zeros((17, 6, 8), np.float32), np.full((19, 2, 6, 8), np.nan, np.float32)
    assert len(group(heat, pafs=nothing, tags=nothing[:1, :1].repeat(17, 1), skeleton=COCO17)) == 0


def test_huge_but_finite_values_are_no_error(scenes):
    heat, pafs = scenes.heatmaps[2], np.full((19, 2, *scenes.heatmaps.shape[2:]), 3e38, np.float32)
    group(heat, pafs=pafs, skeleton=COCO17)
    with pytest.raises(ValueError, match="pafs hold"):
        group(heat, pafs=pafs.astype(np.float64) * 10, skeleton=COCO17)


def strided(a):
    return np.repeat(np.asfortranarray(a), 2, axis=-1)[..., ::2]


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.astype(np.float64),
        strided,
        lambda a: a[..., ::-1].copy()[..., ::-1],
        read_only,
        lambda a: a.astype(">f4"),
        torch.from_numpy,
        lambda a: torch.from_numpy(a).requires_grad_(),
        lambda a: torch.from_numpy(a).double().transpose(-1, -2).contiguous().transpose(-1, -2),
    ],
    ids=["double", "strided", "reversed", "read-only", "big-endian", "torch", "graph", "torch strided"],
)
def test_types_and_strides_change_nothing(scenes, change):
    maps = scenes[3]
    assert len(alone(maps)) == 3
    assert same(alone(maps), alone(maps.each(change)))


@pytest.mark.parametrize("half", [np.float16, torch.bfloat16, torch.float16])
def test_half_precision_finds_the_same_people(scenes, half):
    def change(a):
        return a.astype(half) if half is np.float16 else torch.from_numpy(a).to(half)

    exact, rough = alone(scenes[3]), alone(scenes[3].each(change))
    assert len(rough) == len(exact)
    gaps = np.hypot(*(rough.joints[:, None] - exact.joints)[..., :2].T).max(0).min(0)
    assert gaps.max() < 1


def test_a_batch_gives_what_its_pictures_give_alone(scenes):
    together = group_batch(scenes, COCO17)
    assert [len(p) for p in together] == [0, 1, 2, 3, 4]
    for i, people in enumerate(together):
        assert same(people, alone(scenes[i]))
    torch_batch = scenes.each(torch.from_numpy)
    assert all(same(a, b) for a, b in zip(together, group_batch(torch_batch, COCO17), strict=True))


def test_twenty_runs_and_any_number_of_threads_give_the_same_bytes(scenes, monkeypatch):
    def everything():
        return b"".join(p.joints.tobytes() + p.scores.tobytes() for p in group_batch(scenes, COCO17))

    first = everything()
    assert len(first) > 0
    for threads in [1, 2, 8] * 7:
        monkeypatch.setattr("os.cpu_count", lambda count=threads: count)
        assert everything() == first


def test_a_batch_may_be_empty_or_of_one(scenes):
    assert group_batch(scenes.each(lambda a: a[:0]), COCO17) == []
    (people,) = group_batch(scenes.each(lambda a: a[4:]), COCO17)
    assert same(people, alone(scenes[4]))


def test_errors_of_a_batch_name_the_picture(scenes):
    broken = scenes.each(np.copy)
    broken.heatmaps[3, 5, 6, 7] = np.nan
    with pytest.raises(ValueError, match=r"image 3 of the batch: heatmaps hold 1 NaN.*\(5, 6, 7\)"):
        group_batch(broken, COCO17)
    with pytest.raises(ValueError, match="one image.*use group"):
        group_batch(scenes[0], COCO17)
    with pytest.raises(ValueError, match="batch, not one image.*use group_batch"):
        group(scenes.heatmaps, pafs=scenes.pafs, skeleton=COCO17)


def test_the_input_is_left_as_it_was(scenes):
    before = scenes.each(np.copy)
    group_batch(scenes, COCO17)
    for name in ("heatmaps", "pafs", "tags"):
        assert np.array_equal(getattr(scenes, name), getattr(before, name))
