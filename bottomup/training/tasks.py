"""What a run learns: from which training pictures, by which loss. The loop is the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset

from bottomup.core import Skeleton
from bottomup.errors import SettingsError
from bottomup.training.config import Phase, TrainSettings


class Task(Protocol):
    """One kind of training. lift: factor on the loss before gradients are taken (see the task's own reason)."""

    lift: float

    def pictures(self, phase: Phase) -> Dataset[Any]:
        """Training examples by number; the seed and the number alone decide what one is."""

    def collate(self, examples: Sequence[Any]) -> Any:
        """Examples as a batch, which has `to(device)`."""

    def counts(self, batch: Any) -> Tensor:
        """(C,) float: of how many things in the batch the losses are means, beside its pictures; may be empty.

        A step's batch is taken in pieces (by processes, by accumulation), which are alike in pictures only.
        """

    def losses(self, network: nn.Module, batch: Any, counts: Tensor) -> dict[str, Tensor]:
        """Scalars of one forward pass; `total` is what is minimised.

        counts (C,): the mean of the pieces' `counts`, so that the mean of the pieces' losses is the
        loss of the whole batch. For a batch in one piece they are its own.
        """


def task_of(settings: TrainSettings, skeleton: Skeleton, network: nn.Module) -> Task:
    """The task that the settings ask for; reads the labels of its data sets. Raises DataError, SettingsError."""
    if settings.method == "topdown":
        from bottomup.training.topdown import TopDownTask

        return TopDownTask(settings, skeleton)
    if settings.method == "detector":
        from bottomup.training.detector import DetectorTask

        return DetectorTask(settings, skeleton)
    if settings.method == "bottomup":
        from bottomup.training.bottomup import BottomUpTask

        return BottomUpTask(settings, skeleton, int(network.stride))  # type: ignore[arg-type]
    if settings.method == "keypoint_rcnn":
        from bottomup.training.keypoint_rcnn import KeypointRCNNTask

        return KeypointRCNNTask(settings, skeleton)
    raise SettingsError(f"method: {settings.method!r} is none of bottomup, topdown, detector, keypoint_rcnn")
