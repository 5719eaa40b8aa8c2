"""A tiny network is trained on drawn figures for some steps and finds figures it has not seen."""

import cv2
import numpy as np
import torch
from torch import nn

from bottomup.core import LABELLED, Maps, People, Skeleton
from bottomup.data.augment import Example
from bottomup.data.loader import collate
from bottomup.grouping import group_batch
from bottomup.metrics.coco import coco_keypoint_numbers
from bottomup.nets.blocks import conv_bn
from bottomup.training.bottomup import BottomUpTask
from bottomup.training.config import TrainSettings
from bottomup.training.forward import normalise
from bottomup.training.loop import train_step

SIZE, STRIDE = 96, 4
FIGURE = Skeleton(
    "figure",
    ("head", "left_hand", "right_hand", "left_foot", "right_foot"),
    ((0, 1), (0, 2), (0, 3), (0, 4)),
    (0, 2, 1, 4, 3),
    (0.08,) * 5,
)
SHAPE = np.array([[0, -1], [1, 0], [-1, 0], [0.6, 1], [-0.6, 1]])
COLOURS = ((255, 60, 60), (60, 255, 60), (60, 60, 255), (255, 255, 60), (60, 255, 255))
SETTINGS = TrainSettings(
    out="unused", steps=1, sets=(), network={}, road={"mean": [127.0] * 3, "std": [128.0] * 3}, bf16=False
)


class TinyNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv_bn(3, 24, 3, stride=2),
            conv_bn(24, 32, 3, stride=2),
            conv_bn(32, 32, 3),
            conv_bn(32, 32, 3, dilation=2),
            conv_bn(32, 32, 3, dilation=3),
        )
        self.head = nn.Conv2d(32, 5 + 8, 1)

    def forward(self, images):
        heat, pafs = self.head(self.layers(images)).split((5, 8), 1)
        return [Maps(heat, pafs.unflatten(1, (4, 2)), stride=STRIDE, sigma=1.5)]


def drawn(rng: np.random.Generator) -> Example:
    """One or two stick figures with coloured ends on a noisy ground, apart or side by side."""
    image = rng.integers(90, 130, (SIZE, SIZE, 3)).astype(np.uint8)
    count = int(rng.integers(1, 3))
    joints = np.zeros((count, 5, 2), np.float32)
    for i in range(count):
        extent = rng.uniform(12, 19)
        middle = (SIZE * (2 * i + 1) / (2 * count) + rng.uniform(-3, 3), rng.uniform(28, SIZE - 28))
        joints[i] = middle + SHAPE * extent + rng.normal(0, 1.5, SHAPE.shape)
        places = [tuple(int(round(v)) for v in xy) for xy in joints[i].tolist()]
        for a, b in FIGURE.limbs:
            cv2.line(image, places[a], places[b], (230, 230, 230), 2)
        for place, colour in zip(places, COLOURS, strict=True):
            cv2.circle(image, place, 4, colour, -1)
    corner, extent = joints.min(1), np.ptp(joints, axis=1)
    return Example(
        image=image,
        joints=joints,
        known=np.full((count, 5), LABELLED, np.uint8),
        confidence=np.ones((count, 5), np.float32),
        boxes=np.hstack((corner, extent)).astype(np.float32),
        taught=np.ones((SIZE // STRIDE, SIZE // STRIDE), np.uint8),
        taught_joints=np.ones(5, bool),
    )


def coco_truth(examples: list[Example]) -> dict:
    annotations = []
    for number, example in enumerate(examples):
        for joints, box in zip(example.joints, example.boxes, strict=True):
            keypoints = np.column_stack((joints, np.full(5, 2))).reshape(-1).tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number + 1,
                    "category_id": 1,
                    "iscrowd": 0,
                    "keypoints": keypoints,
                    "num_keypoints": 5,
                    "bbox": [float(v) for v in box],
                    "area": float(box[2] * box[3]),
                }
            )
    images = [{"id": n + 1, "width": SIZE, "height": SIZE} for n in range(len(examples))]
    category = {"id": 1, "name": "person", "keypoints": list(FIGURE.joints), "skeleton": []}
    return {"images": images, "annotations": annotations, "categories": [category]}


def found(network: nn.Module, examples: list[Example]) -> list[People]:
    with torch.inference_mode():
        maps = network.eval()(normalise(collate(examples).images, SETTINGS.road))[-1]
    # Cell i of stride s is centred at s i + (s - 1) / 2.
    return [
        People(
            np.dstack((people.joints[..., :2] * STRIDE + (STRIDE - 1) / 2, people.joints[..., 2:])),
            people.scores,
            FIGURE,
        )
        for people in group_batch(maps, FIGURE)
    ]


def test_a_tiny_network_learns_to_find_drawn_figures() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = TinyNetwork().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=6e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=90)
    task = BottomUpTask(SETTINGS, FIGURE, STRIDE)
    losses = []
    for step in range(90):
        examples = [drawn(np.random.default_rng((step, i))) for i in range(6)]
        losses.append(float(train_step(network, [optimiser], [collate(examples)], SETTINGS, task)["total"]))
        schedule.step()
    unseen = [drawn(np.random.default_rng((1000, i))) for i in range(30)]
    people = found(network, unseen)
    results = [entry for number, p in enumerate(people) for entry in p.to_coco(number + 1)]
    numbers = coco_keypoint_numbers(coco_truth(unseen), results, sigmas=FIGURE.sigmas)
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:10])
    assert numbers["AP"] > 0.9, numbers
    assert sum(map(len, people)) <= 1.1 * sum(len(e.joints) for e in unseen), "ghost people"
