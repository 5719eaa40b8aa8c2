"""Every configuration that is shipped can be loaded, and what it names exists and fits together."""

from dataclasses import asdict
from pathlib import Path

import pytest

from bottomup.core import SKELETONS
from bottomup.files.weights import default_weights, read_weights
from bottomup.nets import build
from bottomup.roads.bottomup import BottomUpSettings
from bottomup.roads.crops import TopDownSettings
from bottomup.roads.detector import DetectorSettings
from bottomup.roads.rcnn import RCNNSettings
from bottomup.settings import load_settings
from bottomup.training.config import TrainSettings
from bottomup.training.schedule import phase_bounds
from bottomup.training.weights import weights_header

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
CONFIGS = [path for path in CONFIGS if path.stem != "compare"]  # that one is of a comparison: tests/compare

ROADS = {
    "bottomup": BottomUpSettings,
    "topdown": TopDownSettings,
    "detector": DetectorSettings,
    "keypoint_rcnn": RCNNSettings,
}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_builds_its_system(path: Path) -> None:
    settings = load_settings(TrainSettings, path)
    skeleton, network = SKELETONS[settings.skeleton], build(**settings.network)
    if settings.method != "detector":
        assert network.joints == len(skeleton)
    if settings.method == "bottomup":
        assert network.limbs == len(skeleton.limbs)
    ROADS[settings.method].of(settings.road, str(path))
    assert all(name in dict(network.named_modules()) for name in (*settings.adopt, *settings.fixed))
    assert phase_bounds(settings.phases, settings.steps)[-1][1] == settings.steps
    assert all(phase.size % 32 == 0 for phase in settings.phases)
    assert all(s.unlabelled in ("absent", "unknown") and 0 < s.confidence <= 1 for s in settings.sets)


def test_the_default_comes_first_and_one_override_changes_one_thing() -> None:
    path = next(path for path in CONFIGS if path.stem == "default")
    plain, changed = load_settings(TrainSettings, path), load_settings(TrainSettings, path, ["optimiser.rate=5e-4"])
    differences = [key for key, value in asdict(plain).items() if asdict(changed)[key] != value]
    assert differences == ["optimiser"] and changed.optimiser.rate == 5e-4


def test_the_header_of_weights_is_enough_to_build_and_run_them() -> None:
    settings = load_settings(TrainSettings, next(path for path in CONFIGS if path.stem == "default"))
    header = weights_header(settings, 10, ["an earlier run"])
    assert build(**header["network"]).joints == len(header["skeleton"]["joints"])
    assert header["training"]["sources"] == ["an earlier run"] and header["training"]["steps"] == 10
    BottomUpSettings.of(header["road"], "header")


@pytest.mark.parametrize("name", ["default", "topdown", "detector"])
def test_shipped_weights_name_no_path_of_the_machine_that_trained_them(name):
    settings = read_weights(default_weights(name))[1]["training"]["settings"]
    paths = [settings["out"], settings["start"], *(part["labels"] for part in settings["sets"])]
    assert not [path for path in paths if Path(path).is_absolute()]
