"""How long a label file takes to load, in how much memory, and what each worker process adds.

python benchmarks/labels.py --labels coco_train_labels.json.gz --workers 4

Workers are forked as a data loader does it; each goes through all samples, then its private memory is read.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Any

from bottomup.data.coco import read_coco

MIB = 2**20


def main() -> None:
    """Loads, forks, prints a table."""
    options = _parser().parse_args()
    wall, cpu = time.perf_counter(), time.process_time()
    samples = read_coco(options.labels, find_pictures=False)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    people = sum(len(sample.people) for sample in samples)
    print(f"{len(samples):,} pictures, {people:,} people")
    print(f"load     {wall:.1f} s ({cpu:.1f} s of one core), peak {peak:.0f} MiB with Python and its libraries")
    print(f"process  {_private_memory() / MIB:.0f} MiB")
    for kind, held in (("arrays", samples), ("a list of samples", list(samples))):
        print(f"worker   {max(_in_workers(held, options.workers)) / MIB:.0f} MiB of its own, over {kind}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="COCO keypoint file, gzipped or not")
    parser.add_argument("--workers", type=int, default=2)
    return parser


def _in_workers(samples: Any, count: int) -> list[int]:
    context = multiprocessing.get_context("fork")
    with context.Pool(count, initializer=_hold, initargs=(samples,)) as pool:
        return pool.map(_touch_all, range(count), chunksize=1)


def _hold(samples: Any) -> None:
    global _held
    _held = samples


def _touch_all(_: int) -> int:
    before = _private_memory()
    for sample in _held:
        assert len(sample.known) == len(sample.people)
    return max(0, _private_memory() - before)


def _private_memory() -> int:
    """Bytes that this process shares with no other (Linux)."""
    rows = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return 1024 * sum(int(row.split()[1]) for row in rows if row.startswith("Private_"))


if __name__ == "__main__":
    main()
