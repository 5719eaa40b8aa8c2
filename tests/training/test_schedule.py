"""Learning rate and phases of every step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bottomup.training.config import Optimiser, Phase
from bottomup.training.schedule import phase_bounds, rate_factor

STEPS = 110
SETTINGS = Optimiser(warmup=10, last=0.1)


def factors(settings: Optimiser = SETTINGS, steps: int = STEPS) -> list[float]:
    return [rate_factor(step, steps, settings) for step in range(steps)]


def test_warm_up_is_a_straight_line_to_the_full_rate():
    assert factors()[:11] == pytest.approx([*(i / 10 for i in range(1, 11)), 1.0])


def test_after_warm_up_the_rate_only_falls_down_to_its_last_share():
    after = factors()[10:]
    assert all(later < earlier for earlier, later in zip(after, after[1:], strict=False))
    assert after[-1] == pytest.approx(0.1, abs=1e-3) and min(after) >= 0.1
    assert rate_factor(STEPS + 50, STEPS, SETTINGS) == pytest.approx(0.1)


def test_half_way_down_is_the_mean_of_full_and_last_rate():
    assert factors()[60] == pytest.approx(0.55)


def test_without_warm_up_training_starts_at_the_full_rate():
    assert factors(Optimiser(warmup=0))[0] == 1.0


@pytest.mark.parametrize("steps", [1, 5, 10])
def test_runs_shorter_than_the_warm_up_never_leave_it(steps):
    assert factors(steps=steps) == pytest.approx([(i + 1) / 10 for i in range(steps)])


def phases(*shares: float) -> list[Phase]:
    return [Phase(64, 2, share) for share in shares]


def test_phases_share_the_steps():
    assert phase_bounds(phases(0.5, 0.25, 0.25), 100) == [(0, 50), (50, 75), (75, 100)]
    assert phase_bounds(phases(2, 1, 1), 100) == [(0, 50), (50, 75), (75, 100)]
    assert phase_bounds(phases(3), 7) == [(0, 7)]


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=6), st.integers(0, 5000))
@examples(max_examples=60, deadline=None, derandomize=True)
def test_phases_follow_each_other_and_cover_every_step(shares, steps):
    bounds = phase_bounds(phases(*shares), steps)
    assert [begin for begin, _ in bounds] == [0, *(end for _, end in bounds[:-1])]
    assert bounds[-1][1] == steps and all(begin <= end for begin, end in bounds)
    for (begin, end), share in zip(bounds, shares, strict=True):
        assert abs((end - begin) - steps * share / sum(shares)) <= 1.001
