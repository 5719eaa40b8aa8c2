"""Top-down training: one person a crop in, heatmaps of that person's joints out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from bottomup.core import LABELLED, Boxes, Sample, Skeleton
from bottomup.data.crops import Crop, CropBatch, Crops, Person, collate_crops, in_fitting_boxes, labelled_people
from bottomup.errors import DataError
from bottomup.files.coco_results import read_coco_results
from bottomup.targets.topdown import HIDDEN, UNLABELLED, coarse_to_fine_loss, in_cells
from bottomup.targets.topdown import Crops as CropLabels
from bottomup.training.config import DataSet, Phase, TrainSettings
from bottomup.training.forward import autocast, normalise
from bottomup.training.hard import Judge, hard_people
from bottomup.training.prepare import read_sets


def read_boxes(path: str) -> dict[int, Boxes]:
    """Boxes by image id of a COCO detections file; raises DataError that names the file and the entry."""
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for number, entry in enumerate(read_coco_results(path), 1):
        if not {"image_id", "bbox", "score"} <= entry.keys():
            raise DataError(f"{path}: entry {number} lacks image_id, bbox or score; write COCO detections")
        by_image[entry["image_id"]].append(entry)
    try:
        return {image: Boxes.from_coco(entries) for image, entries in by_image.items()}
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error


def crop_size(height: int) -> tuple[int, int]:
    """(width, height) of a person's crop."""
    return height * 3 // 4, height


class TopDownTask:
    """Crops of the people of the settings' data sets; joints without label teach nothing.

    lift: map losses are means over nearly empty maps; the factor lifts gradients above Adam's epsilon.
    """

    lift = 1000.0

    def __init__(self, settings: TrainSettings, skeleton: Skeleton) -> None:
        self.settings, self.skeleton = settings, skeleton
        samples = read_sets(settings, skeleton)
        self.people = [self._people(*each) for each in zip(settings.sets, samples, strict=True)]
        self.weights = [chosen.weight for chosen in settings.sets]

    def _people(self, chosen: DataSet, samples: Sequence[Sample]) -> list[Person]:
        """Whom of a set the settings want to be trained on."""
        people = labelled_people(samples)
        if chosen.boxes is not None:
            people = in_fitting_boxes(people, read_boxes(chosen.boxes))
        if self.settings.topdown.judge is not None:
            people = hard_people(
                people, Judge.of(self.settings.topdown.judge, self.skeleton), self.settings.topdown.below
            )
        if not people:
            raise DataError(f"{chosen.labels}: nobody in it is left to train on; leave it out of `sets`")
        return people

    def pictures(self, phase: Phase) -> Crops:
        """Crops of the phase's height."""
        return Crops(
            self.people,
            self.weights,
            size=crop_size(phase.size),
            skeleton=self.skeleton,
            augmentation=self.settings.topdown.crops,
            seed=self.settings.seed,
        )

    def collate(self, examples: Sequence[Crop]) -> CropBatch:
        """Crops as a batch."""
        return collate_crops(examples)

    def counts(self, batch: CropBatch) -> Tensor:
        """None: losses are means over crops."""
        return batch.joints.new_zeros(0)

    def losses(self, network: nn.Module, batch: CropBatch, counts: Tensor) -> dict[str, Tensor]:
        """total, coarse, answer."""
        chosen = self.settings.topdown
        images = normalise(batch.images, self.settings.road)
        with autocast(images.device, self.settings.bf16):
            outputs = network(images)
        outputs = [maps.each(lambda m: m.float()) for maps in outputs]
        joints = in_cells(batch.joints.float(), int(outputs[-1].stride))
        seen = (batch.known == LABELLED).long() * (HIDDEN - UNLABELLED)
        return coarse_to_fine_loss(
            outputs,
            CropLabels(joints, seen),
            batch.confidence,
            sigma=outputs[-1].sigma or 1.0,
            widen=chosen.widen,
            coarse=chosen.coarse,
            hard=chosen.hard or None,
        )
