"""A comparison from its settings to the files that tell of it: index.html, report.json, report.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bottomup.compare.embedding import data_uri
from bottomup.compare.judging import BINS
from bottomup.compare.markdown import as_markdown
from bottomup.compare.page import page
from bottomup.compare.pictures import Album, skeleton_record
from bottomup.compare.report import Judged, report_of
from bottomup.compare.runs import Load, Run, Runner, measure, started
from bottomup.compare.settings import CompareSettings, System
from bottomup.compare.shown import shown_pictures, shown_record
from bottomup.compare.tables import Report
from bottomup.compare.videos import video_report
from bottomup.core import COCO17, CROWDPOSE14, Skeleton
from bottomup.data.coco import read_coco
from bottomup.errors import DataError, SettingsError
from bottomup.files.atomic import replacing
from bottomup.metrics.coco import Evaluation, evaluate_keypoints
from bottomup.metrics.crowdpose import evaluate_crowdpose
from bottomup.metrics.entries import Entry, images_of_levels, read_results, read_truth
from bottomup.metrics.errors import ErrorAnalysis, analyse_errors

Shown = tuple[list[Entry], list[Load | None]]  # pictures as the page takes them, and what loads each if it is there
SKELETONS: dict[str, Skeleton] = {"coco": COCO17, "crowdpose": CROWDPOSE14}


@dataclass(frozen=True)
class Task:
    """The labelled pictures that all systems are judged on."""

    settings: CompareSettings
    truth: Entry
    image_ids: list[int] | None  # None: all

    @property
    def skeleton(self) -> Skeleton:
        """The joints that the metric judges."""
        return SKELETONS[self.settings.metric]

    def evaluate(self, entries: list[Entry]) -> Evaluation:
        """Results entries judged by the metric."""
        evaluate = evaluate_crowdpose if self.settings.metric == "crowdpose" else evaluate_keypoints
        return evaluate(self.truth, entries, image_ids=self.image_ids)

    def analyse(self, entries: list[Entry]) -> ErrorAnalysis | None:
        """Where results lose AP; None for metrics whose areas that analysis does not know."""
        if self.settings.metric != "coco":
            return None
        return analyse_errors(self.truth, entries, image_ids=self.image_ids, skeleton=self.skeleton)


def compare(settings: CompareSettings, *, progress: bool = False) -> Report:
    """Runs and judges the systems, writes index.html, report.json and report.md into `settings.out`; the report.

    Raises SettingsError, DataError or InputError before anything is written.
    """
    if settings.metric == "posetrack":
        report, viewer = video_report(settings), None
    else:
        report, viewer = _pictures_report(settings, progress)
    texts = {"index.html": page(report, viewer), "report.md": as_markdown(report)}
    _write(Path(settings.out), texts | {"report.json": json.dumps(report, indent=1)})
    return report


def _pictures_report(settings: CompareSettings, progress: bool) -> tuple[Report, dict[str, Any]]:
    if settings.show is not None and not any(system.weights for system in settings.systems):
        raise SettingsError(f"show is {settings.show}, but no system is run here; name weights, or leave it out")
    truth, source = read_truth(settings.gt)
    task = Task(settings, truth, images_of_levels(truth, source, settings.levels))
    with started(settings, task.skeleton.name) as runners:
        runs = _runs(task, runners, progress)
        judged = [_judged(system, task, runs.get(system.name)) for system in settings.systems]
        report = report_of(settings, judged)
        return report, _viewer(task, judged, report, runners)


def _runs(task: Task, runners: dict[str, Runner], progress: bool) -> dict[str, Run]:
    """Every system's run, its pictures in the order of their ids, which is that of evaluations."""
    if not runners:
        return {}
    wanted = task.image_ids
    samples = read_coco(task.settings.gt, task.settings.images, skeleton=task.skeleton)
    chosen = [sample for sample in samples if wanted is None or sample.image_id in wanted]
    return measure(runners, sorted(chosen, key=lambda sample: sample.image_id), task.settings, progress)


def _judged(system: System, task: Task, run: Run | None) -> Judged:
    entries = run.entries if run is not None else read_results(str(system.results), task.truth)
    try:
        evaluation = task.evaluate(entries)
        errors = task.analyse(entries)
    except DataError as error:
        raise DataError(f"{system.results or system.name}: {error}") from error
    return Judged(system, entries, evaluation, errors, run)


def _viewer(task: Task, judged: Sequence[Judged], report: Report, runners: Mapping[str, Runner]) -> dict[str, Any]:
    """What the page's viewer takes; adds to the report how many pictures that are, and which."""
    labelled = task.settings.show is None
    records, loads = _most_different(task, judged, report) if labelled else _examples(task, report, runners)
    names = [one.system.name for one in judged if labelled or one.run is not None]
    for record, load in zip(records, loads, strict=True):
        record["layers"] = [_layers(runners.get(name), load) for name in names]
    least = _least_scores(report)
    report["viewer"] = {"pictures": len(records), "note": _note(task.settings, report, records)}
    return {
        "labelled": labelled,
        "skeleton": skeleton_record(task.skeleton),
        "systems": [{"name": name, "threshold": least[name]} for name in names],
        "bins": BINS,
        "pictures": records,
    }


def _most_different(task: Task, judged: Sequence[Judged], report: Report) -> Shown:
    """The labelled pictures on which the systems differ most."""
    settings = task.settings
    album = Album(task.truth, settings.gt, settings.images)
    records = album.records(report["pictures"][: settings.pictures], judged)
    return records, [album.find(record["id"]) if record["image"] else None for record in records]


def _examples(task: Task, report: Report, runners: Mapping[str, Runner]) -> Shown:
    """Other pictures, without labels, with what the systems that run here find on them."""
    pictures = shown_pictures(str(task.settings.show), task.settings.pictures)
    least = _least_scores(report)
    records = [shown_record(i, name, load, runners, least) for i, (name, load) in enumerate(pictures, 1)]
    return records, [load for _, load in pictures]


def _least_scores(report: Report) -> dict[str, float]:
    """By system the score from which on people count as found."""
    return {system["name"]: system["operating_point"]["score"] for system in report["systems"]}


def _layers(runner: Runner | None, load: Load | None) -> dict[str, str]:
    """Heatmaps and PAFs of a system that is run here and has maps of whole pictures."""
    pngs = {} if runner is None or load is None else runner.overlays(load)
    return {name: data_uri("image/png", content) for name, content in pngs.items()}


def _note(settings: CompareSettings, report: Report, records: Sequence[Entry]) -> str:
    shown, pictures = len(records), report["truth"]["pictures"]
    if settings.show is not None:
        return f"{shown} other pictures, without labels: those that the numbers are about are not shown."
    many = f"The {shown} of {pictures} pictures on which the systems' F1 lies farthest apart."
    if shown == pictures:
        many = f"All {pictures} pictures."
    found = any(record["image"] for record in records)
    return many if found else f"{many} The photographs were not found: name their folder to see them."


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        with replacing(folder / name) as file:
            file.write(text.encode())
