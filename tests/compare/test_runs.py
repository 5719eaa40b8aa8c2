"""Systems that are run: each in its own process, timed by stage, with memory and maps."""

import json
import multiprocessing
import os
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bottomup.compare.comparison import compare
from bottomup.compare.overlays import heat_layer, paf_layer
from bottomup.compare.runs import Description, Runner, started
from bottomup.compare.settings import CompareSettings, System
from bottomup.core import COCO17, Maps
from bottomup.errors import InputError, SettingsError
from bottomup.files.weights import save_weights, tensors_to_keep
from bottomup.nets import build

BOTTOM_UP = {"name": "mspaf_mobile", "joints": 17, "limbs": 19, "tags": 1, "widths": [16, 16, 16]}
TOP_DOWN = {"name": "simplebaseline", "joints": 17, "depth": 18, "width": 8}


def write_weights(path, method, network, **road):
    torch.manual_seed(0)
    header = {"format": 1, "method": method, "network": network, "skeleton": COCO17.to_dict(), "road": road}
    save_weights(path, tensors_to_keep(build(**network)), header)
    return str(path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Small random networks of both roads."""
    place = tmp_path_factory.mktemp("weights")
    return {
        "bottom-up": write_weights(place / "b.safetensors", "bottomup", BOTTOM_UP, long_side=96, sigma=1.5),
        "top-down": write_weights(place / "t.safetensors", "topdown", TOP_DOWN, size=[32, 64]),
    }


@pytest.fixture(scope="module")
def settings(folder, weights, truth):
    boxes = [{"image_id": a["image_id"], "bbox": a["bbox"], "score": 1.0} for a in truth["annotations"]]
    (folder / "boxes.json").write_text(json.dumps(boxes))
    systems = (
        System("bottom-up", weights=weights["bottom-up"]),
        System("top-down", weights=weights["top-down"], boxes=str(folder / "boxes.json")),
        System("good", results=str(folder / "good.json")),
    )
    more = {"images": str(folder / "images"), "device": "cpu", "warm_up": 1, "rounds": 2}
    return CompareSettings(str(folder / "gt.json"), str(folder / "run"), systems, **more)


@pytest.fixture(scope="module")
def report(settings):
    return compare(settings)


def test_stages_are_timed_for_systems_that_run_and_only_for_them(report):
    up, down, good = report["systems"]
    assert list(up["time"]["stages"]) == ["read", "network", "grouping", "other"]
    assert {"read", "crops", "network", "decoding", "other"} == set(down["time"]["stages"])
    assert good["time"] is None
    for system in (up, down):
        assert sum(system["time"]["stages"].values()) == pytest.approx(system["time"]["mean"], rel=0.5)
        assert min(system["time"]["seconds"]) > 0 and system["time"]["people"] == [1, 2, 4, 6]


def test_boxes_and_methods_are_said(report, settings):
    up, down, good = report["systems"]
    assert (up["method"], up["boxes"]) == ("bottom-up", "none")
    assert (down["method"], down["boxes"]) == ("top-down", settings.systems[1].boxes)
    assert (good["method"], good["boxes"]) == ("results file", "not said")


def test_peak_memory_is_of_each_process_alone(report):
    up, down, _ = report["systems"]
    for system in (up, down):
        assert 100 * 2**20 < system["time"]["memory"] < 4 * 2**30 and system["time"]["gpu_memory"] is None


def test_the_crossing_of_the_two_roads_is_told(report, settings):
    (crossing,) = report["crossings"]
    assert {crossing["faster"], crossing["slower"]} == {"bottom-up", "top-down"}
    markdown = (Path(settings.out) / "report.md").read_text()
    assert "## The crossing point" in markdown and "bottom-up" in markdown.partition("crossing point")[2]


def test_maps_of_bottom_up_systems_are_on_the_page(report, settings):
    page = (Path(settings.out) / "index.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    for picture in data["pictures"]:
        up, down, good = picture["layers"]
        assert set(up) == {"heatmaps", "pafs"} and not down and not good
        assert up["pafs"].startswith("data:image/png;base64,") and len(up["pafs"]) < 60_000


def test_examples_take_the_place_of_labelled_pictures(settings, folder, tmp_path):
    systems = (settings.systems[0], settings.systems[2])
    compare(replace(settings, systems=systems, show=str(folder / "images"), out=str(tmp_path), pictures=2, rounds=1))
    page = (tmp_path / "index.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert not data["labelled"] and [picture["name"] for picture in data["pictures"]] == ["1.jpg", "2.jpg"]
    assert [system["name"] for system in data["systems"]] == ["bottom-up"]  # results know nothing of other pictures
    assert all(picture["truth"] is None and picture["image"] for picture in data["pictures"])


def test_examples_need_a_system_that_runs(settings, folder):
    systems = (System("a", results=str(folder / "good.json")), System("b", results=str(folder / "weak.json")))
    with pytest.raises(SettingsError, match="no system is run here"):
        compare(replace(settings, systems=systems, show=str(folder / "images")))


def test_a_system_of_other_joints_is_refused_by_name(settings, monkeypatch):
    closed = []

    class Crowd:
        about = Description("bottom-up", "none", "c.safetensors", "cpu", "crowdpose14", 0.0)

        def __init__(self, *_):
            self.close = lambda: closed.append(self)

    monkeypatch.setattr("bottomup.compare.runs.Runner", Crowd)
    wanted = "bottom-up: finds joints of crowdpose14, metric coco judges coco17"
    with pytest.raises(SettingsError, match=wanted), started(settings, "coco17"):
        pass
    assert len(closed) == 1


def test_an_error_in_the_process_is_the_command_s_error(settings, tmp_path):
    systems = (settings.systems[2], System("lost", weights=str(tmp_path / "nowhere")))
    with pytest.raises(InputError, match="nowhere: no such weights file"):
        compare(replace(settings, systems=systems, out=str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_a_process_that_dies_is_told_by_the_system_s_name():
    runner = Runner.__new__(Runner)  # without loading anything
    runner.system = System("lost", results="x")
    runner._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with pytest.raises(InputError, match="lost: its process was ended from outside"):
        runner._ask(os._exit, 9)
    runner.close()


def test_maps_become_colours_that_are_clear_where_nothing_is():
    heatmaps = np.zeros((17, 4, 6), np.float32)
    heatmaps[3, 1, 2] = 1
    pafs = np.zeros((19, 2, 4, 6), np.float32)
    pafs[0, :, 0, 0], pafs[1, :, 0, 1] = (1, 0), (-1, 0)
    maps = Maps(heatmaps, pafs)
    heat, paf = heat_layer(maps), paf_layer(maps)
    assert heat.shape == paf.shape == (4, 6, 4)
    assert heat[1, 2].tolist() == [255, 230, 60, 255] and np.count_nonzero(heat[..., 3]) == 1
    assert np.count_nonzero(paf[..., 3]) == 2
    assert abs(paf[0, 0, :3].astype(int) - paf[0, 1, :3]).max() > 150  # opposite directions, opposite hues
