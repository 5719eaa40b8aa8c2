"""Training of the person detector: whole scenes in, boxes around people out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bottomup.core import LABELLED, Skeleton
from bottomup.data.augment import Example
from bottomup.data.loader import Batch, collate
from bottomup.nets.detector_mobile import STRIDES, level_cells
from bottomup.targets.detector import detector_loss, owners
from bottomup.training.config import TrainSettings
from bottomup.training.forward import autocast, normalise
from bottomup.training.scenes import SceneTask

STRIDE = STRIDES[0]  # of the finest level


class DetectorTask(SceneTask):
    """Scenes as in bottom-up training; people's boxes are taught.

    People of whom no labelled joint is left in the crop are neither taught nor counted as background: of most of them
    only a sliver can be seen. lift: none, these losses are of the order of 1.
    """

    lift = 1.0

    def __init__(self, settings: TrainSettings, skeleton: Skeleton) -> None:
        super().__init__(settings, skeleton, STRIDE)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Crops as a batch; the boxes of people who cannot be seen become regions that are not taught."""
        return collate([without_slivers(example) for example in examples])

    def counts(self, batch: Batch) -> Tensor:
        """Cells that are to find somebody, over which losses are averaged."""
        levels = level_cells(batch.images.shape[-2:])
        found = owners(corners(batch.boxes), batch.picture, len(batch.images), levels) >= 0
        return found.sum().float()[None]

    def losses(self, network: nn.Module, batch: Batch, counts: Tensor) -> dict[str, Tensor]:
        """total, score, box."""
        images = normalise(batch.images, self.settings.road)
        with autocast(images.device, self.settings.bf16):
            said = network(images)
        return detector_loss(
            said.logits,
            said.boxes,
            said.cells,
            boxes=corners(batch.boxes),
            picture=batch.picture,
            taught=batch.taught,
            people=counts[0],
        )


def corners(boxes: Tensor) -> Tensor:
    """x, y, width, height (N, 4) -> x0, y0, x1, y1."""
    return torch.cat((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), 1).float()


def without_slivers(example: Example) -> Example:
    """The example without people of whom no labelled joint is inside; where their boxes are nothing is taught."""
    seen = (example.known == LABELLED).any(1)
    taught = example.taught.copy()
    for x, y, w, h in example.boxes[~seen] / STRIDE:
        taught[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1] = 0
    return Example(
        example.image,
        example.joints[seen],
        example.known[seen],
        example.confidence[seen],
        example.boxes[seen],
        taught,
        example.taught_joints,
    )
