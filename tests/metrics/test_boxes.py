"""Numbers about boxes, by hand-worked cases and against pycocotools' own rules."""

from __future__ import annotations

import pytest

from bottomup.errors import DataError
from bottomup.metrics.boxes import box_numbers


def truth(*boxes, **more):
    """Pictures 1 and 2; the boxes are in picture 1."""
    people = [{"id": i, "image_id": 1, "bbox": list(box), "num_keypoints": 0} | more for i, box in enumerate(boxes)]
    return {"images": [{"id": 1}, {"id": 2}], "annotations": people}


def found(*rows):
    """Each a picture, a box and a score."""
    return [{"image_id": image, "bbox": list(box), "score": score} for image, box, score in rows]


BIG, OTHER, SMALL = (10, 10, 60, 120), (100, 10, 60, 120), (10, 150, 20, 30)


def test_truth_as_answer_is_perfect():
    numbers = box_numbers(truth(BIG, OTHER, SMALL), found((1, BIG, 0.9), (1, OTHER, 0.8), (1, SMALL, 0.7)))
    assert numbers["AP"] == pytest.approx(1) and numbers["recall"] == 1
    assert list(numbers) == ["AP", "AP50", "AP75", "APs", "APm", "APl", "recall"]


def test_recall_counts_people_over_the_size_alone():
    assert box_numbers(truth(BIG, OTHER, SMALL), found((1, BIG, 0.9)))["recall"] == 0.5
    assert box_numbers(truth(BIG, OTHER, SMALL), found((1, BIG, 0.9)), over=20)["recall"] == pytest.approx(1 / 3)
    assert box_numbers(truth(SMALL), found())["recall"] == -1


def test_a_box_serves_one_person():
    twins = (10, 10, 60, 120), (14, 10, 60, 120)
    assert box_numbers(truth(*twins), found((1, twins[0], 0.9)))["recall"] == 0.5
    both = box_numbers(truth(*twins), found((1, twins[0], 0.9), (1, twins[0], 0.8)))
    assert both["recall"] == 1, "the second takes the one that is left"


def test_the_overlap_decides():
    half = (10, 10, 60, 60)  # half of BIG: overlap .5
    less = (10, 10, 60, 59)
    assert box_numbers(truth(BIG), found((1, half, 0.9)))["recall"] == 1
    assert box_numbers(truth(BIG), found((1, less, 0.9)))["recall"] == 0


def test_false_boxes_cost_precision_but_no_recall():
    answer = found((1, OTHER, 0.95), (2, BIG, 0.92), (1, BIG, 0.9))
    numbers = box_numbers(truth(BIG), answer)
    assert numbers["AP"] == pytest.approx(1 / 3) and numbers["recall"] == 1


@pytest.mark.parametrize("mark", [{"iscrowd": 1}, {"ignore": True}])
def test_boxes_in_regions_are_not_counted(mark):
    labels = truth(BIG)
    labels["annotations"] += truth(OTHER, **mark)["annotations"]
    numbers = box_numbers(labels, found((1, OTHER, 0.95), (1, BIG, 0.9)))
    assert numbers["AP"] == pytest.approx(1) and numbers["recall"] == 1


def test_chosen_pictures_alone_are_judged_and_nobody_is_minus_one():
    answer = found((1, BIG, 0.9), (2, BIG, 0.9))
    numbers = box_numbers(truth(BIG), answer, image_ids=[1])
    assert numbers["AP"] == pytest.approx(1)
    assert set(box_numbers(truth(BIG), answer, image_ids=[2]).values()) == {-1}
    assert box_numbers(truth(BIG), [])["AP"] == 0


@pytest.mark.parametrize(
    ("entry", "words"),
    [({"image_id": 1, "score": 1}, "no `bbox`"), ({"image_id": 9, "bbox": [0, 0, 1, 1], "score": 1}, "picture 9")],
)
def test_a_wrong_entry_is_named(entry, words):
    with pytest.raises(DataError, match=f"entry 1.*{words}"):
        box_numbers(truth(BIG), [entry])


def test_a_person_without_a_box_is_named():
    with pytest.raises(DataError, match="annotation 0 has no `bbox`"):
        box_numbers(truth(BIG) | {"annotations": [{"id": 0, "image_id": 1}]}, [])
