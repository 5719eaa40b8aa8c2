"""A large folder run: memory over its length, the same bytes after being killed, and what Ray costs.

python benchmarks/folder.py memory  examples --pictures 10000      resident memory at a tenth, ..., and its slope
python benchmarks/folder.py killed  examples --pictures 2000       killed three times and restarted; results compared
python benchmarks/folder.py ray     examples --pictures 500        seconds by Ray against this process, same results

The folder holds links to the given pictures, over and over. `--long-side 64` makes all of it short.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bottomup.files.images import find_images


def main() -> None:
    """Runs one of the three."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        fill(photos, options.folder, options.pictures)
        print(f"{options.pictures} pictures, long side {options.long_side}, runtime {options.runtime}")
        {"memory": memory, "killed": killed, "ray": by_ray}[options.what](photos, Path(folder), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("memory", "killed", "ray"))
    parser.add_argument("folder", help="pictures to run")
    parser.add_argument("--pictures", type=int, default=2000, metavar="N")
    parser.add_argument("--long-side", type=int, default=512, metavar="N")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="of Ray")
    return parser


def fill(folder: Path, source: str, number: int) -> None:
    """Links to the pictures of the source, as many as wanted."""
    folder.mkdir()
    pictures = [image.path for image in find_images([source])]
    for i in range(number):
        original = pictures[i % len(pictures)]
        (folder / f"{i}{original.suffix}").symlink_to(original)


def started(photos: Path, out: Path, options: argparse.Namespace, *more: str) -> subprocess.Popen[bytes]:
    """A folder run in a process of its own."""
    how = ["--long-side", str(options.long_side), "--runtime", options.runtime, "--device", "cpu", *more]
    command = [sys.executable, "-m", "bottomup", "infer", str(photos), "--out", str(out), *how]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def finished(out: Path) -> int:
    """Pictures that a run has noted so far."""
    journal = out / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def memory(photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Resident memory of a run at every tenth of it, its peak, and the slope after the first fifth."""
    run, done, megabytes = started(photos, folder / "out", options), [], []
    while run.poll() is None:
        status = Path(f"/proc/{run.pid}/status").read_text().split()
        if "VmRSS:" in status:
            done.append(finished(folder / "out"))
            megabytes.append(int(status[status.index("VmRSS:") + 1]) / 1024)
        time.sleep(0.5)
    number, used = np.array(done), np.array(megabytes)
    for tenth in range(1, 11):
        at = int(np.argmin(abs(number - tenth * options.pictures / 10)))
        print(f"{number[at]:7d} pictures {used[at]:8.1f} MB")
    late = number > options.pictures / 5
    slope = 1000 * np.polyfit(number[late], used[late], 1)[0]
    print(f"exit code {run.returncode}, peak {used.max():.1f} MB, slope {slope:+.2f} MB in 1,000 pictures")


def killed(photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Killed at a fifth, two fifths and three fifths: the results are those of a run that was not."""
    whole, cut = folder / "whole", folder / "cut"
    started(photos, whole, options).wait()
    for fifth in (1, 2, 3):
        run = started(photos, cut, options)
        while run.poll() is None and finished(cut) < fifth * options.pictures / 5:
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        run.wait()
        print(f"killed after {finished(cut)} pictures")
    started(photos, cut, options).wait()
    same = (whole / "results.json").read_bytes() == (cut / "results.json").read_bytes()
    print(f"results.json the same bytes: {same}; {finished(cut)} pictures noted")


def by_ray(photos: Path, folder: Path, options: argparse.Namespace) -> None:
    """Seconds from start to end of both engines; what one picture more costs each, without the start."""
    few = folder / "few"
    fill(few, options.folder, max(1, options.pictures // 5))
    seconds: dict[str, float] = {}
    for name, more in (("local", []), ("ray", ["--engine", "ray", "--workers", str(options.workers)])):
        taken = []
        for source in (few, photos):
            start = time.perf_counter()
            started(source, folder / f"{name}-{source.name}", options, *more).wait()
            taken.append(time.perf_counter() - start)
        pictures = options.pictures - max(1, options.pictures // 5)
        seconds[name] = (taken[1] - taken[0]) / pictures
        print(f"{name:6s} {taken[1]:7.1f} s in all, {1000 * seconds[name]:.1f} ms for every picture more")
    print(f"ray / local: {seconds['ray'] / seconds['local']:.3f}")
    files = [folder / f"{name}-photos" / "results.json" for name in ("local", "ray")]
    print(f"results.json the same bytes: {files[0].read_bytes() == files[1].read_bytes()}")


if __name__ == "__main__":
    main()
