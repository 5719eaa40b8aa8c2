"""Which runtime runs: the fastest that is installed, or the one that is named, or an error with its remedy."""

import pytest

from bottomup.errors import SettingsError
from bottomup.runtimes import choice
from bottomup.runtimes.choice import candidates


@pytest.fixture
def have(monkeypatch):
    """Pretends that these packages alone are installed."""
    return lambda *names: monkeypatch.setattr(choice, "find_spec", lambda name: name if name in names else None)


def test_auto_tries_the_installed_ones_and_torch_last(have):
    have()
    assert candidates("auto", "cpu") == ["torch"]
    have("openvino", "onnxruntime")  # without what makes its files
    assert candidates("auto", "cpu") == ["openvino", "torch"]
    have("openvino", "onnxruntime", "onnx", "onnxscript")
    assert candidates("auto", "cpu") == ["openvino", "onnxruntime", "torch"]
    assert candidates("auto", "cuda") == ["torch"]


def test_a_missing_package_is_named_with_the_command_that_installs_it(have):
    have("onnxruntime")
    with pytest.raises(SettingsError, match=r"onnxruntime needs onnx, onnxscript: pip install 'bottomup\[fast\]'"):
        candidates("onnxruntime", "cpu")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (("tflite", "cpu"), "it must be one of"),
        (("openvino", "cuda"), "--device cpu"),
        (("torch", "cpu", "bfloat16"), "runtime openvino"),
        (("auto", "cuda", "bfloat16"), "runtime openvino"),
        (("auto", "cpu", "int4"), "precision is 'int4'"),
    ],
)
def test_what_cannot_be_done_is_an_error(have, how, said):
    have("openvino")
    with pytest.raises(SettingsError, match=said):
        candidates(*how)


def test_bfloat16_is_openvino(have):
    have("openvino", "onnxruntime", "onnx", "onnxscript")
    assert candidates("auto", "cpu", "bfloat16") == ["openvino"]
