"""`bottomup evaluate --gt --results`: every metric from the command line, as JSON and to be read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.io import savemat

from bottomup import cli
from bottomup.core import SKELETONS


def labels(joints: int, **more) -> dict:
    """Two pictures with one person each, whose joints lie on a circle."""
    angles = 2 * np.pi * np.arange(joints) / joints
    circle = np.stack([200 + 50 * np.cos(angles), 200 + 50 * np.sin(angles), np.full(joints, 2.0)], 1)
    person = {"category_id": 1, "keypoints": circle.ravel().tolist(), "bbox": [150, 150, 100, 100], "area": 1e4}
    people = [person | {"id": n, "image_id": n, "bbox_head": [180, 140, 30, 40]} for n in (1, 2)]
    images = [{"id": n, "file_name": f"{n}.jpg", "crowdIndex": 0.9, "annotation_level": f"l{n}"} for n in (1, 2)]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]} | more


@pytest.fixture
def judged(tmp_path, capsys):
    """Runs the command on labels and results written to files; gives the printed text."""

    def run(truth, results, *options: str) -> str:
        paths = []
        for name, data in (("truth.json", truth), ("results.json", results)):
            paths.append(tmp_path / name)
            paths[-1].write_text(json.dumps(data))
        assert cli.main(["evaluate", "--gt", str(paths[0]), "--results", str(paths[1]), *options]) == 0
        return capsys.readouterr().out

    return run


def answers(truth: dict) -> list[dict]:
    return [{"image_id": a["image_id"], "keypoints": list(a["keypoints"]), "score": 0.5} for a in truth["annotations"]]


def test_coco_numbers_as_json(judged):
    truth = labels(17)
    numbers = json.loads(judged(truth, answers(truth)[:1], "--metric", "coco", "--json"))
    assert numbers["AP"] == pytest.approx(51 / 101) and numbers["AR"] == pytest.approx(0.5)
    assert numbers["boxes"] == "not said" and numbers["metric"] == "coco"
    assert (numbers["pictures"], numbers["people"], numbers["found"]) == (2, 2, 1)


def test_coco_is_the_metric_unless_another_is_asked_for(judged):
    truth = labels(17)
    text = judged(truth, answers(truth))
    assert "metric coco, boxes: not said" in text and "AP75               1.000" in text


def test_levels_interval_and_errors(judged):
    truth = labels(17)
    results = answers(truth)[:1]
    numbers = json.loads(judged(truth, results, "--levels", "l2", "--json"))
    assert numbers["AP"] == 0 and numbers["pictures"] == 1
    numbers = json.loads(judged(truth, results, "--errors", "--interval", "--json"))
    assert numbers["interval"] == [0, 1]
    shares = {step["name"]: step["share"] for step in numbers["errors"]["steps"]}
    assert shares["missed person"] == pytest.approx(1)
    text = judged(truth, results, "--errors", "--interval")
    assert "missed person   100.0 %" in text and "between 0.000 and 1.000" in text


def test_crowdpose(judged):
    truth = labels(14)
    numbers = json.loads(judged(truth, answers(truth), "--metric", "crowdpose", "--json"))
    assert numbers["AP"] == numbers["APhard"] == pytest.approx(1) and numbers["APeasy"] == -1


def test_pckh(judged):
    truth = labels(16)
    results = answers(truth)
    results[0]["keypoints"][0] += 10  # a right ankle 10 pixels off, of a head size of 30
    numbers = json.loads(judged(truth, results, "--metric", "pckh", "--json"))
    assert numbers["PCKh@0.5"] == 100 and numbers["PCKh@0.1"] == pytest.approx(100 * 27 / 28)
    text = judged(truth, results, "--metric", "pckh")
    assert "boxes: not said" in text
    assert ["Ankle", "100.000", "75.000", "75.000"] in [line.split() for line in text.splitlines()]


def test_pckh_of_matlab_files(tmp_path, capsys):
    true, heads = np.random.default_rng(0).uniform(1, 90, (16, 2, 5)), np.zeros((2, 2, 5))
    heads[1] = 10
    truth, results = tmp_path / "gt_valid.mat", tmp_path / "pred.mat"
    savemat(truth, {"jnt_missing": np.zeros((16, 5)), "pos_gt_src": true, "headboxes_src": heads})
    savemat(results, {"preds": true.transpose(2, 0, 1)})
    command = ["evaluate", "--gt", str(truth), "--results", str(results), "--metric", "pckh", "--json"]
    assert cli.main(command) == 0
    assert json.loads(capsys.readouterr().out)["PCKh@0.1"] == 100


def tracked(joints: int = 15) -> dict:
    """A PoseTrack video of three frames with two people, whose last `15 - joints` joints are not labelled."""
    names = SKELETONS["posetrack15"].joints
    points = np.zeros((15, 3))
    points[:joints] = [(20.0 * j + 5, 100, 1) for j in range(joints)]
    people = [
        {
            "id": 10 * frame + track,
            "image_id": frame,
            "track_id": track,
            "keypoints": (points + (0, 300 * track, 0) * (points[:, 2:] > 0)).ravel().tolist(),
            "bbox_head": [0, 0, 30, 40],
        }
        for frame in range(3)
        for track in (1, 2)
    ]
    images = [{"id": frame, "file_name": f"v/{frame}.jpg"} for frame in range(3)]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "keypoints": list(names)}]}


def test_posetrack_files(judged):
    numbers = json.loads(judged(tracked(), tracked(), "--metric", "posetrack", "--json"))
    assert numbers["AP"] == numbers["MOTA"] == numbers["official"]["MOTA"] == 100
    assert all(row["MOTA"] == 100 for row in numbers["joints"].values()) and numbers["switches"] == 0


def test_posetrack_folders_and_what_is_undefined(tmp_path, capsys):
    for folder in ("truth", "results"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "v.json").write_text(json.dumps(tracked(14)))
    command = ["evaluate", "--gt", str(tmp_path / "truth"), "--results", str(tmp_path / "results")]
    assert cli.main([*command, "--metric", "posetrack", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["joints"]["right_ankle"]["AP"] is None and numbers["AP"] == 100
    assert cli.main([*command, "--metric", "posetrack"]) == 0
    text = capsys.readouterr().out
    assert "official: AP 93.333" in text and "Ankle             100.000  100.000" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--gt a.json", "--gt needs --results"),
        ("--gt a.json --results b.json --flip", "--flip runs a system, which goes with --data"),
        ("--gt a.json --results b.json --long-side 300", "--long-side runs a system"),
        ("--gt a.json --results b.json --images d", "--images runs a system"),
        ("--data a.json --results b.json", "--results judges results that there are, which goes with --gt"),
        ("--data a.json --metric coco", "--metric judges results"),
        ("--gt a.json --results b.json --metric posetrack --errors", "--metric posetrack has no --errors"),
        ("--gt a.json --results b.json --metric pckh --interval", "--metric pckh has no --interval"),
        ("--gt a.json --results b.json --metric crowdpose --errors", "--metric crowdpose has no --errors"),
        ("--gt no/file.json --results b.json", "no/file.json: cannot be read"),
    ],
)
def test_wrong_combinations_are_one_line(arguments, words, capsys):
    assert cli.main(["evaluate", *arguments.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and words in line


@pytest.mark.parametrize("arguments", ["", "--data a --gt b", "--gt a --results b --metric mota"])
def test_arguments_that_cannot_be_meant_exit_with_2(arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["evaluate", *arguments.split()])
    assert stop.value.code == 2
