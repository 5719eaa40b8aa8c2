"""The default network: what it costs, what shapes it gives, what it learns from, and how it is built."""

from __future__ import annotations

import pytest
import torch

from bottomup.core import Maps
from bottomup.nets import NETWORKS, build
from bottomup.nets.mspaf_mobile import Inception, MspafMobile
from tests.nets.noise import noise

torch.set_num_threads(1)

NARROW = (16, 16, 16)


@pytest.fixture(scope="module")
def network() -> MspafMobile:
    """The default network with statistics as after some training, in eval mode."""
    torch.manual_seed(0)
    network = MspafMobile()
    with torch.no_grad():
        network.train()(noise(4, 3, 64, 64))
    return network.eval()


def answer(network: MspafMobile, images: torch.Tensor) -> Maps:
    with torch.no_grad():
        return network(images)[-1]


def tensors(maps: Maps) -> list[torch.Tensor]:
    return [t for t in (maps.heatmaps, maps.pafs, maps.tags) if t is not None]


def test_it_has_at_most_eight_million_parameters(network):
    total = sum(p.numel() for p in network.parameters())
    assert sum(p.numel() for p in network.backbone.parameters()) < total <= 8_000_000


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (128, 32)])
def test_maps_have_a_quarter_of_the_size(network, height, width):
    maps = answer(network, noise(1, 3, height, width))
    assert maps.stride == 4 and maps.sigma == network.sigma
    assert maps.heatmaps.shape == (1, 17, height // 4, width // 4)
    assert maps.pafs.shape == (1, 19, 2, height // 4, width // 4)
    assert maps.tags.shape == (1, 1, 17, height // 4, width // 4)


def test_two_stages_are_supervised_and_one_answers():
    torch.manual_seed(0)
    small = MspafMobile(widths=NARROW)
    stages = small.train()(noise(2, 3, 64, 64))
    assert len(stages) == 2 and not torch.equal(stages[0].heatmaps, stages[1].heatmaps)
    assert [t.shape for t in tensors(stages[0])] == [t.shape for t in tensors(stages[1])]
    assert len(small.eval()(noise(2, 3, 64, 64))) == 1


@pytest.mark.parametrize(("joints", "limbs", "tags"), [(17, 19, 2), (14, 15, 1), (5, 4, 0), (1, 0, 1)])
def test_other_skeletons_and_tag_widths_give_their_counts(joints, limbs, tags):
    small = MspafMobile(joints=joints, limbs=limbs, tags=tags, sigma=2.0, widths=NARROW).eval()
    maps = answer(small, noise(1, 3, 32, 32))
    assert maps.heatmaps.shape == (1, joints, 8, 8) and maps.pafs.shape == (1, limbs, 2, 8, 8)
    assert maps.tags is None if tags == 0 else maps.tags.shape == (1, tags, joints, 8, 8)
    assert maps.sigma == 2.0


def test_an_image_is_answered_alike_in_any_company(network):
    images = noise(3, 3, 64, 64)
    batch = answer(network, images)
    strangers = torch.cat((noise(1, 3, 64, 64, seed=5), images[1:2], 9 * noise(1, 3, 64, 64, seed=6)))
    for maps, place in ((answer(network, images[1:2]), 0), (answer(network, strangers), 1)):
        for one, many in zip(tensors(maps[place]), tensors(batch[1]), strict=True):
            torch.testing.assert_close(one, many, atol=1e-5, rtol=1e-4)


def test_the_same_image_gives_the_same_bytes_in_evaluation(network):
    image = noise(1, 3, 64, 64)
    first, again = (tensors(answer(network, image)) for _ in range(2))
    assert all(map(torch.equal, first, again))


def test_every_parameter_learns_unless_frozen():
    torch.manual_seed(0)
    small = MspafMobile(widths=NARROW)
    small.backbone.freeze(3)
    small.train()
    statistics = small.backbone._bn0.running_mean.clone()
    loss = sum((t - 1).square().mean() for maps in small(noise(2, 3, 64, 64)) for t in tensors(maps))
    loss.backward()
    for name, parameter in small.named_parameters():
        frozen = name.startswith(
            ("backbone._conv_stem", "backbone._bn0", *(f"backbone._blocks.{i}." for i in range(3)))
        )
        learns = parameter.grad is not None and bool(parameter.grad.any()) and bool(parameter.grad.isfinite().all())
        assert learns != frozen, name
    assert torch.equal(small.backbone._bn0.running_mean, statistics)


def test_weights_put_back_give_the_same_answer(network):
    twin = MspafMobile().eval()
    twin.load_state_dict(network.state_dict())
    image = noise(1, 3, 32, 64)
    assert all(map(torch.equal, tensors(answer(network, image)), tensors(answer(twin, image))))


def test_inception_starts_from_what_it_gets_and_sees_seven_cells():
    torch.manual_seed(0)
    block = Inception(8).eval()
    image = noise(1, 8, 15, 15).abs()
    touched = image.clone()
    touched[:, :, 7, 7] += 1
    with torch.no_grad():
        changed = (block(image) != block(touched)).any(1)[0]
        assert changed[4:11, 4:11].any() and changed.sum() == changed[4:11, 4:11].sum()
        assert changed[4].any() and changed[:, 10].any()
        torch.nn.init.zeros_(block.join[0].weight)
        torch.testing.assert_close(block(image), image)


def test_networks_are_built_by_name_with_options():
    built = build("mspaf_mobile", joints=14, limbs=15, widths=[16, 16, 16])
    assert isinstance(built, MspafMobile) and (built.joints, built.limbs) == (14, 15)
    assert set(NETWORKS) >= {"mspaf_mobile"}


def test_an_unknown_network_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'mspaf_mobil'.*there are: .*mspaf_mobile"):
        build("mspaf_mobil")


def test_an_unknown_option_is_named():
    with pytest.raises(ValueError, match="network mspaf_mobile: .*'depth'"):
        build("mspaf_mobile", depth=3)
