"""Samples: what a reader yields is loaded only when it is asked for."""

from __future__ import annotations

import numpy as np

from bottomup.core import ABSENT, COCO17, LABELLED, UNKNOWN, People, Sample


def test_a_sample_loads_nothing_by_itself():
    loads = []

    def load() -> np.ndarray:
        loads.append(1)
        return np.zeros((4, 6, 3), np.uint8)

    known = np.zeros((0, 17), np.uint8)
    sample = Sample(load, (6, 4), People.nobody(COCO17), known, np.ones(17, bool), "set/file.json 139", 139)
    assert not loads and sample.everybody and sample.ignore is None
    assert sample.load().shape[:2] == sample.size[::-1] and len(loads) == 1


def test_the_three_states_of_a_joint_fit_a_byte_and_differ():
    assert len({ABSENT, UNKNOWN, LABELLED}) == 3
    assert np.array([ABSENT, UNKNOWN, LABELLED], np.uint8).tolist() == [ABSENT, UNKNOWN, LABELLED]
