"""Top-down targets and losses: hand-worked numbers, agreement with OpenCV, gradients where they belong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from bottomup.core import Maps
from bottomup.targets.topdown import (
    CPN_KERNELS,
    MSPN_KERNELS,
    Crops,
    blurred_cells,
    cpn_loss,
    gaussians,
    half_l2_loss,
    hardest,
    in_cells,
    joint_errors,
    kernel_plan,
    mspn_loss,
)

torch.set_num_threads(1)

SIZE = (40, 32)


def crops(*joints: tuple[float, float], visibility: int | list[int] = 2) -> Crops:
    """One crop with these joints."""
    flags = [visibility] * len(joints) if isinstance(visibility, int) else visibility
    return Crops(torch.tensor([joints]), torch.tensor([flags]))


def constant(value: float, joints: int, size: tuple[int, int] = SIZE) -> Maps:
    return Maps(torch.full((1, joints, *size), value), stride=4)


@pytest.mark.parametrize(("rule", "cells"), [("exact", (1.375, 1.625)), ("round", (2.0, 2.0)), ("floor", (1.0, 2.0))])
def test_pixels_become_cells_by_the_rule_of_the_source(rule, cells):
    assert in_cells(torch.tensor([7.0, 8.0]), 4, rule).tolist() == list(cells)


# ---------------------------------------------------------------- gaussians


def test_a_gaussian_is_one_at_its_joint_and_cut_at_three_sigmas():
    heat, weights = gaussians(crops((10.0, 20.0)), SIZE, 2.0)
    assert heat.shape == (1, 1, *SIZE) and weights.tolist() == [[1]]
    assert heat[0, 0, 20, 10] == 1
    assert heat[0, 0, 21, 12].item() == pytest.approx(np.exp(-5 / 8))
    assert heat[0, 0, 26, 16] > 0 and heat[0, 0, 27, 10] == heat[0, 0, 20, 17] == 0


def test_gaussians_lie_between_cells_too():
    heat, _ = gaussians(crops((10.5, 20.25)), SIZE, 1.0)
    assert heat[0, 0, 20, 10] == heat[0, 0, 20, 11]
    assert heat[0, 0, 20, 10].item() == pytest.approx(np.exp(-(0.25 + 0.0625) / 2))


@pytest.mark.parametrize(
    ("joint", "flag", "weight"),
    [
        ((5.0, 5.0), 2, 1),
        ((5.0, 5.0), 1, 1),
        ((5.0, 5.0), 0, 0),
        ((-6.0, 5.0), 2, 1),
        ((-7.0, 5.0), 2, 0),
        ((5.0, 45.0), 2, 1),
        ((5.0, 46.0), 2, 0),
    ],
)
def test_a_joint_counts_if_labelled_and_its_box_reaches_the_map(joint, flag, weight):
    heat, weights = gaussians(crops(joint, visibility=flag), SIZE, 2.0)
    assert weights.item() == weight and bool(heat.any()) == bool(weight)


# ---------------------------------------------------------------- blurred cells


def blurred_by_opencv(x: int, y: int, kernel: int, size: tuple[int, int]) -> np.ndarray:
    one_hot = np.zeros(size, np.float64)
    one_hot[y, x] = 1
    blurred = cv2.GaussianBlur(one_hot, (kernel, kernel), 0)
    return blurred / blurred.max() * 255


@pytest.mark.parametrize("kernel", [5, 7, 9, 11, 15, 23])
def test_blurred_cells_are_what_opencv_gives(kernel):
    places = [(16, 20), (0, 0), (1, 3), (31, 39), (30, 38), (4, 36), (29, 1)]
    heat = blurred_cells(crops(*((float(x), float(y)) for x, y in places)), SIZE, kernel)
    for maps, (x, y) in zip(heat[0], places, strict=True):
        np.testing.assert_allclose(maps, blurred_by_opencv(x, y, kernel, SIZE), atol=1e-3)


def test_large_kernels_are_gaussians_away_from_borders():
    blurred, (exact, _) = (
        blurred_cells(crops((16.0, 20.0)), SIZE, 11, peak=1.0),
        gaussians(crops((16.0, 20.0)), SIZE, 2.0),
    )
    torch.testing.assert_close(blurred[..., 15:26, 11:22], exact[..., 15:26, 11:22])


def test_a_cell_is_what_a_joint_lies_in_and_none_outside():
    heat = blurred_cells(crops((10.9, 20.2), (-0.1, 5.0), (32.0, 5.0), (5.0, 400.0)), SIZE, 9)
    assert heat[0, 0].argmax() == 20 * 32 + 10 and heat[0, 0].max() == 255
    assert not heat[0, 1:].any() and heat.isfinite().all()


def test_a_batch_is_its_crops():
    joints = torch.tensor([[[3.0, 4.0], [5.0, 6.0]], [[7.0, 8.0], [-9.0, 1.0]]])
    batch = Crops(joints, torch.tensor([[2, 1], [0, 2]]))
    alone = [Crops(joints[i : i + 1], batch.visibility[i : i + 1]) for i in range(2)]
    assert torch.equal(blurred_cells(batch, SIZE, 7), torch.cat([blurred_cells(c, SIZE, 7) for c in alone]))
    assert torch.equal(gaussians(batch, SIZE, 1.0)[0], torch.cat([gaussians(c, SIZE, 1.0)[0] for c in alone]))


# ---------------------------------------------------------------- losses


def test_a_joints_error_is_the_mean_square_of_its_map():
    predicted = torch.tensor([[[[1.0, 0.0]], [[3.0, 3.0]]]])
    assert joint_errors(predicted, torch.zeros(1, 2, 1, 2)).tolist() == [[0.5, 9.0]]


def test_the_hardest_joints_are_averaged_within_and_over_crops():
    errors = torch.tensor([[1.0, 5.0, 3.0], [0.0, 2.0, 0.0]])
    assert hardest(errors, 2).item() == pytest.approx(((5 + 3) / 2 + (2 + 0) / 2) / 2)
    assert hardest(errors, 8).item() == pytest.approx(errors.mean().item())


def test_half_l2_is_half_the_mean_over_all_joints_of_those_that_count():
    labels = crops((10.0, 10.0), (20.0, 20.0), visibility=[2, 0])
    target, _ = gaussians(labels, SIZE, 2.0)
    outputs = [Maps(target + 2.0, stride=4)]
    assert half_l2_loss(outputs, labels, sigma=2.0)["total"].item() == pytest.approx(0.5 * (4 + 0) / 2)
    assert half_l2_loss(outputs, labels, sigma=2.0, hard=1)["total"].item() == pytest.approx(0.5 * 4)
    assert half_l2_loss(outputs * 2, labels, sigma=2.0)["total"].item() == pytest.approx(2 * 0.5 * (4 + 0) / 2)


def squares(kernel: int, labels: Crops, joint: int) -> float:
    """Mean square of one joint's target: what an empty map costs."""
    return blurred_cells(labels, SIZE, kernel)[0, joint].square().mean().item()


LABELS = crops((10.0, 10.0), (20.0, 20.0), (15.0, 30.0), visibility=[2, 1, 0])


def test_global_heads_are_taught_visible_joints_and_the_refined_one_labelled_ones():
    empty = constant(0.0, 3)
    losses = cpn_loss([empty] * 4, empty, LABELS, hard=2)
    expected = sum(squares(kernel, LABELS, 0) / 3 for kernel in CPN_KERNELS) / 4 / 2
    assert losses["global"].item() == pytest.approx(expected, rel=1e-5)
    assert losses["refine"].item() == pytest.approx((squares(7, LABELS, 0) + squares(7, LABELS, 1)) / 2, rel=1e-5)
    assert losses["total"].item() == pytest.approx(losses["global"].item() + losses["refine"].item())


def test_kernels_of_global_heads_go_from_coarse_to_fine_or_the_published_way_round():
    labels = crops((16.0, 20.0))
    for kernels in (CPN_KERNELS, CPN_KERNELS[::-1]):
        right = [Maps(blurred_cells(labels, SIZE, kernel), stride=4) for kernel in kernels]
        assert cpn_loss(right, None, labels, kernels=kernels)["total"] == 0
        assert cpn_loss(right[::-1], None, labels, kernels=kernels)["total"] > 0
        assert cpn_loss(right, Maps(blurred_cells(labels, SIZE, 7)), labels, kernels=kernels)["refine"] == 0


@pytest.mark.parametrize("first", [None, "l2", "ohkm"])
@pytest.mark.parametrize("last", ["l2", "ohkm"])
def test_losses_of_both_networks_can_be_chosen(first, last):
    one = constant(1.0, 3)
    labels = crops((-9.0, 0.0), (-9.0, 0.0), (-9.0, 0.0), visibility=[2, 1, 0])  # targets are empty
    losses = cpn_loss([one] * 4, one, labels, global_loss=first, refine_loss=last, hard=2)
    assert losses["global"].item() == pytest.approx({None: 0.0, "l2": 0.5, "ohkm": 0.5}[first])
    assert losses["refine"].item() == pytest.approx({"l2": 2 / 3, "ohkm": 1.0}[last])


@pytest.mark.parametrize("options", [{"global_loss": "l1"}, {"refine_loss": None}])
def test_other_losses_are_refused(options):
    with pytest.raises(ValueError, match="a loss is one of"):
        cpn_loss([constant(0, 1)] * 4, constant(0, 1), crops((1.0, 1.0)), **options)


def test_the_last_stage_is_taught_one_step_finer():
    assert kernel_plan(1) == [[11, 9, 7, 5]]
    assert kernel_plan(3) == [[15, 11, 9, 7], [15, 11, 9, 7], [11, 9, 7, 5]]
    assert kernel_plan(2, coarse_to_fine=False) == [[11, 9, 7, 5]] * 2
    assert kernel_plan(2, (3, 2, 1)) == [[3, 2], [2, 1]] and len(MSPN_KERNELS) == 5


def test_coarse_levels_count_a_quarter_and_the_finest_mines_hard_joints():
    empty = constant(0.0, 3)
    losses = mspn_loss([empty] * 8, LABELS, plan=kernel_plan(2), hard=2)
    coarse = sum(squares(kernel, LABELS, 0) / 3 / 4 for kernel in (15, 11, 9, 11, 9, 7))
    fine = sum((squares(kernel, LABELS, 0) + squares(kernel, LABELS, 1)) / 2 for kernel in (7, 5))
    assert losses["coarse"].item() == pytest.approx(coarse, rel=1e-5)
    assert losses["fine"].item() == pytest.approx(fine, rel=1e-5)
    assert losses["total"].item() == pytest.approx(coarse + fine, rel=1e-5)


def test_perfect_maps_cost_nothing_in_any_stage():
    labels = crops((10.0, 10.0), (20.0, 30.0))
    plan = kernel_plan(2)
    outputs = [Maps(blurred_cells(labels, SIZE, kernel)) for stage in plan for kernel in stage]
    assert mspn_loss(outputs, labels, plan=plan)["total"] == 0


def test_outputs_and_plan_must_fit():
    with pytest.raises(ValueError, match="8 levels, the network gave 4"):
        mspn_loss([constant(0, 1)] * 4, crops((1.0, 1.0)), plan=kernel_plan(2))


def gradient(loss: str, labels: Crops) -> Tensor:
    """(K, h, w) of the answer's gradient under a loss, half precision in."""
    heat = torch.full((1, 3, *SIZE), 0.5, dtype=torch.bfloat16, requires_grad=True)
    maps = Maps(heat)
    losses = {
        "half": lambda: half_l2_loss([maps], labels, sigma=2.0),
        "cpn": lambda: cpn_loss([constant(0.0, 3)] * 4, maps, labels),
        "mspn": lambda: mspn_loss([constant(0.0, 3)] * 3 + [maps], labels, plan=kernel_plan(1)),
    }[loss]()
    assert losses["total"].dtype == torch.float32
    losses["total"].backward()
    assert heat.grad is not None
    return heat.grad[0]


@pytest.mark.parametrize("loss", ["half", "cpn", "mspn"])
def test_unlabelled_joints_teach_the_answer_nothing(loss):
    learnt = gradient(loss, LABELS).abs().sum((1, 2)) > 0
    assert learnt.tolist() == [True, True, False]
    assert gradient(loss, LABELS)[0, 10, 10] < 0  # up, towards the joint
