"""The moving average of weights: hand-worked steps, statistics included, the trained network untouched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bottomup.training.average import WeightAverage


def network(value: float) -> nn.Sequential:
    """A small network, all of whose floating-point state is one number."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.dtype.is_floating_point:
                tensor.fill_(value)
    return net


def values(average: WeightAverage) -> set[float]:
    tensors = average.state().values()
    return {round(v, 5) for t in tensors if t.dtype.is_floating_point for v in t.flatten().tolist()}


def test_the_first_steps_forget_the_start_fast():
    average = WeightAverage(network(0.0), decay=0.99)
    average.update(network(1.0), step=0)
    assert values(average) == {0.9}, "a tenth stays after the first step"
    average.update(network(2.0), step=1)
    assert values(average) == {1.8}, "2/11 of 0.9 and 9/11 of 2"


def test_later_steps_keep_the_decay():
    average = WeightAverage(network(0.0), decay=0.9)
    average.update(network(1.0), step=10_000)
    assert values(average) == {0.1}


def test_a_network_that_stays_is_its_own_average():
    average = WeightAverage(network(3.0), decay=0.9)
    for step in range(5):
        average.update(network(3.0), step)
    assert values(average) == {3.0}


def test_the_average_lies_between_the_weights_seen_and_reaches_those_that_last():
    average = WeightAverage(network(-1.0), decay=0.8)
    for step in range(60):
        average.update(network(1.0), step)
        (now,) = values(average)
        assert -1 <= now <= 1
    assert now == pytest.approx(1.0, abs=1e-4)


def test_statistics_are_averaged_and_counters_copied():
    average, trained = WeightAverage(network(0.0), decay=0.5), network(4.0)
    trained[1].num_batches_tracked.fill_(17)
    average.update(trained, step=1000)
    assert average.network[1].running_mean.tolist() == [2, 2] and average.network[1].running_var.tolist() == [2, 2]
    assert average.network[1].num_batches_tracked == 17


def test_the_trained_network_is_neither_shared_nor_changed():
    trained = network(1.0).train()
    average = WeightAverage(trained, decay=0.5)
    with torch.no_grad():
        trained[0].weight.fill_(5.0)
    assert values(average) == {1.0}
    average.update(trained, step=1000)
    assert trained[0].weight.flatten().tolist() == [5, 5] and trained.training
    assert all(p.requires_grad for p in trained.parameters())


def test_what_is_applied_is_in_eval_mode_and_takes_no_gradients():
    applied = WeightAverage(network(1.0).train(), decay=0.5).network
    assert not applied.training and not any(p.requires_grad for p in applied.parameters())
    assert applied[0].weight.flatten().tolist() == [1, 1]


def test_restarting_takes_the_present_weights():
    average = WeightAverage(network(0.0), decay=0.999)
    average.restart(network(7.0))
    assert values(average) == {7.0}


def test_a_state_put_back_goes_on_alike():
    first = WeightAverage(network(0.0), decay=0.9)
    first.update(network(1.0), step=3)
    second = WeightAverage(network(5.0), decay=0.9)
    second.load({name: tensor.clone() for name, tensor in first.state().items()})
    for average in (first, second):
        average.update(network(2.0), step=4)
    assert values(first) == values(second) and len(values(first)) == 1
