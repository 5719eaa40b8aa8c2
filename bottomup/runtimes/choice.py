"""Which runtime runs a network."""

from __future__ import annotations

from importlib.util import find_spec

from bottomup.errors import SettingsError

PRECISIONS = ("float32", "bfloat16")
# Fastest first, as `benchmarks/runtimes.py` finds them; what each needs, in files as in running.
PACKAGES = {"openvino": ("openvino",), "onnxruntime": ("onnxruntime", "onnx", "onnxscript"), "torch": ()}
RUNTIMES = (*reversed(PACKAGES), "auto")
_NEEDS = {**PACKAGES, "onnx": ("onnx", "onnxscript")}


def missing_packages(name: str) -> list[str]:
    """The packages that a runtime, or the export to "onnx", needs and that are not installed."""
    return [package for package in _NEEDS[name] if find_spec(package) is None]


def require_packages(name: str) -> None:
    """Raises SettingsError with the command that installs what is missing."""
    if missing := missing_packages(name):
        raise SettingsError(f"{name} needs {', '.join(missing)}: pip install 'bottomup[fast]'")


def candidates(name: str, device: str, precision: str = "float32") -> list[str]:
    """The runtimes to try, in order: of "auto" all that are installed, torch last; else the one that is named.

    device: "cpu" or "cuda", where torch alone runs. Raises SettingsError for a name or precision that does not
    exist or does not go with the device, and where packages are missing.
    """
    if name not in RUNTIMES:
        raise SettingsError(f"runtime is {name!r}, it must be one of {', '.join(RUNTIMES)}")
    if precision not in PRECISIONS:
        raise SettingsError(f"precision is {precision!r}, it must be one of {', '.join(PRECISIONS)}")
    if precision == "bfloat16":
        if name not in ("auto", "openvino") or device != "cpu":
            raise SettingsError("precision bfloat16 is for runtime openvino on device cpu; leave it out elsewhere")
        name = "openvino"
    if name == "auto":
        return [each for each in PACKAGES if each == "torch" or (device == "cpu" and not missing_packages(each))]
    if name != "torch" and device != "cpu":
        raise SettingsError(f"runtime {name} runs on the CPU; add --device cpu, or use --runtime torch on {device}")
    require_packages(name)
    return [name]
