"""Batch norms in training: which move, which take statistics."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bottomup.training.loop import train
from bottomup.training.norms import SyncedBatchNorm, _mean_and_variance, set_batch_norms
from bottomup.training.parallel import Group
from tests.training.small import settings, write_set


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4))).train()


def test_frozen_norms_neither_learn_nor_take_statistics():
    frozen = network()
    before = copy.deepcopy(frozen.state_dict())
    set_batch_norms(frozen, "frozen", Group())
    frozen(10 * torch.randn(2, 3, 8, 8)).square().mean().backward()
    after = frozen.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert [name for name, p in frozen.named_parameters() if p.grad is not None] == ["0.weight", "0.bias"]


def test_norms_of_one_process_stay_what_they_are():
    for kind in ("synced", "per_process"):
        alone = network()
        set_batch_norms(alone, kind, Group())
        assert type(alone[1]) is nn.BatchNorm2d and alone[1].training


def test_synced_norms_keep_their_tensors_and_their_names():
    plain, several = network(), network()
    set_batch_norms(several, "synced", Group(0, 2))
    assert type(several[1]) is type(several[2][0]) is SyncedBatchNorm
    assert list(several.state_dict()) == list(plain.state_dict())
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(several.eval()(images), plain.eval()(images)), "in eval as any other"
    set_batch_norms(network(), "per_process", Group(0, 2))


def test_a_run_with_frozen_norms_leaves_them_as_they_start(tmp_path):
    labels = write_set(tmp_path)
    trained = train(settings(tmp_path / "out", labels, steps=4, batch_norm="frozen"))
    for module in trained.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all() and (module.running_mean == 0).all() and (module.running_var == 1).all()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_statistics_are_counted_in_float32(kind):
    x = (5 + torch.randn(3, 4, 9, 7)).to(kind).contiguous(memory_format=torch.channels_last)
    mean, variance = _mean_and_variance(x)
    assert mean.dtype == variance.dtype == torch.float32
    assert torch.allclose(mean, x.float().mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(variance, x.float().var((0, 2, 3), correction=0), atol=1e-5)
