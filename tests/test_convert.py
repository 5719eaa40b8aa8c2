"""Published checkpoints become weights files that run as their authors ran them; what does not fit is named."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest
import torch
from PIL import Image

from bottomup import cli
from bottomup.core import OPENPOSE18, People
from bottomup.errors import DataError, InputError, SettingsError
from bottomup.files.weights import read_checkpoint, read_weights
from bottomup.nets import build, higherhrnet, hrnet, lightweight
from bottomup.nets.published import FAMILIES
from bottomup.roads.bottomup import BottomUp, BottomUpSettings
from bottomup.roads.crops import TopDownSettings
from bottomup.roads.predictor import load
from bottomup.roads.published import SYSTEMS, convert, header_of

torch.set_num_threads(1)


class Stranger:
    """Pickled by name: reading it would import this module."""


def save_as_published(network, names, path):
    """A file as training code leaves it: wrapped, every name prefixed, counters absent."""
    tensors = {f"module.{names[key]}": value for key, value in network.state_dict().items() if "num_batches" not in key}
    torch.save({"epoch": 3, "state_dict": tensors}, path)


@pytest.fixture(scope="module")
def narrow():
    """HigherHRNet of width 8, whose maps are not all alike."""
    torch.manual_seed(0)
    network = build("higherhrnet", width=8).eval()
    for head in network.final_layers:
        torch.nn.init.normal_(head.weight, std=0.3)
    return network


@pytest.fixture(scope="module")
def checkpoint(narrow, tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "pose_higher_hrnet_w8.pth.tar"
    save_as_published(narrow, higherhrnet.own_names(narrow), path)
    return path


@pytest.fixture(scope="module")
def weights(checkpoint):
    path = checkpoint.parent / "w8.safetensors"
    assert cli.main(["convert", str(checkpoint), "--as", "higherhrnet_w8", str(path)]) == 0
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "12.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(path)
    return path


def test_the_header_says_how_to_build_and_run_the_system(weights):
    _, header = read_weights(weights)
    assert header["method"] == "bottomup" and header["published"] == "higherhrnet_w8"
    assert header["network"] == {
        "name": "higherhrnet", "joints": 17, "width": 8, "tags": 1, "blocks": 4, "sigma": 2.0,
    }  # fmt: skip
    assert header["skeleton"]["name"] == "coco17"
    settings = BottomUpSettings.of(header["road"], "header")
    assert (settings.short_side, settings.multiple, settings.flip, settings.pad) == (640, 64, True, 0)


def test_the_system_computes_what_the_checkpoint_computes(weights, narrow):
    road = load(weights, "cpu", short_side=64, flip=False).road
    image = np.random.default_rng(1).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    maps = road.maps([road.prepare(image)])
    pixels = (image - np.array([123.675, 116.28, 103.53])) / np.array([58.395, 57.12, 57.375])
    with torch.no_grad():
        expected = narrow(torch.from_numpy(pixels).float().permute(2, 0, 1)[None])[-1].numpy()
    assert maps.stride == 2 and maps.tags.shape == (1, 1, 17, 32, 64)
    for ours, theirs in ((maps.heatmaps, expected.heatmaps), (maps.tags, expected.tags)):
        np.testing.assert_allclose(ours, theirs, atol=2e-2 * np.abs(theirs).max())  # a CPU may have bfloat16


def test_it_runs_end_to_end(weights, photo, tmp_path):
    arguments = ["infer", str(photo), "--out", str(tmp_path / "out"), "--weights", str(weights), "--device", "cpu"]
    assert cli.main([*arguments, "--short-side", "64"]) == 0
    entries = json.loads((tmp_path / "out" / "results.json").read_text())
    assert all(len(entry["keypoints"]) == 51 and entry["image_id"] == 12 for entry in entries)


def test_results_of_openpose_skeletons_have_the_joints_of_coco(photo, tmp_path, monkeypatch):
    network = build("lightweight_openpose")
    save_as_published(network, lightweight.own_names(network), tmp_path / "l.pth")
    header = convert(tmp_path / "l.pth", "lightweight_openpose", tmp_path / "l.safetensors")
    assert header["skeleton"]["name"] == "openpose18" and header["road"]["height"] == 368
    joints = np.arange(54, dtype=np.float32).reshape(1, 18, 3) + 1
    monkeypatch.setattr(BottomUp, "people", lambda *_: People(joints, np.ones(1), OPENPOSE18))
    arguments = ["infer", str(photo), "--weights", str(tmp_path / "l.safetensors"), "--height", "32"]
    assert cli.main([*arguments, "--out", str(tmp_path / "out"), "--draw", "--device", "cpu"]) == 0
    (entry,) = json.loads((tmp_path / "out" / "results.json").read_text())
    assert entry["keypoints"][:6] == [1, 2, 3, 46, 47, 48]  # nose, left eye: no neck between
    assert len(entry["keypoints"]) == 51


def test_top_down_weights_are_written_and_need_boxes(tmp_path, capsys, monkeypatch):
    network = build("hrnet", width=8, joints=16)
    save_as_published(network, hrnet.own_names(network), tmp_path / "h.pth")
    assert cli.main(["convert", str(tmp_path / "h.pth"), "--as", "hrnet_w8", str(tmp_path / "h.safetensors")]) == 0
    assert "method 'topdown'" in capsys.readouterr().err
    _, header = read_weights(tmp_path / "h.safetensors")
    assert header["skeleton"]["name"] == "mpii16" and header["road"]["size"] == [256, 256]
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)  # a package without a detector
    with pytest.raises(SettingsError, match="h.safetensors: top-down weights need boxes around people, .* give boxes"):
        load(tmp_path / "h.safetensors")


def test_every_published_family_can_be_run_as_its_authors_did():
    examples = ["hourglass2", "hg_s2_b1", "higherhrnet_w48", "paf6", "paf6_rtpose", "lightweight_openpose", "mspn2"]
    examples += ["ae_hourglass4", "hrnet_w32", "simplebaseline_r50", "cpn_r50", "keypointrcnn_r50_fpn"]
    assert len(examples) == len(FAMILIES)
    for name in examples:
        system = next(system for system in SYSTEMS if re.fullmatch(system.pattern, name))
        assert any(re.fullmatch(family.pattern, name) for family in FAMILIES)
        settings = system.road
        assert type(settings).of(json.loads(json.dumps(settings.to_dict())), name) == settings
        assert system.method == {BottomUpSettings: "bottomup", TopDownSettings: "topdown"}.get(
            type(settings), "keypoint_rcnn"
        )
        if isinstance(settings, TopDownSettings):
            assert settings.flip and settings.origin in (0, 2) and settings.refine in ("quarter", "second")


def test_a_network_whose_skeleton_is_not_known_is_named():
    with torch.device("meta"), pytest.raises(DataError, match="paf1: no skeleton that is known has 15 joints and 14"):
        header_of("paf1", build("paf", joints=15, limbs=14, stages=1))


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({"state_dict": {}, "config": Stranger()}, tmp_path / "c.pth")
    with pytest.raises(InputError, match=r"c\.pth: holds more than tensors, .* save its state dict alone"):
        read_checkpoint(tmp_path / "c.pth")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut short", pickle.dumps([1, 2], 2)])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    (tmp_path / "b.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"b\.pth: "):
        read_checkpoint(tmp_path / "b.pth")


def test_what_holds_no_names_is_named(tmp_path):
    torch.save([torch.zeros(2)], tmp_path / "l.pth")
    with pytest.raises(InputError, match=r"l\.pth: holds a list"):
        read_checkpoint(tmp_path / "l.pth")


def test_what_cannot_be_converted_leaves_one_line_and_no_file(checkpoint, narrow, tmp_path, capsys):
    tensors = torch.load(checkpoint, weights_only=True)["state_dict"]
    lacking = {key: value for key, value in tensors.items() if not key.endswith("final_layers.1.bias")}
    torch.save(lacking, tmp_path / "lacking.pth")
    wrong = [
        (tmp_path / "none.pth", "higherhrnet_w8", "no such checkpoint"),
        (tmp_path / "lacking.pth", "higherhrnet_w8", "1 missing: final_layers.1.bias"),
        (checkpoint, "higherhrnet_w16", "misshapen"),
        (checkpoint, "resnet_w8", "no published network is called 'resnet_w8'"),
        (checkpoint, "paf6", "is it of another network?"),
        (checkpoint, "simplebaseline_r7", "is it of another network?"),
    ]
    for path, name, named in wrong:
        assert cli.main(["convert", str(path), "--as", name, str(tmp_path / "out.safetensors")]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and named in lines[0], lines
    assert not (tmp_path / "out.safetensors").exists()
