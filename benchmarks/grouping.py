"""Grouping beside the prototype of the benchmark folder, on its hard maps, in one run.

taskset -c 0 python benchmarks/grouping.py --bench ../shared/bench                 milliseconds
python benchmarks/grouping.py --bench ../shared/bench --quality --seeds 100        OKS, false people, precision
python benchmarks/grouping.py --bench ../shared/bench --way "COCO-17" --plot times.svg
python benchmarks/grouping.py --bench ../shared/bench --device cuda --batch 16     bytes that travel, milliseconds

Times: both take turns on eight scenes in rotation; medians of CPU time, and the median and largest of the ratios.
The folder holds `maps.py` (scenes and their judge) and `prototype.py`. With --device, batches of tensors there are
grouped by fetching the cells that count, beside copying all of their maps and grouping these: bytes both ways, and
the wall clock's time. On a CPU the bytes are those that a GPU would send.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch

from bottomup.compare.plots import HEIGHT, LEFT, TOP, WIDTH, Axes
from bottomup.core import SKELETONS, Maps, Skeleton
from bottomup.grouping import group, group_batch, on_device
from bottomup.grouping.tables import tables_of

SCENES, ROUNDS = 8, 12
COLOURS = ("#3366bb", "#bb4433", "#338855", "#8855aa", "#aa7711")
PLOT_STYLE = (
    "svg{background:#fff} text{font:11px sans-serif;fill:#333} .grid{stroke:#ddd} .axis{stroke:#333} "
    ".line{fill:none;stroke-width:2}"
)


class Way(NamedTuple):
    """One way to group: which layout, evidence and whether with the prior."""

    name: str
    layout: str
    pafs: bool
    tags: bool
    prior: bool


WAYS = (
    Way("PAFs, OpenPose-18", "openpose18", True, False, True),
    Way("PAFs, OpenPose-18, no prior", "openpose18", True, False, False),
    Way("PAFs, COCO-17", "coco17", True, False, True),
    Way("tags, COCO-17", "coco17", False, True, True),
    Way("tags, COCO-17, no prior", "coco17", False, True, False),
    Way("both, COCO-17", "coco17", True, True, True),
)


def main() -> None:
    """Measures and prints one table."""
    options = _parser().parse_args()
    sys.path.insert(0, options.bench)
    import maps
    import prototype

    peers = SimpleNamespace(maps=maps, prototype=prototype)
    ways = [way for way in WAYS if options.way in way.name]
    if options.device:
        print_travel(peers, ways, options)
    elif options.quality:
        print_quality(peers, ways, options)
    else:
        print_times(peers, ways, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True, metavar="FOLDER", help="where maps.py and prototype.py are")
    parser.add_argument("--quality", action="store_true", help="OKS, false people and precision instead of times")
    parser.add_argument("--sizes", type=int, nargs="+", default=[46, 64, 128, 160, 512], metavar="N")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 5, 20, 50], metavar="N")
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="scenes a case, for --quality")
    parser.add_argument("--fill", action="store_true", help="joints without a peak are filled in")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="bytes that travel from there, instead")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="pictures a batch, for --device")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draws the times against people, as SVG")
    parser.add_argument("--way", default="", metavar="TEXT", help="only ways whose name contains this")
    return parser


@cache
def skeleton_of(maps: Any, layout: str, prior: bool) -> Skeleton:
    """The layout's skeleton with the limbs and, if wanted, the prior of the scenes."""
    limbs = tuple((int(a), int(b)) for a, b in maps.LAYOUTS[layout][1])
    plain = dataclasses.replace(SKELETONS[layout], limbs=limbs)
    return dataclasses.replace(plain, prior=maps.joint_offsets(layout)) if prior else plain


def ours(peers: Any, way: Way, fill: bool) -> Callable[[Any], np.ndarray]:
    """A function from a scene to joints (P, K, 3)."""
    skeleton = skeleton_of(peers.maps, way.layout, way.prior)

    def run(scene: Any) -> np.ndarray:
        pafs, tags = (scene.paf if way.pafs else None), (scene.tags if way.tags else None)
        return group(scene.heat, pafs=pafs, tags=tags, skeleton=skeleton, sigma=scene.sigma, fill=fill).joints

    return run


def theirs(peers: Any, way: Way) -> Callable[[Any], np.ndarray]:
    """The same by the prototype."""
    prior = peers.prototype.prior(way.layout) if way.prior else None

    def run(scene: Any) -> np.ndarray:
        if not way.pafs:
            return peers.prototype.group_tags(scene.heat, scene.tags, scene.sigma, prior)
        tags = scene.tags if way.tags else None
        return peers.prototype.group_limbs(scene.heat, scene.paf, scene.limbs, scene.sigma, prior, tags)

    return run


def print_times(peers: Any, ways: list[Way], options: argparse.Namespace) -> None:
    """Milliseconds of both and their ratio, case by case, then the ratios' median and largest."""
    ratios: list[float] = []
    curves: dict[str, dict[int, list[tuple[float, float]]]] = {}
    print("| way | map | people | ms | prototype, ms | ratio |\n|---|--:|--:|--:|--:|--:|")
    for way in ways:
        for size in options.sizes:
            for people in options.people:
                scenes = [peers.maps.make(way.layout, size, people, seed) for seed in range(SCENES)]
                mine, other = seconds(scenes, ours(peers, way, options.fill), theirs(peers, way))
                ratios.append(mine / other)
                curves.setdefault(way.name, {}).setdefault(size, []).append((people, 1e3 * mine))
                print(f"| {way.name} | {size} | {people} | {1e3 * mine:.3f} | {1e3 * other:.3f} | {ratios[-1]:.2f} |")
                sys.stdout.flush()
    print(f"\nratios: median {statistics.median(ratios):.2f}, largest {max(ratios):.2f}")
    if options.plot:
        options.plot.write_text(drawn_times(curves), encoding="utf-8")


def print_travel(peers: Any, ways: list[Way], options: argparse.Namespace) -> None:
    """Bytes that travel and milliseconds, a picture, of maps on a device: all of them, and what is fetched."""
    print("| way | map | people | all, KB | fetched, KB | share | all, ms | fetched, ms |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for way in ways:
        skeleton = skeleton_of(peers.maps, way.layout, way.prior)
        for size in options.sizes:
            for people in options.people:
                scenes = [peers.maps.make(way.layout, size, people, seed) for seed in range(options.batch)]
                batch = stacked(scenes, way).each(lambda a: a.to(options.device))
                sent, seconds = travel(batch, skeleton, options.fill)
                whole, fetched = (part / 1e3 / options.batch for part in sent)
                ms = (1e3 * part / options.batch for part in seconds)
                row = f"{whole:.0f} | {fetched:.1f} | {fetched / whole:.1%} | " + " | ".join(f"{t:.3f}" for t in ms)
                print(f"| {way.name} | {size} | {people} | {row} |", flush=True)


def stacked(scenes: list[Any], way: Way) -> Maps:
    """The scenes' maps as a batch of tensors."""

    def batch(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(scene, name) for scene in scenes]))

    pafs, tags = batch("paf") if way.pafs else None, batch("tags") if way.tags else None
    return Maps(batch("heat"), pafs, tags, sigma=scenes[0].sigma)


def travel(maps: Maps, skeleton: Skeleton, fill: bool) -> tuple[list[int], list[float]]:
    """Bytes that travel and median seconds of grouping a batch, copied whole and by the cells that are fetched."""
    tables, sent, fetch = tables_of(skeleton), [0], on_device.Distant.fetch

    def counting(distant: on_device.Distant, cells: torch.Tensor) -> None:
        sent[0] += len(cells) * (distant.numbers.itemsize + 4 * distant.there.shape[1])
        fetch(distant, cells)

    on_device.Distant.fetch = counting  # type: ignore[method-assign]
    on_device.people_on_device(maps, tables, fill=fill)
    on_device.Distant.fetch = fetch  # type: ignore[method-assign]
    whole = sum(a.numel() * a.itemsize for a in (maps.heatmaps, maps.pafs, maps.tags) if a is not None)
    ways: list[Callable[[], object]] = [
        lambda: group_batch(maps.numpy(), skeleton, fill=fill),
        lambda: on_device.people_on_device(maps, tables, fill=fill),
    ]
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for way, spent in zip(ways, times, strict=True):
            begin = time.perf_counter()
            way()
            spent.append(time.perf_counter() - begin)
    return [whole, sent[0]], [statistics.median(spent[1:]) for spent in times]


def drawn_times(curves: dict[str, dict[int, list[tuple[float, float]]]]) -> str:
    """Milliseconds against people, both logarithmic: a panel a way, a curve a map size, as SVG."""
    counts = sorted({people for sizes in curves.values() for points in sizes.values() for people, _ in points})
    x = tuple((math.log(count), str(count)) for count in counts)
    y = tuple((math.log(ms), f"{ms:g}") for ms in (0.03, 0.1, 0.3, 1, 3, 10))
    axes = Axes((x[0][0], x[-1][0]), (y[0][0], y[-1][0]), "people", "ms", x, y)
    parts = [f"<style>{PLOT_STYLE}</style>"]
    for number, (way, sizes) in enumerate(curves.items()):
        lines = [axes.drawn(), f'<text class="name" x="{LEFT + 6}" y="{TOP + 12}">{way}</text>']
        for s, (size, points) in enumerate(sizes.items()):
            places = [axes.place(math.log(people), math.log(max(ms, 0.03))) for people, ms in points]
            path = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
            lines.append(f'<polyline class="line" stroke="{COLOURS[s % len(COLOURS)]}" points="{path}"/>')
            lines.append(f'<text class="tick" x="{places[-1][0] - 22:.0f}" y="{places[-1][1] - 4:.0f}">{size}</text>')
        shift = f"translate({number % 2 * WIDTH} {number // 2 * HEIGHT})"
        parts.append(f'<g transform="{shift}">{"".join(lines)}</g>')
    box = f"0 0 {2 * WIDTH} {-(-len(curves) // 2) * HEIGHT}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{"".join(parts)}</svg>\n'


def seconds(scenes: list[Any], *runs: Callable[[Any], np.ndarray]) -> list[float]:
    """Median CPU seconds of each function, which take turns on all scenes, so that nobody finds a scene's maps still in
    the processor's cache because another has just read them; the first round warms up."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(ROUNDS + 1):
        for run, spent in zip(runs, times, strict=True):
            for scene in scenes:
                begin = time.thread_time()
                run(scene)
                if turn:
                    spent.append(time.thread_time() - begin)
    return [statistics.median(spent) for spent in times]


def print_quality(peers: Any, ways: list[Way], options: argparse.Namespace) -> None:
    """Mean OKS, false people, recall and precision of both, case by case and as means over all cases of a way."""
    print("| way | map | people | OKS | false | precision | prototype: OKS | false | precision |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for way in ways:
        rows = []
        for size in options.sizes:
            for people in options.people:
                rows.append(judged(peers, way, size, people, options))
                _print_row(way.name, size, people, rows[-1])
        _print_row(f"**{way.name}, mean**", "", "", np.mean(rows, 0))


def _print_row(name: str, size: object, people: object, row: np.ndarray) -> None:
    cells = (f"{row[0]:.3f}", f"{row[1]:.2f}", f"{row[2]:.3f}", f"{row[3]:.3f}", f"{row[4]:.2f}", f"{row[5]:.3f}")
    print(f"| {name} | {size} | {people} | {' | '.join(cells)} |", flush=True)


def judged(peers: Any, way: Way, size: int, people: int, options: argparse.Namespace) -> np.ndarray:
    """Means over scenes (6,): OKS, false people and precision of ours, then of the prototype."""
    runs, rows = (ours(peers, way, options.fill), theirs(peers, way)), []
    for seed in range(options.seeds):
        scene = peers.maps.make(way.layout, size, people, seed)
        scores = [peers.maps.score(run(scene), scene.truth, scene.area, way.layout) for run in runs]
        rows.append([score[name] for score in scores for name in ("oks", "false", "precision")])
    return np.mean(rows, 0)


if __name__ == "__main__":
    main()
