"""Pictures in, people out, in pixels of the picture: whatever its size, alone or in a batch."""

import numpy as np
import pytest
import torch

from bottomup.core import Maps
from bottomup.errors import InputError, SettingsError
from bottomup.roads.bottomup import BottomUp, BottomUpSettings, batches


def in_order(people):
    """Joints sorted by the head's x, since the order of people is the grouping's own."""
    return people.joints[np.argsort(people.joints[:, 0, 0])]


def assert_found(people, figures, within):
    assert len(people) == len(figures)
    np.testing.assert_allclose(in_order(people)[..., :2], figures, atol=within)


def test_people_are_found_where_they_are(make_road, picture, figures):
    (people,) = make_road()([picture((256, 192), figures)])
    assert_found(people, figures, 0.3)
    assert people.skeleton.name == "three"


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.7, 4.0])
def test_pictures_of_any_size_answer_in_their_own_pixels(make_road, picture, figures, ratio):
    size = (round(256 * ratio), round(192 * ratio))
    scaled = (figures + 0.5) * ratio - 0.5
    image = picture((256, 192), figures)
    resized = np.zeros((size[1], size[0], 3), np.uint8)
    import cv2

    cv2.resize(image, size, dst=resized, interpolation=cv2.INTER_LINEAR if ratio > 1 else cv2.INTER_AREA)
    (people,) = make_road()([resized])
    assert_found(people, scaled, 0.6 * max(1, ratio))


@pytest.mark.parametrize("size", [(256, 192), (192, 256), (250, 250), (256, 170), (201, 256)])
def test_padding_does_not_move_anybody(make_road, picture, figures, size):
    inside = figures * (size[0] / 256, size[1] / 192)
    (people,) = make_road()([picture(size, inside)])
    assert_found(people, inside, 0.3)


@pytest.mark.parametrize("evidence", ["both", "pafs", "tags"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [(1,), (0.5, 1, 2)])
def test_every_way_of_asking_finds_the_same_people(make_road, picture, figures, evidence, flip, scales):
    (people,) = make_road(evidence=evidence, flip=flip, scales=scales)([picture((256, 192), figures)])
    assert_found(people, figures, 0.5)


def test_a_mirrored_picture_shows_the_mirrored_people(make_road, picture, figures, skeleton):
    image = picture((256, 192), figures)
    (mirrored,) = make_road()([np.ascontiguousarray(image[:, ::-1])])
    expected = figures[::-1][:, list(skeleton.mirror)] * (-1, 1) + (255, 0)
    assert_found(mirrored, expected, 0.3)


def test_a_batch_of_mixed_sizes_gives_what_one_at_a_time_gives(make_road, picture, figures):
    sizes = [(256, 192), (192, 256), (640, 480), (256, 192), (100, 250), (1, 1), (320, 240)]
    images = [picture(size, figures * (size[0] / 256, size[1] / 192)) for size in sizes]
    for batch in (1, 3):
        road = make_road(flip=True)
        road.batch = batch
        together = road(images)
        for people, image in zip(together, images, strict=True):
            (alone,) = road([image])
            assert len(people) == len(alone)
            np.testing.assert_allclose(people.joints, alone.joints, atol=1e-3)
            np.testing.assert_allclose(people.scores, alone.scores, atol=1e-6)


def test_nobody_is_nobody(make_road):
    (people,) = make_road()([np.zeros((50, 70, 3), np.uint8)])
    assert people.joints.shape == (0, 3, 3) and people.scores.shape == (0,)
    assert make_road()([]) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (5000, 3), (2, 2)])
def test_extreme_shapes_pass(make_road, size):
    (people,) = make_road()([np.full((size[1], size[0], 3), 100, np.uint8)])
    assert len(people) == 0


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        "photo.jpg",
        None,
    ],
)
def test_what_is_no_rgb_image_is_named(make_road, image):
    with pytest.raises(InputError, match=r"image 1 is .*; give RGB uint8"):
        make_road()([np.zeros((8, 8, 3), np.uint8), image])


def test_inputs_are_padded_with_the_mean_colour(make_road):
    prepared = make_road(mean=(10, 20, 30.4), scales=(0.5, 1)).prepare(np.full((100, 200, 3), 77, np.uint8))
    assert prepared.shapes == ((64, 128, 3), (128, 256, 3))
    full = prepared.inputs[1]
    assert (full[2:126, 2:250] == 77).all()
    assert prepared.size == (200, 100)
    tall = make_road(mean=(10, 20, 30.4)).prepare(np.full((256, 100, 3), 77, np.uint8)).inputs[0]
    assert tall.shape == (256, 128, 3)
    assert (tall[:, 100:] == (10, 20, 30)).all() and (tall[:, :100] == 77).all()


class Spy(torch.nn.Module):
    """Notes what it sees, and sees nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def __deepcopy__(self, memo):
        return self

    def forward(self, images):
        self.seen.append(images)
        empty = torch.zeros(len(images), 3, images.shape[2] // 4, images.shape[3] // 4)
        return [Maps(empty, tags=empty[:, None], stride=4)]


@pytest.mark.parametrize(("channels", "expected"), [("rgb", [1.0, 2.0, -2.0]), ("bgr", [5.0, 2.0, -3.6])])
def test_the_network_sees_normalised_channels_in_its_order(skeleton, channels, expected):
    spy = Spy()
    settings = BottomUpSettings(long_side=64, channels=channels, mean=(10, 20, 30), std=(2, 4, 5))
    BottomUp(spy, skeleton, settings)([np.full((64, 64, 3), (12, 28, 20), np.uint8)])
    assert spy.seen[-1].shape == (1, 3, 64, 64)
    torch.testing.assert_close(spy.seen[-1][0, :, 5, 5], torch.tensor(expected))


@pytest.mark.parametrize(
    ("side", "size", "shape"),
    [
        ({"long_side": 128}, (200, 100), (64, 128)),
        ({"short_side": 64}, (200, 100), (64, 128)),
        ({"short_side": 64}, (100, 300), (192, 64)),
        ({"height": 64}, (100, 300), (64, 32)),
        ({"height": 64}, (200, 100), (64, 128)),
        ({"short_side": 64}, (5000, 3), (32, 256)),  # at most four times as long as the size that is asked for
        ({"height": 64}, (5000, 3), (32, 256)),
        ({}, (512, 256), (256, 512)),
    ],
)
def test_pictures_are_resized_by_the_side_that_is_given(make_road, side, size, shape):
    prepared = make_road(**({"long_side": None} | side)).prepare(np.zeros((size[1], size[0], 3), np.uint8))
    assert prepared.inputs[0].shape == (*shape, 3)


def test_padding_may_have_a_colour_of_its_own(make_road):
    image = np.full((100, 200, 3), 77, np.uint8)
    assert (make_road(pad=128, multiple=96).prepare(image).inputs[0][130:] == 128).all()
    bgr = make_road(mean=(10, 20, 30), channels="bgr", multiple=96).prepare(image).inputs[0]
    assert (bgr[130:] == (30, 20, 10)).all()


def test_sides_are_multiples_of_what_the_network_needs(skeleton):
    def road(own, **settings):
        spy = Spy()
        spy.multiple = own
        return BottomUp(spy, skeleton, BottomUpSettings(long_side=96, **settings))

    assert road(8).multiple == 8 and road(64).multiple == 64 and road(8, multiple=16).multiple == 16
    with pytest.raises(SettingsError, match="multiple is 24, it must be a multiple of the network's 16"):
        road(16, multiple=24)


def test_cells_may_lie_beside_the_projects(make_road, picture, figures):
    image = picture((256, 192), figures)
    (plain,), (moved,) = make_road()([image]), make_road(offset=0.5)([image])
    np.testing.assert_allclose(in_order(moved)[..., :2], in_order(plain)[..., :2] + 0.5, atol=1e-4)


def test_the_clock_tells_the_stages(make_road, picture, figures):
    road = make_road()
    road([picture((256, 192), figures)])
    assert road.clock.seconds.keys() == {"read", "network", "grouping"}
    assert all(seconds > 0 for seconds in road.clock.seconds.values())


def test_evidence_that_the_network_lacks_is_an_error(skeleton):
    class HeatOnly(torch.nn.Module):
        def forward(self, images):
            return [Maps(torch.zeros(len(images), 3, 8, 8), torch.zeros(len(images), 2, 2, 8, 8), stride=4)]

    BottomUp(HeatOnly(), skeleton, BottomUpSettings(evidence="both"))
    with pytest.raises(SettingsError, match="evidence is 'tags', the network does not give it"):
        BottomUp(HeatOnly(), skeleton, BottomUpSettings(evidence="tags"))


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"long_side": 16}, "long_side is 16"),
        ({"height": 16}, "height is 16"),
        ({"height": 96, "short_side": 96}, "short_side and height are both given"),
        ({"multiple": 0}, "multiple is 0"),
        ({"channels": "RGB"}, "channels is RGB, it must be one of rgb, bgr"),
        ({"pad": 300}, "pad is 300"),
        ({"mean": (1, 2)}, "mean"),
        ({"std": (1, 0, 1)}, "std"),
        ({"sigma": 0.0}, "sigma"),
        ({"scales": (0.5, 2)}, "scales .* contains 1"),
        ({"scales": (1, 1)}, "scales"),
        ({"scales": (1, 100)}, "scales"),
        ({"evidence": "paf"}, "evidence is paf, it must be one of both, pafs, tags"),
        ({"long_size": 512}, "unknown key 'long_size'; did you mean 'long_side'"),
        ({"scales": "x"}, "could not convert"),
        ({"long_side": "big"}, "file"),
    ],
)
def test_settings_are_checked(wrong, named):
    with pytest.raises(SettingsError, match=f"^file: .*{named}|{named}"):
        BottomUpSettings.of(wrong, "file")


def test_settings_survive_their_dictionary():
    settings = BottomUpSettings(long_side=640, scales=(1, 0.5), flip=True)
    assert BottomUpSettings.of(settings.to_dict(), "x") == settings


def test_batches_keep_kinds_together_and_lose_nothing():
    assert batches("abacab", 2) == [[0, 2], [4], [1, 5], [3]]
    assert batches([], 4) == []
