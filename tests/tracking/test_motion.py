"""A body in motion: it learns its velocity, and knows how little it knows."""

import numpy as np
import pytest

from bottomup.tracking.motion import MEMORY, START, Body

SIGMAS = np.full(3, 0.05)
JOINTS = np.array([(0, 0, 1), (30, 50, 1), (0, 100, 1)], float)
BOX = np.array([0, 0, 30, 100], float)


def walked(speed, frames=20, step=0.04):
    """A body that was seen walking at `speed` (2,), pixels a second."""
    body = Body.seen(JOINTS, BOX, 50.0)
    for n in range(1, frames):
        body.drift(step)
        shift = n * step * np.array(speed)
        body.meet(JOINTS + (*shift, 0), BOX + (*shift, 0, 0), 50.0)
    return body


def test_constant_velocity_is_learnt_and_carried_on():
    body = walked((80, -20), 30)
    np.testing.assert_allclose(body.velocity, (80, -20), rtol=0.02)
    at = body.joints.copy()
    body.drift(0.5)
    np.testing.assert_allclose(body.joints[:, :2] - at[:, :2], np.tile((40, -10), (3, 1)), rtol=0.02)
    np.testing.assert_array_equal(body.joints[:, 2], at[:, 2])


def test_the_unseen_become_unsure_and_the_seen_sure():
    body = walked((0, 0))
    sure = body.certainty(SIGMAS)
    body.drift(1.0)
    lost = body.certainty(SIGMAS)
    body.meet(JOINTS, BOX, 50.0)
    assert lost < 0.5 < sure <= 1
    assert body.certainty(SIGMAS) > lost


def test_what_one_step_brings_does_not_depend_on_how_it_is_cut():
    once, often = walked((50, 0)), walked((50, 0))
    once.drift(0.4)
    for _ in range(4):
        often.drift(0.1)
    np.testing.assert_allclose(once.joints, often.joints)
    np.testing.assert_allclose(once.spread, often.spread)


def test_somebody_new_may_go_anywhere_at_walking_speed():
    body = Body.seen(JOINTS, BOX, 50.0)
    body.drift(1.0)
    assert np.sqrt(body.spread[0, 0]) == pytest.approx(START * 50, rel=0.3)


def test_spread_stays_a_covariance():
    body = walked((80, -20), 500)
    assert (np.linalg.eigvalsh((body.spread + body.spread.T) / 2) > 0).all()
    np.testing.assert_allclose(body.spread, body.spread.T, atol=1e-9 * body.spread.max())


def test_one_wild_joint_does_not_drag_the_body_along():
    body = walked((0, 0))
    wild = JOINTS.copy()
    wild[1, :2] += 500
    body.drift(0.04)
    body.meet(wild, BOX, 50.0)
    assert np.abs(body.velocity).max() < 1


def test_a_joint_that_is_no_longer_found_goes_along_and_is_then_forgotten():
    body = walked((100, 0))
    without = body.joints.copy()
    without[2] = 0
    body.drift(0.04)
    body.meet(without + (4, 0, 0) * (without[:, 2:] > 0), BOX, 50.0)
    assert body.joints[2, 2] == 1
    assert body.joints[2, 0] == pytest.approx(body.joints[0, 0], abs=1)
    body.drift(MEMORY)
    assert (body.joints[2] == 0).all() and (body.joints[0, 2]) == 1


def test_size_grows_at_once_and_shrinks_slowly():
    body = walked((0, 0))
    body.meet(JOINTS, BOX, 100.0)
    assert body.size == 100
    body.meet(JOINTS, BOX, 10.0)
    assert 90 < body.size < 100


def test_without_common_joints_the_boxes_tell_where_it_is():
    body = Body.seen(JOINTS * (1, 1, 0), BOX, 50.0)
    body.drift(0.04)
    body.meet(JOINTS * 0, BOX + (10, 0, 0, 0), 50.0)
    assert body.velocity[0] > 0
    np.testing.assert_allclose(body.box, BOX + (10, 0, 0, 0))


@pytest.mark.parametrize("scale", [0.1, 10])
def test_everything_scales_with_the_person(scale):
    body = Body.seen(scale * JOINTS, scale * BOX, scale * 50)
    other = Body.seen(JOINTS, BOX, 50)
    body.drift(0.3)
    other.drift(0.3)
    np.testing.assert_allclose(body.room(SIGMAS, 0.5), scale**2 * other.room(SIGMAS, 0.5))
    assert body.certainty(SIGMAS) == pytest.approx(other.certainty(SIGMAS))
