"""One step of training: batches in pieces, rates, losses that are no number; compiled networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bottomup.core import COCO17
from bottomup.data.augment import Augmentation
from bottomup.errors import DataError
from bottomup.training.bottomup import BottomUpTask
from bottomup.training.config import Optimiser, Phase
from bottomup.training.loop import Step, seed_step, set_rate, steps_from, train
from bottomup.training.parallel import Group
from bottomup.training.report import Report
from bottomup.training.tasks import task_of
from tests.training.small import STEPS, Losses, Tiny, farthest, settings, write_set


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set"))


def one_phase(accumulate: int = 1, batch: int = 4) -> tuple[Phase, ...]:
    return (Phase(64, batch, 1.0, accumulate),)


@pytest.mark.parametrize("pieces", [2, 4])
def test_a_batch_in_pieces_gives_the_steps_of_the_whole_batch(labels, tmp_path, pieces):
    """Pieces with different numbers of people; batch norms are frozen, for they see a piece at a time."""
    logs = Losses(), Losses()
    networks = [
        train(settings(tmp_path / str(n), labels, phases=one_phase(n), batch_norm="frozen", steps=6), log)
        for n, log in zip((1, pieces), logs, strict=True)
    ]
    for step, losses in logs[0].found.items():
        assert logs[1].found[step] == pytest.approx(losses, rel=1e-6, abs=1e-7)
    assert farthest(*networks) < 1e-6


def test_every_piece_of_a_step_takes_pictures_of_its_own(labels, tmp_path):
    given = settings(tmp_path, labels, phases=one_phase(2, batch=8), steps=3)
    task = BottomUpTask(given, COCO17, 4)
    steps = [list(steps_from(0, given, task, Group(rank, 2))) for rank in (0, 1)]
    assert [list(step.pictures) for step in steps[0]] == [[0, 1, 2, 3], [8, 9, 10, 11], [16, 17, 18, 19]]
    assert [list(step.pictures) for step in steps[1]] == [[4, 5, 6, 7], [12, 13, 14, 15], [20, 21, 22, 23]]
    assert [len(piece.images) for piece in steps[1][2].pieces] == [2, 2]
    again = next(steps_from(2, given, task, Group(1, 2)))
    assert again.number == 2 and torch.equal(again.pieces[1].images, steps[1][2].pieces[1].images)


def test_what_pieces_count_is_what_their_losses_are_means_of(labels, tmp_path):
    given = settings(tmp_path, labels)
    task, network = BottomUpTask(given, COCO17, 4), Tiny().eval()
    pictures = task.pictures(Phase(64, 6, 1.0))
    examples = [pictures[i] for i in range(6)]
    whole, pieces = task.collate(examples), [task.collate(examples[:1]), task.collate(examples[1:2])]
    assert task.counts(whole).item() == len(whole.picture[(whole.known == 2).any(1)].unique()) > 0
    assert sum(task.counts(piece) for piece in pieces) == task.counts(task.collate(examples[:2]))
    everything = task.losses(network, whole, task.counts(whole))
    shares = [task.losses(network, task.collate([e]), task.counts(whole) / 6) for e in examples]
    for name, loss in everything.items():
        assert torch.stack([share[name] for share in shares]).mean().item() == pytest.approx(loss.item(), rel=1e-5)


def test_rates_grow_with_the_batch_where_one_is_named():
    weight = torch.nn.Parameter(torch.zeros(1))
    mover = torch.optim.SGD([{"params": [weight], "base": 0.5}], lr=1.0)
    given = settings("", "", optimiser=Optimiser(rate=0.25, warmup=0))
    step = Step(0, Phase(64, 24, 1.0), (), ())
    assert set_rate([mover], step, given) == 0.25 and mover.param_groups[0]["lr"] == 0.5
    given = replace(given, optimiser=Optimiser(rate=0.25, warmup=0, batch=8))
    assert set_rate([mover], step, given) == 0.75 and mover.param_groups[0]["lr"] == 1.5


def test_random_numbers_follow_from_seed_step_and_process():
    draws = {}
    for key in ((0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1), (2**33, 10**6, 7)):
        for _ in range(2):
            seed_step(key[0], key[1], Group(key[2], 8))
            draws.setdefault(key, []).append(torch.rand(1).item())
    assert all(first == second for first, second in draws.values())
    assert len({first for first, _ in draws.values()}) == len(draws)


class Breaking(BottomUpTask):
    """A task whose loss, or whose gradient alone, is no number from the fourth batch on."""

    batches = 0

    def losses(self, network, batch, counts):
        found, self.batches = super().losses(network, batch, counts), self.batches + 1
        if self.batches > 3:
            weight = next(network.parameters())
            found["total"] = found["total"] + (
                weight.sum() * torch.nan if self.kind == "loss" else (weight * 0).sqrt().sum()
            )
        return found


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_batch(labels, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(Breaking, "kind", kind, raising=False)
    monkeypatch.setattr("bottomup.training.loop.task_of", lambda given, skeleton, _: Breaking(given, skeleton, 4))
    given, log = settings(tmp_path, labels, save_every=2), Losses()
    with pytest.raises(DataError, match=r"broken_batch.pt: at step 3 .*pictures 6 to 7.*lower optimiser.rate"):
        train(given, log)
    kept = torch.load(tmp_path / "broken_batch.pt", weights_only=True)
    assert (kept["step"], kept["pictures"], len(log.found)) == (3, [6, 7], 3)
    pictures = BottomUpTask(given, COCO17, 4).pictures(Phase(64, 2, 1.0))
    again = BottomUpTask.collate(None, [pictures[6], pictures[7]])
    assert all(torch.equal(tensor, getattr(again, name)) for name, tensor in kept["batch"][0].items())
    assert all(torch.isfinite(tensor).all() for tensor in kept["network"].values()), "it has not moved"


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(labels, tmp_path):
    logs = Losses(), Losses()
    for compiled, log in zip((False, True), logs, strict=True):
        train(settings(tmp_path / str(compiled), labels, compile=compiled, steps=3), log)
    for step, losses in logs[0].found.items():
        assert logs[1].found[step] == pytest.approx(losses, rel=1e-4)


def test_the_report_names_the_best_weights(tmp_path, capsys):
    report = Report(tmp_path, STEPS, every=2)
    for step in (0, 1):
        report.step(step, {"total": torch.tensor(1.0 + step)}, 0.1, 0.5)
    report.judged(2, {"AP": 0.5}, tmp_path / "best.safetensors")
    report.judged(4, {"AP": 0.25}, None)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(r["step"], r.get("total"), r.get("dev_AP"), r.get("best")) for r in records] == [
        (2, 1.5, None, None),
        (2, None, 0.5, 1.0),
        (4, None, 0.25, 0.0),
    ]
    lines = capsys.readouterr().out.splitlines()
    assert f"the best so far, kept as {tmp_path / 'best.safetensors'}" in lines[-2] and "best" not in lines[-1]


def test_a_phase_may_vary_pictures_in_its_own_way(tmp_path) -> None:
    calm = Augmentation(whole=1.0, rotation=0.0, mosaic=(1.0, 0.0, 0.0), paste=0.0, occlude=0.0, colour=0.0)
    given = settings(tmp_path, write_set(tmp_path))
    own = task_of(given, COCO17, Tiny())
    of_all = task_of(settings(tmp_path, tmp_path / "people.json", augmentation=calm), COCO17, Tiny())
    usual, changed = Phase(64, 2, 1.0), Phase(64, 2, 1.0, augmentation=calm)
    assert np.array_equal(own.pictures(changed)[3].image, of_all.pictures(usual)[3].image)
    assert not np.array_equal(own.pictures(changed)[3].image, own.pictures(usual)[3].image)
