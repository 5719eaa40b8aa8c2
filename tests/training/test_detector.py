"""Training of the detector: who is taught, what is left alone, and that the same loop trains all methods."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bottomup.core import ABSENT, COCO17, LABELLED, UNKNOWN
from bottomup.data.augment import Augmentation, Example
from bottomup.files.weights import read_weights
from bottomup.nets import keypoint_rcnn
from bottomup.nets.detector_mobile import DetectorMobile
from bottomup.training.config import Phase
from bottomup.training.detector import DetectorTask, corners, without_slivers
from bottomup.training.loop import train
from bottomup.training.tasks import task_of
from bottomup.training.weights import save_trained
from tests.training.small import Losses, Tiny, settings, write_set

CALM = Augmentation(whole=1.0, rotation=0, mosaic=(1, 0, 0), paste=0, occlude=0, colour=0)


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"))


def run(labels, out="unused", **changes):
    given = {"method": "detector", "network": {"name": "detector_mobile", "width": 8}, "augmentation": CALM}
    return settings(out, labels, **(given | changes))


def example(boxes, known) -> Example:
    """A crop of 64 x 64 with these people, of two joints each."""
    count = len(boxes)
    return Example(
        image=np.zeros((64, 64, 3), np.uint8),
        joints=np.full((count, 2, 2), 20, np.float32),
        known=np.array(known, np.uint8).reshape(count, 2),
        confidence=np.ones((count, 2), np.float32),
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        taught=np.ones((8, 8), np.uint8),
        taught_joints=np.ones(2, bool),
    )


def test_the_settings_choose_the_task_and_masks_are_of_the_finest_level(labels):
    task = task_of(run(labels), COCO17, Tiny())
    assert isinstance(task, DetectorTask)
    batch = task.collate([task.pictures(Phase(64, 2, 1.0))[i] for i in range(3)])
    assert batch.images.shape == (3, 3, 64, 64) and batch.taught.shape == (3, 8, 8)


def test_people_of_whom_no_joint_is_left_are_neither_taught_nor_background():
    seen, sliver = (4, 4, 30, 50), (48, 16, 15, 30)
    left = without_slivers(example([seen, sliver], [[LABELLED, ABSENT], [ABSENT, UNKNOWN]]))
    assert left.boxes.tolist() == [list(seen)] and len(left.joints) == len(left.known) == len(left.confidence) == 1
    masked = np.zeros((8, 8), bool)
    masked[2:6, 6:8] = True
    np.testing.assert_array_equal(left.taught == 0, masked)


def test_an_example_is_left_as_it_was():
    one = example([(48, 16, 15, 30)], [[ABSENT, ABSENT]])
    without_slivers(one)
    assert one.taught.all() and len(one.boxes) == 1


def test_losses_are_averaged_over_the_cells_that_are_to_find_somebody(labels):
    task = DetectorTask(run(labels), COCO17)
    both = task.collate([example([(4, 4, 30, 50)], [[LABELLED] * 2]), example([], [])])
    assert task.counts(both).tolist() == [9]
    assert task.counts(task.collate([example([], [])])).tolist() == [0]
    torch.testing.assert_close(corners(both.boxes), torch.tensor([[4.0, 4, 34, 54]]))


def test_pieces_of_a_batch_have_its_loss_together(labels):
    task = DetectorTask(run(labels), COCO17)
    torch.manual_seed(0)
    network = DetectorMobile(width=8).eval()
    examples = [example([(4, 4, 30, 50)], [[LABELLED] * 2]), example([(20, 8, 40, 40)], [[LABELLED] * 2])]
    whole, pieces = task.collate(examples), [task.collate([e]) for e in examples]
    total = task.losses(network, whole, task.counts(whole))["total"]
    counts = torch.stack([task.counts(piece) for piece in pieces]).mean(0)
    parts = torch.stack([task.losses(network, piece, counts)["total"] for piece in pieces]).mean()
    torch.testing.assert_close(parts, total)


def test_a_picture_of_nobody_is_a_lesson_too(labels):
    task = DetectorTask(run(labels), COCO17)
    empty = task.collate([example([], [])])
    losses = task.losses(DetectorMobile(width=8), empty, task.counts(empty))
    losses["total"].backward()
    assert losses["score"] > 0 and losses["box"] == 0


@pytest.mark.parametrize(
    ("method", "network"),
    [
        ("topdown", {"name": "cpn_mobile", "widths": [8, 8, 8]}),
        ("detector", {"name": "detector_mobile", "width": 8}),
        pytest.param("keypoint_rcnn", {"name": "keypoint_rcnn", "depth": 18, "width": 8}, marks=pytest.mark.slow),
    ],
)
def test_the_same_loop_trains_resumes_and_writes_all_methods(labels, tmp_path, method, network, monkeypatch):
    monkeypatch.setattr(keypoint_rcnn, "PROPOSALS", 16)  # else its keypoint head would see many boxes
    phases = (Phase(64, 2, 1.0),)
    chosen = run(labels, tmp_path / "run", method=method, network=network, steps=2, phases=phases)
    whole = Losses()
    finished = train(chosen, whole)
    resumed, again = replace(chosen, out=str(tmp_path / "again")), Losses(die_before=1)
    with pytest.raises(KeyboardInterrupt):
        train(resumed, again)
    rest = Losses()
    train(resumed, rest)
    assert {**again.found, **rest.found} == pytest.approx({step: pytest.approx(v) for step, v in whole.found.items()})
    path = Path(tmp_path / "weights.safetensors")
    save_trained(finished, chosen, 2, path)
    _, header = read_weights(path)
    assert header["method"] == method and header["network"] == network
