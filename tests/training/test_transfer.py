"""Weights for one skeleton as a start for another: shared joints and limbs are kept, all else is fresh."""

from __future__ import annotations

import pytest
import torch

from bottomup.core import COCO17, CROWDPOSE14, JHMDB15, MPII16, POSETRACK15, UNION21, Skeleton
from bottomup.core.layouts import correspondence, missing_joints
from bottomup.core.maps import Maps
from bottomup.errors import SettingsError
from bottomup.nets import build
from bottomup.nets.network import PoseNetwork
from bottomup.training.transfer import limb_correspondence, transfer

SMALL = {"name": "mspaf_mobile", "tags": 2, "widths": (8, 16, 16)}


def network(skeleton, name="mspaf_mobile", seed=0, **options):
    torch.manual_seed(seed)
    options = SMALL | options if name == "mspaf_mobile" else {"name": name} | options
    return build(**options, joints=len(skeleton), limbs=len(skeleton.limbs)).eval()


def first_stage(net, images):
    """Maps of the first stage: they depend on no earlier maps."""
    net.every_head = True
    with torch.no_grad():
        return net(images)[0]


@pytest.mark.parametrize(
    "pair", [(COCO17, POSETRACK15), (POSETRACK15, COCO17), (MPII16, COCO17), (JHMDB15, POSETRACK15)]
)
def test_shared_joints_and_limbs_are_found_as_before(pair):
    source, target = pair
    old, new = network(source), network(target, seed=1)
    moved = transfer(old.state_dict(), source, target, new)
    new.load_state_dict(moved.tensors)
    images = torch.randn(1, 3, 64, 64)
    before, after = first_stage(old, images), first_stage(new, images)
    for k, j in enumerate(correspondence(source, target)):
        if j >= 0:
            torch.testing.assert_close(after.heatmaps[:, k], before.heatmaps[:, j])
            torch.testing.assert_close(after.tags[:, :, k], before.tags[:, :, j])
    for e, (f, sign) in enumerate(limb_correspondence(source, target)):
        if f >= 0:
            torch.testing.assert_close(after.pafs[:, e], sign * before.pafs[:, f])
    assert set(target.joints) - set(moved.joints) == set(missing_joints(source, target))


def test_what_is_not_shared_starts_fresh():
    old, new = network(COCO17), network(POSETRACK15, seed=1)
    fresh = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    moved = transfer(old.state_dict(), COCO17, POSETRACK15, new).tensors
    for k in (1, 2):  # head_bottom, head_top
        assert torch.equal(moved["answers.1.weight"][k], fresh["answers.1.weight"][k])
    assert torch.equal(moved["answers.1.weight"][0], old.state_dict()["answers.1.weight"][0])


@pytest.mark.parametrize(
    ("name", "fewer"),
    [("mspaf_mobile", {}), ("mspaf", {"stages": 2}), ("paf", {"stages": 2}), ("lightweight_openpose", {})],
)
def test_to_the_union_and_back_changes_nothing(name, fewer):
    old = network(COCO17, name, **fewer)
    union, back = network(UNION21, name, seed=1, **fewer), network(COCO17, name, seed=2, **fewer)
    there = transfer(old.state_dict(), COCO17, UNION21, union)
    again = transfer(there.tensors, UNION21, COCO17, back).tensors
    assert there.joints == COCO17.joints
    for key, tensor in old.state_dict().items():
        assert torch.equal(again[key], tensor), key


def test_the_next_stage_reads_each_map_as_before():
    old, new = network(COCO17), network(POSETRACK15, seed=1)
    moved = transfer(old.state_dict(), COCO17, POSETRACK15, new).tensors["refine.link.weight"]
    before = old.state_dict()["refine.link.weight"]
    assert torch.equal(moved[:, 3], before[:, 5]), "left shoulder"
    assert torch.equal(moved[:, 15 + 2 * 4], before[:, 17 + 2 * 4]), "the hips' limb, first of its two channels"


def test_a_limb_that_points_back_changes_its_sign():
    limbs = ((0, 1), (1, 2))
    there = Skeleton("there", ("a", "b", "c"), limbs, (0, 1, 2), (0.1,) * 3)
    back = Skeleton("back", ("c", "b", "a"), ((0, 1), (1, 2)), (0, 1, 2), (0.1,) * 3)
    assert limb_correspondence(there, back) == [(1, -1), (0, -1)]
    old, new = network(there), network(back, seed=1)
    new.load_state_dict(transfer(old.state_dict(), there, back, new).tensors)
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(first_stage(new, images).pafs[:, 0], -first_stage(old, images).pafs[:, 1])


def test_as_many_joints_in_another_order_are_moved_too():
    old, new = network(POSETRACK15), network(JHMDB15, seed=1)
    moved = transfer(old.state_dict(), POSETRACK15, JHMDB15, new).tensors["answers.0.bias"]
    old.state_dict()["answers.0.bias"][:] = torch.arange(len(old.state_dict()["answers.0.bias"]))
    moved = transfer(old.state_dict(), POSETRACK15, JHMDB15, new).tensors["answers.0.bias"]
    assert moved[[0, 3, 4]].tolist() == [1, 4, 3], "neck, right and left shoulder"


class Refined(PoseNetwork):
    """Heatmaps and tags, then heatmaps out of features and the first maps together."""

    def __init__(self, joints: int = 17, tags: int = 1, width: int = 6) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, joints * (1 + tags), 1)
        self.mix = torch.nn.Conv2d(width + joints * (1 + tags), width, 1)
        self.last = torch.nn.Conv2d(width, joints, 1)

    def read(self, heads):
        return [Maps(head, stride=4) for head in heads]


def test_maps_behind_features_are_moved_where_they_are_read():
    old, new = Refined(17), Refined(14)
    moved = transfer(old.state_dict(), COCO17, CROWDPOSE14, new).tensors
    before = old.state_dict()
    assert torch.equal(moved["last.weight"][0], before["last.weight"][5]), "left shoulder"
    assert torch.equal(moved["first.weight"][14], before["first.weight"][17 + 5]), "its tag"
    assert torch.equal(moved["mix.weight"][:, :6], before["mix.weight"][:, :6]), "features"
    assert torch.equal(moved["mix.weight"][:, 6], before["mix.weight"][:, 6 + 5])
    assert torch.equal(moved["mix.weight"][:, 6 + 14], before["mix.weight"][:, 6 + 17 + 5])
    assert torch.equal(moved["last.weight"][12:], new.state_dict()["last.weight"][12:]), "head top and neck"


def test_a_network_that_knows_no_joints_cannot_be_moved():
    class Blind(PoseNetwork):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Conv2d(3, 4, 1)

    with pytest.raises(SettingsError, match="no layer of Blind"):
        transfer(Blind().state_dict(), COCO17, POSETRACK15, Blind())


def test_weights_of_another_network_are_named():
    new = network(POSETRACK15)
    with pytest.raises(SettingsError, match="start: .* is missing|start: .* not "):
        transfer(network(COCO17, widths=(16, 16, 16)).state_dict(), COCO17, POSETRACK15, new)
    with pytest.raises(SettingsError, match="is missing"):
        transfer({}, COCO17, POSETRACK15, new)
