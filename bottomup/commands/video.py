"""`bottomup infer clip.mp4`: a video in, tracked people out."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from bottomup.commands.common import say, sum_up
from bottomup.commands.road import chosen_predictor
from bottomup.core import People
from bottomup.core.layouts import as_written, written_skeleton
from bottomup.draw import draw as draw_people
from bottomup.errors import InputError, SettingsError
from bottomup.files.results import DRAWN, RECORDS, RESULTS, SETTINGS
from bottomup.files.tracks import TrackFile
from bottomup.files.video import Frame, VideoReader, VideoWriter, is_video
from bottomup.roads.predictor import Predictor
from bottomup.roads.streams import in_order, one_thread_a_stream
from bottomup.tracking.links import linked
from bottomup.tracking.tracker import Tracker

MANY = 1000  # frames taken where a file does not say how many it has


@dataclass(eq=False)
class Answer:
    """A frame and whom the road found there; None where frame or maps are broken, see error."""

    frame: Frame
    people: People | None
    error: str | None
    seconds: float


def infer_videos(options: argparse.Namespace) -> int:
    """Runs `bottomup infer` on videos; the exit code. Raises SettingsError for videos and pictures in one run."""
    if others := [text for text in options.inputs if not is_video(text)]:
        raise SettingsError(f"{others[0]} is no video, others are; run them apart, each with its own --out")
    if options.engine != "local" or options.rows:
        raise SettingsError("videos run in this process, without rows; leave out --engine and --rows")
    predictor = chosen_predictor(options)
    how = {"draw": options.draw, "links": options.global_links, "overwrite": options.overwrite}
    try:
        counts = run_videos(predictor, options.inputs, options.out, **how)
    except KeyboardInterrupt:
        say(f"what is done is in {options.out}; with --overwrite the same command begins anew")
        raise
    return sum_up(counts, "frames", f"{counts['tracks']} tracks, somebody in {counts['ok']}", options.out)


def run_videos(
    predictor: Predictor,
    inputs: Sequence[str],
    out: str | Path,
    *,
    draw: bool = False,
    links: bool = False,
    overwrite: bool = False,
) -> Counter[str]:
    """Follows the people through videos: OUT/NAME.json (PoseTrack 2018), a line a frame in OUT/records.jsonl.

    draw: also OUT/drawn/NAME.mp4. links: ids by all frames at once, for which people (no images) are kept.
    A broken frame is a record; so is a video that cannot be read. The counts of ok, empty, error, people and tracks.
    Raises SettingsError when OUT holds results already.
    """
    out = Path(out)
    names = _names(inputs)
    _check_folder(out, names, draw, overwrite)
    out.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    with open(out / RECORDS, "w", encoding="utf-8") as records:
        for path, name in zip(inputs, names, strict=True):
            try:
                with VideoReader(path) as video:
                    counts += _Run(predictor, video, out, name, records, draw, links).everything()
            except InputError as error:
                counts += note(records, file_name=Path(path).name, frame=None, error=str(error), people=0)
                say(str(error))
    return counts


def _names(inputs: Sequence[str]) -> list[str]:
    """What the files of each video are called; with its suffix where two would be the same."""
    stems = Counter(Path(text).stem for text in inputs)
    names = [Path(text).stem if stems[Path(text).stem] == 1 else Path(text).name for text in inputs]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise SettingsError(f"two videos are called {twice[0]}; run them apart, each with its own --out")
    return names


def _check_folder(out: Path, names: Sequence[str], draw: bool, overwrite: bool) -> None:
    remedy = "name another --out"
    for foreign in (SETTINGS, RESULTS):
        if (out / foreign).exists():
            raise SettingsError(f"{out / foreign}: of a run over pictures; {remedy}")
    if draw and any((out / DRAWN / f"{name}.mp4").exists() for name in names) and not overwrite:
        raise SettingsError(f"{out / DRAWN}: holds these videos already; {remedy}, or use --overwrite")
    if there := [name for name in names if (out / f"{name}.json").exists() and not overwrite]:
        raise SettingsError(f"{out / there[0]}.json: is there already; {remedy}, or use --overwrite")


class _Run:
    """One video."""

    def __init__(
        self, predictor: Predictor, video: VideoReader, out: Path, name: str, records: TextIO, draw: bool, links: bool
    ) -> None:
        self.predictor, self.video, self.name, self.records, self.links = predictor, video, name, records, links
        self.json, self.drawn = out / f"{name}.json", out / DRAWN / f"{name}.mp4" if draw else None
        self.skeleton = predictor.road.skeleton

    def everything(self) -> Counter[str]:
        """Runs it; the counts."""
        counts, kept, tracker = Counter[str](), list[Answer](), Tracker(self.skeleton)
        with self._outputs(draw=not self.links) as write:
            for answer in self._answers():
                tracked = None if answer.people is None else tracker(answer.people, answer.frame.time)
                write(answer.frame, tracked)
                counts += self._note(answer, tracked)
                if self.links and answer.people is not None:
                    kept.append(replace(answer, frame=replace(answer.frame, image=None)))
        counts["tracks"] = self._link(kept) if self.links else tracker.given
        return counts

    def _answers(self) -> Iterator[Answer]:
        """The people of every frame, in order, several frames under way; shows how far it is."""
        bar = tqdm(total=self.video.count, unit="frame", desc=self.name, disable=None)  # None: on a terminal only
        many = self.video.count or MANY
        with bar, one_thread_a_stream(self.predictor.device, many) as streams, ThreadPoolExecutor(streams) as pool:
            for answer in in_order(pool, self._answer, self.video, streams):
                yield answer
                bar.update()

    def _answer(self, frame: Frame) -> Answer:
        if frame.image is None:
            return Answer(frame, None, frame.error, 0.0)
        start = time.perf_counter()
        try:
            found = self.predictor(frame.image)
            assert isinstance(found, People)  # one image, so not a list
            return Answer(frame, found, None, time.perf_counter() - start)
        except ValueError as error:  # one frame whose maps cannot be grouped does not end the run
            return Answer(frame, None, f"{self.video.path}: frame {frame.number}: {error}", time.perf_counter() - start)

    @contextmanager
    def _outputs(self, draw: bool) -> Iterator[Callable[[Frame, People | None], None]]:
        """A function that writes a frame and its tracked people, None where it is broken, to every output."""
        with ExitStack() as stack:
            tracks = stack.enter_context(TrackFile(self.json, self.name, written_skeleton(self.skeleton)))
            drawn = None
            if draw and self.drawn is not None:
                drawn = stack.enter_context(VideoWriter(self.drawn, self.video.rate))

            def write(frame: Frame, people: People | None) -> None:
                size = None if frame.image is None else (frame.image.shape[1], frame.image.shape[0])
                tracks.add(frame.number, frame.time, size, None if people is None else as_written(people))
                if drawn is not None and frame.image is not None:
                    drawn.add(frame.image if people is None else draw_people(frame.image, people), frame.time)

            yield write

    def _link(self, answers: Sequence[Answer]) -> int:
        """Gives ids anew by all frames at once, and reads the video a second time; the number of tracks."""
        found = linked([a.people for a in answers if a.people is not None], [a.frame.time for a in answers])
        people = {answer.frame.number: tracked for answer, tracked in zip(answers, found, strict=True)}
        with VideoReader(self.video.path) as video, self._outputs(draw=True) as write:
            for frame in video:
                write(frame, people.get(frame.number))
        return len({number for tracked in found for number in (tracked.ids if tracked.ids is not None else ())})

    def _note(self, answer: Answer, tracked: People | None) -> Counter[str]:
        """A line of records.jsonl; what it counts."""
        people = 0 if answer.people is None else len(answer.people)
        return note(
            self.records,
            file_name=self.video.path.name,
            frame=answer.frame.number,
            time=round(answer.frame.time, 6),
            error=answer.error,
            people=people,
            tracked=0 if tracked is None else len(tracked),
            seconds=round(answer.seconds, 6),
        )


def note(records: TextIO, *, error: str | None, people: int, **more: Any) -> Counter[str]:
    """Writes a record; what it counts."""
    status = "error" if error is not None else "ok" if people else "empty"
    records.write(json.dumps({"status": status, "error": error, "people": people} | more) + "\n")
    records.flush()
    return Counter({status: 1, "people": people})
