"""What a run learns: from which training pictures, by which loss. The loop is the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

from bottomup.core import Skeleton
from bottomup.training.config import Phase, TrainSettings


class Task(Protocol):
    """One kind of training. lift: factor on the loss before gradients are taken (see the task's own reason)."""

    lift: float

    def pictures(self, phase: Phase) -> Dataset[Any]:
        """Training examples by number; the seed and the number alone decide what one is."""

    def collate(self, examples: Sequence[Any]) -> Any:
        """Examples as a batch, which has `to(device)`."""

    def losses(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Scalars of one forward pass; `total` is what is minimised, the mean over the batch."""


def task_of(settings: TrainSettings, skeleton: Skeleton, network: nn.Module) -> Task:
    """The task that the settings ask for; reads the labels of its data sets. Raises DataError, SettingsError."""
    from bottomup.training.bottomup import BottomUpTask

    return BottomUpTask(settings, skeleton, int(network.stride))  # type: ignore[arg-type]
