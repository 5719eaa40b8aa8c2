"""The numbers of a comparison: what report.json holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from bottomup.compare.crossing import find_crossing, fit_line
from bottomup.compare.judging import by_people, operating_point, picture_quality
from bottomup.compare.runs import Run
from bottomup.compare.settings import CompareSettings, System
from bottomup.compare.tables import Report
from bottomup.metrics.bootstrap import bootstrap_interval
from bottomup.metrics.coco import Evaluation
from bottomup.metrics.errors import ErrorAnalysis
from bottomup.metrics.paired import paired_test

FORMAT = 1
NOT_SAID = "not said"


@dataclass(eq=False)
class Judged:
    """A system with what it found and how that was judged. run: None for results made elsewhere."""

    system: System
    entries: list[dict[str, Any]]
    evaluation: Evaluation
    errors: ErrorAnalysis | None
    run: Run | None


def report_of(settings: CompareSettings, judged: Sequence[Judged]) -> Report:
    """Everything that the tables, the plots and the list of pictures are made of."""
    first = judged[0].evaluation
    timed = [one for one in judged if one.run is not None]
    timing = {"threads": settings.threads, "rounds": settings.rounds, "warm_up": settings.warm_up}
    return {
        "format": FORMAT,
        "metric": settings.metric,
        "truth": {
            "file": settings.gt,
            "levels": list(settings.levels),
            "pictures": len(first.images),
            "people": int(first.people.sum()),
        },
        "systems": [_system(one) for one in judged],
        "pairs": [_pair(a, b) for a, b in combinations(judged, 2)],
        "crossings": [_crossing(a, b) for a, b in combinations(timed, 2)],
        "timing": timing if timed else None,
        "pictures": _ranked(judged),
    }


def _system(one: Judged) -> dict[str, Any]:
    about = None if one.run is None else one.run.about
    curves = one.evaluation.precision
    return {
        "name": one.system.name,
        "source": one.system.results if about is None else about.weights,
        "method": "results file" if about is None else about.method,
        "boxes": (one.system.boxes or NOT_SAID) if about is None else about.boxes,
        "people_found": len(one.entries),
        "numbers": one.evaluation.numbers,
        "interval": list(bootstrap_interval(one.evaluation)),
        "by_people": by_people(one.evaluation),
        "precision": {
            "OKS .50": curves[0].round(5).tolist(),
            "OKS .75": curves[5].round(5).tolist(),
            "OKS .50:.95": curves.mean(axis=0).round(5).tolist(),
        },
        "operating_point": asdict(operating_point(one.evaluation)),
        "errors": None if one.errors is None else asdict(one.errors),
        "time": None if one.run is None else _time(one.evaluation.people, one.run),
    }


def _time(people: np.ndarray, run: Run) -> dict[str, Any]:
    stages = list(dict.fromkeys(stage for seconds in run.seconds for stage in seconds))
    totals = _seconds(run)
    return {
        "device": run.about.device,
        "stages": {stage: float(np.mean([s.get(stage, 0.0) for s in run.seconds])) for stage in stages},
        "mean": float(totals.mean()),
        "median": float(np.median(totals)),
        "line": None if (line := fit_line(people, totals)) is None else asdict(line),
        "people": people.tolist(),
        "seconds": totals.round(6).tolist(),
        "load": run.about.load_seconds,
        "memory": run.memory,
        "gpu_memory": run.gpu_memory,
    }


def _seconds(run: Run) -> np.ndarray:
    """Of each picture, all stages."""
    return np.array([sum(seconds.values()) for seconds in run.seconds])


def _pair(a: Judged, b: Judged) -> dict[str, Any]:
    return {"a": a.system.name, "b": b.system.name} | asdict(paired_test(a.evaluation, b.evaluation))


def _crossing(a: Judged, b: Judged) -> dict[str, Any]:
    assert a.run is not None and b.run is not None
    names = (a.system.name, b.system.name)
    return asdict(find_crossing(names, a.evaluation.people, (_seconds(a.run), _seconds(b.run))))


def _ranked(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """All pictures, the one first on which the systems' F1 lies farthest apart."""
    first = judged[0].evaluation
    quality = np.stack([picture_quality(one.evaluation, operating_point(one.evaluation).score) for one in judged])
    apart = quality.max(axis=0) - quality.min(axis=0)
    return [
        {
            "id": first.images[place],
            "people": int(first.people[place]),
            "disagreement": round(float(apart[place]), 4),
            "F1": {one.system.name: round(float(quality[s, place]), 4) for s, one in enumerate(judged)},
        }
        for place in np.lexsort((-first.people, -apart))
    ]
