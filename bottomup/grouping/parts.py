"""How parts of kernels are compiled: only as far as their callers need them.

Numba optimises every function together with all that it calls and makes machine code of it, so that a part
goes through this once for every level of callers, and nobody ever calls the code. Here a part ends as
what is linked into its callers, and the outermost kernel alone is optimised. This is most of the time of a cold start.
Besides, questions that numba asks itself again and again are answered from memory (`quick_answers`).
It goes by the insides of numba, so that only series of it that were tried do this (`SERIES`): under another, parts are
functions like all others, with the same results.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn, cast

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.registry import CPUDispatcher
from numba.core.targetconfig import TargetConfig
from numba.core.types.functions import BaseFunction

SERIES = ("0.68",)  # of numba, that were tried
OVERRIDDEN = ("_optimize_final_module", "_finalize_final_module", "get_pointer_to_function", "codegen")
USED = ("_finalize_dynamic_globals", "_ensure_finalized")


def is_known(version: str, library: type = JITCodeLibrary) -> bool:
    """Whether the insides of this version of numba are those that are gone by here."""
    return version.startswith(tuple(series + "." for series in SERIES)) and all(
        hasattr(library, name) for name in OVERRIDDEN + USED
    )


class PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of a part: linked into that of its callers, neither optimised nor run by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Nothing that could be called."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        """What sets the environment of a function that can be called: nothing."""
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Does nothing."""


class PartCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's own steps, save where the code goes."""

    def define_pipelines(self) -> list[Any]:
        """The one pipeline."""
        self.state.library = PartLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


SAME, HASH, CALL = TargetConfig.__eq__, TargetConfig.__hash__, BaseFunction.get_call_type


def same_options(one: Any, other: Any) -> Any:
    """Whether two sets of compiler options are the same: as numba says, but at once where the same ones are set."""
    return (type(one) is type(other) and one._values == other._values) or SAME(one, other)


@cache
def hash_of_options(kind: type) -> int:
    """The hash of compiler options, which numba takes of their names alone."""
    return HASH(kind())


def remembered_calls() -> Any:
    """What stands in for numba's search for the signature of a call among all that a function or an operator can do: it
    searches once for each kind of arguments."""
    found: dict[Any, Any] = {}

    def call_type(function: Any, context: Any, args: Any, kws: Any) -> Any:
        key = (function, context, tuple(args), tuple(kws.items()))
        if key not in found:
            found[key] = CALL(function, context, args, kws)
        return found[key]

    return call_type


@contextmanager
def quick_answers() -> Iterator[None]:
    """Numba asks tens of thousands of times whether compiler options are the same, and what an operator makes of its
    arguments, which takes a quarter of the time to compile: meanwhile the answers, the same ones, come more quickly."""
    options, functions = cast(Any, TargetConfig), cast(Any, BaseFunction)
    options.__eq__, options.__hash__ = same_options, lambda own: hash_of_options(type(own))  # type: ignore[arg-type]
    functions.get_call_type = remembered_calls()
    try:
        yield
    finally:
        options.__eq__, options.__hash__, functions.get_call_type = SAME, HASH, CALL


class Part(CPUDispatcher):  # type: ignore[misc]
    """What kernels call; Python cannot, as there is no code to run."""

    def __call__(self, *args: Any, **named: Any) -> NoReturn:
        """Raises TypeError, where the function of numba that is overridden would crash."""
        name = self.py_func.__qualname__
        raise TypeError(f"{name} is a part of kernels, without code of its own: see callable_part, which makes some")
