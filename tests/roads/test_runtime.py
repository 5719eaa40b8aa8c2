"""Roads by other runtimes: the same people, or torch with a word about why."""

import logging

import numpy as np
import pytest
import torch

from bottomup.core import Maps
from bottomup.errors import SettingsError
from bottomup.roads import runtime
from bottomup.roads.runtime import engines_of, run_by


def test_torch_needs_no_change(make_road):
    road = make_road()
    before = road.engine.network
    assert run_by(road, "torch") == "torch" and road.engine.network is before
    assert engines_of(road) == [road.engine]


def test_the_road_goes_on_with_what_the_runtime_answers(make_road, picture, figures, monkeypatch):
    road = make_road()
    image = picture((256, 192), figures)
    (people,) = road([image])
    network, calls = road.engine.network, []

    def session(images: torch.Tensor) -> list[Maps]:
        calls.append(tuple(images.shape))
        return network(images)

    monkeypatch.setattr(runtime, "candidates", lambda *_: ["openvino", "torch"])
    monkeypatch.setattr("bottomup.runtimes.accelerate.accelerated", lambda *_: session)
    assert run_by(road, "auto") == "openvino"
    np.testing.assert_array_equal(road([image])[0].joints, people.joints)
    assert calls == [(1, 3, 192, 256)]
    with pytest.raises(SettingsError, match="another runtime already"):
        runtime._change([road.engine], "openvino", "float32")


def test_auto_says_why_it_stays_with_torch_and_a_named_runtime_is_an_error(make_road, monkeypatch, caplog):
    def refused(*_):
        raise SettingsError("this network cannot be written")

    monkeypatch.setattr("bottomup.runtimes.accelerate.accelerated", refused)
    monkeypatch.setattr(runtime, "candidates", lambda name, *_: ["openvino", "torch"] if name == "auto" else [name])
    with caplog.at_level(logging.WARNING):
        assert run_by(make_road(), "auto") == "torch"
    assert "cannot be written" in caplog.text
    with pytest.raises(SettingsError, match="cannot be written"):
        run_by(make_road(), "openvino")


def test_a_road_without_engines_is_run_by_torch(make_road):
    road = make_road()
    del road.engine
    assert run_by(road, "auto") == "torch"
    with pytest.raises(SettingsError):
        run_by(road, "openvino")


def test_a_reduced_picture_gives_the_people_of_the_whole_one(make_road, picture, figures):
    import cv2

    road = make_road()
    large = picture((1024, 768), 4 * figures)
    half = cv2.resize(large, (512, 384), interpolation=cv2.INTER_AREA)
    assert road.share(1024, 768) == 0.25
    prepared = [road.prepare(large), road.prepare(half, None, (1024, 768))]
    whole, reduced = (road.people(road.maps([each])[0], each) for each in prepared)
    assert prepared[1].size == (1024, 768) and len(whole) == len(reduced) == 2
    np.testing.assert_allclose(reduced.joints[..., :2], whole.joints[..., :2], atol=0.5)  # pixels of the large one
