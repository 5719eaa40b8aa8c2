"""Passes over mirrored and resized pictures say the same as the plain pass."""

import numpy as np
import pytest
import torch

from bottomup.core import COCO17, SKELETONS, Maps, Warp
from bottomup.roads.passes import averaged, resampled, with_mirrored


def rendered(joints, skeleton, size):
    """Exact maps of one person's joints (K, 2) in cells: peaks, the vector of a limb at its ends, tags."""
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    xy = torch.stack((x, y), -1).float()
    heat = torch.stack([torch.exp(-((xy - torch.tensor(j)) ** 2).sum(-1) / 8) for j in joints])
    pafs = [torch.tensor(joints[b] - joints[a])[:, None, None] * (heat[a] + heat[b]) for a, b in skeleton.limbs]
    return Maps(heat[None], torch.stack(pafs)[None], (3 * heat)[None, None], stride=4)


def person(skeleton, size):
    return np.random.default_rng(3).uniform(4, min(size) - 4, (len(skeleton), 2)).astype(np.float32)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_the_mirrored_pass_is_turned_back_exactly(skeleton):
    size = (24, 30)
    joints = person(skeleton, size)
    mirrored_joints = Warp.flip(size[1]).points(joints)[list(skeleton.mirror)]
    plain = rendered(joints, skeleton, size)
    both = with_mirrored(plain, rendered(mirrored_joints, skeleton, size), skeleton)
    torch.testing.assert_close(both.heatmaps, plain.heatmaps, atol=1e-5, rtol=0)
    torch.testing.assert_close(both.pafs, plain.pafs, atol=1e-4, rtol=0)
    assert both.tags.shape == (1, 2, len(skeleton), *size)
    torch.testing.assert_close(both.tags[:, 1], plain.tags[:, 0], atol=1e-4, rtol=0)


def test_limbs_between_left_and_right_keep_their_direction():
    shoulders = COCO17.limbs.index((5, 6))
    pafs = torch.zeros(1, len(COCO17.limbs), 2, 2, 4)
    pafs[0, shoulders, :, 1, 0] = torch.tensor([-0.8, 0.6])  # left to right shoulder, in the picture
    mirrored = torch.zeros_like(pafs)
    # there the two ends change names: left to right now runs from the old right to the old left end
    mirrored[0, shoulders, :, 1, 3] = torch.tensor([-0.8, -0.6])
    heat = torch.zeros(1, 17, 2, 4)
    both = with_mirrored(Maps(heat, pafs), Maps(heat, mirrored), COCO17)
    torch.testing.assert_close(both.pafs, pafs)


def test_maps_without_pafs_or_tags_stay_without(skeleton):
    heat = torch.rand(1, 3, 4, 4)
    both = with_mirrored(Maps(heat), Maps(heat), skeleton)
    assert both.pafs is None and both.tags is None
    np.testing.assert_allclose(both.heatmaps[0, 1], (heat[0, 1] + heat[0, 2].flip(-1)) / 2)


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.0, 1.5, 2.0])
def test_resampling_keeps_places(scale):
    """A ramp in picture coordinates is the same ramp on every grid."""
    size, own = (16, 24), (round(16 * scale), round(24 * scale))
    y, x = torch.meshgrid(*((torch.arange(n) + 0.5) / scale - 0.5 for n in own), indexing="ij")
    there = resampled(torch.stack((x, y))[None].float(), size, scale)[0]
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(24.0), indexing="ij")
    inner = (slice(None), slice(2, -2), slice(2, -2))  # at the border there is nothing to interpolate with
    torch.testing.assert_close(there[inner], torch.stack((x, y))[inner], atol=1e-4, rtol=0)


def test_maps_of_other_paddings_are_cut_or_continued():
    maps = torch.ones(1, 2, 10, 12)
    assert (resampled(maps, (16, 24), 0.5) == 1).all()
    assert resampled(maps, (4, 4), 2.0).shape == (1, 2, 4, 4)


def test_averages_of_equal_passes_are_the_pass_and_tags_come_from_scale_one(skeleton):
    joints = person(skeleton, (24, 32))
    base = rendered(joints, skeleton, (24, 32))
    finer = rendered((joints + 0.5) * 2 - 0.5, skeleton, (48, 64))
    both = averaged([finer, base], [2.0, 1.0])
    assert both.tags is base.tags and both.stride == base.stride
    assert both.heatmaps.shape == base.heatmaps.shape and both.pafs.shape == base.pafs.shape
    peaks = both.heatmaps[0].flatten(1).argmax(1)
    assert torch.equal(peaks, base.heatmaps[0].flatten(1).argmax(1))
    assert averaged([base], [1.0]) is base
