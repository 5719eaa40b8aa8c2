"""Settings of a comparison are checked whole before anything runs."""

from pathlib import Path

import pytest

from bottomup.compare.settings import CompareSettings
from bottomup.errors import SettingsError
from bottomup.settings import load_settings

CONFIG = Path(__file__).parents[2] / "configs" / "compare.yaml"
TWO = '[{"name": "a", "results": "a.json"}, {"name": "b", "results": "b.json"}]'


def loaded(systems=TWO, *more):
    return load_settings(CompareSettings, None, ["gt=gt.json", "out=out", f"systems={systems}", *more])


def test_the_shipped_comparison_is_of_the_two_roads():
    settings = load_settings(CompareSettings, CONFIG)
    assert [system.weights for system in settings.systems] == ["default", "topdown"]
    assert settings.metric == "coco" and settings.rounds >= 3


def test_defaults_need_only_truth_systems_and_where_to_write():
    settings = loaded()
    assert (settings.pictures, settings.metric, settings.images) == (60, "coco", None)
    assert [system.name for system in settings.systems] == ["a", "b"]


@pytest.mark.parametrize(
    ("systems", "problem"),
    [
        ('[{"name": "a", "results": "a.json"}]', "1 systems are named"),
        ('[{"name": "a", "results": "a"}, {"name": "a", "results": "b"}]', "two systems are called 'a'"),
        ('[{"name": "a", "results": "a"}, {"name": "b"}]', "'b' needs either weights or results"),
        ('[{"name": "a", "results": "a"}, {"name": "b", "results": "b", "weights": "w"}]', "either weights or results"),
        ('[{"name": "a", "results": "a"}, {"name": "b", "results": "b", "road": {"flip": true}}]', "road and detector"),
        ('[{"name": "a", "results": "a"}, {"name": "b", "result": "b"}]', "did you mean systems.1.results"),
    ],
)
def test_systems_that_cannot_be_compared_are_refused(systems, problem):
    with pytest.raises(SettingsError, match=problem):
        loaded(systems)


@pytest.mark.parametrize("setting", ["pictures=-1", "rounds=0", "warm_up=-1", "threads=0", "metric=mota"])
def test_wrong_values_are_named(setting):
    with pytest.raises(SettingsError, match=setting.partition("=")[0]):
        loaded(TWO, setting)
