"""Bottom-up training: whole scenes in, heatmaps, PAFs and tags of everybody out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bottomup.core import LABELLED
from bottomup.data.augment import Example
from bottomup.data.loader import Batch, collate
from bottomup.targets.encode import Labels, encode_outputs
from bottomup.targets.losses import bottomup_loss
from bottomup.training.forward import autocast, normalise
from bottomup.training.scenes import SceneTask


class BottomUpTask(SceneTask):
    """Scenes with masked L2 and tag losses. stride: of the network's maps.

    lift: map losses are means over nearly empty maps; the factor lifts gradients above Adam's epsilon.
    """

    lift = 1000.0

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Crops as a batch."""
        return collate(examples)

    def counts(self, batch: Batch) -> Tensor:
        """Pictures with a labelled joint in view, over which tag losses are averaged."""
        height, width = batch.images.shape[-2:]
        x, y = batch.joints.unbind(-1)
        inside = (x >= -0.5) & (y >= -0.5) & (x < width - 0.5) & (y < height - 0.5)
        seen = ((batch.known == LABELLED) & inside).any(1)
        return torch.full((1,), float(len(batch.picture[seen].unique())), device=batch.images.device)

    def losses(self, network: nn.Module, batch: Batch, counts: Tensor) -> dict[str, Tensor]:
        """total, heat, paf, pull, push."""
        images = normalise(batch.images, self.settings.road)
        with autocast(images.device, self.settings.bf16):
            outputs = network(images)
        # Sums over maps whose channels come last would take three times as long.
        outputs = [maps.each(lambda m: m.float().contiguous()) for maps in outputs]
        labels = Labels(batch.joints, batch.known, batch.confidence, batch.boxes, batch.picture)
        targets = encode_outputs(outputs, labels, batch.taught, batch.taught_joints, skeleton=self.skeleton)
        loss = self.settings.loss
        return bottomup_loss(outputs, targets, tags=loss.tags, emphasis=loss.emphasis, pictures=counts[0])
