"""Roads whose networks are run by another runtime than torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from torch import nn

from bottomup.errors import SettingsError
from bottomup.roads.engine import Engine
from bottomup.roads.road import Road
from bottomup.runtimes.choice import candidates


def run_by(road: Road, runtime: str = "auto", precision: str = "float32") -> str:
    """Has the road's networks run by this runtime from now on; the name of the one that does.

    runtime: "torch", "onnxruntime", "openvino", or "auto": the fastest that is installed and that can run them all.
    precision: "float32", or "bfloat16" where joints may move a little. Raises SettingsError where it cannot be done.
    """
    engines = engines_of(road)
    *others, last = candidates(runtime, road.device.type, precision)
    if not engines and (last != "torch" or precision != "float32"):
        raise SettingsError(f"runtime {last}: this method is run by torch alone")
    for name in others if engines else ():
        try:
            _change(engines, name, precision)
        except SettingsError as error:
            logging.getLogger(__name__).warning("%s", error)  # the next one is tried
        else:
            return name
    _change(engines, last, precision)
    return last


def engines_of(road: Road) -> list[Engine]:
    """The engines of a road: its own, those of its networks, its detector's."""
    parts: list[Any] = [road, *getattr(road, "networks", ()), getattr(road, "detector", None)]
    return [part.engine for part in parts if isinstance(getattr(part, "engine", None), Engine)]


def _change(engines: Sequence[Engine], name: str, precision: str) -> None:
    if name == "torch":
        return
    from bottomup.runtimes.accelerate import accelerated

    sessions = []
    for engine in engines:
        if not isinstance(engine.network, nn.Module):
            raise SettingsError("the networks are run by another runtime already; load them again")
        sessions.append(accelerated(engine.network, engine.example, name, precision))
    for engine, session in zip(engines, sessions, strict=True):  # all of them or none
        engine.network = session
