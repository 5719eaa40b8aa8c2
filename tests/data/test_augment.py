"""Training pictures: whatever happens to the pixels happens to the labels.

People are drawn as coloured dots, one colour a joint, so that every label can be looked up in the picture.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from bottomup.core import ABSENT, COCO17, LABELLED, UNKNOWN, People, Sample, Skeleton
from bottomup.data.augment import GREY, Augmentation, Example, body_mask, make_example

STRIDE, SIZE, RADIUS = 4, 160, 4
CROSS = Skeleton("cross", ["head", "left", "right", "foot"], [(0, 3), (0, 1), (0, 2)], [0, 2, 1, 3], [0.1] * 4)
COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)])
JOINTS = np.array([(80, 20), (110, 50), (50, 50), (80, 100)], np.float32)
TALL = 80.0  # from head to foot, in pixels of the sample
BOX = (46, 14, 70, 92)
CONFIDENCE = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
PLAIN = Augmentation(person=(60, 110), rotation=0, mosaic=(1, 0, 0), paste=0, occlude=0, colour=0)
WILD = replace(PLAIN, rotation=20, mosaic=(0.4, 0.4, 0.2))


def dotted(known: tuple[int, ...] = (LABELLED,) * 4, skeleton: Skeleton = CROSS) -> Sample:
    """A black picture with one person of four coloured dots."""
    image = np.zeros((120, 160, 3), np.uint8)
    for (x, y), colour in zip(JOINTS.astype(int), COLOURS.tolist(), strict=True):
        cv2.circle(image, (int(x), int(y)), RADIUS, colour, -1)
    people = People(np.dstack((JOINTS[None], CONFIDENCE[None])), [1], skeleton, np.array([BOX]))
    return painted(image, people, np.array([known], np.uint8))


def painted(image: np.ndarray, people: People, known: np.ndarray | None = None, **more: object) -> Sample:
    height, width = image.shape[:2]
    known = np.full((len(people), len(people.skeleton)), LABELLED, np.uint8) if known is None else known
    everywhere = np.ones(len(people.skeleton), bool)
    return Sample(lambda: image, (width, height), people, known, everywhere, "drawn", 1, **more)


def nobody(image: np.ndarray, skeleton: Skeleton) -> Sample:
    people = People(np.zeros((0, len(skeleton), 3)), [], skeleton, np.zeros((0, 4)))
    return painted(image, people)


def example_of(sample: Sample, settings: Augmentation, seed: int, size: int = SIZE) -> Example:
    return make_example(lambda _: sample, size, STRIDE, settings, sample.people.skeleton, np.random.default_rng(seed))


def in_turn(*samples: Sample):
    """Picks the samples one after the other, and again from the first."""
    endless = itertools.cycle(samples)
    return lambda _: next(endless)


def colour_of(pixels: np.ndarray) -> np.ndarray:
    """Which dot's colour each pixel (..., 3) shows, or -1."""
    bright = np.linalg.norm(pixels.astype(float), axis=-1)
    likeness = pixels @ (COLOURS / np.linalg.norm(COLOURS, axis=1, keepdims=True)).T / np.maximum(bright, 1)[..., None]
    return np.where((bright > 100) & (likeness.max(-1) > 0.95), likeness.argmax(-1), -1)


def dots(image: np.ndarray) -> list[tuple[int, np.ndarray, int]]:
    """Colour, centre and area of every dot in a picture."""
    colours = colour_of(image)
    found = []
    for colour in range(len(COLOURS)):
        count, _, stats, centres = cv2.connectedComponentsWithStats((colours == colour).astype(np.uint8))
        found += [(colour, centres[i], stats[i, cv2.CC_STAT_AREA]) for i in range(1, count)]
    return found


def scales(example: Example) -> np.ndarray:
    return np.linalg.norm(example.joints[:, 0] - example.joints[:, 3], axis=1) / TALL


def pixel_at(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
    x, y = np.clip(np.round(xy), 0, len(image) - 1).astype(int)
    return image[y, x]


@pytest.mark.parametrize("seed", range(12))
def test_every_labelled_joint_is_where_its_dot_is_shown(seed):
    example = example_of(dotted(), WILD, seed)
    blobs = dots(example.image)
    for person, scale in enumerate(scales(example)):
        for joint in np.flatnonzero(example.known[person] == LABELLED):
            xy = example.joints[person, joint]
            assert colour_of(pixel_at(example.image, xy)) in (joint, CROSS.mirror[joint])
            colour, centre, area = min(blobs, key=lambda blob, xy=xy: np.linalg.norm(blob[1] - xy))
            if area > 0.9 * np.pi * (RADIUS * scale) ** 2:  # not cut by a border
                assert colour in (joint, CROSS.mirror[joint])
                np.testing.assert_allclose(centre, xy, atol=0.75)


@pytest.mark.parametrize("seed", range(12))
def test_every_dot_shown_is_a_labelled_joint(seed):
    example = example_of(dotted(), WILD, seed)
    shown = 0
    for colour, centre, area in dots(example.image):
        possible = [colour, CROSS.mirror[colour]]
        distances = np.linalg.norm(example.joints[:, possible] - centre, axis=-1)
        person, which = np.unravel_index(distances.argmin(), distances.shape)
        if (
            area > 0.8 * np.pi * (RADIUS * scales(example)[person]) ** 2
        ):  # a small half disc of pixels is more than half
            assert example.known[person, possible[which]] == LABELLED
            assert distances[person, which] < RADIUS * scales(example)[person]
            shown += 1
    assert shown > 0


def test_joints_beyond_a_tile_are_absent_and_not_shown():
    absent = 0
    for seed in range(20):
        example = example_of(dotted(), replace(PLAIN, person=(100, 110), enlarge=3), seed, size=64)
        colours = [colour for colour, _, area in dots(example.image) if area > 0.7 * np.pi * RADIUS**2]
        for joint in np.flatnonzero(example.known[0] == ABSENT):
            xy = example.joints[0, joint]
            assert (xy < 0).any() or (xy > 63).any()
            absent += 1
        assert len(colours) <= (example.known[0] == LABELLED).sum()
    assert absent > 10


def test_mirrored_people_exchange_left_and_right_together_with_what_is_known_of_them():
    mirrored = []
    for seed in range(30):
        example = example_of(dotted(), replace(WILD, mosaic=(1, 0, 0)), seed)
        if (example.known[0] != LABELLED).any():
            continue
        colours = [int(colour_of(pixel_at(example.image, xy))) for xy in example.joints[0]]
        assert colours in ([0, 1, 2, 3], [0, 2, 1, 3])
        np.testing.assert_allclose(example.confidence[0], CONFIDENCE[colours])
        down, across = example.joints[0, 3] - example.joints[0, 0], example.joints[0, 1] - example.joints[0, 2]
        assert down[0] * across[1] - down[1] * across[0] < 0, "a person's left stays on the person's left"
        mirrored.append(colours[1] == 2)
    assert 0.2 < np.mean(mirrored) < 0.8


def test_unknown_joints_stay_unknown_and_are_mirrored_too():
    states = set()
    for seed in range(20):
        example = example_of(dotted((LABELLED, UNKNOWN, LABELLED, LABELLED)), PLAIN, seed)
        assert (example.known == UNKNOWN).sum() == 1
        (joint,) = np.flatnonzero(example.known[0] == UNKNOWN)
        assert example.confidence[0, joint] == pytest.approx(CONFIDENCE[1])
        states.add(int(joint))
    assert states == {1, 2}


def test_boxes_hold_their_labelled_joints_and_stay_in_the_picture():
    for seed in range(20):
        example = example_of(dotted(), WILD, seed)
        low, high = example.boxes[:, None, :2], example.boxes[:, None, :2] + example.boxes[:, None, 2:]
        inside = ((example.joints >= low) & (example.joints <= high)).all(-1)
        assert inside[example.known == LABELLED].all()
        assert (low >= 0).all() and (high <= SIZE).all() and (high > low).all()


def test_rotation_turns_people_both_ways_and_none_leaves_them_upright():
    def leanings(settings: Augmentation) -> np.ndarray:
        drawn = [example_of(dotted(), settings, seed).joints[0] for seed in range(20)]
        return np.array([np.degrees(np.arctan2(*(joints[3] - joints[0]))) for joints in drawn])

    np.testing.assert_allclose(leanings(PLAIN), 0, atol=1e-3)
    turned = leanings(replace(PLAIN, rotation=20))
    assert turned.min() < -8 and turned.max() > 8 and np.abs(turned).max() <= 45.001


def test_people_appear_at_all_heights_asked_for():
    settings = replace(PLAIN, person=(40, 75))
    heights = [scales(example_of(dotted(), settings, seed, size=64))[0] * max(BOX[2:]) for seed in range(40)]
    assert 40 <= min(heights) < 48 and 66 < max(heights) <= 75.001


def test_pictures_are_enlarged_no_further_than_allowed():
    settings = replace(PLAIN, person=(300, 320), enlarge=1.25)
    for seed in range(5):
        np.testing.assert_allclose(scales(example_of(dotted(), settings, seed)), 1.25, rtol=1e-5)


def test_mosaics_have_one_four_or_nine_tiles_in_the_shares_asked_for():
    counts = []
    for seed in range(60):
        drawn = []
        make_example(
            lambda _, drawn=drawn: drawn.append(1) or dotted(),
            64, STRIDE, replace(PLAIN, mosaic=(0.5, 0.3, 0.2)), CROSS, np.random.default_rng(seed),
        )  # fmt: skip
        counts.append(len(drawn))
    assert set(counts) == {1, 4, 9}
    assert 20 <= counts.count(1) <= 40 and 9 <= counts.count(4) <= 27


def blocks(image: np.ndarray) -> np.ndarray:
    """(h, w, 16, 3): the pixels of every map cell."""
    cells = len(image) // STRIDE
    return image.reshape(cells, STRIDE, cells, STRIDE, 3).swapaxes(1, 2).reshape(cells, cells, -1, 3).astype(int)


def areas(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells that are wholly white, and cells that are wholly black or wholly outside the picture."""
    pixels = blocks(image)
    outside = (np.abs(pixels - GREY) <= 1).all((2, 3))
    return (pixels > 230).all((2, 3)), (pixels < 25).all((2, 3)) | outside


def ringed(**more: object) -> tuple[Sample, np.ndarray]:
    """A black picture with a white rectangle and a person that fills the rectangle."""
    mask = np.zeros((120, 160), bool)
    mask[30:91, 40:121] = True
    joints = np.dstack((np.array([[(80, 32), (110, 50), (50, 50), (80, 88)]]), np.ones((1, 4))))
    people = People(joints, [1], CROSS, np.array([[40, 30, 80, 60]]))
    return painted(np.dstack([mask.astype(np.uint8) * 255] * 3), people, **more), mask


@pytest.mark.parametrize("seed", range(6))
def test_ignored_regions_are_not_taught_where_they_appear(seed):
    sample, mask = ringed()
    example = example_of(replace(sample, ignore=lambda: mask), WILD, seed)
    white, other = areas(example.image)
    assert white.any() and not example.taught[white].any()
    assert other.any() and example.taught[other].all()


@pytest.mark.parametrize("seed", range(6))
def test_where_not_everybody_is_labelled_only_labelled_people_and_blank_margins_are_taught(seed):
    sample, _ = ringed(everybody=False)
    example = example_of(sample, WILD, seed)
    white, _ = areas(example.image)
    black = (blocks(example.image) < 25).all((2, 3))
    blank = (np.abs(blocks(example.image) - GREY) <= 1).all((2, 3))
    assert white.any() and example.taught[white].all() and example.taught[blank].all()
    assert black.any() and not example.taught[black].any()


def test_an_ignored_region_within_a_labelled_person_is_not_taught():
    sample, mask = ringed(everybody=False)
    example = example_of(replace(sample, ignore=lambda: mask), PLAIN, 0)
    white, _ = areas(example.image)
    assert not example.taught[white].any()


def test_a_joint_that_one_tile_does_not_label_is_not_taught():
    lacking = replace(dotted(), labelled_joints=np.array([True, True, True, False]))
    rng = np.random.default_rng(0)
    settings = replace(PLAIN, mosaic=(0, 1, 0))
    mixed = make_example(in_turn(dotted(), lacking), 64, STRIDE, settings, CROSS, rng)
    assert mixed.taught_joints.tolist() == [True, True, True, False]
    assert make_example(in_turn(dotted()), 64, STRIDE, settings, CROSS, rng).taught_joints.all()


def test_pictures_without_people_are_shown_and_taught_whole():
    white = nobody(np.full((50, 70, 3), 255, np.uint8), CROSS)
    for seed in range(4):
        example = example_of(white, WILD, seed, size=64)
        assert example.joints.shape == (0, 4, 2) and example.boxes.shape == (0, 4)
        assert example.known.shape == example.confidence.shape == (0, 4)
        assert example.taught.shape == (16, 16) and example.taught.all()
        assert (example.image == 255).mean() > 0.4


def same(one: Example, other: Example) -> bool:
    return all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items())


def test_the_seed_alone_decides():
    settings = replace(WILD, paste=0.5, occlude=0.5, colour=1)
    first = [example_of(dotted(), settings, seed, size=64) for seed in range(6)]
    again = [example_of(dotted(), settings, seed, size=64) for seed in range(6)]
    assert all(map(same, first, again))
    assert not any(same(one, other) for one, other in itertools.combinations(first, 2))


def test_the_sample_is_left_as_it_was():
    sample = dotted()
    before = sample.load().copy(), sample.people.joints.copy(), sample.known.copy()
    for seed in range(6):
        example_of(sample, replace(WILD, paste=1, occlude=1, colour=1), seed, size=64)
    for old, new in zip(before, (sample.load(), sample.people.joints, sample.known), strict=True):
        np.testing.assert_array_equal(old, new)


def test_occluders_cover_some_of_the_picture_and_no_label():
    for seed in range(8):
        free = example_of(dotted(), WILD, seed)
        covered = example_of(dotted(), replace(WILD, occlude=1), seed)
        changed = (free.image != covered.image).any(-1).mean()
        assert 0 < changed < 0.15
        assert same(free, replace(covered, image=free.image))


def standing(colour: tuple[int, int, int], centre: tuple[int, int] = (60, 90), tall: float = 150) -> Sample:
    """A 17-joint person, dotted or (on a picture of one colour) recognisable by it."""
    sides = [(0.02, 0.03), (0.04, 0.04), (0.16, 0.18), (0.22, 0.35), (0.25, 0.5), (0.09, 0.5), (0.1, 0.75), (0.1, 0.97)]
    unit = np.array([(0, 0.06), *((s * x, y) for x, y in sides for s in (1, -1))])
    joints = unit * tall + np.array(centre) - (0, tall / 2)
    box = [centre[0] - 0.3 * tall, centre[1] - 0.5 * tall, 0.6 * tall, tall]
    people = People(np.dstack((joints[None], np.ones((1, 17)))), [1], COCO17, np.array([box]))
    return painted(np.full((180, 120, 3), colour, np.uint8), people)


PASTING = replace(PLAIN, person=(60, 120), paste=1)
BLACK, GREEN, RED = (0, 0, 0), (0, 255, 0), (255, 0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_a_pasted_person_brings_labels_and_pixels(seed):
    pick = in_turn(nobody(np.zeros((180, 120, 3), np.uint8), COCO17), standing(GREEN))
    example = make_example(pick, SIZE, STRIDE, PASTING, COCO17, np.random.default_rng(seed))
    assert example.joints.shape == (1, 17, 2) and example.boxes.shape == (1, 4)
    inside = ((example.joints[0] >= 0) & (example.joints[0] <= SIZE - 1)).all(-1)
    np.testing.assert_array_equal(example.known[0] == LABELLED, inside)
    limbs = [j for j in range(5, 17) if inside[j]]
    assert all(pixel_at(example.image, example.joints[0, j])[1] > 120 for j in limbs)
    assert example.joints[0, 5, 0] > example.joints[0, 6, 0], "mirrored or not, left is where a left is"
    green = (example.image[..., 1] > example.image[..., 0] + 120.0).sum()
    assert 0 < green < 0.9 * example.boxes[0, 2:].prod(), "cut out along the body, not as a box"


def test_joints_behind_a_pasted_person_become_unknown_and_no_others():
    hidden = 0
    for seed in range(12):
        example = make_example(
            in_turn(standing(RED), standing(GREEN)), SIZE, STRIDE, PASTING, COCO17, np.random.default_rng(seed)
        )
        for joint in np.flatnonzero(example.known[0] != ABSENT):
            red, green, _ = pixel_at(example.image, example.joints[0, joint]).astype(int)
            if max(red, green) > 200:  # not on the seam
                assert example.known[0, joint] == (LABELLED if red > green else UNKNOWN)
                hidden += green > red
        assert (example.known[1] != UNKNOWN).all()
    assert hidden > 5


def test_poorly_labelled_people_are_not_pasted():
    poor = standing(GREEN)
    known = poor.known.copy()
    known[0, 8:] = ABSENT
    blank = nobody(np.zeros((180, 120, 3), np.uint8), COCO17)
    for seed in range(3):
        pick = in_turn(blank, replace(poor, known=known))
        example = make_example(pick, 64, STRIDE, PASTING, COCO17, np.random.default_rng(seed))
        assert len(example.joints) == 0 and (example.image[..., 1] <= GREY).all()


def test_a_body_mask_covers_limbs_and_trunk_of_what_is_seen():
    person = standing(BLACK)
    xy, seen = person.people.joints[0, :, :2], np.ones(17, bool)
    mask = body_mask(xy, seen, COCO17, 180)
    assert mask.shape == (180, 180) and set(np.unique(mask)) == {0, 255}
    assert all(pixel_at(mask, (xy[a] + xy[b]) / 2) == 255 for a, b in COCO17.limbs)
    assert pixel_at(mask, xy[[5, 6, 11, 12]].mean(0)) == 255, "the trunk is filled"
    x, y, w, h = person.people.boxes[0].astype(int)
    assert (mask > 0).sum() < 0.8 * w * h and not mask[:, x + w + 10 :].any()
    seen[[9, 15]] = False
    less = body_mask(xy, seen, COCO17, 180)
    assert pixel_at(less, xy[9]) == pixel_at(less, xy[15]) == 0 and pixel_at(less, xy[16]) == 255
    mirrored = body_mask(np.array([119, 0]) - xy * (1, -1), np.ones(17, bool), COCO17, 180)
    assert (mirrored[:, :120] != mask[:, 119::-1]).mean() < 0.02
