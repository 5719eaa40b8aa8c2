"""Networks take optimiser steps with its source's loss, and find the joints of drawn figures again."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bottomup.core import LABELLED, Maps, Skeleton
from bottomup.nets import build
from bottomup.targets import topdown
from bottomup.targets.encode import Labels, encode_outputs
from bottomup.targets.losses import bottomup_loss

SIZE, COUNT = 64, 4
FIGURE = Skeleton("figure", ("head", "left", "right"), ((0, 1), (0, 2)), (0, 2, 1), (0.08,) * 3)
COLOURS = ((255, 40, 40), (40, 255, 40), (40, 40, 255))
Loss = Callable[[list[Maps], Tensor], Tensor]


def figures(size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Images (COUNT, 3, size, size) of one figure each, about normal, and their joints (COUNT, 3, 2) in pixels."""
    rng = np.random.default_rng(0)
    scale = size / SIZE
    shape = np.array([[32, 14], [16, 46], [48, 46]])
    joints = (shape + rng.uniform(-9, 9, (COUNT, 3, 2))) * scale
    images = rng.integers(90, 130, (COUNT, size, size, 3)).astype(np.uint8)
    for image, places in zip(images, joints.round().astype(int).tolist(), strict=True):
        for place in places:
            cv2.line(image, places[0], place, (230, 230, 230), 2)
        for place, colour in zip(places, COLOURS, strict=True):
            cv2.circle(image, place, round(4 * scale), colour, -1)
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 64 - 2, torch.from_numpy(joints).float()


def scenes(outputs: list[Maps], joints: Tensor) -> Tensor:
    """Masked L2 of heatmaps and PAFs, pull and push of tags, at each output's stride."""
    known, ones = torch.full((COUNT, 3), LABELLED), torch.ones(COUNT, 3)
    labels = Labels(joints, known, ones, torch.zeros(COUNT, 4), torch.arange(COUNT))
    finest = min(outputs, key=lambda maps: maps.stride).heatmaps.shape[-2:]
    targets = encode_outputs(outputs, labels, torch.ones(COUNT, *finest), ones.bool(), skeleton=FIGURE)
    return bottomup_loss(outputs, targets)["total"]


def crops(joints: Tensor, rule: str) -> topdown.Crops:
    return topdown.Crops(topdown.in_cells(joints, 4, rule), torch.full((COUNT, 3), topdown.VISIBLE))


def rounded(outputs: list[Maps], joints: Tensor) -> Tensor:
    return topdown.half_l2_loss(outputs, crops(joints, "round"), sigma=outputs[-1].sigma or 1.0)["total"]


SLOW = pytest.mark.slow
SCENE = {"joints": 3, "limbs": 2}
CASES = [
    pytest.param("lightweight_openpose", SCENE, scenes, id="lightweight_openpose"),
    pytest.param("hrnet", {"joints": 3, "width": 8}, rounded, id="hrnet", marks=SLOW),
]


@pytest.mark.parametrize(("name", "options", "loss"), CASES)
def test_joints_of_drawn_figures_are_found_again(name: str, options: dict, loss: Loss) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = quick_norms(build(name, **options)).to(memory_format=torch.channels_last)
    images, joints = figures()
    before = apart(network.eval()(images)[-1], joints)
    losses = trained(network, lambda: loss(network(images), joints), steps=60)
    after = apart(network.eval()(images)[-1], joints)
    assert np.mean(losses[-3:]) < 0.3 * np.mean(losses[:3]), (losses[:3], losses[-3:])
    assert before > 10 and after < 1.0 * network.stride, (before, after)


def quick_norms(network: nn.Module) -> nn.Module:
    """Batch norms that follow their batches at once, since there are few steps."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 0.5
    return network


def trained(network: nn.Module, loss: Callable[[], Tensor], steps: int) -> list[float]:
    """Takes Adam's steps with one cycle of the rate; the losses."""
    optimiser = torch.optim.Adam(network.train().parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    losses = []
    for _ in range(steps):
        value = loss()
        optimiser.zero_grad()
        (1000 * value).backward()  # far above Adam's epsilon
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(value.item())
    return losses


@torch.no_grad()
def apart(maps: Maps, joints: Tensor) -> float:
    """Mean distance in pixels of the maps' highest cells from the joints."""
    width = maps.heatmaps.shape[-1]
    place = maps.heatmaps.flatten(2).argmax(-1)
    cells = torch.stack((place % width, place // width), -1)
    return float((cells * maps.stride + (maps.stride - 1) / 2 - joints).norm(dim=-1).mean())
