"""A training run that is killed at any step and started again ends with the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bottomup.errors import DataError, SettingsError
from bottomup.training.checkpoint import load_snapshot
from bottomup.training.config import DataSet, Dev, Optimiser, Phase, TrainSettings
from bottomup.training.loop import train

STEPS = 6


def write_set(folder: Path) -> Path:
    """Four small pictures, each with one person, in COCO's layout."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(1, 5):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 255, (80, 70, 3)).astype(np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "width": 70, "height": 80})
        joints = np.column_stack((rng.uniform(10, 60, 17), rng.uniform(10, 70, 17), np.full(17, 2)))
        person = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "num_keypoints": 17}
        annotations.append(person | {"keypoints": joints.reshape(-1).tolist(), "bbox": [8, 8, 54, 64], "area": 3000})
    path = folder / "people.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": []}))
    return path


def settings(folder: Path, labels: Path, **changes) -> TrainSettings:
    given = dict(
        out=str(folder),
        steps=STEPS,
        sets=(DataSet(str(labels), 1.0),),
        network={"name": "mspaf_mobile", "widths": [16, 16, 16]},
        start="random",
        phases=(Phase(64, 2, 0.5), Phase(96, 2, 0.5)),
        optimiser=Optimiser(warmup=2, kernels=2e-3),
        dev=Dev(every=1000),
        road={"mean": [127.0] * 3, "std": [128.0] * 3},
        device="cpu",
        threads=1,
        workers=0,
        save_every=1,
    )
    return TrainSettings(**(given | changes))


class Losses:
    """Keeps the total loss of every step; raises at the step it is told to die at."""

    def __init__(self, die_before: int | None = None) -> None:
        self.totals, self.die_before = {}, die_before

    def step(self, step, losses, rate, seconds):
        if step == self.die_before:
            raise KeyboardInterrupt
        self.totals[step] = float(losses["total"])

    def judged(self, step, numbers):
        self.totals[f"dev {step}"] = numbers["AP"]


def weights_of(network: torch.nn.Module) -> bytes:
    return b"".join(t.numpy().tobytes() for t in network.state_dict().values())


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def undisturbed(labels: Path, tmp_path_factory: pytest.TempPathFactory):
    log = Losses()
    network = train(settings(tmp_path_factory.mktemp("whole"), labels), log)
    return log.totals, weights_of(network)


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_an_interrupted_run_repeats_what_the_undisturbed_one_did(labels, undisturbed, tmp_path, stop) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(settings(tmp_path, labels, save_every=2), Losses(die_before=stop))
    log = Losses()
    network = train(settings(tmp_path, labels, save_every=2), log)
    totals, weights = undisturbed
    assert log.totals and log.totals == {step: totals[step] for step in log.totals}
    assert weights_of(network) == weights


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import test_resume as t
t.train(t.settings(Path({out!r}), Path({labels!r})), t.Losses())
"""


def test_a_run_killed_by_the_system_goes_on_exactly(labels, undisturbed, tmp_path) -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent), out=str(tmp_path), labels=str(labels))
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (tmp_path / "last.pt").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1].decode()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    log = Losses()
    network = train(settings(tmp_path, labels), log)
    assert log.totals == {step: undisturbed[0][step] for step in log.totals}
    assert weights_of(network) == undisturbed[1]


def test_a_broken_last_snapshot_falls_back_to_the_one_before(labels, undisturbed, tmp_path) -> None:
    train(settings(tmp_path, labels), Losses())
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2])
    state = load_snapshot(tmp_path)
    assert state is not None and state["step"] == STEPS - 1
    log = Losses()
    assert weights_of(train(settings(tmp_path, labels), log)) == undisturbed[1]
    assert list(log.totals) == [STEPS - 1]


def test_snapshots_that_are_all_broken_are_an_error_and_not_a_fresh_start(labels, tmp_path) -> None:
    (tmp_path / "last.pt").write_bytes(b"half")
    with pytest.raises(DataError, match="last.pt"):
        train(settings(tmp_path, labels), Losses())


def test_resuming_with_other_settings_is_refused(labels, tmp_path) -> None:
    train(settings(tmp_path, labels, steps=1), Losses())
    with pytest.raises(SettingsError, match="seed, steps|steps, seed|steps.*seed"):
        train(settings(tmp_path, labels, seed=5), Losses())


def test_the_judge_is_asked_when_it_is_due_and_sees_averaged_weights_in_eval_mode(labels, tmp_path) -> None:
    seen = []

    def judge(network: torch.nn.Module) -> dict[str, float]:
        seen.append(network.training)
        return {"AP": 0.25}

    log = Losses()
    train(settings(tmp_path, labels, steps=3, dev=Dev(every=2)), log, judge)
    assert seen == [False, False] and log.totals["dev 2"] == 0.25 and log.totals["dev 3"] == 0.25


def test_a_missing_set_is_named_before_anything_is_trained(labels, tmp_path) -> None:
    gone = settings(tmp_path, labels.parent / "gone.json")
    with pytest.raises(DataError, match="gone.json"):
        train(gone, Losses())
    assert not list(tmp_path.iterdir())


def test_cuda_that_is_not_there_is_an_error(labels, tmp_path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(SettingsError, match="cuda"):
        train(settings(tmp_path, labels, device="cuda"), Losses())
