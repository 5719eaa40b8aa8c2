"""The top-down road, learnt from nothing: a tiny detector finds drawn figures, a tiny network their joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bottomup.core import Boxes, Maps, People, Sample
from bottomup.data.crops import CropAugmentation, Crops, labelled_people
from bottomup.metrics.boxes import box_numbers
from bottomup.metrics.coco import coco_keypoint_numbers
from bottomup.nets.blocks import conv_bn
from bottomup.nets.detector_mobile import DetectorMobile, Head, PathNeck
from bottomup.roads.box_evaluation import to_coco
from bottomup.roads.crops import CropNetwork, TopDownSettings
from bottomup.roads.detector import Detector, DetectorSettings
from bottomup.roads.topdown import TopDown
from bottomup.training.config import TopDown as TopDownTraining
from bottomup.training.config import TrainSettings
from bottomup.training.detector import DetectorTask
from bottomup.training.loop import train_step
from bottomup.training.topdown import TopDownTask
from tests.end_to_end.test_learns_figures import FIGURE, SIZE, coco_truth, drawn

ROAD = {"mean": [127.0] * 3, "std": [128.0] * 3}
SETTINGS = TrainSettings(out="unused", steps=1, sets=(), network={}, road=ROAD, topdown=TopDownTraining())
CROP = (48, 64)
ROOM = 6.0  # pixels around a figure's joints


def room(example):
    """The example with boxes that hold the drawn ends too."""
    x, y, w, h = example.boxes.T
    boxes = np.stack((x - ROOM, y - ROOM, w + 2 * ROOM, h + 2 * ROOM), 1).astype(np.float32)
    return replace(example, boxes=boxes, taught=np.ones((SIZE // 8, SIZE // 8), np.uint8))


def sample_of(example) -> Sample:
    joints = np.dstack((example.joints, example.confidence))
    people = People(joints, np.ones(len(joints)), FIGURE, example.boxes)
    return Sample(lambda: example.image, (SIZE, SIZE), people, example.known, np.ones(5, bool), "drawn", 1)


def examples(first: int, count: int):
    return [room(drawn(np.random.default_rng((first, i)))) for i in range(count)]


def trained(network: nn.Module, task, batches, rate: float) -> list[float]:
    """Trains on the batches with one cycle of the rate; the losses."""
    torch.set_num_threads(1)
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=len(batches))
    losses = []
    for batch in batches:
        losses.append(float(train_step(network, [optimiser], [batch], SETTINGS, task)["total"]))
        schedule.step()
    network.eval()
    return losses


class TinyPose(nn.Module):
    """Heatmaps of the figures' joints at stride 4, twice: a coarse answer and the last one."""

    stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv_bn(3, 16, 3, stride=2),
            conv_bn(16, 32, 3, stride=2),
            conv_bn(32, 32, 3),
            conv_bn(32, 32, 3, dilation=2),
        )
        self.coarse, self.answer = nn.Conv2d(32, 5, 1), nn.Conv2d(32, 5, 1)

    def forward(self, images):
        features = self.layers(images)
        return [Maps(head(features), stride=4, sigma=1.5) for head in (self.coarse, self.answer)]


class TinyDetector(DetectorMobile):
    """The detector on a backbone of five convolutions."""

    def __init__(self, width: int = 16) -> None:
        nn.Module.__init__(self)
        steps = [conv_bn(i, o, 3, stride=2) for i, o in ((3, 12), (12, 16), (16, 24), (24, 32), (32, 32))]
        self.stem, self.steps = nn.Sequential(*steps[:2]), nn.ModuleList(steps[2:])
        self.neck = PathNeck((24, 32, 32), width)
        self.answers = nn.ModuleList(Head(width) for _ in range(3))

    def heads(self, images):
        x, features = self.stem(images), []
        for step in self.steps:
            x = step(x)
            features.append(x)
        return [head(level) for head, level in zip(self.answers, self.neck(features), strict=True)]


@pytest.fixture(scope="module")
def unseen():
    return examples(1000, 30)


@pytest.fixture(scope="module")
def pose():
    torch.manual_seed(0)
    network = TinyPose()
    crops = Crops(
        [labelled_people([sample_of(example) for example in examples(0, 60)])],
        [1.0],
        size=CROP,
        skeleton=FIGURE,
        augmentation=CropAugmentation(rotation=10, half_body=0.3),
        seed=0,
    )
    task = TopDownTask(SETTINGS, FIGURE)
    batches = [task.collate([crops[12 * step + i] for i in range(12)]) for step in range(90)]
    losses = trained(network, task, batches, 8e-3)
    assert np.mean(losses[-10:]) < 0.4 * np.mean(losses[:10])
    return CropNetwork(network, FIGURE, TopDownSettings(size=CROP, mean=ROAD["mean"], std=ROAD["std"], blur=5))


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    network, task = TinyDetector(), DetectorTask(SETTINGS, FIGURE)
    batches = [task.collate(examples(step, 6)) for step in range(120)]
    losses = trained(network, task, batches, 6e-3)
    assert np.mean(losses[-10:]) < 0.4 * np.mean(losses[:10])
    settings = DetectorSettings(long_side=SIZE, mean=ROAD["mean"], std=ROAD["std"], soft=False, threshold=0.3)
    return Detector(network, settings)


def keypoint_numbers(found, unseen):
    results = [entry for number, people in enumerate(found) for entry in people.to_coco(number + 1)]
    return coco_keypoint_numbers(coco_truth(unseen), results, sigmas=FIGURE.sigmas)


def test_joints_are_found_in_the_true_boxes(pose, unseen):
    boxes = [Boxes.of_xywh(example.boxes) for example in unseen]
    found = TopDown([pose])([example.image for example in unseen], boxes=boxes)
    assert keypoint_numbers(found, unseen)["AP"] > 0.9


def test_people_are_found_with_few_ghosts(detector, unseen):
    found = detector([example.image for example in unseen])
    entries = [entry for number, boxes in enumerate(found) for entry in to_coco(boxes, number + 1)]
    numbers = box_numbers(coco_truth(unseen), entries, over=16)
    assert numbers["recall"] > 0.9 and numbers["AP50"] > 0.9, numbers
    assert len(entries) <= 1.2 * sum(len(example.boxes) for example in unseen)


def test_the_road_needs_no_boxes(pose, detector, unseen):
    found = TopDown([pose], detector=detector)([example.image for example in unseen])
    assert keypoint_numbers(found, unseen)["AP"] > 0.8
    blank = np.full((SIZE, SIZE, 3), 110, np.uint8)
    assert len(TopDown([pose], detector=detector)([blank])[0]) == 0
