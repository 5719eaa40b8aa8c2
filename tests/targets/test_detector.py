"""The detector's targets and losses: who is taught where, by hand-worked cases."""

from __future__ import annotations

import pytest
import torch

from bottomup.targets.detector import detector_loss, fit, owners, quality_focal, taught_cells

torch.set_num_threads(1)

LEVELS = [(8, 16, 16), (16, 8, 8), (32, 4, 4)]  # of 128 x 128
FINE, MIDDLE = 256, 256 + 64  # cells before the second and the third level
NOBODY = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32), torch.zeros(len(rows), dtype=torch.long)


def cells_of(owner, number):
    return (owner[0] == number).nonzero()[:, 0].tolist()


def test_a_small_person_is_taught_at_the_nine_cells_around_the_middle_of_the_fine_level():
    owner = owners(*boxes((44, 28, 76, 84)), 1, LEVELS)  # middle (60, 56): column 7, row 7
    assert cells_of(owner, 0) == [row * 16 + column for row in (6, 7, 8) for column in (6, 7, 8)]


def test_cells_outside_of_a_narrow_box_are_not_taught():
    owner = owners(*boxes((56, 28, 63, 84)), 1, LEVELS)  # 7 pixels wide: the middles of columns 6 and 8 are outside
    assert cells_of(owner, 0) == [row * 16 + 7 for row in (6, 7, 8)]


def test_the_middle_is_taught_even_if_the_box_holds_no_cells_middle():
    owner = owners(*boxes((57, 57, 59, 59)), 1, LEVELS)
    assert cells_of(owner, 0) == [7 * 16 + 7]


@pytest.mark.parametrize(
    ("side", "levels"), [(40, {0}), (70, {0}), (90, {0, 1}), (118, {0, 1}), (150, {1}), (220, {1, 2}), (400, {2})]
)
def test_the_size_decides_the_level_and_near_a_limit_both_are_taught(side, levels):
    grid = [(8, 64, 64), (16, 32, 32), (32, 16, 16)]
    middle = 256.0
    owner = owners(*boxes([middle - side / 2, middle - side / 2, middle + side / 2, middle + side / 2]), 1, grid)
    found = {0 if cell < 4096 else 1 if cell < 5120 else 2 for cell in cells_of(owner, 0)}
    assert found == levels


def test_of_two_people_at_one_cell_the_smaller_one_is_taught_whatever_their_order():
    large, small = (20, 20, 90, 90), (40, 40, 70, 70)
    for order in ((large, small), (small, large)):
        owner = owners(*boxes(*order), 1, LEVELS)
        middle = 6 * 16 + 6
        assert order[int(owner[0, middle])] == small


def test_people_are_taught_in_their_own_picture_and_nobody_in_none():
    both, _ = boxes((44, 28, 76, 84), (44, 28, 76, 84))
    owner = owners(both, torch.tensor([1, 0]), 2, LEVELS)
    assert set(owner[0].tolist()) == {-1, 1} and set(owner[1].tolist()) == {-1, 0}
    assert (owners(*NOBODY, 3, LEVELS) == -1).all()


def test_people_whose_middle_is_outside_are_taught_nowhere():
    owner = owners(*boxes((-60, 20, -10, 60), (130, 130, 150, 150)), 1, LEVELS)
    assert (owner == -1).all()


def test_a_coarse_cell_is_background_only_where_all_of_it_may_be_taught():
    taught = torch.ones(1, 16, 16, dtype=torch.uint8)
    taught[0, 3, 5] = 0
    free = taught_cells(taught, LEVELS)[0]
    assert (~free).nonzero()[:, 0].tolist() == [3 * 16 + 5, FINE + 1 * 8 + 2, MIDDLE + 0 * 4 + 1]


def test_fit_of_boxes_by_hand():
    one = torch.tensor([[0, 0, 10, 10.0]]).expand(3, 4)
    other = torch.tensor([[0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10.0]])
    iou, generalised = fit(one, other)
    torch.testing.assert_close(iou, torch.tensor([1, 1 / 3, 0]))
    # the hull of the last two is 30 wide: a third of it is empty
    torch.testing.assert_close(generalised, torch.tensor([1, 1 / 3, -1 / 3]))


def test_scores_that_are_right_cost_nothing():
    target = torch.tensor([0.0, 0.3, 1.0])
    right = torch.logit(target.clamp(1e-6, 1 - 1e-6))
    assert quality_focal(right, target).abs().max() < 1e-5
    assert (quality_focal(torch.zeros(2), torch.tensor([0.0, 1.0])) > 0.1).all()
    assert quality_focal(torch.zeros(1), torch.tensor([0.4])) < 0.01, "being off by little costs little"


def losses(logits, predicted, people=1.0, taught=None, truth=None):
    truth, picture = truth or boxes((44, 28, 76, 84))
    taught = torch.ones(1, 16, 16, dtype=torch.uint8) if taught is None else taught
    return detector_loss(
        logits,
        predicted,
        LEVELS,
        boxes=truth,
        picture=picture,
        taught=taught,
        people=torch.tensor(people),
    )


def test_perfect_answers_have_no_loss_and_masked_cells_none_either():
    truth = boxes((44, 28, 76, 84))
    found = owners(*truth, 1, LEVELS) >= 0
    perfect = torch.where(found, 20.0, -20.0)
    predicted = truth[0].expand(1, found.shape[1], 4).clone()
    assert losses(perfect, predicted)["total"] < 1e-4
    wrong = perfect.clone()
    wrong[0, 0] = 20.0  # somebody seen in the corner
    assert losses(wrong, predicted)["score"] > 1
    taught = torch.ones(1, 16, 16, dtype=torch.uint8)
    taught[0, 0, 0] = 0
    assert losses(wrong, predicted, taught=taught)["score"] < 1e-4, "nobody knows who is there"


def test_a_labelled_person_is_taught_even_where_background_is_not():
    taught = torch.zeros(1, 16, 16, dtype=torch.uint8)
    predicted = torch.zeros(1, MIDDLE + 16, 4)
    predicted[..., 2:] = 128.0
    loss = losses(torch.full((1, MIDDLE + 16), -3.0), predicted, taught=taught)
    assert loss["score"] > 0 and loss["box"] > 0


def test_losses_are_means_over_the_cells_that_are_to_find_somebody():
    logits, predicted = torch.zeros(1, MIDDLE + 16), torch.rand(1, MIDDLE + 16, 4).cumsum(-1) * 40
    one, four = losses(logits, predicted, people=1.0), losses(logits, predicted, people=4.0)
    torch.testing.assert_close(one["total"], 4 * four["total"])
    empty = losses(logits, predicted, people=0.0, truth=NOBODY)
    assert empty["box"] == 0 and torch.isfinite(empty["total"])


def test_gradients_reach_scores_everywhere_and_boxes_where_somebody_is():
    logits = torch.zeros(1, MIDDLE + 16, requires_grad=True)
    predicted = (torch.tensor([40.0, 30, 80, 80]).expand(1, MIDDLE + 16, 4)).clone().requires_grad_()
    losses(logits, predicted)["total"].backward()
    found = owners(*boxes((44, 28, 76, 84)), 1, LEVELS)[0] >= 0
    assert (logits.grad != 0).all()
    assert ((predicted.grad[0] != 0).any(-1) == found).all()
