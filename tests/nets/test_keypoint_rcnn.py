"""Keypoint R-CNN: its learned parts are the published ones; proposals, people and joints come out where they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

from bottomup.nets import keypoint_rcnn
from bottomup.nets.keypoint_rcnn import FeaturePyramid, FrozenBatchNorm, KeypointRCNN, anchors_of, decoded, proposals
from bottomup.nets.published import load_published

torch.set_num_threads(1)

CARD = Path(__file__).resolve().parents[3] / "shared" / "checkpoints" / "keypointrcnn_r50_fpn.json"


@pytest.mark.slow
@pytest.mark.skipif(not CARD.exists(), reason=f"no card at {CARD}")
def test_its_learned_parts_compute_what_the_published_code_computes():
    spec = importlib.util.spec_from_file_location("checkpoint_fixtures", CARD.parent / "fixtures.py")
    fixtures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixtures)
    network = load_published(CARD.stem, fixtures.state_dict(CARD.stem))
    box_pooled, keypoint_pooled = (fixtures.inputs(CARD.stem, part=part) for part in ("box_pooled", "keypoint_pooled"))
    with torch.no_grad():
        outputs = [
            *network.heads(fixtures.inputs(CARD.stem)),
            *network.box_head(box_pooled),
            network.keypoint_head(keypoint_pooled),
        ]
    fixtures.check(CARD.stem, outputs)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 59_137_258),
        ({"per_class": False, "stride_in_first": True, "aligned": True}, 59_133_158),
        ({"per_class": False, "depth": 101}, 78_073_062),
    ],
)
def test_it_has_the_published_parameters(parameters, options, count):
    assert parameters(KeypointRCNN, **options) == count


def test_its_parts_have_the_published_parameters():
    with torch.device("meta"):
        network = KeypointRCNN(per_class=False)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert counts == {
        "backbone": 23_454_912,
        "fpn": 3_344_384,
        "rpn": 593_935,
        "box_head": 13_901_830,
        "keypoint_head": 17_838_097,
    }


@pytest.fixture(scope="module")
def network() -> KeypointRCNN:
    """A light one with untrained weights, whose frozen batch norms do nothing."""
    torch.manual_seed(0)
    return KeypointRCNN(joints=5, depth=18, min_score=0.3, max_people=4).eval()


@pytest.mark.parametrize(("height", "width"), [(64, 96), (32, 64)])
def test_every_image_gets_people_inside_it(network, images, monkeypatch, height, width):
    monkeypatch.setattr(keypoint_rcnn, "PROPOSALS", 12)
    with torch.no_grad():
        found = network(images(2, height, width))
    assert len(found) == 2
    for people in found:
        count = len(people.scores)
        assert 0 < count <= 4 and people.boxes.shape == (count, 4) and people.joints.shape == (count, 5, 3)
        assert (people.boxes[:, 0::2] <= width).all() and (people.boxes[:, 1::2] <= height).all()
        assert (people.scores.diff() <= 0).all() and (people.scores > 0.3).all()
        low, high = people.boxes[:, None, :2], people.boxes[:, None, 2:]
        points, scores = people.joints[:, :, :2], people.joints[:, :, 2]
        assert (points >= low).all() and (points <= high.maximum(low + 1)).all()
        assert (scores > 0).all() and (scores <= 1).all()


def test_nobody_found_is_ordinary(network, images, monkeypatch):
    monkeypatch.setattr(keypoint_rcnn, "PROPOSALS", 4)
    monkeypatch.setattr(network, "min_score", 1.0)
    with torch.no_grad():
        (people,) = network(images(1, 32, 32))
    assert people.boxes.shape == (0, 4) and people.scores.shape == (0,) and people.joints.shape == (0, 5, 3)


def test_an_image_is_answered_alike_in_any_company_and_padding_holds_nobody(network, images, monkeypatch):
    monkeypatch.setattr(keypoint_rcnn, "PROPOSALS", 6)
    batch = images(2, 64, 64)
    with torch.no_grad():
        (_, second), (alone,) = network(batch), network(batch[1:])
        (padded,) = network(batch[1:], sizes=[(40, 64)])
    torch.testing.assert_close(second.boxes, alone.boxes, atol=1e-3, rtol=1e-4)
    assert padded.boxes[:, 3].max() <= 40


def test_frozen_batch_norm_is_batch_norm_in_eval_and_never_learns():
    frozen, usual = FrozenBatchNorm(3, eps=1e-5), nn.BatchNorm2d(3).eval()
    for name in ("weight", "bias", "running_mean", "running_var"):
        value = 0.5 + torch.rand(3, generator=torch.Generator().manual_seed(len(name)))
        getattr(frozen, name).copy_(value)
        getattr(usual, name).data.copy_(value)
    image = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(frozen.train()(image), usual(image))
    assert not list(frozen.parameters()) and set(frozen.state_dict()) == set(usual.state_dict()) - {
        "num_batches_tracked"
    }


def test_a_pyramid_adds_coarse_to_fine_and_takes_every_second_cell_on_top():
    pyramid = FeaturePyramid((1, 1), 1)
    for layer in (*pyramid.inner_blocks, *pyramid.layer_blocks):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    for block in pyramid.inner_blocks:
        block.weight.data[0, 0] = 1
    for block in pyramid.layer_blocks:
        block.weight.data[0, 0, 1, 1] = 1
    fine, coarse = torch.zeros(1, 1, 4, 6), torch.arange(6.0).reshape(1, 1, 2, 3)
    with torch.no_grad():
        p2, p3, top = (maps[0, 0] for maps in pyramid([fine, coarse]))
    assert torch.equal(p3, coarse[0, 0]) and top.tolist() == [[0, 2]]
    assert torch.equal(p2, coarse[0, 0].repeat_interleave(2, 0).repeat_interleave(2, 1))


def test_anchors_are_spread_over_the_image_at_every_level():
    maps = [torch.zeros(1, 3, 128 // s, 192 // s) for s in (4, 8, 16, 32, 64)]
    levels = anchors_of(maps, (128, 192))
    assert [len(anchors) for anchors in levels] == [3 * 128 * 192 // s**2 for s in (4, 8, 16, 32, 64)]
    centres = (levels[2][:, :2] + levels[2][:, 2:]) / 2
    assert centres[-1].tolist() == [192 - 16, 128 - 16] and centres[0].tolist() == [0, 0]


def test_proposals_are_the_likeliest_anchors_moved():
    sizes = [(8, 8), (4, 4), (2, 2), (1, 1), (1, 1)]
    objectness = [torch.full((3, *size), -9.0) for size in sizes]
    deltas = [torch.zeros(12, *size) for size in sizes]
    objectness[1][1, 2, 3], objectness[0][1, 4, 4] = 5, 7
    deltas[1][4 + 0, 2, 3] = 0.25  # the square anchor of level 1, a quarter of its 64 pixels to the right
    anchors = anchors_of([maps[None] for maps in objectness], (512, 512))
    found = proposals(objectness, deltas, anchors, (512, 512))
    # strides are the image's sides by the cells: 64 at the first level, 128 at the second
    assert found[0].tolist() == [4 * 64 - 16, 4 * 64 - 16, 4 * 64 + 16, 4 * 64 + 16]
    assert found[1].tolist() == [3 * 128 + 16 - 32, 2 * 128 - 32, 3 * 128 + 16 + 32, 2 * 128 + 32]


def blob(x: float, y: float, size: int = 56) -> torch.Tensor:
    ys, xs = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return 12 - ((xs - x) ** 2 + (ys - y) ** 2) / 8


@pytest.mark.parametrize("box", [(10.0, 20.0, 66.0, 76.0), (10.0, 20.0, 122.0, 48.0), (3.3, 7.7, 50.1, 180.4)])
def test_joints_lie_where_their_peaks_are_in_the_box(box):
    x1, y1, x2, y2 = box
    maps = torch.stack((blob(10, 40), blob(30.5, 5.5), blob(0, 55)))[None]
    joints = decoded(maps, torch.tensor([box]))[0]
    for (x, y), found in zip(((10, 40), (30.5, 5.5), (0, 55)), joints, strict=True):
        assert found[0].item() == pytest.approx(x1 + (x + 0.5) * (x2 - x1) / 56, abs=0.75 * max(1, (x2 - x1) / 56))
        assert found[1].item() == pytest.approx(y1 + (y + 0.5) * (y2 - y1) / 56, abs=0.75 * max(1, (y2 - y1) / 56))


def test_scores_are_the_share_of_the_peak_and_independent_of_the_boxs_size():
    sharp, flat = torch.zeros(56, 56), torch.zeros(56, 56)
    sharp[20, 30] = 30
    maps = torch.stack((sharp, flat))[None]
    same = decoded(maps, torch.tensor([[0.0, 0, 56, 56]]))[0, :, 2]
    assert same[0].item() == pytest.approx(1, abs=1e-4) and same[1].item() == pytest.approx(56**-2, rel=1e-3)
    large = decoded(torch.stack((blob(30, 30),))[None], torch.tensor([[0.0, 0, 500, 500]]))[0, 0, 2]
    small = decoded(torch.stack((blob(30, 30),))[None], torch.tensor([[0.0, 0, 60, 60]]))[0, 0, 2]
    assert large.item() == pytest.approx(small.item(), rel=0.05)


def test_a_box_without_extent_is_decoded_as_one_pixel():
    joints = decoded(torch.zeros(1, 2, 56, 56), torch.tensor([[5.0, 6, 5, 6]]))
    assert joints[0, :, :2].tolist() == [[5.5, 6.5], [5.5, 6.5]]


def test_aligned_networks_take_half_a_pixel_off(images, monkeypatch):
    monkeypatch.setattr(keypoint_rcnn, "PROPOSALS", 3)
    torch.manual_seed(0)
    network = KeypointRCNN(joints=2, depth=18, min_score=0.0, max_people=1).eval()
    monkeypatch.setattr(
        keypoint_rcnn.box,
        "pyramid_align",
        lambda maps, boxes, size, **_: boxes.new_ones(1, 256, size, size).expand(len(boxes), -1, -1, -1),
    )
    with torch.no_grad():
        (plain,) = network(images(1, 32, 32))
        network.aligned = True
        (aligned,) = network(images(1, 32, 32))
    torch.testing.assert_close(aligned.joints[:, :, :2], plain.joints[:, :, :2] - 0.5)
    assert torch.equal(aligned.boxes, plain.boxes)
