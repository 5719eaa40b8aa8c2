"""A predictor judged on a labelled set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from tqdm import tqdm

from bottomup.core import Sample, Skeleton
from bottomup.core.layouts import as_written, written_skeleton
from bottomup.data.coco import read_coco
from bottomup.errors import DataError
from bottomup.files.jsonfile import load_json
from bottomup.metrics.bootstrap import bootstrap_interval
from bottomup.metrics.coco import Evaluation, evaluate_keypoints
from bottomup.roads.box_evaluation import box_judge
from bottomup.roads.given import labelled
from bottomup.roads.predictor import Predictor
from bottomup.roads.streams import in_order, one_thread_a_stream
from bottomup.roads.systems import System, road_of


@dataclass(frozen=True)
class Report:
    """The ten COCO keypoint numbers, how many pictures and predicted people they are about, and where time went."""

    numbers: dict[str, float]
    interval: tuple[float, float]  # of AP: 95 %, by bootstrap over pictures
    evaluation: Evaluation  # what the numbers are drawn from, for paired tests
    pictures: int
    people: int
    seconds: dict[str, float]  # a picture: in each stage; all: of the whole run, whose stages overlap
    system: str  # weights, device and boxes

    def __str__(self) -> str:
        lines = [f"{name:5s} {value:6.3f}" for name, value in self.numbers.items()]
        lines[0] += f"   ({self.interval[0]:.3f} to {self.interval[1]:.3f}: 95 %, bootstrap over pictures)"
        times = ", ".join(f"{stage} {seconds:.4f}" for stage, seconds in self.seconds.items())
        return "\n".join(
            (self.system, *lines, f"{self.pictures} pictures, {self.people} people found; seconds a picture: {times}")
        )


def evaluate(
    predictor: Predictor,
    data: str | Path,
    images: str | Path | None = None,
    *,
    levels: Sequence[str] = (),
    progress: bool = False,
) -> Report:
    """Runs the pictures of a COCO keypoint file through the predictor and judges the people found.

    images: where pictures or shards are, by default beside the file. levels: only pictures with one of
    these `annotation_level`s. Raises DataError that names the file where the set cannot be used.
    """
    skeleton = written_skeleton(predictor.road.skeleton)
    samples = _of_levels(read_coco(data, images, skeleton=skeleton), Path(data), levels)
    predictor.road.expect([sample.image_id for sample in samples])
    predictor.clock.seconds.clear()
    start = time.perf_counter()
    results = _results(predictor, samples, progress)
    seconds = predictor.clock.seconds | {"all": time.perf_counter() - start}
    judged = evaluate_keypoints(
        data, results, image_ids=[sample.image_id for sample in samples], sigmas=skeleton.sigmas
    )
    a_picture = {stage: spent / len(samples) for stage, spent in seconds.items()}
    return Report(
        judged.numbers, bootstrap_interval(judged), judged, len(samples), len(results), a_picture, str(predictor)
    )


def dev_judge(
    header: Mapping[str, Any], data: str | Path, images: str | Path | None = None
) -> Callable[[nn.Module], dict[str, float]]:
    """What gives the ten numbers of a network that is being trained, run as the header of its weights will say.

    A top-down network sees the labels' boxes; of a detector they are box numbers. Raises DataError at once where the
    set cannot be used.
    """
    if header["method"] == "detector":
        return box_judge(header, data, images)
    skeleton = Skeleton(**header["skeleton"])
    _of_levels(read_coco(data, images, skeleton=written_skeleton(skeleton)), Path(data), ())
    boxes = labelled(data) if header["method"] == "topdown" else None

    def judge(network: nn.Module) -> dict[str, float]:
        system = System(header["method"], network, skeleton, header["road"], "road")
        road = road_of([system], next(network.parameters()).device, boxes=boxes)
        return evaluate(Predictor(road), data, images).numbers

    return judge


def _results(predictor: Predictor, samples: Sequence[Sample], progress: bool) -> list[dict[str, Any]]:
    def entries(sample: Sample) -> list[dict[str, Any]]:
        with predictor.clock("read"):
            image = sample.load()
        return as_written(predictor.road([image], [sample.image_id])[0]).to_coco(sample.image_id)

    results: list[dict[str, Any]] = []
    with one_thread_a_stream(predictor.device, len(samples)) as streams, ThreadPoolExecutor(streams) as pool:
        each = in_order(pool, entries, samples, streams)
        for found in tqdm(each, total=len(samples), unit="picture", disable=None if progress else True):
            results += found
    return results


def _of_levels(samples: Sequence[Sample], data: Path, levels: Sequence[str]) -> Sequence[Sample]:
    if levels:
        level_of = {record["id"]: record.get("annotation_level") for record in load_json(data)["images"]}
        unknown = sorted(set(levels) - set(level_of.values()))
        if unknown:
            known = ", ".join(sorted({str(level) for level in level_of.values()}))
            raise DataError(f"{data}: no picture has annotation_level {unknown[0]!r}; there are {known}")
        samples = [sample for sample in samples if level_of[sample.image_id] in levels]
    if not samples:
        raise DataError(f"{data}: has no pictures; name another file")
    return samples
