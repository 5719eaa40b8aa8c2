"""OKS between poses: the metric's formula, pair by pair."""

import numpy as np
import pytest

from bottomup.core import COCO17
from bottomup.core.oks import oks_matrix


def plain(a, b, area, sigmas):
    common = [k for k in range(len(sigmas)) if a[k, 2] > 0 and b[k, 2] > 0]
    values = [
        np.exp(-((a[k, 0] - b[k, 0]) ** 2 + (a[k, 1] - b[k, 1]) ** 2) / (2 * area * (2 * sigmas[k]) ** 2))
        for k in common
    ]
    return np.mean(values) if values else 0.0


def test_it_is_the_plain_formula():
    rng = np.random.default_rng(0)
    poses = rng.uniform(0, 100, (6, 17, 3)).astype(np.float32)
    poses[1:4] = poses[0] + rng.normal(0, 3, (3, 17, 3))
    poses[..., 2] = rng.random((6, 17)) > 0.3
    poses[5, :, 2] = 0
    areas = rng.uniform(500, 5000, (6, 6))
    expected = [[plain(a, b, areas[i, j], COCO17.sigmas) for j, b in enumerate(poses)] for i, a in enumerate(poses)]
    found = oks_matrix(poses, poses, areas, COCO17.sigmas)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert (found[5] == 0).all() and np.diag(found)[:5] == pytest.approx(1)


def test_one_sigma_of_a_joint_by_hand():
    a, b = np.zeros((1, 1, 3), np.float32), np.zeros((1, 1, 3), np.float32)
    a[..., 2] = b[..., 2] = 1
    b[..., 0] = 20  # area 100^2, sigma .1: k s = 20 px
    assert oks_matrix(a, b, np.array(1e4), [0.1])[0, 0] == pytest.approx(np.exp(-0.5))


def test_nobody_resembles_nobody():
    none = np.zeros((0, 17, 3), np.float32)
    assert oks_matrix(none, np.ones((3, 17, 3), np.float32), np.ones((0, 3)), COCO17.sigmas).shape == (0, 3)
