"""A training run that is killed at any step and started again ends with the same bytes."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from bottomup.errors import DataError, SettingsError
from bottomup.training.checkpoint import load_snapshot
from bottomup.training.config import Dev, Phase
from bottomup.training.loop import train
from bottomup.training.termination import Terminated
from tests.training.small import STEPS, Losses, finished, settings, start, weights_of, write_set, written_losses


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def undisturbed(labels: Path, tmp_path_factory: pytest.TempPathFactory):
    log = Losses()
    network = train(settings(tmp_path_factory.mktemp("whole"), labels), log)
    return log.found, weights_of(network)


@pytest.mark.parametrize("stop", [1, 7, 8, 12])
def test_an_interrupted_run_repeats_what_the_undisturbed_one_did(labels, undisturbed, tmp_path, stop) -> None:
    """Within an epoch, at its border (every second step), and at a phase's (step 8)."""
    with pytest.raises(KeyboardInterrupt):
        train(settings(tmp_path, labels, save_every=2), Losses(die_before=stop))
    log = Losses()
    network = train(settings(tmp_path, labels, save_every=2), log)
    found, weights = undisturbed
    assert log.found and log.found == {step: found[step] for step in log.found}
    assert weights_of(network) == weights


WORKER_RUN = """
log = Losses(file=folder / "losses", pause=0.05)
train(settings(folder / "out", folder / "people.json", steps=2 * STEPS, save_every=3, workers=1), log)
"""


def test_a_run_killed_by_the_system_repeats_the_batches_after_its_snapshot(tmp_path) -> None:
    """Killed at a step that nobody chose, with loader workers; at least 8 batches, so 4 epochs' borders, follow."""
    labels, losses = write_set(tmp_path), tmp_path / "losses"
    process = start(WORKER_RUN, tmp_path)
    stop = int(np.random.default_rng(time.time_ns()).integers(4, 2 * STEPS - 8))
    deadline = time.monotonic() + 120
    while not losses.exists() or len(written_losses(losses)) < stop:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = dict(written_losses(losses))
    log, alone = Losses(), Losses()
    network = train(settings(tmp_path / "out", labels, steps=2 * STEPS, save_every=3), log)
    undisturbed = train(settings(tmp_path / "alone", labels, steps=2 * STEPS, save_every=100), alone)
    assert len(log.found) >= 8 and min(log.found) % 3 == 0
    assert before | log.found == alone.found
    assert weights_of(network) == weights_of(undisturbed)


def test_random_numbers_within_the_network_are_repeated(labels, tmp_path) -> None:
    dropping = {"network": {"name": "tiny", "dropout": 0.4}, "save_every": 2}
    whole = train(settings(tmp_path / "whole", labels, **dropping))
    with pytest.raises(KeyboardInterrupt):
        train(settings(tmp_path / "parts", labels, **dropping), Losses(die_before=9))
    torch.manual_seed(12345)
    assert weights_of(train(settings(tmp_path / "parts", labels, **dropping))) == weights_of(whole)


class Terminating(Losses):
    """Sends SIGTERM to the own process at a step."""

    def step(self, step, *given):
        super().step(step, *given)
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_saves_at_the_next_step_and_the_run_goes_on_from_there(labels, undisturbed, tmp_path) -> None:
    handler, first, second = signal.getsignal(signal.SIGTERM), Terminating(), Losses()
    with pytest.raises(Terminated, match="stopped after step 6 of 16"):
        train(settings(tmp_path, labels, save_every=100), first)
    assert signal.getsignal(signal.SIGTERM) is handler
    network = train(settings(tmp_path, labels, save_every=100), second)
    assert list(first.found) == list(range(6)) and list(second.found) == list(range(6, STEPS))
    assert first.found | second.found == undisturbed[0] and weights_of(network) == undisturbed[1]


COMMAND_RUN = """
import sys
import yaml
from dataclasses import asdict
from bottomup.cli import main
from bottomup.settings import to_dict
given = settings(folder / "out", folder / "people.json", steps=100000, save_every=100000, workers=1)
(folder / "run.yaml").write_text(yaml.safe_dump(to_dict(given)))
sys.exit(main(["train", str(folder / "run.yaml")]))
"""


def test_sigterm_to_the_process_group_ends_the_command_with_its_exit_code(tmp_path) -> None:
    write_set(tmp_path)
    process = start(COMMAND_RUN, tmp_path)
    record, deadline = tmp_path / "out" / "metrics.jsonl", time.monotonic() + 120
    while not record.exists() or not record.stat().st_size:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)
    assert "the same command goes on from there" in finished(process, code=143)
    state = load_snapshot(tmp_path / "out")
    assert state is not None and state["step"] >= 50


def test_a_broken_last_snapshot_falls_back_to_the_one_before(labels, undisturbed, tmp_path) -> None:
    train(settings(tmp_path, labels), Losses())
    whole = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(whole[: len(whole) // 2])
    state = load_snapshot(tmp_path)
    assert state is not None and state["step"] == STEPS - 1
    log = Losses()
    assert weights_of(train(settings(tmp_path, labels), log)) == undisturbed[1]
    assert list(log.found) == [STEPS - 1]


def test_snapshots_that_are_all_broken_are_an_error_and_not_a_fresh_start(labels, tmp_path) -> None:
    (tmp_path / "last.pt").write_bytes(b"half")
    with pytest.raises(DataError, match="last.pt"):
        train(settings(tmp_path, labels), Losses())


def test_resuming_with_other_settings_is_refused(labels, tmp_path) -> None:
    train(settings(tmp_path, labels, steps=1), Losses())
    with pytest.raises(SettingsError, match="steps.*phases.*seed"):
        train(settings(tmp_path, labels, seed=5, phases=(Phase(64, 2, 1.0, accumulate=2),)), Losses())


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


class Judge:
    """Gives these APs one after the other; notes whether the network was in eval mode, and its weights."""

    def __init__(self, *aps: float) -> None:
        self.aps, self.seen = list(aps), []

    def __call__(self, network: torch.nn.Module) -> dict[str, float]:
        self.seen.append((network.training, weights_of(network)))
        return {"AP": self.aps.pop(0)}


def test_the_best_network_on_the_dev_set_is_kept(labels, tmp_path) -> None:
    from bottomup.files.weights import read_weights

    log, judge = Losses(), Judge(0.25, 0.75, 0.5, 0.5)
    train(settings(tmp_path, labels, steps=7, dev=Dev(every=2)), log, judge)
    best = tmp_path / "best.safetensors"
    assert log.judgements == [(2, 0.25, best), (4, 0.75, best), (6, 0.5, None), (7, 0.5, None)]
    assert not any(training for training, _ in judge.seen)
    state = torch.load(tmp_path / "best.pt", weights_only=True)
    assert (state["step"], state["best"], load_snapshot(tmp_path)["step"]) == (4, 0.75, 7)
    assert b"".join(t.numpy().tobytes() for t in state["average"].values()) == judge.seen[1][1]
    tensors, header = read_weights(best)
    assert header["training"]["steps"] == 4
    assert all(torch.allclose(t, state["average"][name], rtol=1e-3, atol=1e-5) for name, t in tensors.items())


def test_a_resumed_run_remembers_the_best(labels, tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(settings(tmp_path, labels, dev=Dev(every=2)), Losses(die_before=5), Judge(0.5, 0.75))
    log = Losses()
    train(settings(tmp_path, labels, dev=Dev(every=6)), log, Judge(0.6, 0.8, 0.1))
    assert [(step, kept is not None) for step, _, kept in log.judgements] == [(6, False), (12, True), (16, False)]


def test_an_evaluation_that_fails_costs_no_steps(labels, tmp_path):
    def fails(network: torch.nn.Module) -> dict[str, float]:
        raise OSError("the dev set is gone")

    with pytest.raises(OSError, match="dev set"):
        train(settings(tmp_path, labels, steps=3, dev=Dev(every=100)), None, fails)
    assert load_snapshot(tmp_path)["step"] == 3
