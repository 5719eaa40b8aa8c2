"""What the page's viewer takes: photographs of bounded size, true people, people found."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from bottomup.compare.embedding import LONG_SIDE, jpeg_uri
from bottomup.compare.pictures import Album, skeleton_record
from bottomup.compare.report import Judged, report_of
from bottomup.compare.settings import CompareSettings, System
from bottomup.core import COCO17
from bottomup.errors import DataError
from bottomup.metrics.coco import evaluate_keypoints


@pytest.fixture(scope="module")
def judged(truth, perfect, crowded_out):
    sure = [dict(entry) for entry in perfect]
    sure[0]["score"] = 0.001  # next to nothing
    return [
        Judged(System(name, results="x"), entries, evaluate_keypoints(truth, entries), None, None)
        for name, entries in (("good", sure), ("weak", crowded_out))
    ]


@pytest.fixture(scope="module")
def ranked(judged):
    settings = CompareSettings("gt.json", "out", tuple(one.system for one in judged))
    return report_of(settings, judged)["pictures"]


def opened(uri):
    kind, _, content = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_photographs_are_embedded_small(truth, folder, judged, ranked):
    record = Album(truth, "gt.json", folder / "images").records(ranked, judged)[0]
    assert opened(record["image"]).size == (320, 200)
    assert opened(jpeg_uri(np.zeros((1000, 2000, 3), np.uint8))).size == (LONG_SIDE, LONG_SIDE // 2)


def test_the_picture_with_the_greatest_difference_comes_first(ranked):
    assert [row["id"] for row in ranked[:2]] == [4, 3]  # 6 and 4 people, found by one system alone
    assert ranked[0]["F1"] == {"good": 1.0, "weak": 0.0} and ranked[0]["disagreement"] == 1


def test_people_come_with_their_joints_and_how_right_they_are(truth, folder, judged, ranked):
    records = {r["id"]: r for r in Album(truth, folder / "gt.json", None).records(ranked, judged)}
    good, weak = records[4]["found"]
    assert len(good) == len(records[4]["truth"]) == records[4]["people"] == 6 and weak == []
    assert {person["good"] for person in good} == {1.0} and len(good[0]["joints"]) == 51
    assert {tuple(p["joints"][0::3]) for p in good} == {tuple(p["joints"][0::3]) for p in records[4]["truth"]}


def test_people_of_next_to_no_score_are_left_out(truth, folder, judged, ranked):
    records = {r["id"]: r for r in Album(truth, folder / "gt.json", None).records(ranked, judged)}
    assert records[1]["found"][0] == [] and len(records[1]["found"][1]) == 1


def test_pictures_that_are_not_there_are_missing_only_where_nobody_named_their_folder(truth, tmp_path, judged, ranked):
    assert all(r["image"] is None for r in Album(truth, tmp_path / "gt.json", None).records(ranked, judged))
    with pytest.raises(DataError, match=r"4\.jpg not found"):
        Album(truth, tmp_path / "gt.json", tmp_path).records(ranked, judged)


def test_without_width_and_height_the_photograph_or_the_people_tell_the_size(truth, folder, judged, ranked):
    bare = json.loads(json.dumps(truth))
    for image in bare["images"]:
        del image["width"], image["height"]
    with_photograph = Album(bare, folder / "gt.json", folder / "images").records(ranked, judged)[0]
    assert (with_photograph["width"], with_photograph["height"]) == (320, 200)
    without = Album(bare, folder / "elsewhere" / "x" / "gt.json", None).records(ranked, judged)[0]
    assert 200 < without["width"] <= 320 and 100 < without["height"] <= 200


def test_sizes_are_named_as_coco_names_them(truth, folder, judged, ranked):
    tiny = json.loads(json.dumps(truth))
    for annotation in tiny["annotations"]:
        annotation["area"] = {1: 30, 2: 40, 3: 96, 4: 500}[annotation["image_id"]] ** 2
    records = Album(tiny, folder / "gt.json", None).records(ranked, judged)
    assert {r["id"]: r["size"] for r in records} == {1: "small", 2: "medium", 3: "large", 4: "large"}


def test_the_skeleton_tells_left_from_right():
    record = skeleton_record(COCO17)
    sides = dict(zip(record["joints"], record["sides"], strict=True))
    assert (sides["left_wrist"], sides["nose"], sides["right_wrist"]) == (-1, 0, 1)
    assert len(record["limbSides"]) == len(record["limbs"]) == 19
