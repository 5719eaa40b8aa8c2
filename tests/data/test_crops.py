"""Training crops: whatever happens to the pixels happens to the labels, and boxes are those asked for."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from bottomup.core import ABSENT, COCO17, LABELLED, UNKNOWN, Boxes, People, Sample, Skeleton
from bottomup.data.crops import (
    CropAugmentation,
    Crops,
    Person,
    collate_crops,
    half_body,
    in_fitting_boxes,
    labelled_people,
    make_crop,
    varied_warp,
)
from bottomup.errors import DataError

SIZE = (96, 128)
CROSS = Skeleton("cross", ["head", "left", "right", "foot"], [(0, 3), (0, 1), (0, 2)], [0, 2, 1, 3], [0.1] * 4)
COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)])
JOINTS = np.array([(80, 20), (110, 50), (50, 50), (80, 100)], np.float32)
CONFIDENCE = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
BOX = (46, 14, 70, 92)
STILL = CropAugmentation(enlarge=1.0, scale=(1.0, 1.0), shift=0, rotation=0, turned=0, half_body=0, colour=0)
WILD = replace(STILL, enlarge=1.25, scale=(0.8, 1.2), shift=0.05, rotation=30, turned=1)


def dotted(known: tuple[int, ...] = (LABELLED,) * 4, box: tuple[int, ...] = BOX) -> Sample:
    """A black picture with one person of four coloured dots."""
    image = np.zeros((120, 160, 3), np.uint8)
    for (x, y), colour in zip(JOINTS.astype(int), COLOURS.tolist(), strict=True):
        cv2.circle(image, (int(x), int(y)), 4, colour, -1)
    people = People(np.dstack((JOINTS[None], CONFIDENCE[None])), [1], CROSS, np.array([box]))
    known_of = np.array([known], np.uint8)
    return Sample(lambda: image, (160, 120), people, known_of, np.ones(4, bool), "drawn", 7)


def crop_of(sample: Sample, settings: CropAugmentation, seed: int = 0):
    (person,) = labelled_people([sample])
    return make_crop(person, SIZE, settings, CROSS, np.random.default_rng(seed))


@pytest.mark.parametrize("settings", [STILL, WILD], ids=["still", "wild"])
def test_every_joint_lies_on_its_dot(settings):
    for seed in range(12):
        crop = crop_of(dotted(), settings, seed)
        assert crop.image.shape == (128, 96, 3) and crop.known.tolist() == [LABELLED] * 4
        mirrored = np.allclose(crop.confidence, CONFIDENCE[list(CROSS.mirror)])
        colours = COLOURS[list(CROSS.mirror)] if mirrored else COLOURS
        for (x, y), colour in zip(crop.joints, colours, strict=True):
            if 2 <= x < 94 and 2 <= y < 126:
                seen = crop.image[int(round(float(y))), int(round(float(x)))]
                assert np.abs(seen.astype(int) - colour).max() < 70, (seed, x, y, seen)


def test_half_of_the_crops_are_mirrored_and_left_is_right_there():
    crops = [crop_of(dotted(), STILL, seed) for seed in range(40)]
    left = [crop.joints[1, 0] > crop.joints[2, 0] for crop in crops]
    assert all(left), "the left hand stays on the same side of a mirrored person"
    mirrored = sum(np.allclose(crop.confidence[1], CONFIDENCE[2]) for crop in crops)
    assert 10 < mirrored < 30


def test_the_box_fills_the_crop_with_its_shape_kept():
    crop = crop_of(dotted(), STILL)
    head, foot = crop.joints[0], crop.joints[3]
    scale = min(96 / 70, 128 / 92)  # a box of 70 x 92 in a crop of 96 x 128
    assert foot[1] - head[1] == pytest.approx(80 * scale, abs=1e-3)
    assert crop.joints[[1, 2], 0].mean() == pytest.approx(47.5, abs=1.5)


def test_random_warps_stay_within_what_was_asked():
    settings = replace(STILL, enlarge=1.25, scale=(0.8, 1.25), rotation=20, turned=0.5)
    box, rng = np.array([10.0, 10, 58, 74]), np.random.default_rng(0)
    warps = [varied_warp(box, SIZE, settings, rng) for _ in range(300)]
    scales = np.array([warp.scale for warp in warps]) / (2 / 1.25)
    assert 0.8 - 1e-6 <= scales.min() < 0.83 and 1.2 < scales.max() <= 1.25 + 1e-6
    angles = np.degrees([np.arctan2(warp.matrix[1, 0], warp.matrix[0, 0]) for warp in warps])
    assert 0.4 < np.mean(np.abs(angles) < 1e-9) < 0.6 and np.abs(angles).max() <= 40 + 1e-6


def test_the_number_and_the_seed_alone_decide_what_a_crop_is():
    people = [labelled_people([dotted()])]

    def crops(seed):
        return Crops(people, [1.0], size=SIZE, skeleton=CROSS, augmentation=WILD, seed=seed)

    np.testing.assert_array_equal(crops(1)[5].image, crops(1)[5].image)
    assert not np.array_equal(crops(1)[5].joints, crops(1)[6].joints)
    assert not np.array_equal(crops(1)[5].joints, crops(2)[5].joints)


def test_sets_are_drawn_by_their_weights():
    sure, unsure = dotted(), dotted((LABELLED, LABELLED, LABELLED, UNKNOWN))
    crops = Crops(
        [labelled_people([sure]), labelled_people([unsure])],
        [3.0, 1.0],
        size=SIZE,
        skeleton=CROSS,
        augmentation=STILL,
        seed=0,
    )
    unknown = sum(UNKNOWN in crops[i].known for i in range(200))
    assert 30 < unknown < 70
    with pytest.raises(ValueError, match="needs people"):
        Crops([[]], [1.0], size=SIZE, skeleton=CROSS, augmentation=STILL, seed=0)


def test_people_who_show_nothing_are_left_out():
    assert labelled_people([dotted((UNKNOWN, ABSENT, ABSENT, ABSENT))]) == []
    assert labelled_people([dotted(box=(46, 14, 8, 12))]) == [], "too small"
    assert labelled_people([dotted(box=(46, 14, 0, 92))]) == [], "no box"
    assert len(labelled_people([dotted((LABELLED, UNKNOWN, UNKNOWN, UNKNOWN))])) == 1


def test_a_picture_of_another_size_than_its_labels_is_refused():
    wrong = replace(dotted(), size=(80, 60))
    with pytest.raises(DataError, match="160 x 120"):
        crop_of(wrong, STILL)


def test_a_batch_holds_its_crops():
    crops = [crop_of(dotted(), WILD, seed) for seed in range(3)]
    batch = collate_crops(crops).to("cpu")
    assert batch.images.shape == (3, 3, 128, 96) and batch.joints.shape == (3, 4, 2)
    np.testing.assert_array_equal(batch.images[1].permute(1, 2, 0), crops[1].image)
    np.testing.assert_allclose(batch.confidence[2], crops[2].confidence)


# ---------------------------------------------------------------- half a body


def standing() -> np.ndarray:
    """COCO's joints of somebody upright, head at y = 0, feet at y = 160."""
    rows = {"nose": 10, "eye": 7, "ear": 8, "shoulder": 30, "elbow": 55, "wrist": 80, "hip": 85, "knee": 120}
    y = [next((v for k, v in rows.items() if name.endswith(k)), 160) for name in COCO17.joints]
    x = [50 + 12 * name.startswith("left") - 12 * name.startswith("right") for name in COCO17.joints]
    return np.array([x, y], np.float32).T


def test_half_a_body_is_its_upper_or_its_lower_joints():
    xy, known = standing(), np.full(17, LABELLED, np.uint8)
    boxes = [half_body(xy, known, COCO17, np.random.default_rng(seed)) for seed in range(20)]
    tops, bottoms = {round(float(b[1])) for b in boxes}, {round(float(b[3])) for b in boxes}
    # heads to wrists: 7..80 grown 1.3 times; hips to ankles: 85..160 likewise
    assert tops == {-4, 74} and bottoms == {91, 171}


def test_half_a_body_takes_the_half_that_is_labelled():
    xy, known = standing(), np.full(17, LABELLED, np.uint8)
    known[11:] = UNKNOWN
    for seed in range(10):
        assert half_body(xy, known, COCO17, np.random.default_rng(seed))[3] < 100


@pytest.mark.parametrize("labelled", [0, 5, 8])
def test_nobody_with_few_joints_is_halved(labelled):
    known = np.where(np.arange(17) < labelled, LABELLED, ABSENT).astype(np.uint8)
    assert half_body(standing(), known, COCO17, np.random.default_rng(0)) is None


# ---------------------------------------------------------------- boxes found


def test_people_take_the_boxes_that_fit_and_those_whom_none_fits_are_left_out():
    (person,) = labelled_people([dotted()])
    stranger = Person(replace(person.sample, image_id=8), 0, person.boxes)
    close, far = (44, 12, 118, 108), (120, 60, 150, 118)
    proposals = {7: Boxes(np.array([close, far, BOX_XYXY]), np.array([0.9, 0.8, 0.1]))}
    (found,) = in_fitting_boxes([person, stranger], proposals)
    np.testing.assert_array_equal(found.boxes, [close, BOX_XYXY])
    crops = [make_crop(found, SIZE, STILL, CROSS, np.random.default_rng(seed)) for seed in range(20)]
    heights = {round(float(crop.joints[3, 1] - crop.joints[0, 1]), 3) for crop in crops}
    assert len(heights) == 2, "both boxes are drawn"


BOX_XYXY = (46, 14, 116, 106)
