"""Start weights: of the same network, and of one for another skeleton."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bottomup.core import COCO17, POSETRACK15
from bottomup.errors import SettingsError
from bottomup.nets import build
from bottomup.training.config import TrainSettings
from bottomup.training.prepare import start_weights
from bottomup.training.weights import save_trained
from tests.training.small import settings

SMALL = {"name": "mspaf_mobile", "widths": [16, 16, 16]}


def saved(folder: Path, **changes) -> tuple[TrainSettings, torch.nn.Module]:
    """Settings and network of a COCO-17 run whose weights are in folder/start.safetensors."""
    given = settings(folder, "", network=SMALL | {"joints": 17, "limbs": 19}, **changes)
    torch.manual_seed(1)
    network = build(**given.network)
    save_trained(network, given, 1, folder / "start.safetensors")
    return given, network


def test_weights_of_the_same_network_are_taken_whole(tmp_path):
    given, source = saved(tmp_path)
    network = build(**given.network)
    start_weights(network, settings(tmp_path, "", network=given.network, start=str(tmp_path / "start.safetensors")))
    for name, tensor in source.state_dict().items():
        assert torch.allclose(network.state_dict()[name].float(), tensor.float(), rtol=1e-3, atol=1e-6), name


def test_another_skeletons_weights_bring_what_both_share(tmp_path):
    _, source = saved(tmp_path)
    target = SMALL | {"joints": 15, "limbs": len(POSETRACK15.limbs)}
    start = {"start": str(tmp_path / "start.safetensors"), "skeleton": POSETRACK15.name}
    torch.manual_seed(2)
    network = build(**target)
    fresh = network.answers[1].weight.clone()
    start_weights(network, settings(tmp_path, "", network=target, **start))
    for joint in ("nose", "left_knee"):
        row, old = POSETRACK15.joints.index(joint), COCO17.joints.index(joint)
        assert torch.allclose(network.answers[1].weight[row], source.answers[1].weight[old], rtol=1e-3, atol=1e-6)
    top = POSETRACK15.joints.index("head_top")
    assert torch.equal(network.answers[1].weight[top], fresh[top]), "COCO has no head top"
    assert torch.allclose(network.neck.context[0].weight, source.neck.context[0].weight, rtol=1e-3, atol=1e-6)


def test_weights_of_another_network_are_refused(tmp_path):
    saved(tmp_path)
    other = {"name": "mspaf_mobile", "widths": [24, 16, 16], "joints": 17, "limbs": 19}
    with pytest.raises(SettingsError, match="start.safetensors holds another network"):
        start_weights(build(**other), settings(tmp_path, "", network=other, start=str(tmp_path / "start.safetensors")))
