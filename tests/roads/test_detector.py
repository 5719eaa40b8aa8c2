"""Pictures in, boxes out, in pixels of the picture; a network of ours, told what to say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bottomup.errors import InputError, SettingsError
from bottomup.files.weights import save_weights, tensors_to_keep
from bottomup.nets.detector_mobile import DetectorMobile
from bottomup.roads.detector import Detector, DetectorSettings, load_detector

PLAIN = {"long_side": 128, "mean": (0, 0, 0), "std": (255, 255, 255)}


class Bright(nn.Module):
    """Says that somebody is at every cell as bright as its score, two cells wide and four high, at stride 8 alone."""

    def heads(self, images):
        bright = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)
        score = torch.logit(bright.clamp(1e-4, 0.98))
        sides = torch.tensor([1.0, 2, 1, 2]).log()[None, :, None, None].expand(len(images), 4, *score.shape[2:])
        fine = torch.cat((score, sides), 1)
        return [fine, *(torch.full_like(fine[:, :, :: 2**i, :: 2**i], -9.0) for i in (1, 2))]


def detector(**settings) -> Detector:
    return Detector(Bright(), DetectorSettings(**(PLAIN | settings)))


def lit(size, *cells, stride=8) -> np.ndarray:
    """A black picture with white squares at (column, row) of a grid."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for column, row in cells:
        image[row * stride : (row + 1) * stride, column * stride : (column + 1) * stride] = 250
    return image


def test_a_box_lies_around_the_middle_of_its_cell():
    (boxes,) = detector()([lit((128, 96), (4, 5))])
    np.testing.assert_allclose(boxes.xyxy, [[36 - 8, 44 - 16, 36 + 8, 44 + 16]], atol=1e-3)
    assert boxes.scores[0] == pytest.approx(0.98, abs=0.01)


def test_boxes_are_in_pixels_of_the_picture_whatever_its_size():
    (small,) = detector()([lit((64, 48), (4, 3), stride=4)])  # seen twice as large
    np.testing.assert_allclose(small.xyxy, [[18 - 4, 14 - 8, 18 + 4, 14 + 8]], atol=0.3)
    (large,) = detector()([lit((256, 192), (4, 5), stride=16)])
    np.testing.assert_allclose(large.xyxy, [[72 - 16, 88 - 32, 72 + 16, 88 + 32]], atol=0.6)


def test_boxes_end_at_the_pictures_border_and_nobody_is_found_in_the_padding():
    (boxes,) = detector()([lit((128, 90), (0, 0))])
    np.testing.assert_allclose(boxes.xyxy, [[0, 0, 12, 20]], atol=1e-3)
    white = detector(mean=(255, 255, 255), std=(-1 + 256.0,) * 3)  # padding of the mean's colour is black to it
    assert len(white([lit((128, 90))])[0]) == 0


def test_nobody_is_no_boxes():
    (boxes,) = detector()([np.zeros((96, 128, 3), np.uint8)])
    assert boxes.xyxy.shape == (0, 4)


def test_a_batch_gives_what_its_pictures_give_one_by_one():
    images = [lit((128, 96), (4, 5)), lit((64, 48), (4, 3), stride=4), lit((50, 90))]
    some = detector()
    for image, together in zip(images, some(images), strict=True):
        np.testing.assert_array_equal(together.xyxy, some([image])[0].xyxy)


@pytest.mark.parametrize("soft", [True, False])
def test_boxes_on_top_of_each_other_are_one_and_neighbours_are_two(soft):
    twice = lit((128, 96), (4, 5), (4, 6))  # a cell apart: overlap .6
    apart = lit((128, 96), (4, 5), (8, 5))
    some = detector(soft=soft, overlap=0.3 if soft else 0.5)
    assert len(some([apart])[0]) == 2
    (boxes,) = some([twice])
    assert len(boxes) == (2 if soft else 1), "soft suppression lowers a score, hard suppression drops the box"
    assert boxes.scores[0] > 0.9 and (not soft or boxes.scores[1] < 0.35)
    assert len(some.proposals(twice)) == 2


def test_the_best_boxes_come_first_and_no_more_than_asked():
    image = lit((128, 96), (2, 4), (8, 4), (13, 4))
    image[:, 60:80] //= 2
    boxes = detector(most=2, overlap=1.0)([image])[0]
    assert len(boxes) == 2 and boxes.scores[0] >= boxes.scores[1] > 0.9
    assert len(detector(threshold=0.6)([image])[0]) == 2


def test_a_picture_that_is_none_is_named():
    with pytest.raises(InputError, match="image 1"):
        detector()([lit((64, 64)), np.zeros((4, 4), np.uint8)])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": 0}, "threshold is 0"),
        ({"overlap": 2}, "overlap is 2"),
        ({"long_side": 8}, "long_side is 8"),
        ({"most": 0}, "most is 0"),
        ({"treshold": 0.1}, "did you mean 'threshold'"),
    ],
)
def test_settings_that_cannot_be_used_are_named(settings, words):
    with pytest.raises(SettingsError, match=words):
        DetectorSettings.of(settings, "road")


# ---------------------------------------------------------------- files


@pytest.fixture
def weights(tmp_path):
    """A tiny detector and its file."""
    torch.manual_seed(0)
    network = DetectorMobile(width=8).eval()
    path = tmp_path / "detector.safetensors"
    header = {"format": 1, "method": "detector", "network": {"name": "detector_mobile", "width": 8}, "road": PLAIN}
    save_weights(path, tensors_to_keep(network), header)
    return network, path, header


def test_a_file_is_enough_to_run_it(weights):
    network, path, _ = weights
    image = np.random.default_rng(0).integers(0, 255, (90, 128, 3)).astype(np.uint8)
    stored, direct = (
        load_detector(path, settings={"threshold": 0.001}),
        Detector(network, DetectorSettings.of(PLAIN | {"threshold": 0.001}, "test")),
    )
    assert len(direct([image])[0]) > 0
    np.testing.assert_allclose(stored([image])[0].xyxy, direct([image])[0].xyxy, atol=1e-3)
    assert stored.decides()["detector"]["long_side"] == 128


def test_weights_of_something_else_are_refused_by_name(weights, tmp_path):
    network, _, header = weights
    other = tmp_path / "other.safetensors"
    save_weights(other, tensors_to_keep(network), header | {"method": "bottomup"})
    with pytest.raises(SettingsError, match=r"other\.safetensors: weights of method 'bottomup'"):
        load_detector(other)
    save_weights(other, {}, header)
    with pytest.raises(InputError, match=r"other\.safetensors: header and weights"):
        load_detector(other)
