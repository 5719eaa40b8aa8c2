"""Weights files give back what was put in, and say what is wrong with what is not one."""

import os

import pytest
import torch

from bottomup.errors import InputError
from bottomup.files.weights import default_weights, read_weights, save_weights

HEADER = {"format": 1, "method": "bottomup", "road": {"mean": [1.5, 2.0, 3.0], "flip": False}, "training": {"né": None}}


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    return {"conv.weight": torch.randn(4, 3, 3, 3), "bn.num_batches_tracked": torch.tensor(7), "empty": torch.zeros(0)}


def test_what_is_saved_is_read(tmp_path, tensors):
    save_weights(tmp_path / "w.safetensors", tensors, HEADER)
    read, header = read_weights(tmp_path / "w.safetensors")
    assert header == HEADER
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) and read[name].dtype == tensors[name].dtype for name in read)
    assert os.listdir(tmp_path) == ["w.safetensors"]


def test_half_storage_halves_the_file_and_gives_float32(tmp_path):
    tensors = {"w": torch.linspace(-3, 3, 10_000)}
    save_weights(tmp_path / "full", tensors, HEADER)
    save_weights(tmp_path / "half", tensors, HEADER, half=True)
    read, _ = read_weights(tmp_path / "half")
    assert read["w"].dtype == torch.float32
    torch.testing.assert_close(read["w"], tensors["w"], rtol=1e-3, atol=1e-6)
    assert (tmp_path / "half").stat().st_size < 0.52 * (tmp_path / "full").stat().st_size


@pytest.mark.parametrize("value", [1e5, float("inf"), float("nan")])
def test_half_storage_refuses_what_it_cannot_hold(tmp_path, value):
    with pytest.raises(ValueError, match="tensor w reaches"):
        save_weights(tmp_path / "w", {"w": torch.tensor([1.0, value])}, HEADER, half=True)
    assert os.listdir(tmp_path) == []


def test_shared_and_strided_tensors_are_stored(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    save_weights(tmp_path / "w", {"a": base, "b": base.T, "c": base[:, ::2]}, HEADER)
    read, _ = read_weights(tmp_path / "w")
    assert torch.equal(read["b"], base.T) and torch.equal(read["c"], base[:, ::2])


def test_the_header_says_its_format(tmp_path, tensors):
    with pytest.raises(ValueError, match="format is 2"):
        save_weights(tmp_path / "w", tensors, HEADER | {"format": 2})
    with pytest.raises(TypeError):
        save_weights(tmp_path / "w", tensors, HEADER | {"training": object()})


def test_files_that_are_no_weights(tmp_path, tensors):
    from safetensors.torch import save_file

    save_weights(tmp_path / "good", tensors, HEADER)
    (tmp_path / "cut").write_bytes((tmp_path / "good").read_bytes()[:-5])
    (tmp_path / "empty").write_bytes(b"")
    torch.save(tensors, tmp_path / "old.pth")
    save_file(tensors, tmp_path / "bare")
    save_file(tensors, tmp_path / "newer", {"bottomup": '{"format": 99}'})
    save_file(tensors, tmp_path / "no-json", {"bottomup": "{"})
    save_file(tensors, tmp_path / "no-dict", {"bottomup": "3"})
    for name, what in [
        ("missing", "no such weights file; check the path"),
        ("cut", "not a complete safetensors file"),
        ("empty", "not a complete safetensors file"),
        ("old.pth", "not a complete safetensors file"),
        ("bare", "without a 'bottomup' header"),
        ("newer", "format 99, this version reads 1; update"),
        ("no-json", "not JSON"),
        ("no-dict", "format None"),
    ]:
        with pytest.raises(InputError, match=f"{name}: .*{what}"):
            read_weights(tmp_path / name)


def test_the_default_weights_lie_in_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    with pytest.raises(InputError, match="default weights are missing; install the package again"):
        default_weights()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "default.safetensors").write_bytes(b"x")
    assert default_weights() == tmp_path / "weights" / "default.safetensors"
