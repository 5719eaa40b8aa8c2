"""A folder run: one record an input, nothing lost, nothing done twice."""

import json
import os
import threading

import numpy as np
import pytest
from PIL import Image

from bottomup.errors import InputError, SettingsError
from bottomup.files.images import read_image, read_reduced
from bottomup.roads import stages
from bottomup.roads.pipeline import run_folder
from bottomup.roads.predictor import Predictor


@pytest.fixture
def folder(tmp_path, picture, figures):
    """Pictures with two people, one, nobody; broken ones; strange names."""
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    Image.fromarray(picture((256, 192), figures)).save(photos / "000000000139.png")
    Image.fromarray(picture((256, 192), figures)).save(photos / "a.webp", lossless=True)
    Image.fromarray(picture((192, 256), figures[:1])).save(photos / "a.png")
    Image.fromarray(picture((512, 384), 2 * figures)).save(photos / "sub" / "b c\né.png")
    Image.new("RGB", (30, 20)).save(photos / "sub" / "empty.jpg")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff" + b"x" * 99)
    (photos / "nothing.png").write_bytes(b"")
    return photos


STATUSES = {
    "000000000139.png": "ok",
    "a.png": "ok",
    "a.webp": "ok",
    "broken.jpg": "error",
    "nothing.png": "error",
    "sub/b c\né.png": "ok",
    "sub/empty.jpg": "empty",
}


def records(out):
    return [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]


def workers():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(stages.POOL)]


def results(out):
    return json.loads((out / "results.json").read_text())


def test_every_input_has_one_record_in_order(predictor, folder, tmp_path):
    counts = run_folder(predictor, [folder], tmp_path / "out")
    assert counts == {"ok": 4, "empty": 1, "error": 2, "people": 7}
    found = records(tmp_path / "out")
    assert {record["file_name"]: record["status"] for record in found} == STATUSES
    assert [record["file_name"] for record in found] == list(STATUSES)
    by_name = {record["file_name"]: record for record in found}
    assert (by_name["a.png"]["width"], by_name["a.png"]["height"], by_name["a.png"]["people"]) == (192, 256, 1)
    assert by_name["sub/empty.jpg"]["people"] == 0 and by_name["sub/empty.jpg"]["error"] is None
    for name in ("broken.jpg", "nothing.png"):
        assert name in by_name[name]["error"] and by_name[name]["width"] is None
    for record in found:
        assert list(record["seconds"]) == ["read", "network", "grouping", "write"]
        assert record["seconds"]["read"] > 0


def test_results_are_coco_entries_in_pixels_of_the_picture(predictor, folder, figures, tmp_path):
    run_folder(predictor, [folder], tmp_path / "out")
    entries = results(tmp_path / "out")
    assert len(entries) == 7
    ids = {entry["file_name"]: entry["image_id"] for entry in entries}
    assert ids == {"000000000139.png": 139, "a.png": 1, "a.webp": 2, "sub/b c\né.png": 5}
    for entry in entries:
        assert entry["category_id"] == 1 and len(entry["keypoints"]) == 9 and np.isfinite(entry["score"])
    large = [e["keypoints"] for e in entries if e["file_name"] == "sub/b c\né.png"]
    joints = np.sort(np.reshape(large, (2, 3, 3))[:, 0, 0])
    np.testing.assert_allclose(joints, 2 * figures[:, 0, 0], atol=1)


def test_results_agree_with_the_predictor(predictor, folder, tmp_path):
    run_folder(predictor, [folder], tmp_path / "out", batch=3)
    people = predictor(folder / "000000000139.png")
    mine = [e["keypoints"] for e in results(tmp_path / "out") if e["image_id"] == 139]
    np.testing.assert_allclose(np.reshape(mine, (2, 3, 3)), people.joints, atol=1e-3)


def test_a_second_run_does_nothing(predictor, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_folder(predictor, [folder], out, draw=True)
    before = {path: path.stat().st_mtime_ns for path in (out / "drawn").rglob("*.jpg")}
    first = (out / "records.jsonl").read_bytes(), (out / "results.json").read_bytes()
    monkeypatch.setattr(stages, "read_reduced", lambda path, *_, **__: pytest.fail(f"{path} read again"))
    counts = run_folder(predictor, [folder], out, draw=True)
    assert counts == {"ok": 4, "empty": 1, "error": 2, "people": 7}
    assert ((out / "records.jsonl").read_bytes(), (out / "results.json").read_bytes()) == first
    assert {path: path.stat().st_mtime_ns for path in (out / "drawn").rglob("*.jpg")} == before


def test_an_interrupted_run_goes_on(predictor, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    whole = tmp_path / "whole"
    run_folder(predictor, [folder], whole)
    maps, calls = predictor.road.maps, []

    def interrupted(prepared):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return maps(prepared)

    monkeypatch.setattr(predictor.road, "maps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_folder(predictor, [folder], out)
    assert not workers()
    done = [record["file_name"] for record in records(out)]
    assert 2 <= len(done) < 7
    read = []
    monkeypatch.setattr(stages, "read_reduced", lambda path, *a, **k: read.append(path) or read_reduced(path, *a, **k))
    run_folder(predictor, [folder], out)
    assert sorted(path.relative_to(folder).as_posix() for path in read) == sorted(STATUSES.keys() - set(done))
    assert results(out) == results(whole)
    assert [r | {"seconds": 0} for r in records(out)] == [r | {"seconds": 0} for r in records(whole)]


def test_a_run_cut_anywhere_ends_as_one_that_was_not(predictor, folder, tmp_path):
    run_folder(predictor, [folder], tmp_path / "whole")
    journal = (tmp_path / "whole" / "journal.jsonl").read_bytes()
    settings = (tmp_path / "whole" / "settings.json").read_bytes()
    for cut in (0, 100, len(journal) // 2, len(journal) - 1):
        out = tmp_path / f"cut{cut}"
        out.mkdir()
        (out / "settings.json").write_bytes(settings)
        (out / "journal.jsonl").write_bytes(journal[:cut])
        (out / "records.jsonl").write_bytes(b'{"half')
        run_folder(predictor, [folder], out)
        assert results(out) == results(tmp_path / "whole")


def test_a_changed_input_is_done_again(predictor, folder, figures, picture, tmp_path):
    out = tmp_path / "out"
    run_folder(predictor, [folder], out)
    Image.fromarray(picture((256, 192), figures)).save(folder / "nothing.png")
    counts = run_folder(predictor, [folder], out)
    assert counts == {"ok": 5, "empty": 1, "error": 1, "people": 9}
    assert len(records(out)) == len(STATUSES)


def test_other_settings_or_weights_need_another_folder(predictor, make_road, folder, tmp_path):
    out = tmp_path / "out"
    run_folder(predictor, [folder / "a.png"], out)
    with pytest.raises(SettingsError, match="road was"):
        run_folder(Predictor(make_road(flip=True)), [folder / "a.png"], out)
    (tmp_path / "w").write_bytes(b"other weights")
    with pytest.raises(SettingsError, match="weights was"):
        run_folder(Predictor(make_road(), tmp_path / "w"), [folder / "a.png"], out)
    with pytest.raises(SettingsError, match="root was"):
        run_folder(predictor, [folder / "sub"], out)
    counts = run_folder(predictor, [folder / "sub"], out, overwrite=True)
    assert counts == {"ok": 1, "empty": 1, "people": 2}


def test_drawings_mirror_the_inputs(predictor, folder, tmp_path):
    out = folder / "results"  # inside the inputs: drawings must not become inputs of the next run
    run_folder(predictor, [folder], out, draw=True)
    drawn = sorted(path.relative_to(out / "drawn").as_posix() for path in (out / "drawn").rglob("*") if path.is_file())
    assert drawn == sorted(f"{name}.jpg" for name, status in STATUSES.items() if status != "error")
    original, drawing = read_image(folder / "a.png"), read_image(out / "drawn" / "a.png.jpg")
    assert drawing.shape == original.shape
    assert np.abs(drawing.astype(int) - original).max() > 100
    assert run_folder(predictor, [folder], out, draw=True)["error"] == 2


def test_no_unfinished_files_are_left(predictor, folder, tmp_path):
    run_folder(predictor, [folder], tmp_path / "out", draw=True)
    assert not list((tmp_path / "out").rglob("*.part"))
    assert sorted(os.listdir(tmp_path / "out")) == [
        "drawn",
        "journal.jsonl",
        "records.jsonl",
        "results.json",
        "settings.json",
    ]


def test_a_file_that_vanishes_during_the_run_is_a_record(predictor, folder, tmp_path, monkeypatch):
    def read(path, *how, **content):
        (folder / "a.webp").unlink(missing_ok=True)
        return read_reduced(path, *how, **content)

    monkeypatch.setattr(stages, "READERS", 1)
    monkeypatch.setattr(stages, "read_reduced", read)
    run_folder(predictor, [folder], tmp_path / "out")
    by_name = {record["file_name"]: record for record in records(tmp_path / "out")}
    assert by_name["a.webp"]["status"] == "error" and "no such file" in by_name["a.webp"]["error"]
    assert len(by_name) == len(STATUSES)


def test_missing_inputs_are_records_and_no_inputs_an_error(predictor, folder, tmp_path):
    counts = run_folder(predictor, [folder / "a.png", folder / "gone.jpg"], tmp_path / "out")
    assert counts == {"ok": 1, "error": 1, "people": 1}
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="bare: no pictures there"):
        run_folder(predictor, [tmp_path / "bare"], tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_one_picture_that_cannot_be_grouped_does_not_end_the_run(predictor, folder, tmp_path, monkeypatch):
    people, calls = predictor.road.people, []

    def fails_once(maps, prepared):
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("heatmaps hold NaN")
        return people(maps, prepared)

    monkeypatch.setattr(predictor.road, "people", fails_once)
    counts = run_folder(predictor, [folder], tmp_path / "out")
    assert counts == {"ok": 3, "empty": 1, "error": 3, "people": 5}
    assert "000000000139.png: heatmaps hold NaN" in records(tmp_path / "out")[0]["error"]


def test_a_full_disk_ends_the_run_with_its_own_error(predictor, folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bottomup.files.results.Outputs.add", full)
    with pytest.raises(OSError, match="No space left"):
        run_folder(predictor, [folder], tmp_path / "out")
    assert not workers()


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_batches_of_any_size_give_the_same_results(predictor, folder, tmp_path, batch):
    run_folder(predictor, [folder], tmp_path / "one")
    run_folder(predictor, [folder], tmp_path / "many", batch=batch)
    assert results(tmp_path / "many") == results(tmp_path / "one")


def test_few_pictures_are_in_memory_at_a_time(predictor, folder, tmp_path, monkeypatch):
    for number in range(40):
        Image.new("RGB", (8, 8)).save(folder / f"n{number}.png")
    alive, most = [0], [0]
    note = stages.Stages._noted
    lock = threading.Lock()

    def read(path, *how, **content):
        with lock:
            alive[0] += 1
            most[0] = max(most[0], alive[0])
        return read_reduced(path, *how, **content)

    def finished(self, picture, maps):
        with lock:
            alive[0] -= 1
        return note(self, picture, maps)

    monkeypatch.setattr(stages, "read_reduced", read)
    monkeypatch.setattr(stages.Stages, "_noted", finished)
    run_folder(predictor, [folder], tmp_path / "out")
    assert alive[0] == 0 and most[0] <= 12
