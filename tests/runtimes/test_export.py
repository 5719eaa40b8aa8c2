"""Exported models: files that other programs run, with names, any batch and any size."""

import numpy as np
import pytest

from bottomup.errors import SettingsError
from bottomup.runtimes.accelerate import write_model
from bottomup.runtimes.choice import missing_packages


def test_an_openvino_model_names_its_parts_and_keeps_float32(small, example, tmp_path):
    openvino = pytest.importorskip("openvino")
    form, multiple = write_model(small, example, tmp_path / "m.xml", "openvino")
    assert (form.names, multiple) == (("heatmaps", "pafs", "tags"), 16)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bin", "m.xml"]
    model = openvino.Core().read_model(tmp_path / "m.xml")
    assert model.inputs[0].any_name == "images" and str(model.inputs[0].partial_shape) == "[?,3,?,?]"
    assert [output.any_name for output in model.outputs] == list(form.names)
    weights = sum(tensor.numel() for tensor in small.state_dict().values())
    assert (tmp_path / "m.bin").stat().st_size >= 4 * weights


@pytest.mark.skipif(bool(missing_packages("onnxruntime")), reason="onnxruntime, onnx or onnxscript is not installed")
def test_an_onnx_model_runs_with_any_batch_and_size(small, example, tmp_path):
    import onnxruntime

    write_model(small, example, tmp_path / "m.onnx", "onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    heat, pafs, tags = session.run(None, {"images": np.zeros((3, 3, 64, 16), np.float32)})
    assert (heat.shape, pafs.shape, tags.shape) == ((3, 3, 16, 4), (3, 2, 2, 16, 4), (3, 1, 3, 16, 4))


def test_a_wrong_suffix_is_named(small, example, tmp_path):
    with pytest.raises(SettingsError, match=r"m\.bin: .* ends in \.onnx"):
        write_model(small, example, tmp_path / "m.bin", "onnx")
    assert not list(tmp_path.iterdir())
