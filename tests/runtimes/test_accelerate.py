"""A network answers the same in every runtime; a conversion is kept, checked, and made anew when it is wrong."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from bottomup.core import Maps
from bottomup.errors import SettingsError
from bottomup.runtimes import accelerate
from bottomup.runtimes.accelerate import accelerated, write_model
from bottomup.runtimes.choice import missing_packages
from bottomup.runtimes.flat import agree

installed = [name for name in ("openvino", "onnxruntime") if not missing_packages(name)]
pytestmark = pytest.mark.skipif(not installed, reason="no runtime of the extra 'fast' is installed")
needs_openvino = pytest.mark.skipif("openvino" not in installed, reason="openvino is not installed")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One folder for the whole file: converting takes seconds."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOTTOMUP_CACHE", str(folder))
        yield folder


@pytest.fixture(params=installed)
def session(request, small, example, cache):
    return accelerated(small, example, request.param)


@pytest.mark.parametrize("size", [(1, 16, 16), (1, 64, 48), (3, 32, 80)])
def test_any_batch_and_size_gives_the_maps_of_torch(session, small, size):
    images = torch.randn(size[0], 3, *size[1:], generator=torch.Generator().manual_seed(1))
    wanted, found = small(images)[-1], session(images)[-1]
    assert (found.stride, found.sigma) == (4, 1.5)
    for name in ("heatmaps", "pafs", "tags"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name), rtol=1e-5, atol=1e-6)


def test_memory_layout_does_not_matter(session, example):
    plain, last = session(example)[-1], session(example.contiguous(memory_format=torch.channels_last))[-1]
    assert torch.equal(plain.heatmaps, last.heatmaps)


def test_an_answer_stays_when_the_next_picture_is_run(session, example):
    first = session(example)[-1].heatmaps
    kept = first.clone()
    session(1 - example)
    assert torch.equal(first, kept)


def test_threads_side_by_side_get_their_own_answers(session, small):
    pictures = [torch.full((1, 3, 32, 32), value / 20) for value in range(20)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(session, pictures))
    for picture, answer in zip(pictures, answers, strict=True):
        assert agree(small(picture)[-1], answer[-1], 1e-4)


def test_a_conversion_is_kept_and_another_network_has_its_own(session, small, make_small, example, cache, monkeypatch):
    monkeypatch.setattr(accelerate, "export", lambda *_, **__: pytest.fail("converted again"))
    runtime = "openvino" if session.path.suffix == ".xml" else "onnxruntime"
    assert accelerated(small, example, runtime).path == session.path
    with pytest.raises(pytest.fail.Exception, match="converted again"):
        accelerated(make_small(1), example, runtime)


@needs_openvino
@pytest.mark.parametrize("damage", ["empty", "of another network"])
def test_a_wrong_file_is_made_anew(damage, make_small, example, cache):
    network = make_small(2)
    path = accelerated(network, example, "openvino").path
    if damage == "empty":
        path.write_bytes(b"")
    else:
        write_model(make_small(3), example, path, "openvino")
    assert agree(network(example)[-1], accelerated(network, example, "openvino")(example)[-1], 1e-4)


class Fixed(nn.Module):
    """Holds the width of the first picture that it sees fixed when it is traced."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, images: torch.Tensor) -> list[Maps]:
        return [Maps(images * self.gain / int(images.shape[-1]), stride=1)]


@needs_openvino
def test_a_conversion_that_answers_otherwise_is_an_error(example, cache):
    with pytest.raises(SettingsError, match="does not answer as torch does"):
        accelerated(Fixed().eval(), example, "openvino")


@needs_openvino
def test_calls_take_the_threads_that_torch_is_set_to(small, example, cache):
    session, before = accelerated(small, example, "openvino"), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = session(example)[-1].heatmaps
        torch.set_num_threads(1)
        assert torch.allclose(session(example)[-1].heatmaps, two, atol=1e-6)
        assert {1, 2} <= session._ready.keys()
    finally:
        torch.set_num_threads(before)
