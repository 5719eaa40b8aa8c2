"""Boxes in, people out, in pixels of the picture: whatever the box, alone or in a batch."""

import numpy as np
import pytest
import torch
from torch import nn

from bottomup.core import Boxes, Maps
from bottomup.errors import InputError, SettingsError
from bottomup.roads.crops import CropNetwork, TopDownSettings
from bottomup.roads.given import GivenBoxes
from bottomup.roads.topdown import TopDown, joint_confidence

PLAIN = {"size": (96, 96), "mean": (0, 0, 0), "std": (1, 1, 1)}


@pytest.fixture
def network(make_road):
    """The drawn figures' network, ready for crops."""

    def made(**settings):
        road = make_road()
        return CropNetwork(road.engine.network, road.skeleton, TopDownSettings(**(PLAIN | settings)))

    return made


@pytest.fixture
def make_topdown(network):
    def road(detector=None, boxes=None, **settings):
        return TopDown([network(**settings)], detector=detector, boxes=boxes)

    return road


def boxes_around(figures, room=12, scores=None):
    """Boxes around figures (N, 3, 2), a little larger than their dots."""
    low, high = figures.min(1) - room, figures.max(1) + room
    return Boxes(np.hstack((low, high)), np.ones(len(figures)) if scores is None else scores)


def test_people_are_found_in_their_boxes(make_topdown, picture, figures):
    image, boxes = picture((256, 192), figures), boxes_around(figures)
    (people,) = make_topdown()([image], boxes=[boxes])
    assert people.skeleton.name == "three" and len(people) == 2
    np.testing.assert_allclose(people.joints[..., :2], figures, atol=0.5)
    np.testing.assert_allclose(people.boxes, boxes.xywh)
    assert (people.joints[..., 2] > 0.9).all() and (people.scores > 0.9).all()


@pytest.mark.parametrize("refine", ["none", "quarter", "second", "dark"])
@pytest.mark.parametrize("flip", [False, True])
def test_every_way_of_reading_maps_finds_the_same_people(make_topdown, picture, figures, refine, flip):
    road = make_topdown(refine=refine, flip=flip, blur=5)
    (people,) = road([picture((256, 192), figures)], boxes=[boxes_around(figures)])
    within = {"none": 0.5, "quarter": 0.4, "second": 0.5, "dark": 0.1}[refine]  # cells
    cell = 4 * 1.25 * 108 / 96  # of the larger figure's crop, in pixels of the picture
    np.testing.assert_allclose(people.joints[..., :2], figures, atol=within * cell)


@pytest.mark.parametrize("flip", [False, True])
def test_a_mirrored_picture_shows_the_mirrored_people(make_topdown, picture, figures, skeleton, flip):
    image, boxes, road = picture((256, 192), figures), boxes_around(figures), make_topdown(flip=flip)
    mirrored = np.stack((256 - boxes.xyxy[:, 2], boxes.xyxy[:, 1], 256 - boxes.xyxy[:, 0], boxes.xyxy[:, 3]), 1)
    there = road([image], boxes=[boxes])[0]
    back = road([np.ascontiguousarray(image[:, ::-1])], boxes=[Boxes(mirrored, boxes.scores)])[0]
    expected = there.joints[:, list(skeleton.mirror)] * (-1, 1, 1) + (255, 0, 0)
    np.testing.assert_allclose(back.joints, expected, atol=0.05)


def test_a_batch_gives_what_its_pictures_give_one_by_one(make_topdown, picture, figures):
    images = [picture((256, 192), figures), np.zeros((50, 80, 3), np.uint8), picture((300, 200), figures[:1])]
    boxes = [boxes_around(figures), Boxes.none(), boxes_around(figures[:1])]
    road = make_topdown()
    road.batch, road.crops_at_once = 3, 2  # crops of the first and the third picture share a batch
    together = road(images, boxes=boxes)
    for image, some, people in zip(images, boxes, together, strict=True):
        alone = road([image], boxes=[some])[0]
        np.testing.assert_array_equal(people.joints, alone.joints)
        np.testing.assert_array_equal(people.scores, alone.scores)
    assert [len(people) for people in together] == [2, 0, 1]


def test_people_of_the_detectors_doubtful_boxes_are_left_out_where_asked(make_topdown, picture, figures):
    image, boxes = picture((256, 192), figures), boxes_around(figures, scores=np.array([0.13, 0.6]))
    (everybody,) = make_topdown(lambda images: [boxes])([image])
    (sure,) = make_topdown(lambda images: [boxes], person_least=0.129)([image])
    assert len(everybody) == 2 and everybody.scores[1] < 0.129 and len(sure) == 1
    np.testing.assert_array_equal(sure.joints, everybody.joints[:1])
    (given,) = make_topdown(person_least=0.129)([image], boxes=[boxes])
    assert len(given) == 2, "whoever gives boxes says that people are there"


def test_no_crop_is_cut_from_which_nobody_can_come(make_topdown, picture, figures):
    detector_boxes = boxes_around(figures, scores=np.array([0.05, 0.6]))
    road = make_topdown(lambda images: [detector_boxes for _ in images], person_least=0.1)
    (crops,) = road.maps([road.prepare(picture((256, 192), figures))])
    assert len(crops.heatmaps) == 1 and crops.boxes.scores == pytest.approx([0.6])


def test_nobody_is_found_where_there_are_no_boxes(make_topdown):
    (people,) = make_topdown()([np.zeros((50, 80, 3), np.uint8)], boxes=[Boxes.none()])
    assert people.joints.shape == (0, 3, 3) and people.boxes.shape == (0, 4)


def test_an_empty_box_shows_nobody(make_topdown):
    (people,) = make_topdown()([np.zeros((90, 90, 3), np.uint8)], boxes=[Boxes.of_xywh([[10, 10, 40, 60]])])
    assert len(people) == 0


def test_the_detector_is_asked_where_no_boxes_are_known(make_topdown, picture, figures):
    asked = []

    def detector(images):
        asked.append(len(images))
        return [boxes_around(figures, scores=np.array([0.5, 0.25])) for _ in images]

    road = make_topdown(detector)
    road.batch = 2
    found = road([picture((256, 192), figures)] * 3)
    assert asked == [2, 1] and [len(people) for people in found] == [2, 2, 2]
    assert found[0].scores == pytest.approx([0.5, 0.25], rel=0.1)  # the box's score times its joints'
    assert road.clock.seconds.keys() == {"read", "detector", "crops", "network", "decoding"}
    with pytest.raises(SettingsError, match="needs boxes around people"):
        make_topdown()([picture((256, 192), figures)])


def test_given_boxes_are_by_image_id(make_topdown, picture, figures):
    given = GivenBoxes({5: boxes_around(figures[:1])}, "det.json", "")
    road = make_topdown(boxes=given)
    image = picture((256, 192), figures)
    assert [len(people) for people in road([image, image], [5, 6])] == [1, 0]
    with pytest.raises(InputError, match="det.json: .*which picture"):
        road([image])
    with pytest.raises(InputError, match=r"det.json: image 5: box 0 .*outside the picture of 8 x 8"):
        road([np.zeros((8, 8, 3), np.uint8)], [5])
    with pytest.raises(InputError, match="images such as 5"):
        road.expect([1, 2])
    assert road.decides()["boxes"] == given.digest


def test_a_box_outside_the_picture_is_named(make_topdown):
    with pytest.raises(InputError, match=r"box 0 .*30, 40, 50, 90.* is outside the picture of 20 x 20 pixels"):
        make_topdown()([np.zeros((20, 20, 3), np.uint8)], boxes=[Boxes(np.array([[30, 40, 50, 90.0]]), np.ones(1))])
    with pytest.raises(InputError, match="image 1 is float64"):
        make_topdown()([np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3))], boxes=[Boxes.none()] * 2)


def test_one_person_in_two_boxes_is_found_once(make_topdown, picture, figures):
    twice = np.concatenate((figures, figures[:1] + 0.5))
    boxes = boxes_around(twice, scores=np.array([0.5, 0.9, 0.8]))
    (people,) = make_topdown()([picture((256, 192), figures)], boxes=[boxes])
    assert people.scores == pytest.approx([0.9, 0.8], rel=0.1)  # best first
    (soft,) = make_topdown(soft=True)([picture((256, 192), figures)], boxes=[boxes])
    assert len(soft) == 3 and soft.scores[2] == pytest.approx(0.5 * np.exp(-1 / 0.9), rel=0.1)


class Fixed(nn.Module):
    """The same heatmaps (K, h, w) for every crop; remembers the pixels."""

    def __init__(self, heatmaps, stride=4):
        super().__init__()
        self.gain, self.heatmaps, self.stride = nn.Parameter(torch.ones(())), heatmaps, stride
        self.seen = []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return [Maps(self.heatmaps.expand(len(images), -1, -1, -1) * self.gain, stride=self.stride)]


def fixed(skeleton, x, y, height=1.0, **settings):
    """A network whose every joint is at cell (x, y) of 24 x 24 (stride 4, 96 x 96 pixels)."""
    heatmaps = torch.zeros(3, 24, 24)
    heatmaps[:, y, x] = height
    return CropNetwork(Fixed(heatmaps), skeleton, TopDownSettings(**({**PLAIN, "refine": "none"} | settings)))


WHOLE = Boxes(np.array([[0, 0, 192, 192.0]]), np.ones(1))  # twice the crop


@pytest.mark.parametrize("origin, pixel", [(None, 1.5 + 4 * 6), (0.0, 4 * 6), (2.0, 2 + 4 * 6)])
def test_cells_lie_where_the_source_says(skeleton, origin, pixel):
    road = TopDown([fixed(skeleton, 6, 6, origin=origin, enlarge=(1, 1))])
    (people,) = road([np.zeros((192, 192, 3), np.uint8)], boxes=[WHOLE])
    np.testing.assert_allclose(people.joints[0, :, :2], 2 * pixel + 0.5)


def test_mirrored_maps_move_one_cell_where_asked(skeleton):
    for shifted, columns in ((False, {5, 18}), (True, {5, 19})):
        network = fixed(skeleton, 5, 7, flip=True, shift_flipped=shifted)
        maps = network([np.zeros((96, 96, 3), np.uint8)])
        assert set(maps[0, 0, 7].nonzero().flatten().tolist()) == columns
        assert maps.max() == 0.5


def test_an_ensemble_is_the_mean_of_its_heatmaps(skeleton):
    networks = [fixed(skeleton, 5, 7), fixed(skeleton, 9, 7, height=510.0, peak=255.0)]
    road = TopDown(networks)
    crops = road.maps([road.prepare(np.zeros((192, 192, 3), np.uint8), boxes=WHOLE)])[0]
    assert crops.heatmaps[0, 0, 7, 5] == 0.5 and crops.heatmaps[0, 0, 7, 9] == 1.0
    assert len(road.decides()["ensemble"]) == 1
    with pytest.raises(SettingsError, match=r"ensemble differ in enlarge \(\(1.25, 1.25\), \(1.0, 1.0\)\)"):
        TopDown([networks[0], fixed(skeleton, 5, 7, enlarge=(1, 1))])


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_the_network_sees_normalised_channels_in_its_order(skeleton, channels):
    network = fixed(skeleton, 5, 7, channels=channels, mean=(10, 20, 30), std=(2, 4, 5))
    network([np.full((96, 96, 3), (50, 60, 70), np.uint8)])
    order = (50, 60, 70) if channels == "rgb" else (70, 60, 50)
    expected = [(value - mean) / std for value, mean, std in zip(order, (10, 20, 30), (2, 4, 5), strict=True)]
    seen = network.engine.network.seen[-1][0, :, 0, 0]
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_scores_of_people_by_hand():
    scores = np.array([[0.9, 0.5, 0.1], [0.1, 0.1, 0.0]], np.float32)
    hrnet = joint_confidence(scores, TopDownSettings(least=0.2))
    assert hrnet == pytest.approx([0.7, 0])  # the mean of those above .2; nobody's joints
    cpn = joint_confidence(scores, TopDownSettings(least=None, bonus=0.5))
    assert cpn == pytest.approx([1.0, 0.5 + 0.2 / 3])


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"size": (96, 16)}, r"size is \(96, 16\)"),
        ({"enlarge": (1, 0)}, "enlarge is"),
        ({"refine": "taylor"}, "refine is taylor, it must be one of none, quarter, second, dark"),
        ({"blur": 4}, "blur is 4, it must be an odd number"),
        ({"channels": "grb"}, "channels is grb"),
        ({"peak": 0}, "peak is 0"),
        ({"same": 1.5}, "same is 1.5"),
        ({"pad": 300}, "pad is 300"),
        ({"person_least": 1}, "person_least is 1"),
    ],
)
def test_settings_that_cannot_be_are_named(wrong, message):
    with pytest.raises(SettingsError, match=message):
        TopDownSettings(**wrong)


def test_settings_survive_being_stored(skeleton):
    settings = TopDownSettings(size=(288, 384), pad=0, least=None)
    assert TopDownSettings.of(settings.to_dict(), "w") == settings
    with pytest.raises(SettingsError, match="w: unknown key 'enlarged'; did you mean 'enlarge'"):
        TopDownSettings.of({"enlarged": (1, 1)}, "w")


def test_a_network_of_another_skeleton_or_size_is_refused(skeleton):
    with pytest.raises(SettingsError, match="the network gives 2 joints, skeleton three has 3"):
        CropNetwork(Fixed(torch.zeros(2, 24, 24)), skeleton, TopDownSettings(**PLAIN))
    network = Fixed(torch.zeros(3, 24, 24))
    network.multiple = 64
    with pytest.raises(SettingsError, match=r"size is \(96, 96\), it must be multiples of 64"):
        CropNetwork(network, skeleton, TopDownSettings(**PLAIN))
