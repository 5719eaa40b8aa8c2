"""Top-down training: what is taught, in which boxes, whom a judge leaves, and from which network's parts it starts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bottomup.core import ABSENT, COCO17, LABELLED, UNKNOWN, Maps
from bottomup.data.crops import CropAugmentation, CropBatch, labelled_people
from bottomup.errors import DataError, SettingsError
from bottomup.files.weights import save_weights, tensors_to_keep
from bottomup.nets import build
from bottomup.training.config import DataSet, Phase, TopDown
from bottomup.training.hard import Judge, hard_people, oks_of, quarter_peaks
from bottomup.training.prepare import optimisers, read_sets, start_weights
from bottomup.training.tasks import task_of
from bottomup.training.topdown import TopDownTask, crop_size
from bottomup.training.weights import weights_header
from tests.training.small import Tiny, settings, write_set

CALM = TopDown(crops=CropAugmentation(scale=(1.0, 1.0), shift=0, rotation=0, turned=0, half_body=0, colour=0))


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"))


def run(labels, **changes):
    return settings("unused", labels, **({"method": "topdown", "topdown": CALM} | changes))


def batch_of(known, confidence=None) -> CropBatch:
    """One crop of 64 x 96, all joints at its middle."""
    known = torch.tensor([known], dtype=torch.uint8)
    confidence = torch.ones(1, known.shape[1]) if confidence is None else torch.tensor([confidence])
    joints = torch.full((1, known.shape[1], 2), 33.5)
    return CropBatch(torch.zeros(1, 3, 96, 64, dtype=torch.uint8), joints, known, confidence)


class Constant(nn.Module):
    """Says the same in every map of three heads."""

    stride = 4

    def __init__(self, value: float) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.full((3, 1, 17, 24, 16), value))

    def forward(self, images):
        return [Maps(maps, stride=4, sigma=1.5) for maps in self.maps]


def test_the_settings_choose_the_task_and_every_crop_is_one_persons(labels):
    task = task_of(run(labels), COCO17, Tiny())
    assert isinstance(task, TopDownTask) and len(task.people[0]) == 0 + 1 + 2 + 3
    pictures = task.pictures(Phase(96, 2, 1.0))
    batch = task.collate([pictures[0], pictures[1]])
    assert batch.images.shape == (2, 3, 96, 72) and batch.joints.shape == (2, 17, 2)
    assert crop_size(256) == (192, 256)


@pytest.mark.parametrize("method", ["topdwon", ""])
def test_an_unknown_method_is_named(labels, method):
    with pytest.raises(SettingsError, match="bottomup, topdown, detector"):
        task_of(run(labels, method=method), COCO17, Tiny())


def test_joints_that_nobody_labelled_teach_nothing(labels):
    task, network = TopDownTask(run(labels), COCO17), Constant(0.3)
    known = [LABELLED, UNKNOWN, ABSENT] + [LABELLED] * 14
    batch = batch_of(known)
    task.losses(network, batch, task.counts(batch))["total"].backward()
    gradient = network.maps.grad.abs().sum((1, 3, 4))  # heads x joints
    assert (gradient[:, 1:3] == 0).all() and (gradient[:, [0, *range(3, 17)]] > 0).all()


def test_confidence_weighs_a_joints_loss(labels):
    task = TopDownTask(run(labels), COCO17)
    sure, half = (
        task.losses(Constant(0.3), batch_of([LABELLED] * 17, [c] * 17), torch.zeros(0))["total"] for c in (1.0, 0.5)
    )
    torch.testing.assert_close(half, sure / 2)


def test_hard_joints_alone_teach_the_answer_but_all_teach_the_coarser_heads(labels):
    task, network = TopDownTask(run(labels, topdown=replace(CALM, hard=3)), COCO17), Constant(0.0)
    with torch.no_grad():
        network.maps[:, :, :3] = 2.0  # three joints are all wrong
    batch = batch_of([LABELLED] * 17)
    task.losses(network, batch, torch.zeros(0))["total"].backward()
    gradient = network.maps.grad.abs().sum((1, 3, 4))
    assert (gradient[2, :3] > 0).all() and (gradient[2, 3:] == 0).all() and (gradient[:2] > 0).all()


def test_coarser_heads_are_taught_wider_peaks_and_the_last_two_the_same(labels):
    batch = batch_of([LABELLED] * 17)

    def wanted(widen: float) -> torch.Tensor:
        """Peaks' areas that the three heads would be content with, relative to the answer's."""
        network = Constant(0.0)
        task = TopDownTask(run(labels, topdown=replace(CALM, widen=widen)), COCO17)
        task.losses(network, batch, torch.zeros(0))["total"].backward()
        area = -network.maps.grad.sum((1, 2, 3, 4)) * torch.tensor([4.0, 4.0, 1.0])  # coarse: half, shared by two
        return area / area[2]

    torch.testing.assert_close(wanted(1.0), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(wanted(1.4), torch.tensor([1.4**2, 1, 1]), atol=0.05, rtol=0)


# ---------------------------------------------------------------- boxes


def write_boxes(folder, rows):
    path = folder / "boxes.json"
    path.write_text(json.dumps(rows))
    return path


def test_training_in_boxes_found_takes_those_that_fit(labels, tmp_path):
    rows = [
        {"image_id": 1, "bbox": [10, 8, 50, 62], "score": 0.9},
        {"image_id": 1, "bbox": [6, 10, 56, 60], "score": 0.5},
        {"image_id": 2, "bbox": [0, 0, 12, 12], "score": 0.9},
    ]
    chosen = DataSet(str(labels), 1.0, boxes=str(write_boxes(tmp_path, rows)))
    (people,) = TopDownTask(run(labels, sets=(chosen,)), COCO17).people
    assert len(people) == 1, "nobody in pictures 2 and 3 was found"
    np.testing.assert_array_equal(people[0].boxes, [[10, 8, 60, 70], [6, 10, 62, 70]])


@pytest.mark.parametrize(
    ("rows", "words"),
    [([], "nobody in it is left"), ([{"image_id": 1, "bbox": [0, 0, 4, 4]}], "entry 1 lacks"), ({}, "list of entries")],
)
def test_boxes_that_help_nobody_are_an_error_that_names_the_file(labels, tmp_path, rows, words):
    chosen = DataSet(str(labels), 1.0, boxes=str(write_boxes(tmp_path, rows)))
    with pytest.raises(DataError, match=words):
        TopDownTask(run(labels, sets=(chosen,)), COCO17)


# ---------------------------------------------------------------- hard samples


class Seer(nn.Module):
    """Puts every joint's peak at the same cell."""

    def forward(self, images):
        maps = torch.zeros(len(images), 17, images.shape[2] // 4, images.shape[3] // 4)
        maps[:, :, 12, 9] = 1
        return [Maps(maps, stride=4)]


ROAD = {"size": [72, 96], "enlarge": [1.0, 1.0], "mean": [0, 0, 0], "std": [1, 1, 1]}


def test_a_quarter_of_a_cell_towards_the_higher_neighbour():
    maps = torch.zeros(1, 2, 6, 8)
    maps[0, 0, 2, 3], maps[0, 0, 2, 4], maps[0, 0, 1, 3] = 1.0, 0.5, 0.2
    maps[0, 1, 0, 0] = 0.7
    found = quarter_peaks(maps)
    torch.testing.assert_close(found[0, 0], torch.tensor([3.25, 1.75, 1.0]))
    torch.testing.assert_close(found[0, 1], torch.tensor([0.0, 0, 0.7]), atol=0.26, rtol=0)


def test_people_whom_the_judge_finds_are_left_out(labels):
    people = labelled_people(read_sets(run(labels), COCO17)[0])
    judge = Judge(Seer(), ROAD)
    found = judge.joints(people[:1])[0, 0]  # where it says all joints are
    sample = people[0].sample
    exact = replace(sample.people, joints=np.tile(found, (1, 17, 1)).astype(np.float32))
    known = sample.known.copy()
    known[:, 3:] = UNKNOWN  # only these count
    easy = replace(people[0], sample=replace(sample, people=exact, known=known))
    assert list(oks_of([easy], judge)) == pytest.approx([1.0], abs=1e-6)
    assert hard_people([easy, people[1]], judge, 0.8) == [people[1]]
    assert hard_people([easy, people[1]], judge, 0.0) == []


def test_a_judge_is_read_from_weights_of_a_top_down_network_alone(labels, tmp_path):
    chosen = run(labels, road=ROAD, network={"name": "cpn_mobile", "widths": [8, 8, 8]})
    network = build(**chosen.network)
    path = tmp_path / "judge.safetensors"
    save_weights(path, tensors_to_keep(network), weights_header(chosen, 1))
    judge = Judge.of(path, COCO17)
    assert judge.joints(labelled_people(read_sets(chosen, COCO17)[0])[:3]).shape == (3, 17, 3)
    short = {key: value for key, value in ROAD.items() if key != "size"}
    save_weights(path, tensors_to_keep(network), weights_header(replace(chosen, road=short), 1))
    with pytest.raises(SettingsError, match="has no size"):
        Judge.of(path, COCO17)
    save_weights(path, tensors_to_keep(network), weights_header(replace(chosen, method="bottomup"), 1))
    with pytest.raises(SettingsError, match=r"judge\.safetensors holds no top-down network"):
        Judge.of(path, COCO17)


# ---------------------------------------------------------------- parts of other networks


@pytest.fixture
def other(tmp_path):
    """Weights of a bottom-up network, and their file."""
    torch.manual_seed(1)
    network = build("mspaf_mobile", widths=[8, 8, 8])
    path = tmp_path / "other.safetensors"
    save_weights(path, tensors_to_keep(network), {"format": 1})
    return network.state_dict(), path


def test_parts_of_another_network_are_the_start(labels, other):
    tensors, path = other
    network = build("cpn_mobile", widths=[8, 8, 8])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_weights(network, run(labels, start=str(path), adopt=("backbone", "neck.lateral")))
    for name, value in network.state_dict().items():
        source = tensors if name.startswith(("backbone.", "neck.lateral.")) else before
        assert torch.equal(value, source[name]), name


@pytest.mark.parametrize(
    ("adopt", "words"),
    [("answers.3", "has no answers.3"), ("nose", "no part 'nose'"), ("refine", "holds another network")],
)
def test_parts_that_do_not_fit_are_named(labels, other, adopt, words):
    with pytest.raises(SettingsError, match=words):
        start_weights(build("cpn_mobile", widths=[8, 8, 8]), run(labels, start=str(other[1]), adopt=(adopt,)))


def test_fixed_parts_stay_as_they_are(labels):
    network = build("cpn_mobile", widths=[8, 8, 8]).train()
    chosen = run(labels, fixed=("neck", "answers.0"))
    movers = optimisers(network, chosen, None)
    moved = {id(p) for mover in movers for group in mover.param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        assert (id(parameter) in moved) != name.startswith(("neck.", "answers.0.")), name
    assert not any(module.training for module in network.neck.modules())
    with pytest.raises(SettingsError, match="no part 'necks'"):
        optimisers(network, run(labels, fixed=("necks",)), None)
