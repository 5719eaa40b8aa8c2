"""The body prior: estimated from poses in any scale, the same for mirrored poses."""

import numpy as np
import pytest

from bottomup.core import COCO17, Skeleton
from bottomup.core.prior import shipped_prior

STICK = Skeleton("stick", ("top", "left", "right"), ((0, 1), (0, 2)), (0, 2, 1), (0.1,) * 3)
SHAPE = np.array([[0.0, 0.0], [0.3, 1.0], [-0.3, 1.0]])


def poses(count: int, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """Sticks of any size and place, seen whole."""
    rng = np.random.default_rng(seed)
    joints = SHAPE + rng.normal(0, noise, (count, 3, 2))
    joints = joints * rng.uniform(20, 400, (count, 1, 1)) + rng.uniform(0, 1000, (count, 1, 2))
    return np.concatenate((joints, np.ones((count, 3, 1))), -1)


def test_means_are_the_shape_in_heights_whatever_the_scale() -> None:
    prior = STICK.with_prior(poses(2000)).prior
    height = np.hypot(0.3, 1.0)
    assert np.allclose(prior[0, 1, :2], SHAPE[1] / height, atol=0.01)
    assert np.allclose(prior[1, 2, :2], (SHAPE[2] - SHAPE[1]) / height, atol=0.01)
    assert np.allclose(prior[0, 1, 6], 1, atol=0.01) and np.allclose(prior[1, 2, 6], 0.36 / height**2, atol=0.01)


def test_the_inverse_covariance_and_its_determinant_belong_together() -> None:
    prior = STICK.with_prior(poses(2000, 0.05)).prior
    xx, xy, yy = (prior[0, 1, i] for i in (2, 3, 4))
    assert np.log(1 / (xx * yy - xy * xy)) == pytest.approx(prior[0, 1, 5], abs=1e-3)


def test_mirrored_poses_give_the_same_table_and_it_is_its_own_mirror_image() -> None:
    joints = poses(500)
    mirrored = joints[:, list(STICK.mirror)] * (-1, 1, 1)
    one, other = STICK.with_prior(joints).prior, STICK.with_prior(mirrored).prior
    assert np.allclose(one, other, rtol=1e-4, atol=1e-4)
    swap = np.ix_(STICK.mirror, STICK.mirror)
    assert np.allclose(one[swap] * (-1, 1, 1, -1, 1, 1, 1), one, rtol=1e-4, atol=1e-4)


def test_seeing_only_part_of_some_people_changes_little() -> None:
    joints = poses(4000)
    joints[::3, 2] = 0
    assert np.allclose(
        STICK.with_prior(joints).prior[0, 1, :2], STICK.with_prior(poses(4000)).prior[0, 1, :2], atol=0.02
    )


def test_seen_from_the_other_joint_the_offset_is_the_opposite() -> None:
    prior = COCO17.with_shipped_prior().prior
    assert np.allclose(prior[..., :2], -prior.transpose(1, 0, 2)[..., :2], atol=1e-5)
    assert np.allclose(prior[..., 6], prior[..., 6].T, atol=1e-5)


def test_people_of_the_shipped_prior_stand_upright() -> None:
    prior = COCO17.with_shipped_prior().prior
    nose, hip, ankle = (COCO17.joints.index(name) for name in ("nose", "left_hip", "left_ankle"))
    assert 0.3 < prior[nose, hip, 1] < 0.7 < prior[nose, ankle, 1] < 1.05


def test_what_cannot_be_estimated_is_named() -> None:
    with pytest.raises(ValueError, match=r"only 5 poses|only 10 poses"):
        STICK.with_prior(poses(5))
    with pytest.raises(ValueError, match=r"\(N, 3, 3\)"):
        STICK.with_prior(np.zeros((4, 5, 3)))
    assert shipped_prior("stick") is None and STICK.with_shipped_prior() is STICK
