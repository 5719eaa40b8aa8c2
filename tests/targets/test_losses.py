"""Losses: hand-worked numbers, agreement with the formulas written out, gradients where they belong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bottomup.core import Maps
from bottomup.targets.encode import Targets
from bottomup.targets.losses import bottomup_loss, masked_l2, tag_loss

torch.set_num_threads(1)


def test_masked_l2_is_the_weighted_mean_of_squares_over_all_cells():
    predicted, target = torch.tensor([[1.0, 0.5], [0.0, 3.0]]), torch.tensor([[0.0, 0.5], [1.0, 1.0]])
    weights = torch.tensor([[1.0, 1.0], [0.5, 0.0]])
    assert masked_l2(predicted, target, weights).item() == pytest.approx((1 + 0 + 0.5 + 0) / 4)


def test_emphasis_counts_cells_that_hold_something_more():
    predicted, target = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, -0.5])
    loss = masked_l2(predicted, target, torch.ones(3), emphasis=3.0)
    assert loss.item() == pytest.approx((1 * 1 + 4 * 1 + 2.5 * 0.25) / 3)


@pytest.mark.parametrize("emphasis", [0.0, 3.0])
def test_gradients_flow_only_where_weights_are_positive(emphasis):
    predicted = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weights = (torch.arange(20).view(4, 5) % 3 > 0).float()
    masked_l2(predicted, torch.zeros(4, 5), weights, emphasis).backward()
    assert torch.equal(predicted.grad != 0, weights > 0)


def tags_at(*people: list[tuple[float, ...]], image: int = 0) -> list[tuple[int, int, tuple[float, ...]]]:
    """(image, person, tag vector) of every labelled joint; each person is a list of tag vectors."""
    return [(image, person, tag) for person, joints in enumerate(people) for tag in joints]


def losses_of(joints: list, pictures: int = 1, dims: int = 1) -> tuple[float, float]:
    """Pull and push of joints that lie on a diagonal of otherwise meaningless tag maps."""
    tags = torch.full((pictures, dims, 2, 16, 16), 77.0)
    cells, people = [], []
    for place, (image, person, tag) in enumerate(joints):
        tags[image, :, place % 2, place, place] = torch.tensor(tag)
        cells.append((image, place % 2, place, place))
        people.append(100 * image + person)
    pull, push = tag_loss(tags, torch.tensor(cells).reshape(-1, 4), torch.tensor(people))
    return pull.item(), push.item()


def test_one_person_is_pulled_together_and_pushed_by_nobody():
    pull, push = losses_of(tags_at([(1.0,), (3.0,)]))
    assert pull == pytest.approx(1.0) and push == 0


def test_a_person_of_one_joint_has_nothing_to_pull():
    assert losses_of(tags_at([(5.0,)])) == (0, 0)


def test_two_people_are_pushed_by_the_distance_of_their_means():
    pull, push = losses_of(tags_at([(0.0,), (0.0,)], [(0.0,), (2.0,)]))
    assert pull == pytest.approx((0 + 1) / 2)
    assert push == pytest.approx(0.5 * math.exp(-1))


def test_three_people_are_pushed_in_three_pairs():
    pull, push = losses_of(tags_at([(0.0,)], [(1.0,)], [(2.0,), (4.0,)]))
    assert pull == pytest.approx(1 / 3)
    assert push == pytest.approx(0.5 * (math.exp(-1) + math.exp(-4) + math.exp(-9)) / 3)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_people_with_one_tag_are_pushed_by_one_half_however_many(count):
    assert losses_of(tags_at(*[[(2.0,), (2.0,)]] * count)) == pytest.approx((0, 0.5))


def test_the_mean_of_tag_dimensions_pulls_and_their_sum_pushes():
    pull, push = losses_of(tags_at([(0.0, 0.0), (2.0, 4.0)], [(2.0, 2.0)]), dims=2)
    assert pull == pytest.approx(((1 + 4) / 2 + 0) / 2)
    assert push == pytest.approx(0.5 * math.exp(-1 - 0))


def test_pictures_are_averaged_and_do_not_push_each_other():
    joints = tags_at([(0.0,), (2.0,)]) + tags_at([(0.0,)], [(1.0,)], image=1)
    pull, push = losses_of(joints, pictures=3)
    assert pull == pytest.approx((1 + 0) / 2) and push == pytest.approx((0 + 0.5 * math.exp(-1)) / 2)


def written_out(tags: np.ndarray, cells: np.ndarray, people: np.ndarray) -> tuple[float, float]:
    """Pull and push as loops, straight from the formulas."""
    pulls, pushes = [], []
    for image in np.unique(cells[:, 0]):
        values = {}
        for (_, joint, y, x), person in zip(cells[cells[:, 0] == image], people[cells[:, 0] == image], strict=True):
            values.setdefault(person, []).append(tags[image, :, joint, y, x])
        means = {person: np.mean(tag, 0) for person, tag in values.items()}
        pulls.append(np.mean([np.mean((np.array(tag) - means[p]) ** 2) for p, tag in values.items()]))
        pairs = [np.exp(-((means[p] - means[q]) ** 2).sum()) for p in means for q in means if p != q]
        pushes.append(0.5 * np.mean(pairs) if pairs else 0.0)
    return float(np.mean(pulls)), float(np.mean(pushes))


def random_case(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    tags = torch.from_numpy(rng.normal(size=(3, 2, 4, 6, 5)).astype(np.float32))
    owner = np.sort(rng.integers(0, 7, 30))
    cells = np.column_stack((owner % 3, rng.integers(0, 4, 30), rng.integers(0, 6, 30), rng.integers(0, 5, 30)))
    return tags, torch.from_numpy(cells), torch.from_numpy(owner)


@pytest.mark.parametrize("seed", range(5))
def test_tag_losses_agree_with_the_formulas_written_out(seed):
    tags, cells, people = random_case(seed)
    pull, push = tag_loss(tags, cells, people)
    expected = written_out(tags.numpy(), cells.numpy(), people.numpy())
    assert (pull.item(), push.item()) == pytest.approx(expected, rel=1e-5)


def test_neither_order_nor_numbers_of_people_matter():
    tags, cells, people = random_case(1)
    before = [loss.item() for loss in tag_loss(tags, cells, people)]
    order = torch.randperm(len(cells), generator=torch.Generator().manual_seed(0))
    names = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    after = [loss.item() for loss in tag_loss(tags, cells[order], names[people][order])]
    assert after == pytest.approx(before, rel=1e-5)


def test_adding_a_number_to_all_tags_changes_nothing():
    tags, cells, people = random_case(2)
    for before, after in zip(tag_loss(tags, cells, people), tag_loss(tags + 3, cells, people), strict=True):
        assert after.item() == pytest.approx(before.item(), rel=1e-4)


def test_nobody_pulls_and_pushes_nothing_and_leaves_finite_gradients():
    tags = torch.randn(2, 1, 3, 4, 4).requires_grad_()
    pull, push = tag_loss(tags, torch.zeros(0, 4, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    (pull + push).backward()
    assert pull == push == 0 and not tags.grad.any()


def test_tags_learn_only_where_joints_are_and_in_the_right_direction():
    tags, cells, people = random_case(3)
    tags.requires_grad_()
    pull, push = tag_loss(tags, cells, people)
    (pull + push).backward()
    at_joints = torch.zeros(3, 4, 6, 5, dtype=torch.bool)
    at_joints[tuple(cells.T)] = True
    assert tags.grad.isfinite().all() and not tags.grad.movedim(1, -1)[~at_joints].any()
    better = tag_loss((tags - 0.5 * tags.grad).detach(), cells, people)
    assert sum(better) < pull + push


def small_targets(weight: float = 1.0) -> Targets:
    rng = torch.Generator().manual_seed(4)
    heat, pafs = torch.rand(2, 2, 4, 4, generator=rng), torch.rand(2, 1, 2, 4, 4, generator=rng)
    cells = torch.tensor([[0, 0, 1, 1], [0, 1, 2, 2], [0, 0, 3, 3]])
    weights = torch.full((2, 2, 4, 4), weight), torch.full((2, 1, 4, 4), weight)
    return Targets(Maps(heat, pafs, stride=4), *weights, cells, torch.tensor([0, 0, 1]))


def output(targets: Targets, error: float = 0.0, tags: bool = True, pafs: bool = True) -> Maps:
    truth = targets.maps
    drawn = torch.arange(64.0).view(2, 1, 2, 4, 4) / 40 if tags else None
    return Maps(truth.heatmaps + error, truth.pafs + error if pafs else None, drawn, stride=4)


def test_perfect_maps_leave_the_tag_losses_alone():
    targets = small_targets()
    losses = bottomup_loss([output(targets)], [targets], tags=0.5)
    assert losses["heat"] == losses["paf"] == 0 and losses["pull"] > 0 and losses["push"] > 0
    assert losses["total"].item() == pytest.approx(0.5 * (losses["pull"] + losses["push"]).item())


def test_stages_are_summed_and_the_total_weighs_tags():
    targets = small_targets()
    losses = bottomup_loss([output(targets, 1.0), output(targets, 2.0)], [targets, targets], tags=1e-3)
    assert losses["heat"].item() == pytest.approx(1 + 4) and losses["paf"].item() == pytest.approx(1 + 4)
    one = bottomup_loss([output(targets)], [targets])
    assert losses["pull"].item() == pytest.approx(2 * one["pull"].item())
    parts = {name: loss.item() for name, loss in losses.items()}
    assert parts["total"] == pytest.approx(parts["heat"] + parts["paf"] + 1e-3 * (parts["pull"] + parts["push"]))


def test_networks_without_tags_or_fields_are_not_charged_for_them():
    targets = small_targets()
    losses = bottomup_loss([output(targets, 1.0, tags=False, pafs=False)], [targets])
    assert losses["paf"] == losses["pull"] == losses["push"] == 0 and losses["total"] == losses["heat"] == 1


def test_what_is_masked_costs_nothing():
    targets = small_targets(weight=0.0)
    losses = bottomup_loss([output(targets, 5.0, tags=False)], [targets], emphasis=3.0)
    assert losses["total"] == 0


def test_emphasis_reaches_heatmaps_and_fields():
    targets = small_targets()
    plain, keen = (bottomup_loss([output(targets, 1.0)], [targets], emphasis=e) for e in (0.0, 2.0))
    for name, target in (("heat", targets.maps.heatmaps), ("paf", targets.maps.pafs)):
        assert keen[name].item() == pytest.approx(plain[name].item() * (1 + 2 * target.mean().item()), rel=1e-5)


def test_the_losses_can_be_trained_on():
    targets = small_targets()
    maps = output(targets, 1.0).each(lambda tensor: tensor.clone().requires_grad_())
    bottomup_loss([maps], [targets], emphasis=3.0)["total"].backward()
    assert all(tensor.grad.isfinite().all() and tensor.grad.any() for tensor in (maps.heatmaps, maps.pafs, maps.tags))
