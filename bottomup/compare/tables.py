"""The tables and sentences of a report, for the page and for Markdown alike."""

from __future__ import annotations

from typing import Any

from bottomup.compare.table import Table
from bottomup.compare.video_tables import video_tables

Report = dict[str, Any]

MIB = 2**20
SIGNIFICANT = 0.05
SURE = 0.95  # share of the draws in which the flatter line must be the flatter one
STAGES = ("read", "detector", "crops", "network", "grouping", "decoding", "other")  # in their order


def tables(report: Report) -> list[Table]:
    """What the report has to say in numbers, in reading order."""
    if report["metric"] == "posetrack":
        return video_tables(report)
    made = [_accuracy(report), _pairs(report), _people(report)]
    if any(system["errors"] for system in report["systems"]):
        made.append(_errors(report))
    if report["timing"]:
        made += [_time(report), _crossings(report)]
    return [table for table in made if table.rows]


def headline(report: Report) -> str:
    """The title: who against whom, on what."""
    names = [system["name"] for system in report["systems"]]
    return " against ".join(names) if len(names) == 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def about(report: Report) -> str:
    """One sentence about the pictures."""
    truth = report["truth"]
    if report["metric"] == "posetrack":
        return f"{truth['frames']} labelled frames, {truth['file']}; metric posetrack (PCKh at 0.5, CLEAR MOT)."
    levels = f" of levels {', '.join(truth['levels'])}" if truth["levels"] else ""
    return (
        f"{truth['pictures']} pictures{levels} with {truth['people']} labelled people, {truth['file']}; "
        f"metric {report['metric']}."
    )


def _accuracy(report: Report) -> Table:
    names = list(report["systems"][0]["numbers"])
    rows = []
    for system in report["systems"]:
        numbers, (low, high) = system["numbers"], system["interval"]
        others = [_share(numbers[name]) for name in names if name != "AP"]
        interval = f"{low:.3f} to {high:.3f}"
        rows.append((system["name"], system["boxes"], _share(numbers["AP"]), interval, *others))
    notes = (
        "AP and its 95 % interval: bootstrap over pictures. Boxes: what boxes a system looked into, which decides "
        "much of a top-down AP; of results files nobody says unless the comparison's settings do.",
    )
    head = ("system", "boxes", "AP", "95 %", *(name for name in names if name != "AP"))
    return Table("Accuracy", head, tuple(rows), 2, notes)


def _pairs(report: Report) -> Table:
    rows = tuple(
        (
            f"{pair['b']} − {pair['a']}",
            f"{pair['difference']:+.3f}",
            f"{pair['interval'][0]:+.3f} to {pair['interval'][1]:+.3f}",
            f"{pair['p']:.3f}",
            "yes" if pair["p"] < SIGNIFICANT else "no",
        )
        for pair in report["pairs"]
    )
    note = (
        "95 %: paired bootstrap, both systems on the same draws of pictures. p: two-sided permutation test, in which "
        f"the systems change places picture by picture. Significant: p below {SIGNIFICANT}"
        + (", not corrected for there being several pairs." if len(rows) > 1 else ".")
    )
    return Table("Differences", ("AP of", "difference", "95 %", "p", "significant"), rows, 1, (note,))


def _people(report: Report) -> Table:
    bins = report["systems"][0]["by_people"]
    head = ("system", *(f"{row['people']} ({row['pictures']} pictures)" for row in bins))
    rows = tuple(
        (s["name"], *("–" if row["AP"] is None else _share(row["AP"]) for row in s["by_people"]))
        for s in report["systems"]
    )
    return Table("AP by labelled people in the picture", head, rows)


def lost(errors: dict[str, Any]) -> dict[str, float]:
    """AP lost to each kind of error; together 1 - AP."""
    return {step["name"]: step["share"] * (1 - errors["ap"]) for step in errors["steps"]}


def _errors(report: Report) -> Table:
    names = [step["name"] for step in report["systems"][0]["errors"]["steps"]]
    rows = []
    for system in report["systems"]:
        errors = system["errors"]
        cells = (
            f"{value:.3f} ({100 * step['share']:.0f} %)"
            for value, step in zip(lost(errors).values(), errors["steps"], strict=True)
        )
        rows.append((system["name"], f"{1 - errors['ap']:.3f}", *cells))
    note = (
        "AP that each kind of error costs when they are mended in this order, and its share of all that is lost. A "
        "joint is missed (nowhere near), on another person, on the other side of the body, or jitters; score: people "
        "in the wrong order; ghosts meet nobody; the rest is what good joints are still off."
    )
    return Table("Where AP is lost", ("system", "lost AP", *names), tuple(rows), 1, (note,))


def _time(report: Report) -> Table:
    timed = [system for system in report["systems"] if system["time"]]
    met = {stage for system in timed for stage in system["time"]["stages"]}
    stages = [*(stage for stage in STAGES if stage in met), *sorted(met.difference(STAGES))]
    rows = []
    for system in timed:
        time = system["time"]
        each = [_ms(time["stages"][stage]) if stage in time["stages"] else "–" for stage in stages]
        a_person = "–"
        if time["line"]:
            low, high = time["line"]["each_interval"]
            a_person = f"{_ms(time['line']['each'])} ({_ms(low)} to {_ms(high)})"
        memory = f"{time['memory'] / MIB:.0f}"
        if time["gpu_memory"] is not None:
            memory += f" + {time['gpu_memory'] / MIB:.0f} GPU"
        rows.append((system["name"], *each, _ms(time["mean"]), _ms(time["median"]), a_person, memory))
    how = report["timing"]
    note = (
        f"Milliseconds a picture, mean over pictures, one picture at a time on {timed[0]['time']['device']}, "
        f"{how['threads']} thread(s), after {how['warm_up']} pictures of warm-up, median of {how['rounds']} round(s); "
        "each system in its own process, in turns. A detector's time is a stage of its system. A person more: slope of "
        "the line of time against labelled people, 95 % by bootstrap. Memory: peak of the whole process."
    )
    head = ("system", *stages, "all", "median", "a person more", "memory, MiB")
    return Table("Time, ms a picture", head, tuple(rows), 1, (note,))


def _crossings(report: Report) -> Table:
    rows = tuple((crossing_sentence(crossing),) for crossing in report["crossings"])
    return Table("The crossing point", ("",), rows)


def crossing_sentence(crossing: dict[str, Any]) -> str:
    """From how many people on which system is the faster one, and how sure that is."""
    flat, steep, people = crossing["faster"], crossing["slower"], crossing["people"]
    low, high = ("unbounded" if end is None else f"{end:.1f}" for end in crossing["interval"])
    sure = f"95 %: {low} to {high}"
    if people is None or crossing["share"] < SURE:
        share = f"{100 * crossing['share']:.0f} % of the draws"
        return f"{flat} and {steep}: lines too alike to tell where they cross ({flat}'s is flatter in {share})."
    if people <= 0:
        return f"{flat} is faster than {steep} at any number of people (the lines meet at {people:.1f}; {sure})."
    return f"{flat} is faster than {steep} from {people:.1f} people in the picture on ({sure})."


def _share(value: float) -> str:
    return f"{value:.3f}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f}"
