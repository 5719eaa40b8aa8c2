"""`bottomup export` and `infer --engine`, `--rows`: the options as the command line takes them."""

import json

import pytest

from bottomup.cli import main
from bottomup.runtimes.choice import missing_packages


@pytest.mark.skipif(bool(missing_packages("openvino")), reason="openvino is not installed")
def test_the_default_system_is_exported_and_said_how_to_feed(tmp_path, capsys):
    assert main(["export", "default", str(tmp_path / "m.xml"), "--format", "openvino"]) == 0
    said = capsys.readouterr().err
    assert "sides multiples of 32" in said and "mean" in said and "heatmaps, pafs, tags" in said
    assert (tmp_path / "m.bin").stat().st_size > 1e6


def test_a_suffix_that_does_not_fit_is_an_error(tmp_path, capsys):
    assert main(["export", "default", str(tmp_path / "m.xml"), "--format", "onnx"]) == 2
    assert "ends in .onnx" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--engine", "ray", "--draw"], "--draw is for --engine local"),
        (["--engine", "ray", "--workers", "0"], "--workers is 0"),
        (["--device", "cpu", "--runtime", "torch", "--precision", "bfloat16"], "runtime openvino"),
    ],
)
def test_options_that_do_not_go_together_are_errors(root, tmp_path, capsys, more, said):
    assert main(["infer", str(root / "examples"), "--out", str(tmp_path / "out"), *more]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_rows_are_one_a_picture(root, tmp_path):
    picture, out = root / "examples" / "yoga_pose.jpg", tmp_path / "out"
    command = ["infer", str(picture), "--out", str(out), "--runtime", "torch", "--long-side", "128", "--rows", "jsonl"]
    assert main(command) == 0
    (row,) = map(json.loads, (out / "rows.jsonl").read_text().splitlines())
    assert row["file_name"] == "yoga_pose.jpg" and (row["width"], row["height"]) == (800, 534)
    assert len(row["instances"]) == row["people"] == len(json.loads((out / "results.json").read_text()))
