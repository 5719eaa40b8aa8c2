"""Loading: what a batch holds follows from seed and number, whoever loads it and when."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bottomup.core import LABELLED, People, Sample, Skeleton
from bottomup.data.augment import Augmentation, Example
from bottomup.data.loader import Batch, Mixture, batches, collate, decode_all, remembered
from bottomup.data.shards import locate

torch.set_num_threads(1)

PAIR = Skeleton("pair", ["left", "right"], [(0, 1)], [1, 0], [0.1, 0.1])
SETTINGS = Augmentation(person=(20, 60), mosaic=(0.6, 0.3, 0.1), paste=0.3, occlude=0.3)


def stored_sample(folder: Path, number: int) -> Sample:
    """A small picture in a file, with `number` people."""
    image = np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)
    cv2.imwrite(str(folder / f"{number}.png"), image)
    joints = np.array([[(20 + i, 8, 1), (30 - i, 30, 0.5)] for i in range(number)]).reshape(-1, 2, 3)
    people = People(joints, np.ones(number), PAIR, np.tile([15.0, 4, 20, 30], (number, 1)))
    known = np.full((number, 2), LABELLED, np.uint8)
    load = locate(f"{number}.png", None, [folder])
    return Sample(load, (50, 40), people, known, np.ones(2, bool), f"drawn {number}", number)


@pytest.fixture
def samples(tmp_path) -> list[Sample]:
    return [stored_sample(tmp_path, number) for number in range(4)]


def mixture(sets: list[list[Sample]], weights: list[float], seed: int = 0) -> Mixture:
    return Mixture(
        sets,
        weights,
        size=32,
        stride=4,
        skeleton=PAIR,
        augmentation=SETTINGS,
        seed=seed,
    )


def content(batch: Batch) -> dict[str, list]:
    return {name: tensor.tolist() for name, tensor in vars(batch).items()}


def test_batches_are_the_same_for_any_number_of_workers(samples):
    mixed = mixture([samples[:2], samples[2:]], [1, 2])
    alone, *others = ([content(b) for b in batches(mixed, 3, range(0, 12), workers)] for workers in (0, 1, 2))
    assert len(alone) == 4 and alone[0] != alone[1]
    assert all(other == alone for other in others)


@pytest.mark.parametrize("first", [1, 3, 5])
def test_starting_later_gives_the_later_batches(samples, first):
    mixed = mixture([samples], [1])
    whole = [content(b) for b in batches(mixed, 2, range(0, 10), 0)]
    assert [content(b) for b in batches(mixed, 2, range(2 * first, 10), 0)] == whole[first:]


def test_batches_do_not_depend_on_other_random_choices(samples):
    mixed = mixture([samples], [1])
    torch.manual_seed(1)
    before = [content(b) for b in batches(mixed, 2, range(0, 4), 0)]
    np.random.seed(7)
    torch.manual_seed(2)
    assert [content(b) for b in batches(mixed, 2, range(0, 4), 0)] == before


def test_another_seed_gives_other_batches(samples):
    (one,), (other,) = (batches(mixture([samples], [1], seed=seed), 2, range(2), 0) for seed in (0, 1))
    assert not torch.equal(one.images, other.images)


def test_examples_have_numbers_of_their_own(samples):
    mixed = mixture([samples], [1])
    drawn = [mixed[number].image.tobytes() for number in range(12)]
    assert len(set(drawn)) == 12 and mixed[4].image.tobytes() == drawn[4]


def test_remembered_pictures_are_read_once_and_change_nothing(samples):
    reads: list[int] = []

    def counted(sample: Sample) -> Sample:
        return Sample(**{**vars(sample), "load": lambda: reads.append(sample.image_id) or sample.load()})

    plain = [content(b) for b in batches(mixture([samples], [1]), 4, range(16), 0)]
    kept = [content(b) for b in batches(mixture([[remembered(counted(s)) for s in samples]], [1]), 4, range(16), 0)]
    assert plain == kept
    assert sorted(reads) == sorted(set(reads)) and reads


def test_pictures_decoded_at_once_are_not_read_again(samples):
    reads: list[int] = []
    counted = [Sample(**{**vars(s), "load": lambda s=s: reads.append(s.image_id) or s.load()}) for s in samples]
    kept = [remembered(sample) for sample in counted]
    decode_all(kept)
    assert sorted(reads) == [sample.image_id for sample in samples]
    assert all(np.array_equal(k.load(), s.load()) for k, s in zip(kept, samples, strict=True))
    assert len(reads) == len(samples)


def test_sets_are_drawn_by_their_weights_and_samples_evenly(samples):
    weights, draws = np.array([1.0, 3.0, 6.0]), 3000
    mixed = mixture([samples[:1], samples[1:2], samples[2:]], weights.tolist())
    rng = np.random.default_rng(0)
    counts = np.bincount([mixed.pick(rng).image_id for _ in range(draws)], minlength=4)
    shares = np.array([0.1, 0.3, 0.3, 0.3])
    spread = np.sqrt(draws * shares * (1 - shares))
    assert (np.abs(counts - draws * shares) < 4 * spread).all(), counts


WRONG_MIXTURES = [([], []), ([[]], [1]), ([["x"]], [0]), ([["x"]], [-1]), ([["x"]], [1, 1]), ([["x"], []], [1, 1])]


@pytest.mark.parametrize(("sets", "weights"), WRONG_MIXTURES)
def test_a_mixture_needs_samples_and_positive_weights(sets, weights):
    with pytest.raises(ValueError, match="samples and a positive weight"):
        mixture(sets, weights)


def example(people: int, fill: int) -> Example:
    return Example(
        image=np.full((8, 8, 3), (fill, 0, 255), np.uint8),
        joints=np.full((people, 2, 2), fill, np.float32),
        known=np.full((people, 2), LABELLED, np.uint8),
        confidence=np.full((people, 2), fill / 10, np.float32),
        boxes=np.full((people, 4), fill, np.float32),
        taught=np.full((2, 2), fill % 2, np.uint8),
        taught_joints=np.array([True, fill > 4]),
    )


def test_collating_keeps_every_person_with_its_picture():
    batch = collate([example(2, 3), example(0, 4), example(3, 5)])
    assert batch.images.shape == (3, 3, 8, 8) and batch.images.dtype == torch.uint8
    assert batch.images[:, 0, 0, 0].tolist() == [3, 4, 5] and (batch.images[:, 2] == 255).all()
    assert batch.picture.tolist() == [0, 0, 2, 2, 2]
    assert batch.joints[:, 0, 0].tolist() == [3, 3, 5, 5, 5]
    assert batch.known.shape == batch.confidence.shape == (5, 2) and batch.boxes.shape == (5, 4)
    assert batch.taught[:, 0, 0].tolist() == [1, 0, 1]
    assert batch.taught_joints.tolist() == [[True, False], [True, False], [True, True]]


def test_pictures_keep_rows_columns_and_colours():
    plain = example(0, 1)
    plain.image[2, 5] = (10, 20, 30)
    (image,) = collate([plain]).images
    assert image[:, 2, 5].tolist() == [10, 20, 30] and image[:, 5, 2].tolist() == [1, 0, 255]


def test_a_batch_without_people_keeps_its_shapes():
    batch = collate([example(0, 1), example(0, 2)])
    assert batch.joints.shape == (0, 2, 2) and batch.boxes.shape == (0, 4) and batch.picture.shape == (0,)
    assert batch.picture.dtype == torch.int64


def test_a_batch_moves_as_a_whole():
    moved = collate([example(1, 1)]).to("meta")
    assert {tensor.device.type for tensor in vars(moved).values()} == {"meta"}
