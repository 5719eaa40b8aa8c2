"""Predictors that know the truth have AP 1."""

import json

import numpy as np
import pytest
from PIL import Image

from bottomup.errors import DataError
from bottomup.roads.evaluation import evaluate


@pytest.fixture
def labelled(tmp_path, picture, figures):
    """Two pictures with all people labelled, one whose second person is labelled elsewhere."""
    images, annotations = [], []
    for number, level in ((3, "official"), (5, "official"), (8, "partial")):
        name = f"{number:012d}.png"
        Image.fromarray(picture((256, 192), figures)).save(tmp_path / name)
        images.append({"id": number, "file_name": name, "width": 256, "height": 192, "annotation_level": level})
        for shift, figure in zip((0, 90 if level == "partial" else 0), figures, strict=True):
            low, extent = figure.min(0), np.ptp(figure, axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "num_keypoints": 3,
                    "keypoints": [v for x, y in figure for v in (float(x), float(y) - shift, 2)],
                    "bbox": [*map(float, low), *map(float, extent)],
                    "area": float(extent.prod()),
                }
            )
    (tmp_path / "dev.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return tmp_path / "dev.json"


def test_truth_has_ap_one(predictor, labelled):
    report = evaluate(predictor, labelled, levels=["official"])
    assert report.numbers["AP"] == pytest.approx(1) and report.numbers["AR"] == pytest.approx(1)
    assert len(report.numbers) == 10
    assert (report.pictures, report.people) == (2, 4)
    assert report.seconds.keys() == {"read", "network", "grouping", "all"}
    assert all(seconds > 0 for seconds in report.seconds.values())
    text = str(report)
    assert "AP75   1.000" in text and "2 pictures, 4 people found" in text


def test_all_pictures_count_without_levels(predictor, labelled):
    report = evaluate(predictor, labelled)
    assert report.pictures == 3 and report.people == 6
    assert report.numbers["AR"] == pytest.approx(5 / 6)


def test_levels_that_the_file_lacks_are_named(predictor, labelled):
    with pytest.raises(DataError, match="annotation_level 'panoptic'; there are official, partial"):
        evaluate(predictor, labelled, levels=["official", "panoptic"])


def test_a_set_without_pictures_is_an_error(predictor, tmp_path):
    (tmp_path / "dev.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(DataError, match="has no pictures"):
        evaluate(predictor, tmp_path / "dev.json")
