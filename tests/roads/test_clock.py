"""The clock sums seconds by stage."""

import pytest

from bottomup.roads.clock import Clock


def test_seconds_are_summed_by_stage_even_when_a_stage_fails(monkeypatch):
    times = iter([1.0, 1.5, 2.0, 2.25, 10.0, 14.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    clock = Clock()
    with clock("read"):
        pass
    with pytest.raises(RuntimeError), clock("read"):
        raise RuntimeError
    with clock("network"):
        pass
    assert clock.seconds == {"read": 0.75, "network": 4.0}
