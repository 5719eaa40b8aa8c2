"""The output folder of a run: unique ids, one record an input, nothing mixed up."""

import json
import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.errors import SettingsError
from bottomup.files.images import ImageFile
from bottomup.files.results import Outputs, image_ids

SETTINGS = {"decides": {"long_side": 512, "scales": (1.0,)}, "device": "cpu"}


@pytest.mark.parametrize(
    "names, ids",
    [
        ([], []),
        (["000000000139.jpg"], [139]),
        (["a.jpg", "b.jpg"], [0, 1]),
        (["a.jpg", "sub/7.png"], [0, 7]),
        (["1.jpg", "a.jpg"], [1, 2]),  # index 1 is a file's number: counted on
        (["a/5.jpg", "b/5.jpg", "c/05.png"], [5, 1, 2]),  # the first keeps the number
        (["0.jpg", "1.jpg", "a.jpg", "2.jpg"], [0, 1, 3, 2]),
        (["x1.jpg", "-3.jpg", "3_1.jpg", "²³.jpg", "٣.jpg"], [0, 1, 2, 3, 4]),  # no whole numbers
        (["9" * 18 + ".jpg", "9" * 19 + ".jpg"], [999999999999999999, 1]),
        (["1.2.jpg", ".5"], [0, 1]),
    ],
)
def test_image_ids_by_hand(names, ids):
    assert image_ids(names) == dict(zip(names, ids, strict=True))


@given(st.lists(st.text(string.digits + "ab/.", min_size=1, max_size=4), unique=True, max_size=12))
def test_image_ids_are_always_unique_and_complete(names):
    ids = image_ids(names)
    assert ids.keys() == set(names)
    assert len(set(ids.values())) == len(names)


def pictures(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return [ImageFile(folder / name, name) for name in names]


def record(name, people):
    return {"file_name": name, "status": "ok" if people else "empty", "people": people}


def note(outputs, image, state, people=1):
    entries = [{"score": float(i)} for i in range(people)]
    outputs.add(image, state, record(image.name, people), entries)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_whole_run(tmp_path):
    images = pictures(tmp_path / "in", "a.jpg", "7.jpg")
    outputs = Outputs(tmp_path / "out", SETTINGS)
    todo = outputs.begin(images)
    assert [image for image, _ in todo] == images
    for (image, state), people in zip(reversed(todo), (2, 0), strict=True):
        note(outputs, image, state, people)
    assert [r["file_name"] for r in lines(tmp_path / "out" / "records.jsonl")] == ["7.jpg", "a.jpg"]  # as it goes
    counts = outputs.finish(images)
    assert counts == {"ok": 1, "empty": 1, "people": 2}
    assert lines(tmp_path / "out" / "records.jsonl") == [record("a.jpg", 0), record("7.jpg", 2)]  # in order
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == [
        {"image_id": 7, "file_name": "7.jpg", "score": 0.0},
        {"image_id": 7, "file_name": "7.jpg", "score": 1.0},
    ]


def test_nobody_anywhere_is_an_empty_list(tmp_path):
    images = pictures(tmp_path / "in", "a.jpg")
    outputs = Outputs(tmp_path / "out", SETTINGS)
    for image, state in outputs.begin(images):
        note(outputs, image, state, 0)
    outputs.finish(images)
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == []


def test_a_second_run_takes_up_what_is_missing_or_changed(tmp_path):
    images = pictures(tmp_path / "in", "a.jpg", "b.jpg", "c.jpg")
    first = Outputs(tmp_path / "out", SETTINGS)
    for image, state in first.begin(images)[:2]:
        note(first, image, state)
    first.close()
    os.utime(tmp_path / "in" / "a.jpg", ns=(1, 1))
    with open(tmp_path / "out" / "records.jsonl", "ab") as file:
        file.write(b'{"half": "writ')
    second = Outputs(tmp_path / "out", SETTINGS)
    todo = second.begin(images)
    assert [image.name for image, _ in todo] == ["a.jpg", "c.jpg"]
    assert lines(tmp_path / "out" / "records.jsonl") == [record("b.jpg", 1)]
    for image, state in todo:
        note(second, image, state, 3)
    second.finish(images)
    assert [r["people"] for r in lines(tmp_path / "out" / "records.jsonl")] == [3, 1, 3]
    second.close()
    assert Outputs(tmp_path / "out", SETTINGS).begin(images) == []


def test_other_settings_need_another_folder(tmp_path):
    Outputs(tmp_path, SETTINGS).close()
    Outputs(tmp_path, SETTINGS | {"device": "cuda"}).close()  # nothing that results depend on
    other = {"decides": {"long_side": 640, "scales": (1.0,)}}
    with pytest.raises(SettingsError, match="long_side was 512, is 640.*another --out, or use --overwrite"):
        Outputs(tmp_path, other)
    Outputs(tmp_path, other, overwrite=True).close()
    assert json.loads((tmp_path / "settings.json").read_text())["decides"]["long_side"] == 640


def test_overwrite_forgets_everything(tmp_path):
    images = pictures(tmp_path / "in", "a.jpg")
    outputs = Outputs(tmp_path / "out", SETTINGS)
    for image, state in outputs.begin(images):
        note(outputs, image, state)
    pictures(outputs.drawn("a.jpg").parent, "a.jpg.jpg")
    outputs.finish(images)
    outputs.close()
    again = Outputs(tmp_path / "out", SETTINGS, overwrite=True)
    assert len(again.begin(images)) == 1
    assert not outputs.drawn("a.jpg").exists()


@pytest.mark.parametrize("name", ["results.json", "records.jsonl", "settings.json"])
def test_files_of_somebody_else_are_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(SettingsError, match=f"{name}.*--overwrite"):
        Outputs(tmp_path, SETTINGS)
    assert (tmp_path / name).read_text() == "{}"


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(SettingsError, match="out: cannot be made a folder"):
        Outputs(tmp_path / "out", SETTINGS)


def test_drawings_mirror_the_inputs_and_never_collide(tmp_path):
    outputs = Outputs(tmp_path, SETTINGS)
    assert outputs.drawn("sub/a.png") == tmp_path / "drawn" / "sub" / "a.png.jpg"
    long = "é" * 120
    names = ["a.jpg", "a.png", "sub/a.jpg", f"{long}.jpg", f"{long}1.jpg", "\udcff.jpg", "new\nline.jpg"]
    places = [outputs.drawn(name) for name in names]
    assert len(set(places)) == len(names)
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")  # the file system takes every name
