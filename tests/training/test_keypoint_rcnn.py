"""Training of keypoint R-CNN: in which coordinates people are taught, what teaches nothing, and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bottomup.cli import main
from bottomup.core import ABSENT, COCO17, LABELLED
from bottomup.data.augment import Augmentation, Example
from bottomup.files.weights import read_weights
from bottomup.nets import build, keypoint_rcnn
from bottomup.training import keypoint_rcnn as training
from bottomup.training.config import Phase
from bottomup.training.keypoint_rcnn import KeypointRCNNTask, truths
from bottomup.training.tasks import task_of
from tests.training.small import Tiny, settings, write_set

CALM = Augmentation(whole=1.0, rotation=0, mosaic=(1, 0, 0), paste=0, occlude=0, colour=0)
NETWORK = {"name": "keypoint_rcnn", "depth": 18, "width": 8}


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(keypoint_rcnn, "PROPOSALS", 16)
    monkeypatch.setattr(training, "BOXES", 16)


def run(labels, out="unused", **changes):
    given = {"method": "keypoint_rcnn", "network": NETWORK, "augmentation": CALM, "phases": (Phase(64, 2, 1.0),)}
    return settings(out, labels, **(given | changes))


def example(boxes, known) -> Example:
    """A crop of 64 x 64 with these people, all of whose joints are at (20, 30)."""
    count = len(boxes)
    return Example(
        image=np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8),
        joints=np.full((count, 17, 2), (20, 30), np.float32),
        known=np.repeat(np.array(known, np.uint8).reshape(count, 1), 17, 1),
        confidence=np.full((count, 17), 0.5, np.float32),
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        taught=np.ones((8, 8), np.uint8),
        taught_joints=np.ones(17, bool),
    )


def test_the_settings_choose_the_task(labels):
    task = task_of(run(labels), COCO17, Tiny())
    batch = task.collate([task.pictures(Phase(64, 2, 1.0))[i] for i in range(2)])
    assert isinstance(task, KeypointRCNNTask) and batch.taught.shape == (2, 8, 8) and len(task.counts(batch)) == 0


def test_people_are_taught_as_their_road_reads_them(labels):
    task = KeypointRCNNTask(run(labels), COCO17)
    batch = task.collate([example([], []), example([(-6, 4, 36, 80), (64, 10, 5, 5)], [LABELLED, LABELLED])])
    nobody, somebody = truths(batch, aligned=False)
    assert len(nobody.boxes) == 0 and nobody.joints.shape == (0, 17, 3)
    assert somebody.boxes.tolist() == [[0, 4, 30, 64]]  # cut to the crop; of the other one nothing is in it
    assert somebody.joints[0, 0].tolist() == [20, 30, 0.5]
    assert truths(batch, aligned=True)[1].joints[0, 0].tolist() == [20.5, 30.5, 0.5]


def test_a_picture_of_nobody_and_one_that_teaches_nothing_are_no_mishap(labels):
    torch.manual_seed(0)
    task, network = KeypointRCNNTask(run(labels), COCO17), build(**NETWORK)
    hidden = example([(0, 0, 64, 64)], [ABSENT])
    for one, charged in ((example([], []), True), (hidden, False)):
        batch = task.collate([one])
        losses = task.losses(network, batch, task.counts(batch))
        losses["total"].backward()
        assert (losses["objectness"] > 0) == (losses["score"] > 0) == charged
        assert losses["anchor"] == losses["box"] == losses["keypoint"] == 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_every_part_is_taught(labels):
    torch.manual_seed(0)
    task, network = KeypointRCNNTask(run(labels, bf16=True), COCO17), build(**NETWORK)
    batch = task.collate([example([(4, 4, 40, 50)], [LABELLED])])
    losses = task.losses(network, batch, task.counts(batch))
    losses["total"].backward()
    total, *parts = (loss.item() for loss in losses.values())
    assert total == pytest.approx(sum(parts), rel=1e-5) and min(parts) > 0
    assert {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None and p.grad.any()} == {
        "backbone",
        "fpn",
        "rpn",
        "box_head",
        "keypoint_head",
    }


def test_the_command_line_trains_it_and_its_road_judges_it(labels, tmp_path):
    out = tmp_path / "run"
    config = {
        "out": str(out),
        "steps": 2,
        "method": "keypoint_rcnn",
        "network": NETWORK,
        "start": "random",
        "freeze": 0,
        "phases": [{"size": 64, "batch": 2, "share": 1.0}],
        "sets": [{"labels": str(labels), "weight": 1.0}],
        "dev": {"labels": str(labels), "every": 2},
        "road": {"short_side": 64, "longest": 96, "mean": [127, 127, 127], "std": [64, 64, 64]},
        "device": "cpu",
        "threads": 1,
        "workers": 0,
    }
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config))
    assert main(["train", str(path)]) == 0
    tensors, header = read_weights(Path(out) / "weights.safetensors")
    assert header["method"] == "keypoint_rcnn" and set(tensors) == set(build(**NETWORK).state_dict())
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert any("dev_AP" in record for record in records) and any("keypoint" in record for record in records)
