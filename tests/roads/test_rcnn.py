"""Keypoint R-CNN's boxes and joints come back in pixels of the picture."""

import numpy as np
import pytest
import torch
from torch import nn

from bottomup.core import Skeleton
from bottomup.errors import InputError, SettingsError
from bottomup.nets.keypoint_rcnn import Detections
from bottomup.roads.systems import System, road_of

TWO = Skeleton("two", ["left", "right"], [(0, 1)], [1, 0], [0.1, 0.1])
PLAIN = {"short_side": 64, "longest": 100, "mean": (0, 0, 0), "std": (1, 1, 1)}


class Corner(nn.Module):
    """Finds one person whose joints are the first pixel and the brightest, whose box is everything."""

    multiple = 32

    def __init__(self, aligned):
        super().__init__()
        self.aligned, self.seen = aligned, []

    def forward(self, images, sizes):
        self.seen.append((images, sizes))
        found = []
        for image, (height, width) in zip(images, sizes, strict=True):
            place = int(image[0].argmax())
            joints = torch.tensor([[[0, 0, 0.5], [place % image.shape[2], place // image.shape[2], 0.9]]]).float()
            found.append(Detections(torch.tensor([[0.0, 0, width, height]]), torch.tensor([0.8]), joints))
        return found


def road(aligned, **settings):
    system = System("keypoint_rcnn", Corner(aligned), TWO, PLAIN | settings, "w")
    return road_of([system], torch.device("cpu"))


@pytest.mark.parametrize("aligned", [False, True])
def test_joints_and_boxes_are_in_pixels_of_the_picture(aligned):
    image = np.zeros((128, 180, 3), np.uint8)
    image[60:64, 100:104] = 255  # 2 x 2 pixels of the input, which is half as large
    found = road(aligned)
    (people,) = found([image])
    assert found.network.seen[0][1] == [(64, 90)] and found.network.seen[0][0].shape == (1, 3, 64, 96)
    np.testing.assert_allclose(people.boxes, [[0, 0, 180, 128]], rtol=1e-6)
    # aligned: input pixel 50 covers pixels 100 and 101; else what is at 50 was labelled at 100
    expected = [[0.5, 0.5], [100.5, 60.5]] if aligned else [[0, 0], [100, 60]]
    np.testing.assert_allclose(people.joints[0, :, :2], expected, atol=1e-4)
    assert people.scores == pytest.approx([0.8]) and people.joints[0, 1, 2] == pytest.approx(0.9)


def test_the_longer_side_stays_within_its_bound():
    found = road(False)
    found([np.zeros((50, 200, 3), np.uint8)])
    assert found.network.seen[0][1] == [(25, 100)]


def test_bad_input_and_settings_are_named():
    with pytest.raises(InputError, match="image 0 is float64"):
        road(False)([np.zeros((9, 9, 3))])
    with pytest.raises(SettingsError, match="longest is 50, it must be at least short_side, 64"):
        road(False, longest=50)
    with pytest.raises(SettingsError, match="w: unknown key 'shortside'; did you mean 'short_side'"):
        road(False, shortside=50)
    with pytest.raises(SettingsError, match="only top-down weights can be averaged"):
        system = System("keypoint_rcnn", Corner(False), TWO, PLAIN, "w")
        road_of([system, system], torch.device("cpu"))
