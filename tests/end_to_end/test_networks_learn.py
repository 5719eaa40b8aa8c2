"""Every network takes optimiser steps with its source's loss, and its road then finds drawn figures again."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bottomup.core import LABELLED, Maps, People, Skeleton
from bottomup.data.loader import Batch
from bottomup.metrics.boxes import box_numbers
from bottomup.metrics.coco import coco_keypoint_numbers
from bottomup.nets import NETWORKS, build, keypoint_rcnn
from bottomup.nets.paf import PAF
from bottomup.nets.resnet import initialise, near_empty
from bottomup.roads.bottomup import BottomUp, BottomUpSettings
from bottomup.roads.box_evaluation import to_coco
from bottomup.roads.decode import decoded
from bottomup.roads.detector import Detector, DetectorSettings
from bottomup.roads.rcnn import RCNN, RCNNSettings
from bottomup.targets import topdown
from bottomup.training import keypoint_rcnn as rcnn_training
from bottomup.training.bottomup import BottomUpTask
from bottomup.training.config import Loss, Optimiser, TrainSettings
from bottomup.training.detector import DetectorTask
from bottomup.training.forward import normalise
from bottomup.training.keypoint_rcnn import KeypointRCNNTask
from bottomup.training.loop import train_step
from bottomup.training.tasks import Task

SIZE = 64
FIGURE = Skeleton("figure", ("head", "left", "right"), ((0, 1), (0, 2)), (0, 2, 1), (0.08,) * 3)
COLOURS = ((255, 40, 40), (40, 255, 40), (40, 40, 255))
ROOM = 6.0  # pixels around a figure's joints
MEAN, STD = (128.0,) * 3, (64.0,) * 3
# Tags are taught more than usual, since there are few steps.
SETTINGS = TrainSettings(
    "unused", 1, (), {}, road={"mean": MEAN, "std": STD}, loss=Loss(tags=0.3), optimiser=Optimiser(clip=1.0)
)


def figures(pictures: int, people: int) -> Batch:
    """Pictures of so many figures side by side."""
    rng = np.random.default_rng(0)
    images = rng.integers(90, 130, (pictures, SIZE, SIZE, 3)).astype(np.uint8)
    width = SIZE / people
    places = np.array([[0.5, 0.25], [0.25, 0.72], [0.75, 0.72]]) + rng.uniform(-0.13, 0.13, (pictures, people, 3, 2))
    joints = places * (width, SIZE) + np.arange(people)[:, None, None] * (width, 0)
    for image, figure in ((image, figure) for image, several in zip(images, joints, strict=True) for figure in several):
        ends = [tuple(map(int, place)) for place in figure.round()]
        for end in ends:
            cv2.line(image, ends[0], end, (230, 230, 230), 2)
        for end, colour in zip(ends, COLOURS, strict=True):
            cv2.circle(image, end, 4, colour, -1)
    joints = torch.from_numpy(joints).flatten(0, 1).float()
    low, high = (joints.amin(1) - ROOM).clamp(min=0), (joints.amax(1) + ROOM).clamp(max=SIZE)
    return Batch(
        torch.from_numpy(images).permute(0, 3, 1, 2),
        joints,
        torch.full((len(joints), 3), LABELLED, dtype=torch.uint8),
        torch.ones(len(joints), 3),
        torch.cat((low, high - low), 1),
        torch.arange(pictures).repeat_interleave(people),
        torch.ones(pictures, SIZE, SIZE, dtype=torch.uint8),
        torch.ones(pictures, 3, dtype=torch.bool),
    )


# ---------------------------------------------------------------- how many are found again, 0 to 1


def pictures(batch: Batch) -> list[np.ndarray]:
    return list(batch.images.permute(0, 2, 3, 1).numpy())


def truth(batch: Batch) -> dict[str, Any]:
    """The figures as COCO has people."""
    people = [
        {"id": i + 1, "image_id": int(picture), "category_id": 1, "iscrowd": 0, "num_keypoints": 3}
        | {"keypoints": np.pad(joints, ((0, 0), (0, 1)), constant_values=2).reshape(-1).tolist()}
        | {"bbox": box.tolist(), "area": float(box[2] * box[3])}
        for i, (joints, box, picture) in enumerate(zip(batch.joints.numpy(), batch.boxes, batch.picture, strict=True))
    ]
    images = [{"id": i, "width": SIZE, "height": SIZE} for i in range(len(batch.images))]
    category = {"id": 1, "name": "person", "keypoints": list(FIGURE.joints), "skeleton": []}
    return {"images": images, "annotations": people, "categories": [category]}


def keypoint_ap(found: list[People], batch: Batch) -> float:
    entries = [entry for i, people in enumerate(found) for entry in people.to_coco(i)]
    return coco_keypoint_numbers(truth(batch), entries, sigmas=FIGURE.sigmas)["AP"] if entries else 0.0


def grouped(network: nn.Module, batch: Batch) -> float:
    """AP of the bottom-up road."""
    road = BottomUp(network, FIGURE, BottomUpSettings(long_side=SIZE, mean=MEAN, std=STD))
    return keypoint_ap(road(pictures(batch)), batch)


def pooled(network: nn.Module, batch: Batch) -> float:
    """AP of keypoint R-CNN's road."""
    road = RCNN(network, FIGURE, RCNNSettings(short_side=SIZE, longest=SIZE, mean=MEAN, std=STD))
    return keypoint_ap(road(pictures(batch)), batch)


def boxed(network: nn.Module, batch: Batch) -> float:
    """AP50 of the detector's boxes."""
    road = Detector(network, DetectorSettings(long_side=SIZE, mean=MEAN, std=STD, soft=False, threshold=0.1))
    entries = [entry for i, boxes in enumerate(road(pictures(batch))) for entry in to_coco(boxes, i)]
    return box_numbers(truth(batch), entries)["AP50"] if entries else 0.0


def pck(network: nn.Module, batch: Batch, origin: float) -> float:
    """Share of joints within a cell of 4 pixels of the truth. origin: where in its pixels a cell is."""
    with torch.no_grad():
        maps = network(normalise(batch.images, SETTINGS.road))[-1]
    joints = decoded(maps.heatmaps.numpy(), "quarter")[..., :2] * 4 + origin
    return float((np.linalg.norm(joints - batch.joints.numpy(), axis=-1) < 4).mean())


# ---------------------------------------------------------------- losses of crops


@dataclass(frozen=True)
class Crops:
    """A task for networks of one person a crop: a source's loss, and how it puts joints into cells."""

    loss: Callable[[list[Maps], topdown.Crops], dict[str, Tensor]]
    rule: str
    lift: float = 1000.0  # as in top-down training

    def counts(self, batch: Batch) -> Tensor:
        return torch.zeros(0)

    def losses(self, network: nn.Module, batch: Batch, counts: Tensor) -> dict[str, Tensor]:
        joints = topdown.in_cells(batch.joints, 4, self.rule)
        labels = topdown.Crops(joints, torch.full(joints.shape[:2], topdown.VISIBLE))
        return self.loss(network(normalise(batch.images, SETTINGS.road)), labels)

    def score(self, network: nn.Module, batch: Batch) -> float:
        return pck(network, batch, {"round": 0.0, "exact": 1.5, "floor": 2.0}[self.rule])


# Of CPN and MSPN peaks of 1, not of 255, so that few steps reach them; one or two of three joints are the hard ones.


def half_l2(outputs, crops):
    return topdown.half_l2_loss(outputs, crops, sigma=outputs[-1].sigma)


def cpn(outputs, crops):
    return topdown.cpn_loss(outputs[:-1], outputs[-1], crops, hard=2, peak=1.0)


def global_ohkm(outputs, crops):
    return topdown.cpn_loss(outputs[:-1], outputs[-1], crops, global_loss="ohkm", hard=1, peak=1.0)


def mspn(outputs, crops):
    return topdown.mspn_loss(outputs, crops, plan=topdown.kernel_plan(len(outputs) // 4), hard=2, peak=1.0)


def coarse_to_fine(outputs, crops):
    ones = torch.ones(crops.visibility.shape)
    return topdown.coarse_to_fine_loss(outputs, crops, ones, sigma=outputs[-1].sigma, widen=1.35, hard=2)


# ---------------------------------------------------------------- cases


@dataclass(frozen=True)
class Case:
    """A network, light where it need not be slow. loss, rule: of crops; without, its own task teaches it scenes."""

    name: str
    options: dict[str, Any]
    loss: Callable[..., dict[str, Tensor]] | None = None
    rule: str = "exact"
    slow: bool = False
    steps: int = 40
    rate: float = 3e-3
    pictures: int = 4
    note: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.name}{self.note and '-'}{self.note}"


SCENE = {"joints": 3, "limbs": 2}
TINY = {"joints": 3, "depth": 18, "blocks": (1, 1, 1, 1)}
NARROW = (16, 16, 16)
CASES = (
    Case("lightweight_openpose", SCENE, steps=60, slow=True),
    Case("paf", {**SCENE, "stages": 2}, slow=True, rate=1e-3, pictures=2),
    Case("paf", SCENE, slow=True, rate=1e-3, pictures=2, note="6"),
    Case("mspaf_mobile", {**SCENE, "tags": 1, "widths": NARROW}, steps=70, slow=True),
    Case("mspaf_mobile", {**SCENE, "tags": 1}, slow=True, note="whole"),
    Case("mspaf", {**SCENE, "stages": 1}, slow=True),
    Case("mspaf", SCENE, slow=True, note="3"),
    Case("mspaf", {**SCENE, "stages": 1, "attention": False}, slow=True, note="plain inceptions"),
    Case("mspaf", {**SCENE, "stages": 1, "fusion": False}, slow=True, note="plain fusion"),
    Case("ae_hourglass", {"joints": 3, "stacks": 1}, slow=True, steps=50, rate=1e-3, pictures=2),
    Case("ae_hourglass", {"joints": 3, "stacks": 4}, slow=True, steps=50, rate=1e-3, pictures=2, note="4"),
    Case("higherhrnet", {"joints": 3, "width": 8, "blocks": 1}, slow=True, steps=90),
    Case("hrnet", {"joints": 3, "width": 8}, half_l2, "round", slow=True),
    Case("simplebaseline", {"joints": 3, "depth": 18, "width": 32}, half_l2, "round", steps=30),
    Case("hourglass", {"joints": 3, "stacks": 1}, half_l2, slow=True),
    Case("hourglass", {"joints": 3, "stacks": 2, "blocks": 2, "widen_early": True}, half_l2, slow=True, note="2x2"),
    Case("cpn", TINY, cpn, "floor", steps=25),
    Case("cpn", TINY, global_ohkm, "floor", slow=True, note="ohkm twice"),
    Case("mspn", {"joints": 3, "stages": 2, "module": "res18", "blocks": (1, 1, 1, 1)}, mspn, "floor", slow=True),
    Case("mspn", {"joints": 3, "stages": 2, "module": "s_xcp"}, mspn, "floor", slow=True, note="s_xcp"),
    Case("cpn_mobile", {"joints": 3, "widths": NARROW}, coarse_to_fine),
    Case("detector_mobile", {"width": 16}, rate=1e-2),
    Case("keypoint_rcnn", {"joints": 3, "depth": 18, "width": 32}, steps=30, slow=True),
    Case("keypoint_rcnn", {"joints": 3, "depth": 18, "width": 32, "aligned": True}, slow=True, note="aligned"),
)


def task_and_score(case: Case, network: nn.Module) -> tuple[Task | Crops, Callable[[nn.Module, Batch], float]]:
    if case.loss is not None:
        crops = Crops(case.loss, case.rule)
        return crops, crops.score
    if case.name == "detector_mobile":
        return DetectorTask(SETTINGS, FIGURE), boxed
    if case.name == "keypoint_rcnn":
        return KeypointRCNNTask(SETTINGS, FIGURE), pooled
    return BottomUpTask(SETTINGS, FIGURE, network.stride), grouped


def marked(case: Case) -> Any:
    return pytest.param(case, id=str(case), marks=pytest.mark.slow if case.slow else ())


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_drawn_figures_are_found_again(case: Case, monkeypatch) -> None:
    monkeypatch.setattr(keypoint_rcnn, "PROPOSALS", 32)
    monkeypatch.setattr(rcnn_training, "BOXES", 16)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = quick(build(case.name, **case.options)).to(memory_format=torch.channels_last)
    task, score = task_and_score(case, network)
    batch = figures(case.pictures, 2 if case.loss is None else 1)
    before = score(copy.deepcopy(network).eval(), batch)  # a road fixes what it runs
    began = time.process_time()
    losses = trained(network, task, batch, case)
    spent = time.process_time() - began
    after = score(network.eval(), batch)
    print(f"{case}: {case.steps} steps in {spent:.0f} s of CPU, loss {losses[0]:.4f} to {losses[-1]:.4f}, ", end="")
    print(f"found {before:.2f}, then {after:.2f}")
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3]), (losses[:3], losses[-3:])
    assert before < 0.25 and after > 0.6, (before, after)


def test_no_network_is_left_out() -> None:
    assert {case.name for case in CASES} == set(NETWORKS) - {"tiny"}  # a test's own


def quick(network: nn.Module) -> nn.Module:
    """The network made ready for few steps: batch norms follow their batches at once.

    PAF has none, and its authors' start, nearly nothing behind ImageNet weights, takes many steps.
    """
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 0.5
    if isinstance(network, PAF):
        initialise(network)
        for branch in (*network.pafs, *network.heatmaps):
            near_empty(branch[-1])
    return network


def trained(network: nn.Module, task: Task | Crops, batch: Batch, case: Case) -> list[float]:
    """Takes Adam's steps with one cycle of the rate; the losses."""
    optimiser = torch.optim.Adam(network.train().parameters(), lr=case.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, case.rate, total_steps=case.steps)
    losses = []
    for _ in range(case.steps):
        losses.append(float(train_step(network, [optimiser], [batch], SETTINGS, task)["total"]))
        schedule.step()
    return losses
