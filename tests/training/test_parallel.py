"""Processes that share a batch: they start alike, learn what one process learns, and survive each other's end."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from bottomup.errors import SettingsError
from bottomup.training.config import Phase
from bottomup.training.loop import train
from bottomup.training.muon import Muon
from bottomup.training.parallel import (
    Group,
    average_gradients,
    join_group,
    mean_over_processes,
    process_leads,
    share_start,
)
from tests.training.small import Losses, farthest, finished, settings, start, write_set, written_losses

FOUR = (Phase(64, 4, 0.5), Phase(96, 4, 0.5))
PARTS = """
import json
from dataclasses import replace
import torch.distributed as dist
from bottomup.training.muon import Muon
from bottomup.training.norms import set_batch_norms
from bottomup.training.parallel import *

group = join_group(torch.device("cpu"))
torch.manual_seed(group.rank)
network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
share_start(network, group)
found = [network[0].weight.tolist()]
inputs = torch.arange(24.0).view(8, 3)[group.rank :: 2]
network.eval()(inputs).square().mean().backward()
average_gradients(network.parameters(), group)
found.append(network[0].weight.grad.tolist())
found.append(mean_over_processes(torch.tensor([1.0, group.rank]), group).tolist())
layers = [network[0].weight, network[2].weight]
Muon([{"params": layers}], group=group).step()
found.append([layer.tolist() for layer in layers])

torch.manual_seed(3)
norm, x, goal = nn.BatchNorm2d(3, eps=1e-3), 5 + torch.randn(4, 3, 5, 6), torch.randn(4, 3, 5, 6)
nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
set_batch_norms(norm, "synced", group)
share, goal = x[group.rank :: 2].clone().requires_grad_(), goal[group.rank :: 2]
(norm(share) - goal).square().mean().backward()
average_gradients(norm.parameters(), group)
gradients = [norm.weight.grad, norm.bias.grad, share.grad / 2]
torch.save([gradients, norm.state_dict()], folder / f"norm{group.rank}")
(folder / f"{group.rank}.json").write_text(json.dumps(found))

for accumulate in (1, 2):
    phases = [Phase(phase.size, 4, phase.share, accumulate) for phase in settings("", "").phases]
    given = settings(folder / f"out{accumulate}", folder / "people.json", phases=tuple(phases), save_every=100)
    if accumulate == 2:
        given = replace(given, batch_norm="frozen")
    train(given, Losses(file=folder / f"losses{accumulate}") if group.leads else None)
log = Losses(file=folder / "plain") if group.leads else None
network = train(settings(folder / "plain.out", folder / "people.json"), log)
(folder / f"plain.weights{group.rank}").write_bytes(weights_of(network))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes found and learned."""
    folder = tmp_path_factory.mktemp("two")
    write_set(folder)
    finished(start(PARTS, folder, 2))
    return folder


def test_two_processes_start_alike_and_average_their_gradients(folder: Path) -> None:
    one, two = (json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1))
    assert one == two
    torch.manual_seed(0)
    alone = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)).eval()
    alone(torch.arange(24.0).view(8, 3)).square().mean().backward()
    assert one[0] == alone[0].weight.tolist() and one[2] == [1.0, 0.5]
    assert torch.allclose(torch.tensor(one[1]), alone[0].weight.grad, rtol=1e-5)
    layers = [alone[0].weight, alone[2].weight]
    Muon([{"params": layers}]).step()
    for found, layer in zip(one[3], layers, strict=True):
        assert torch.allclose(torch.tensor(found), layer, rtol=1e-4)


def test_a_synced_batch_norm_is_that_of_the_whole_batch(folder: Path) -> None:
    torch.manual_seed(3)
    norm, x, goal = nn.BatchNorm2d(3, eps=1e-3), 5 + torch.randn(4, 3, 5, 6), torch.randn(4, 3, 5, 6)
    nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    (norm(x.requires_grad_()) - goal).square().mean().backward()
    for rank in (0, 1):
        (scale, shift, inputs), state = torch.load(folder / f"norm{rank}")
        assert torch.allclose(scale, norm.weight.grad, atol=1e-6) and torch.allclose(shift, norm.bias.grad, atol=1e-6)
        assert torch.allclose(inputs, x.grad[rank::2], atol=1e-7) and inputs.abs().max() > 1e-3
        assert farthest(state, norm.state_dict()) < 1e-6 and state["num_batches_tracked"] == 1


@pytest.mark.parametrize(("accumulate", "changes"), [(1, {}), (2, {"batch_norm": "frozen"})])
def test_two_processes_learn_what_one_learns_from_the_same_batches(folder: Path, tmp_path, accumulate, changes) -> None:
    """Also in pieces, where batch norms take no statistics of them."""
    log = Losses()
    alone = train(settings(tmp_path, folder / "people.json", phases=FOUR, save_every=100, **changes), log)
    together = dict(written_losses(folder / f"losses{accumulate}"))
    assert together.keys() == log.found.keys()
    for step, losses in log.found.items():
        assert together[step] == pytest.approx(losses, rel=1e-5, abs=1e-7), step
    state = torch.load(folder / f"out{accumulate}" / "last.pt")
    assert farthest(state["average"], alone) < 1e-5


ELASTIC = """
import os
import signal

class Dying(Losses):
    def step(self, step, *given):
        super().step(step, *given)
        if step == 6 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            os.kill(os.getpid(), signal.SIGKILL)

log = Dying(file=folder / "losses") if os.environ["RANK"] == "0" else None
network = train(settings(folder / "out", folder / "people.json", save_every=4), log)
(folder / os.environ["RANK"]).write_bytes(weights_of(network))
"""


@pytest.mark.slow
def test_the_elastic_agent_restarts_a_killed_run_and_it_ends_with_the_same_bytes(folder: Path, tmp_path) -> None:
    """Killed at step 6, its leader at that; the last snapshot is of step 4."""
    write_set(tmp_path)
    finished(start(ELASTIC, tmp_path, 2, "--max-restarts", "1"))
    steps = [step for step, _ in written_losses(tmp_path / "losses")]
    assert steps == [*range(7), *range(4, 16)]
    assert dict(written_losses(tmp_path / "losses")) == dict(written_losses(folder / "plain"))
    assert (tmp_path / "0").read_bytes() == (folder / "plain.weights0").read_bytes()


def test_a_single_process_is_a_group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    group = join_group(torch.device("cpu"))
    assert (group.rank, group.size, group.leads, process_leads()) == (0, 1, True, True)
    network = nn.Linear(2, 1)
    network(torch.ones(1, 2)).sum().backward()
    average_gradients(network.parameters(), group)
    share_start(network, group)
    assert network.weight.grad.tolist() == [[1, 1]] and mean_over_processes(torch.ones(2), group).tolist() == [1, 1]


def test_a_batch_is_shared_evenly_or_refused() -> None:
    assert Group(1, 4).share(12) == 3 and not Group(1, 4).leads and Group(0, 2).share(12, 3) == 6
    with pytest.raises(SettingsError, match="batch of 10 .* 4 processes; take"):
        Group(0, 4).share(10)
    with pytest.raises(SettingsError, match="batch of 12 .* 2 processes in 4 pieces"):
        Group(0, 2).share(12, 4)
