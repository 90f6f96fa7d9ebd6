"""The recorded explorations of section 5: value and design."""

import pytest

from hotnas_hls.errors import ConfigError, InfeasibleDesign, UnsupportedNetwork
from hotnas_hls.models.zoo import ZOO
from hotnas_hls.published.explore import explore
from hotnas_hls.published.latency import Formula
from hotnas_hls.published.layers import ConvKind, PublishedLayer
from hotnas_hls.published.networks import zoo_layers
from hotnas_hls.published.resources import BramPolicy, violations

# model: (design, ms at 100 MHz as recorded); conv-only ImageNet networks with variant A.
RECORDED = {
    "alexnet": ("(70,36,64,32,11,18,6,2)", "4.0483"),
    "squeezenet1_0": ("(130,19,64,64,7,6,10,14)", "9.51260"),
    "resnet18": ("(70,36,64,64,7,18,6,6)", "12.5744"),
    "mnasnet0_5_v1": ("(100,16,32,32,3,6,10,14) d(832,1,32,32,5,6,10,14)", "7.982816"),
    "mnasnet1_0": ("(100,18,32,32,3,10,10,10) d(704,1,32,32,5,10,10,10)", "11.885112"),
    "proxyless_mobile": ("(100,16,32,32,3,10,10,10) d(832,1,32,32,7,10,10,10)", "11.654764"),
    "mobilenet_v2_cifar": ("(160,9,32,32,3,14,6,10) d(960,1,32,32,3,14,6,10)", "4.289490"),
}
# Recorded with HEAD although they have no depthwise layers.
RECORDED_WITH_HEAD = {
    "resnet18_cifar": ("(130,19,32,32,3,18,2,10)", "6.872906"),
    "densenet121_cifar": ("(70,36,32,32,3,18,6,6)", "8.029627"),
    "bit_cifar": ("(130,19,32,32,7,18,6,6)", "13.763266"),
}


def shown(value: float, like: str) -> str:
    return f"{value:.{len(like.partition('.')[2])}f}"


@pytest.mark.parametrize("model", RECORDED)
def test_recorded_optimum(model):
    design, ms = RECORDED[model]
    found = explore(zoo_layers(model))
    assert (str(found.hardware), shown(found.ms_100mhz, ms)) == (design, ms)


@pytest.mark.parametrize("model", RECORDED_WITH_HEAD)
def test_recorded_optimum_with_head(model):
    design, ms = RECORDED_WITH_HEAD[model]
    found = explore(zoo_layers(model), Formula.HEAD)
    assert (str(found.hardware), shown(found.ms_100mhz, ms)) == (design, ms)


def test_proxyless_is_exact_to_the_last_bit():
    assert explore(zoo_layers("proxyless_mobile")).ms_100mhz == 11.654763999999998


def test_mobilenet_v2_finds_the_base_hardware_of_its_space():
    design = "(160,12,32,32,3,10,10,10) d(576,1,32,32,3,10,10,10)"
    assert str(explore(zoo_layers("mobilenet_v2")).hardware) == design


@pytest.mark.parametrize(
    ("model", "policy", "feasible"),
    [
        ("resnet18", BramPolicy.OFF, 5184),
        ("resnet18", BramPolicy.AS_PUBLISHED, 2088),  # Tk = 7
        ("vgg16", BramPolicy.AS_PUBLISHED, 2448),  # Tk = 3
        ("alexnet", BramPolicy.AS_PUBLISHED, 1152),  # Tk = 11
    ],
)
def test_feasible_points(model, policy, feasible):
    assert explore(zoo_layers(model), policy=policy).feasible == feasible


def test_the_swapped_check_is_what_rejects_large_tiles():
    free = explore(zoo_layers("resnet18"), policy=BramPolicy.OFF).hardware
    assert (free.cconv.tr, free.cconv.tc) == (256, 256)
    assert violations(free, BramPolicy.AS_PUBLISHED)


def test_no_design_fits_the_printed_bram():
    with pytest.raises(InfeasibleDesign, match="^no design of the published grid fits .* STRICT$"):
        explore(zoo_layers("resnet18"), policy=BramPolicy.STRICT)


def test_no_layers_are_refused():
    with pytest.raises(UnsupportedNetwork, match="^there is no convolution to explore hardware for$"):
        explore([])


def test_a_network_of_depthwise_layers_alone():
    layer = PublishedLayer("dw", 64, 64, 8, 8, 3, 1, 1, ConvKind.DCONV)
    assert explore([layer]).cycles == 9 * (8 + 2) * (8 + 2)


def test_mixed_networks_had_no_bram_check():
    with pytest.raises(ValueError, match="no BRAM check"):
        explore(zoo_layers("mnasnet1_0"), policy=BramPolicy.STRICT)


def test_every_design_of_the_grid_of_resnet18_is_feasible_without_the_bram_check():
    assert explore(zoo_layers("resnet18"), policy=BramPolicy.OFF).feasible == 5184


def test_the_whole_zoo_can_be_explored_where_images_are_square():
    refused = {}
    for name in ZOO:
        try:
            assert explore(zoo_layers(name)).cycles > 0
        except ConfigError as error:
            refused[name] = str(error)
    told = "the published rule knows square images only, not"
    assert refused == {
        "dscnn_tiny": f"dscnn_tiny: {told} 1x49x10",
        "autoencoder_tiny": f"autoencoder_tiny: {told} 640",
    }
