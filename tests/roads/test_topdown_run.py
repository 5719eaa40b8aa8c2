"""From files to files: a top-down network with a random memory runs folders and is judged, by the command line."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from bottomup import cli
from bottomup.core import COCO17
from bottomup.files.weights import save_weights
from bottomup.nets import build, description
from bottomup.roads.crops import TopDownSettings
from bottomup.roads.predictor import load

torch.set_num_threads(1)
BOX = {"bbox": [5, 5, 40, 50], "score": 0.5}


def weights_file(path, seed, **settings):
    torch.manual_seed(seed)
    network = build("cpn_mobile", widths=(16, 16, 16))
    for head in network.answers:
        torch.nn.init.normal_(head.weight, std=0.3)
    header = {
        "format": 1,
        "method": "topdown",
        "network": description(network),
        "skeleton": COCO17.to_dict(),
        "road": TopDownSettings(**({"size": (64, 96), "least": None, "same": 1.0} | settings)).to_dict(),
    }
    save_weights(path, network.state_dict(), header)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return weights_file(tmp_path_factory.mktemp("weights") / "w.safetensors", 0)


@pytest.fixture
def pictures(tmp_path):
    """7.png and 9.png, and others.png, which is number 2 of three."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate(("7.png", "9.png", "others.png")):
        pixels = np.random.default_rng(number).integers(0, 256, (60, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def boxes_file(path, entries):
    path.write_text(json.dumps([{**BOX, **entry} for entry in entries]))
    return path


def run(weights, pictures, boxes, out, *more):
    given = ["--weights", str(weights), "--boxes", str(boxes), "--runtime", "torch", "--out", str(out)]
    return cli.main(["infer", str(pictures), *given, *more])


def results(out):
    return json.loads((out / "results.json").read_text())


def test_a_folder_runs_with_boxes(weights, pictures, tmp_path, capsys):
    boxes = boxes_file(tmp_path / "det.json", [{"image_id": i} for i in (7, 7, 2)])
    assert run(weights, pictures, boxes, tmp_path / "out", "--method", "topdown", "--draw") == 0
    assert f"boxes of {boxes}" in capsys.readouterr().err
    entries = results(tmp_path / "out")
    assert [(entry["image_id"], entry["file_name"]) for entry in entries] == [
        (7, "7.png"), (7, "7.png"), (2, "others.png"),
    ]  # fmt: skip
    assert all(entry["bbox"] == BOX["bbox"] and len(entry["keypoints"]) == 51 for entry in entries)
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert [(record["status"], record["people"]) for record in records] == [("ok", 2), ("empty", 0), ("ok", 1)]
    assert (tmp_path / "out" / "drawn" / "7.png.jpg").exists()
    alone = load(weights, "cpu", boxes=boxes).road
    image = np.asarray(Image.open(pictures / "7.png"))
    np.testing.assert_allclose(
        np.reshape(entries[0]["keypoints"], (17, 3)), alone([image], [7])[0].joints[0], atol=1e-3
    )


def test_other_boxes_are_another_run(weights, pictures, tmp_path, capsys):
    boxes, out = boxes_file(tmp_path / "det.json", [{"image_id": 7}]), tmp_path / "out"
    assert run(weights, pictures, boxes, out) == 0
    assert run(weights, pictures, boxes, out) == 0  # the method follows from the weights
    assert run(weights, pictures, boxes_file(boxes, [{"image_id": 9}]), out) == 2
    assert "holds a run with other settings" in capsys.readouterr().err.splitlines()[-1]


def test_a_box_outside_fails_its_picture_alone(weights, pictures, tmp_path):
    boxes = boxes_file(tmp_path / "det.json", [{"image_id": 7}, {"image_id": 9, "bbox": [200, 5, 40, 50]}])
    assert run(weights, pictures, boxes, tmp_path / "out") == 3
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert [record["status"] for record in records] == ["ok", "error", "empty"]
    assert "det.json: image 9: box 0" in records[1]["error"] and "outside the picture" in records[1]["error"]


def test_what_cannot_run_is_one_line(weights, pictures, tmp_path, capsys, monkeypatch):
    boxes = boxes_file(tmp_path / "det.json", [{"image_id": 1234}])
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)  # a package without weights
    out = ["--out", str(tmp_path / "out")]
    for arguments, message in [
        (["--weights", str(weights), "--boxes", str(boxes)], "boxes of images such as 1234, none of the pictures"),
        (["--weights", str(weights)], "top-down weights need boxes around people, and the package has no detector"),
        (["--weights", str(weights), "--boxes", "gt"], "--boxes gt means the boxes of labels"),
        (["--weights", str(weights), "--boxes", str(boxes), "--method", "bottomup"], "'topdown', not 'bottomup'"),
        (["--weights", str(weights), "--boxes", str(boxes), "--long-side", "64"], "unknown key 'long_side'"),
        (["--method", "topdown"], "topdown.safetensors: the topdown weights are missing"),
    ]:
        assert cli.main(["infer", str(pictures), *out, *arguments]) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert len(lines) == 1 and message in lines[0], lines
    assert not (tmp_path / "out").exists()


def test_several_weights_are_averaged(weights, pictures, tmp_path, capsys):
    other = weights_file(tmp_path / "other.safetensors", 1, flip=True)
    boxes = boxes_file(tmp_path / "det.json", [{"image_id": 7}])
    assert run(weights, pictures, boxes, tmp_path / "out", "--weights", str(other)) == 0
    assert f"{weights} + {other}" in capsys.readouterr().err
    roads = [load(files, "cpu", boxes=boxes).road for files in ([weights], [other], [weights, other])]
    image = np.asarray(Image.open(pictures / "7.png"))
    first, second, both = (road.maps([road.prepare(image, 7)])[0].heatmaps for road in roads)
    np.testing.assert_allclose(both, (first + second) / 2, atol=1e-5)


@pytest.fixture
def labels(pictures, tmp_path):
    """Labels of 7.png and 9.png: two people and one."""
    person = {"category_id": 1, "iscrowd": 0, "num_keypoints": 17, "bbox": BOX["bbox"], "area": 1000.0}
    person["keypoints"] = [20.0, 30.0, 2] * 17
    images = [{"id": i, "file_name": f"{i}.png", "width": 90, "height": 60} for i in (7, 9)]
    annotations = [{**person, "id": number, "image_id": image} for number, image in enumerate((7, 7, 9), 1)]
    (pictures / "dev.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return pictures / "dev.json"


@pytest.mark.parametrize("given", ["gt", "file"])
def test_it_is_judged_in_labelled_and_in_detected_boxes(weights, labels, tmp_path, capsys, given):
    boxes = "gt" if given == "gt" else str(boxes_file(tmp_path / "det.json", [{"image_id": 9}]))
    arguments = ["--data", str(labels), "--weights", str(weights), "--boxes", boxes, "--method", "topdown"]
    assert cli.main(["evaluate", *arguments, "--device", "cpu", "--runtime", "torch"]) == 0
    out = capsys.readouterr().out
    assert f"boxes of {labels if given == 'gt' else boxes}" in out
    assert f"2 pictures, {3 if given == 'gt' else 1} people found" in out and "AP75" in out
    assert "detector" not in out and "decoding" in out
