"""Two processes that share a batch end with one network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bottomup.errors import SettingsError
from bottomup.training.muon import Muon
from bottomup.training.parallel import Group, average_gradients, join_group, process_leads, share_start

SCRIPT = """
import json, sys
import torch
from torch import nn
from bottomup.training.muon import Muon
from bottomup.training.parallel import average_gradients, join_group, share_start, wait_for_all

group = join_group(torch.device("cpu"))
torch.manual_seed(group.rank)
network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
share_start(network, group)
start = network[0].weight.tolist()
inputs = torch.arange(24.0).view(8, 3)[group.rank :: 2]
network.eval()(inputs).square().mean().backward()
average_gradients(network.parameters(), group)
gradient = network[0].weight.grad.tolist()
layers = [network[0].weight, network[2].weight]
Muon([{"params": layers}], group=group).step()
wait_for_all(group)
found = [start, gradient, [layer.tolist() for layer in layers]]
open(f"{sys.argv[1]}/{group.rank}.json", "w").write(json.dumps(found))
"""


def test_two_processes_start_alike_and_average_their_gradients(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, script, tmp_path], env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert one == two
    torch.manual_seed(0)
    alone = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)).eval()
    alone(torch.arange(24.0).view(8, 3)).square().mean().backward()
    assert one[0] == alone[0].weight.tolist()
    assert torch.allclose(torch.tensor(one[1]), alone[0].weight.grad, rtol=1e-5)
    layers = [alone[0].weight, alone[2].weight]
    Muon([{"params": layers}]).step()
    for shared, layer in zip(one[2], layers, strict=True):
        assert torch.allclose(torch.tensor(shared), layer, rtol=1e-4)


def test_a_single_process_is_a_group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    group = join_group(torch.device("cpu"))
    assert (group.rank, group.size, group.leads, process_leads()) == (0, 1, True, True)
    network = nn.Linear(2, 1)
    network(torch.ones(1, 2)).sum().backward()
    average_gradients(network.parameters(), group)
    share_start(network, group)
    assert network.weight.grad.tolist() == [[1, 1]]


def test_a_batch_is_shared_evenly_or_refused() -> None:
    assert Group(1, 4).share(12) == 3 and not Group(1, 4).leads
    with pytest.raises(SettingsError, match="batch of 10 .* 4 processes"):
        Group(0, 4).share(10)
