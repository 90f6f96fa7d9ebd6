"""The spaces as data, and what a DNA does."""

import random
from dataclasses import replace

import pytest

from hotnas_hls.errors import ConfigError, InfeasibleDesign
from hotnas_hls.published.genes import (
    ChannelGene,
    FlagGene,
    PatternGene,
    PortGene,
    QuantGene,
    apply,
    layer_names,
)
from hotnas_hls.published.networks import zoo_layers
from hotnas_hls.published.spaces import SPACES
from hotnas_hls.published.tables import HOTNAS_RESNET_DNA

GENES = {"A": 21, "B": 27, "C": 32, "D": 32, "E": 16, "F": 25, "G": 105, "H": 26, "I": 48}


def random_dna(letter: str, rng: random.Random) -> list[int]:
    return [rng.choice(gene.options) for gene in SPACES[letter].genes]


def with_value(letter: str, **values: int) -> list[int]:
    """First options, but for the port genes given by name; ports not given stay."""
    return [
        values.get(gene.port, 0) if isinstance(gene, PortGene) else gene.options[0]
        for gene in SPACES[letter].genes
    ]


def test_numbers_of_genes():
    assert {letter: len(space.genes) for letter, space in SPACES.items()} == GENES


def test_size_of_the_resnet18_space():
    assert SPACES["A"].size == 56**4 * 4 * (3 * 3 * 4 * 4) * 3**4 * 5**3


@pytest.mark.parametrize("letter", SPACES)
def test_every_layer_exists_and_fits_its_gene(letter):
    space = SPACES[letter]
    layers = {layer.name: layer for layer in zoo_layers(space.model)}
    assert layer_names(space) <= set(layers)
    for flag in space.of_kind(FlagGene):
        assert layers[flag.layer].K == flag.kernel
    for cut in space.of_kind(ChannelGene):
        assert layers[cut.producer].M == layers[cut.consumer].N == max(cut.options)


@pytest.mark.parametrize("letter", SPACES)
def test_any_dna_can_be_applied(letter):
    rng = random.Random(letter)
    space = SPACES[letter]
    base = zoo_layers(space.model)
    for _ in range(20):
        applied = apply(space, random_dna(letter, rng), base)
        assert [layer.name for layer in applied.layers] == [layer.name for layer in base]
        if applied.feasible:
            assert applied.ms() > 0
        if space.output_port_takes_rest:
            assert applied.hardware.lanes == 32


def test_hotnas_resnet():
    applied = apply(SPACES["A"], HOTNAS_RESNET_DNA, zoo_layers("resnet18"))
    assert str(applied.hardware) == "(70,36,64,64,7,20,5,6)"
    assert applied.hardware.lanes == 31
    assert applied.cycles() == 843_184
    assert applied.ms() == 4.21592


def test_some_dnas_reach_the_4_ms_variant():
    dna = [0, 1, 2, 3, 0, 128, 256, 256, 464, 464, *[16] * 4, *[8] * 4, 2, 0, 0]
    assert f"{apply(SPACES['A'], dna, zoo_layers('resnet18')).ms():.4f}" == "3.9989"


def test_each_edit_touches_its_own_fields():
    base = {layer.name: layer for layer in zoo_layers("resnet18")}
    dna = [0, 1, 2, 3, 3, 128, 240, 256, 496, 512, *[16] * 4, 12, 8, 16, 16, 0, 0, 0]
    edited = {layer.name: layer for layer in apply(SPACES["A"], dna, list(base.values())).layers}
    assert edited["layer1.0.conv1"] == replace(base["layer1.0.conv1"], ones=6)
    assert edited["layer2.0.conv1"] == replace(base["layer2.0.conv1"], K=5, P=2)
    assert edited["layer2.0.downsample.0"] == replace(base["layer2.0.downsample.0"], K=3, P=1)
    assert edited["layer3.0.conv1"] == replace(base["layer3.0.conv1"], M=240, bits=16)
    assert edited["layer4.0.conv1"] == replace(base["layer4.0.conv1"], M=496, bits=12)
    assert edited["layer4.0.conv2"] == replace(base["layer4.0.conv2"], N=496, bits=8)
    assert edited["conv1"] == base["conv1"]


def test_expansion_is_one_bit_a_layer():
    layers = zoo_layers("resnet18")
    kernels = {}
    for value in range(4):
        dna = list(HOTNAS_RESNET_DNA)
        dna[4] = value
        edited = {layer.name: layer for layer in apply(SPACES["A"], dna, layers).layers}
        kernels[value] = (edited["layer2.0.conv1"].K, edited["layer2.0.downsample.0"].K)
    assert kernels == {0: (3, 1), 1: (5, 1), 2: (3, 3), 3: (5, 3)}


def test_integer_bits_are_added():
    space = SPACES["F"]
    dna = [gene.options[-1] for gene in space.genes]
    edited = {layer.name: layer for layer in apply(space, dna, zoo_layers(space.model)).layers}
    assert edited["layer2.0.conv2"].bits == 17  # the harmful option
    assert edited["layer2.0.conv1"].bits == 16


def test_the_output_port_takes_the_rest():
    applied = apply(SPACES["B"], with_value("B"), zoo_layers("mnasnet1_0"))
    for design in (applied.hardware.cconv, applied.hardware.dconv):
        assert (design.wp, design.ip, design.op) == (10, 10, 12)
    assert apply(SPACES["C"], with_value("C"), zoo_layers("mnasnet0_5_v1")).hardware == SPACES["C"].hardware


def test_too_many_lanes_are_infeasible():
    dna = list(HOTNAS_RESNET_DNA)
    dna[-3:] = [2, 2, 0]
    applied = apply(SPACES["A"], dna, zoo_layers("resnet18"))
    assert not applied.feasible
    with pytest.raises(InfeasibleDesign, match="34 port lanes, 32 at most"):
        applied.cycles()


def test_densenet_ignores_its_sixth_flag():
    space = SPACES["G"]
    layers = zoo_layers(space.model)
    flags = [gene.layer for gene in space.of_kind(FlagGene)]
    dna = [1 if isinstance(gene, FlagGene) else gene.options[-1] for gene in space.genes]
    edited = {layer.name: layer for layer in apply(space, dna, layers).layers}
    assert [edited[name].ones for name in flags] == [6, 6, 6, 6, 6, None]


def test_bad_dnas_are_refused():
    layers = zoo_layers("resnet18")
    with pytest.raises(ConfigError, match="^space A: a DNA has 21 genes, not 2$"):
        apply(SPACES["A"], [0, 1], layers)
    dna = list(HOTNAS_RESNET_DNA)
    dna[4], dna[5] = 4, 100
    with pytest.raises(ConfigError) as error:
        apply(SPACES["A"], dna, layers)
    assert str(error.value) == (
        "space A:\n  - gene 4: 4 is not one of [0, 1, 2, 3]\n  - gene 5: 100 is not one of [128]"
    )
    with pytest.raises(ConfigError, match="layers the network does not have"):
        apply(SPACES["A"], HOTNAS_RESNET_DNA, zoo_layers("alexnet"))


def test_kinds_come_in_the_published_order():
    genes = SPACES["D"].genes
    assert all(isinstance(gene, PatternGene) for gene in genes[:8])
    assert all(isinstance(gene, FlagGene) for gene in genes[8:19])
    assert all(isinstance(gene, QuantGene) for gene in genes[19:30])
    assert [gene.port for gene in genes[30:]] == ["wp", "ip"]
