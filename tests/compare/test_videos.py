"""PoseTrack results head to head: MOTA and AP on the page, in JSON and in Markdown."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bottomup.compare.comparison import compare
from bottomup.compare.settings import CompareSettings, System
from bottomup.errors import DataError, SettingsError
from bottomup.files.posetrack import TrackedFrame, TrackedPerson, TrackedVideo, write_posetrack

HEAD = (0.0, 0.0, 30.0, 40.0)
LINE = np.stack([100.0 * np.arange(1, 16), np.full(15, 500.0), np.ones(15)], axis=1)


def video(tracks, scores=None):
    """A person a frame, with these track ids."""
    people = [TrackedPerson(LINE, track, scores, head=HEAD) for track in tracks]
    return TrackedVideo("v", tuple(TrackedFrame(n, f"v/{n:06d}.jpg", (p,)) for n, p in enumerate(people)))


@pytest.fixture
def settings(tmp_path):
    """Truth of four frames, results that follow it, and results that change the person's id half way."""
    sure = np.full(15, 0.9)
    for name, content in (
        ("gt", video([1] * 4)),
        ("steady", video([7] * 4, sure)),
        ("jumpy", video([7, 7, 8, 8], sure)),
    ):
        write_posetrack(tmp_path / f"{name}.json", content)
    systems = tuple(System(name, results=str(tmp_path / f"{name}.json")) for name in ("steady", "jumpy"))
    return CompareSettings(str(tmp_path / "gt.json"), str(tmp_path / "out"), systems, metric="posetrack")


def test_an_id_switch_costs_mota_on_the_page_and_in_the_files(settings, tmp_path):
    report = compare(settings)
    steady, jumpy = report["systems"]
    assert (steady["numbers"]["AP"], steady["numbers"]["MOTA"]) == (100, 100)
    assert (jumpy["numbers"]["AP"], jumpy["numbers"]["MOTA"]) == (100, 75)  # one switch in four frames, each joint
    assert jumpy["numbers"]["switches"] == 15 and report["truth"]["frames"] == 4
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    for name in ("index.html", "report.md"):
        text = (tmp_path / "out" / name).read_text()
        assert "75.0" in text and "MOTA by part of the body" in text and "4 labelled frames" in text


def test_a_page_without_pictures_has_no_viewer_and_no_complaints(settings, tmp_path, browser):
    compare(settings)
    browser.emulate(360, 740)
    browser.open((tmp_path / "out" / "index.html").as_uri())
    browser.click("#theme")
    assert browser.complaints() == []
    assert browser.run("return document.getElementById('viewer')") is None
    assert browser.run("return document.documentElement.scrollWidth") <= 360


def test_weights_are_refused(settings):
    with pytest.raises(SettingsError, match="run: metric posetrack compares results"):
        compare(replace(settings, systems=(settings.systems[0], System("run", weights="default"))))


def test_results_that_cannot_be_used_are_named(settings, tmp_path):
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(DataError, match=r"bad\.json"):
        compare(replace(settings, systems=(settings.systems[0], System("bad", results=str(tmp_path / "bad.json")))))
    assert not (tmp_path / "out").exists()
