"""Muon's steps: orthogonal, as long as AdamW's, and each kernel's work done by one process."""

import pytest
import torch
from torch import nn

from bottomup.nets import build
from bottomup.training.config import DataSet, Optimiser, TrainSettings
from bottomup.training.muon import ADAM_STEP, Muon, matrix_cost, orthogonal, shared_out
from bottomup.training.parallel import Group
from bottomup.training.prepare import is_kernel, optimisers


@pytest.mark.parametrize("shape", [(8, 8), (6, 30), (30, 6), (1, 5)])
def test_singular_values_become_about_one_and_vectors_stay(shape) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonal(matrix, rounds=8)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    singular = torch.linalg.svdvals(result)
    assert singular.min() > 0.6 and singular.max() < 1.3
    inner = u.mT @ result @ v.mT  # diagonal where the vectors are kept
    assert torch.allclose(inner, torch.diag(inner.diagonal()), atol=1e-4) and (inner.diagonal() > 0).all()


def test_nothing_stays_nothing() -> None:
    assert orthogonal(torch.zeros(3, 4)).tolist() == [[0.0] * 4] * 3


def test_the_length_of_the_gradient_does_not_matter() -> None:
    moved = []
    for scale in (1.0, 1000.0):
        kernel = nn.Parameter(torch.zeros(4, 2, 3, 3))
        kernel.grad = scale * torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(1))
        Muon([{"params": [kernel], "lr": 0.1}]).step()
        moved.append(kernel.detach())
    assert torch.allclose(moved[0], moved[1], rtol=1e-3)
    assert moved[0].square().mean().sqrt() == pytest.approx(0.1 * ADAM_STEP, rel=0.3)


def test_steps_go_downhill_with_any_memory_format() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    images, goal = torch.randn(2, 4, 8, 8), torch.randn(2, 6, 6, 6)
    optimiser, losses = Muon([{"params": [layer.weight], "lr": 0.02}]), []
    for _ in range(20):
        loss = (layer(images) - goal).square().mean()
        layer.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_parameters_without_gradient_stay() -> None:
    kernel = nn.Parameter(torch.ones(2, 2))
    Muon([{"params": [kernel], "lr": 1.0}]).step()
    assert kernel.tolist() == [[1, 1], [1, 1]]


def test_weights_decay_by_the_rate() -> None:
    kernel = nn.Parameter(torch.ones(2, 3))
    kernel.grad = torch.zeros(2, 3)
    Muon([{"params": [kernel], "lr": 0.5}], decay=0.1).step()
    assert torch.allclose(kernel, torch.full((2, 3), 0.95))


def test_the_work_is_shared_evenly() -> None:
    costs = [5.0, 1.0, 4.0, 2.0, 2.0]
    owners = shared_out(costs, 2)
    loads = [sum(c for c, o in zip(costs, owners, strict=True) if o == p) for p in (0, 1)]
    assert sorted(loads) == [7, 7] and shared_out(costs, 1) == [0] * 5
    assert matrix_cost(torch.empty(4, 2, 3, 3)) == matrix_cost(torch.empty(18, 4)) == 16 * 18


def test_muon_moves_the_kernels_and_adamw_the_rest() -> None:
    network = build("mspaf_mobile", widths=[16, 16, 16])
    chosen = Optimiser(rate=1e-3, kernels=4e-3, backbone=0.5)
    settings = TrainSettings("out", 1, (DataSet("x", 1.0),), {}, optimiser=chosen, freeze=3)
    adam, muon = optimisers(network, settings, Group())
    rate = {id(p): group["base"] for mover in (adam, muon) for group in mover.param_groups for p in group["params"]}
    names = {id(p): name for name, p in network.named_parameters()}
    assert len(rate) == sum(p.requires_grad for p in network.parameters())
    for group in muon.param_groups:
        for p in group["params"]:
            assert is_kernel(names[id(p)], p) and p.ndim == 4 and p.shape[1] > 1 and "answers" not in names[id(p)]
    assert rate[id(network.refine.down[0][0].weight)] == 4e-3
    assert rate[id(network.backbone._blocks[9]._expand_conv.weight)] == 2e-3
    assert rate[id(network.backbone._blocks[9]._depthwise_conv.weight)] == 5e-4
    assert rate[id(network.answers[0].weight)] == 1e-3
    (alone,) = optimisers(build("mspaf_mobile", widths=[16, 16, 16]), TrainSettings("out", 1, (), {}), Group())
    assert isinstance(alone, torch.optim.AdamW)


def test_matrices_made_orthogonal_together_are_those_made_orthogonal_alone() -> None:
    stack = torch.randn(3, 6, 20, generator=torch.Generator().manual_seed(2))
    together = orthogonal(stack)
    assert torch.allclose(together, torch.stack([orthogonal(matrix) for matrix in stack]), atol=1e-5)


def test_kernels_of_any_shapes_move_in_their_own_directions_whatever_the_arithmetic() -> None:
    shapes, moved = [(8, 4, 3, 3), (6, 2, 1, 1), (8, 4, 3, 3)], {}
    for arithmetic in (torch.float32, torch.bfloat16):
        generator = torch.Generator().manual_seed(3)
        kernels = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
        for kernel in kernels:
            kernel.grad = torch.randn(kernel.shape, generator=generator)
        Muon([{"params": [kernel], "lr": 0.1} for kernel in kernels], arithmetic=arithmetic).step()
        moved[arithmetic] = [kernel.detach() for kernel in kernels]
        for kernel in kernels:
            alone = nn.Parameter(torch.zeros_like(kernel))
            alone.grad = kernel.grad
            Muon([{"params": [alone], "lr": 0.1}], arithmetic=arithmetic).step()
            assert torch.allclose(kernel, alone, atol=1e-3)
    for exact, rounded in zip(*moved.values(), strict=True):
        assert rounded.dtype == exact.dtype and torch.cosine_similarity(exact.flatten(), rounded.flatten(), 0) > 0.995
