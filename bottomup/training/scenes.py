"""Training on whole scenes: what bottom-up networks and the person detector have in common."""

from __future__ import annotations

from bottomup.core import Skeleton
from bottomup.data.loader import Mixture
from bottomup.training.config import Phase, TrainSettings
from bottomup.training.prepare import read_sets


class SceneTask:
    """Crops and mosaics of the settings' data sets. stride: of the finest maps in pixels."""

    def __init__(self, settings: TrainSettings, skeleton: Skeleton, stride: int) -> None:
        self.settings, self.skeleton, self.stride = settings, skeleton, stride
        self.sets = read_sets(settings, skeleton)
        self.weights = [chosen.weight for chosen in settings.sets]

    def pictures(self, phase: Phase) -> Mixture:
        """Square crops of the phase's size."""
        return Mixture(
            self.sets,
            self.weights,
            size=phase.size,
            stride=self.stride,
            skeleton=self.skeleton,
            augmentation=phase.augmentation or self.settings.augmentation,
            seed=self.settings.seed,
        )
