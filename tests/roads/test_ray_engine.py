"""On a cluster: a worker runs the same stages on rows, and every row is noted once, whoever dies."""

import io
import json
import os
import tarfile

import pytest
from PIL import Image

from bottomup.errors import DataError, InputError, SettingsError
from bottomup.files.bundles import content_signature
from bottomup.files.images import find_images
from bottomup.files.results import Outputs
from bottomup.roads import ray_engine
from bottomup.roads.pipeline import run_folder, settings_of
from bottomup.roads.predictor import load
from bottomup.roads.ray_engine import Worker, run_ray


@pytest.fixture
def photos(tmp_path, picture, figures):
    """Pictures with two people, one and nobody; one that is broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(picture((256, 192), figures)).save(folder / "7.png")
    Image.fromarray(picture((192, 256), figures[:1])).save(folder / "b.png")
    Image.new("RGB", (30, 20)).save(folder / "c.png")
    (folder / "d.png").write_bytes(b"broken")
    return folder


def rows_of(photos):
    return [
        {"name": file.name, "path": str(file.path), "id": number, "state": [number]}
        for number, file in enumerate(find_images([photos]))
    ]


def answers_of(worker, batch):
    columns = worker(batch)
    return {
        name: json.loads(line) if line else None for name, line in zip(columns["name"], columns["line"], strict=True)
    }


def test_a_worker_gives_what_a_folder_run_gives(predictor, photos, tmp_path):
    run_folder(predictor, [photos], tmp_path / "out")
    wanted = json.loads((tmp_path / "out" / "results.json").read_text())
    found = answers_of(Worker(lambda: predictor, {}), {"row": [json.dumps(row) for row in rows_of(photos)]})
    assert [found[name][0]["status"] for name in ("7.png", "b.png", "c.png", "d.png")] == ["ok", "ok", "empty", "error"]
    assert [e["keypoints"] for e in found["7.png"][1]] == [e["keypoints"] for e in wanted if e["image_id"] == 7]


def test_a_worker_reads_bytes_and_leaves_out_what_is_done(predictor, photos):
    content = {path.name: path.read_bytes() for path in photos.iterdir()}
    done = {"7.png": content_signature(content["7.png"]), "b.png": content_signature(b"before it changed")}
    batch = {"name": list(content), "content": list(content.values())}
    found = answers_of(Worker(lambda: predictor, done), batch)
    assert found["7.png"] is None and len(found["b.png"][1]) == 1
    assert found["d.png"][0]["status"] == "error" and "d.png" in found["d.png"][0]["error"]


def test_a_row_that_comes_again_is_noted_once_and_another_of_its_name_is_an_error(predictor, photos, tmp_path):
    outputs = Outputs(tmp_path / "out", settings_of(predictor, [photos]))
    columns = Worker(lambda: predictor, {})({"row": [json.dumps(row) for row in rows_of(photos)]})
    answers = [
        {"name": n, "state": json.loads(s), "line": line}
        for n, s, line in zip(columns["name"], columns["state"], columns["line"], strict=True)
    ]
    assert ray_engine._noted(iter(answers + answers), outputs, False) == ["7.png", "b.png", "c.png", "d.png"]
    outputs.close()
    assert len((tmp_path / "out" / "journal.jsonl").read_text().splitlines()) == 4
    with pytest.raises(DataError, match="7.png: two pictures have this name"):
        ray_engine._noted(iter([answers[0], answers[0] | {"state": [99]}]), outputs, False)


def test_nothing_to_do_and_boxes_for_shards_are_errors(predictor, tmp_path):
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="no pictures there"):
        run_ray(lambda: predictor, predictor, [tmp_path / "bare"], tmp_path / "out")
    (tmp_path / "bare" / "s.tar").write_bytes(b"")
    predictor.road.boxes = object()
    with pytest.raises(SettingsError, match="use a folder"):
        run_ray(lambda: predictor, predictor, [tmp_path / "bare"], tmp_path / "out")


def test_without_ray_one_line_says_how_to_install_it(predictor, photos, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(SettingsError, match=r"pip install 'bottomup\[distributed\]'"):
        run_ray(lambda: predictor, predictor, [photos], tmp_path / "out")


def mortal(flag, name):
    """What gives a predictor whose process dies, once, when it meets the picture of this number."""

    def make():
        predictor = load(device="cpu", long_side=64)
        prepare = predictor.road.prepare

        def fatal(image, image_id=None, size=None):
            if image_id == name and not os.path.exists(flag):
                open(flag, "w").close()
                os._exit(1)
            return prepare(image, image_id, size)

        predictor.road.prepare = fatal
        return predictor

    return make


@pytest.mark.slow
def test_a_worker_that_dies_loses_and_doubles_nothing(root, tmp_path):
    pytest.importorskip("ray.data")
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(80):
        (photos / f"{number}.jpg").symlink_to(root / "examples" / "yoga_pose.jpg")
    plain, flag = load(device="cpu", long_side=64), tmp_path / "died"
    run_folder(plain, [photos], tmp_path / "alone")
    run_ray(mortal(str(flag), 40), plain, [photos], tmp_path / "ray", workers=2)
    assert flag.exists()
    assert (tmp_path / "ray" / "results.json").read_bytes() == (tmp_path / "alone" / "results.json").read_bytes()
    assert len((tmp_path / "ray" / "journal.jsonl").read_text().splitlines()) == 80


@pytest.mark.slow
def test_shards_and_tables_give_one_row_a_picture_and_a_second_run_does_nothing(root, tmp_path):
    pytest.importorskip("ray.data")
    import pyarrow
    from pyarrow import parquet

    content = (root / "examples" / "yoga_pose.jpg").read_bytes()
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for number in range(5):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    parquet.write_table(pyarrow.table({"name": ["x", "y"], "image": [content, b"broken"]}), tmp_path / "t.parquet")
    plain, out = load(device="cpu", long_side=64), tmp_path / "out"
    inputs = [tmp_path / "s.tar", tmp_path / "t.parquet"]
    counts = run_ray(lambda: load(device="cpu", long_side=64), plain, inputs, out, workers=2, rows="parquet")
    assert (counts["ok"] + counts["empty"], counts["error"]) == (6, 1)
    names = parquet.read_table(out / "rows.parquet")["file_name"].to_pylist()
    assert names == [*(f"s.tar/{number}.jpg" for number in range(5)), "x", "y"]
    journal = (out / "journal.jsonl").read_bytes()
    assert run_ray(lambda: load(device="cpu", long_side=64), plain, inputs, out, workers=2) == counts
    assert (out / "journal.jsonl").read_bytes() == journal
