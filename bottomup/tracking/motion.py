"""How one person moves: joints that drift with the body at constant velocity, more unsurely the longer unseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bottomup.core.oks import variances

# All in body sizes (COCO's s) and seconds.
FLEX = 0.2  # by which joints leave the body's common motion from one frame to the next
NOISE = 0.05  # of a measured body position
START = 2.0  # speed that a person who has just appeared may have
JERK = 2.0  # by how much the speed may change within a second
SHRINK = 0.98  # a person's size falls to this share a frame at most: joints get lost, people do not shrink
MEMORY = 1.0  # seconds for which a joint that is no longer found goes along with the body


@dataclass(eq=False)
class Body:
    """A person's joints (K, 3), box (4,) and size in pixels, carried on from frame to frame.

    velocity (2,): pixels a second. spread (2, 2): covariance of position and velocity along one axis.
    age (K,): seconds since each joint was found. A Kalman filter of the body as a whole.
    """

    joints: np.ndarray
    box: np.ndarray
    size: float
    velocity: np.ndarray
    spread: np.ndarray
    age: np.ndarray

    @staticmethod
    def seen(joints: np.ndarray, box: np.ndarray, size: float) -> Body:
        """Somebody seen for the first time."""
        spread = np.diag((NOISE * size, START * size)) ** 2
        return Body(joints.astype(np.float64), box, size, np.zeros(2), spread, np.zeros(len(joints)))

    def drift(self, seconds: float) -> None:
        """Goes on at constant velocity."""
        self._move(seconds * self.velocity)
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        push = (JERK * self.size) ** 2 * np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]])
        self.spread = step @ self.spread @ step.T + push
        self.age += seconds
        self.joints[self.age > MEMORY] = 0.0

    def meet(self, joints: np.ndarray, box: np.ndarray, size: float) -> None:
        """Is seen again: joints found replace those remembered, the others move along."""
        error = self._shift(joints, box)
        gain = self.spread[:, 0] / (self.spread[0, 0] + (NOISE * size) ** 2)
        self._move(gain[0] * error)
        self.velocity = self.velocity + gain[1] * error
        self.spread = self.spread - np.outer(gain, self.spread[0])
        found = joints[:, 2] > 0
        self.joints[found], self.age[found] = joints[found], 0.0
        self.box, self.size = box, max(size, SHRINK * self.size)

    def room(self, sigmas: np.ndarray, jump: float = 0.0) -> np.ndarray:
        """Variance (K,) of where each joint may be, in square pixels. jump: sizes by which the body may be off too."""
        labelled = variances(np.array(self.size**2), sigmas)
        return np.asarray(labelled + (FLEX**2 + jump**2) * self.size**2 + self.spread[0, 0])

    def certainty(self, sigmas: np.ndarray) -> float:
        """How much sharper the joints' places would be known if the body's were: 1 if it is, to 0 if lost."""
        room = self.room(sigmas)
        return float(np.sqrt(((room - self.spread[0, 0]) / room).mean()))

    def _move(self, shift: np.ndarray) -> None:
        self.joints[self.joints[:, 2] > 0, :2] += shift
        self.box = self.box + (*shift, 0.0, 0.0)

    def _shift(self, joints: np.ndarray, box: np.ndarray) -> np.ndarray:
        """How far (2,) the body is from where it was expected: the median of the joints, else the boxes' centres."""
        both = (self.joints[:, 2] > 0) & (joints[:, 2] > 0)
        if both.any():
            return np.asarray(np.median(joints[both, :2] - self.joints[both, :2], axis=0))
        return np.asarray(box[:2] + box[2:] / 2 - self.box[:2] - self.box[2:] / 2)
