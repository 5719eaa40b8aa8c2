"""People in results files judged against labels, by each metric; and the numbers as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bottomup.errors import SettingsError

Numbers = dict[str, Any]
NOT_SAID = "not said"  # a results file does not tell what boxes its people came from


def judge(gt: str, results: str, metric: str, **chosen: Any) -> Numbers:
    """All numbers of one metric (coco, crowdpose, posetrack, pckh), plain enough for JSON; None where undefined.

    chosen: levels, errors, interval. Raises SettingsError for what the metric does not have, DataError for files.
    """
    judges: dict[str, Callable[..., Numbers]] = {
        "coco": _coco,
        "crowdpose": _crowdpose,
        "posetrack": _posetrack,
        "pckh": _pckh,
    }
    if metric in ("posetrack", "pckh") and chosen:
        raise SettingsError(f"--metric {metric} has no --{next(iter(chosen))}; it goes with coco and crowdpose")
    numbers = {"metric": metric, "boxes": NOT_SAID} | judges[metric](gt, results, **chosen)
    return _without_nan(numbers)


def _coco(gt: str, results: str, *, errors: bool = False, **chosen: Any) -> Numbers:
    from bottomup.metrics.coco import evaluate_keypoints

    return _by_oks(gt, results, evaluate_keypoints, errors=errors, **chosen)


def _crowdpose(gt: str, results: str, *, errors: bool = False, **chosen: Any) -> Numbers:
    from bottomup.metrics.crowdpose import evaluate_crowdpose

    if errors:
        raise SettingsError("--metric crowdpose has no --errors; it goes with coco")
    return _by_oks(gt, results, evaluate_crowdpose, **chosen)


def _by_oks(
    gt: str,
    results: str,
    evaluate: Callable[..., Any],
    *,
    levels: Sequence[str] = (),
    errors: bool = False,
    interval: bool = False,
) -> Numbers:
    from bottomup.metrics.bootstrap import bootstrap_interval
    from bottomup.metrics.entries import images_of_levels, read_results, read_truth
    from bottomup.metrics.errors import analyse_errors

    truth, _ = read_truth(gt)
    images = images_of_levels(truth, gt, levels)
    entries = read_results(results, truth)
    evaluation = evaluate(truth, entries, image_ids=images)
    numbers = evaluation.numbers | {
        "pictures": len(evaluation.images),
        "people": int(evaluation.people.sum()),
        "found": len(evaluation.scores),
    }
    if interval:
        numbers["interval"] = bootstrap_interval(evaluation)
    if errors:
        numbers["errors"] = asdict(analyse_errors(truth, entries, image_ids=images, official=True))
    return numbers


def _posetrack(gt: str, results: str) -> Numbers:
    from bottomup.metrics.posetrack import evaluate_posetrack

    numbers = asdict(evaluate_posetrack(gt, results))
    return numbers.pop("total") | numbers


def _pckh(gt: str, results: str) -> Numbers:
    from bottomup.metrics.entries import read_results, read_truth
    from bottomup.metrics.mpii import evaluate_pckh, evaluate_pckh_mat

    if gt.endswith(".mat"):
        numbers = asdict(evaluate_pckh_mat(gt, results))
    else:
        truth, _ = read_truth(gt)
        numbers = asdict(evaluate_pckh(truth, read_results(results, truth)))
    return numbers.pop("mean") | numbers


def _without_nan(value: Any) -> Any:
    """The same with None for numbers that are not: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def table(numbers: Numbers) -> str:
    """The numbers for reading: those of all first, then those that have rows."""
    lines = [f"metric {numbers['metric']}, boxes: {numbers['boxes']}"]
    for name, value in numbers.items():
        if not isinstance(value, (dict, list, str)):
            lines.append(f"{name:16s} {_written(value)}")
    if numbers.get("interval"):
        low, high = numbers["interval"]
        lines.append(f"AP is between {low:.3f} and {high:.3f} (95 %, bootstrap over pictures)")
    if "errors" in numbers:
        lines += _error_lines(numbers["errors"])
    for name in ("official", "unweighted"):
        if name in numbers:
            lines.append(f"{name}: " + ", ".join(f"{key} {_written(v).strip()}" for key, v in numbers[name].items()))
    for name in ("parts", "rows", "joints"):
        if name in numbers:
            lines += ["", *_rows(name, numbers[name])]
    return "\n".join(lines)


def _rows(name: str, rows: dict[str, Numbers]) -> list[str]:
    columns = list(next(iter(rows.values()), {}))
    widths = [max(len(column), 8) for column in columns]
    lines = [f"{name:16s} " + " ".join(f"{column:>{w}s}" for column, w in zip(columns, widths, strict=True))]
    for row, values in rows.items():
        cells = (f"{_written(values[column]).strip():>{w}s}" for column, w in zip(columns, widths, strict=True))
        lines.append(f"{row:16s} " + " ".join(cells))
    return lines


def _error_lines(errors: Numbers) -> list[str]:
    lines = ["", f"{'lost AP':16s} {1 - errors['ap']:7.3f}   AP once mended in turn, as the public analysis does"]
    lines += [f"  {s['name']:14s} {100 * s['share']:6.1f} %   {s['ap']:.3f}" for s in errors["steps"]]
    return lines


def _written(value: float | None) -> str:
    if value is None:
        return "     --"
    return f"{value:7d}" if isinstance(value, int) else f"{value:7.3f}"
