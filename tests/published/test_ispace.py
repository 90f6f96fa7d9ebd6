"""iSpace generated from iDetect against the hand-written lists (section 2.3)."""

import pytest

from hotnas_hls.published.genes import ExpandGene, FlagGene, QuantGene
from hotnas_hls.published.ispace import bound_by, generate
from hotnas_hls.published.latency import Bottleneck, LayerReport, network_latency
from hotnas_hls.published.layers import ConvKind
from hotnas_hls.published.networks import zoo_layers
from hotnas_hls.published.spaces import SPACES

# letter: W-bound and C-bound layers iDetect finds
COUNTS = {
    "A": (10, 8),
    "B": (10, 7),
    "C": (16, 8),
    "D": (11, 17),
    "E": (8, 2),
    "F": (14, 5),
    "G": (93, 6),
    "H": (18, 2),
    "I": (46, 0),
}


def reports(letter: str) -> list[LayerReport]:
    space = SPACES[letter]
    return network_latency(zoo_layers(space.model), space.hardware)


def names(found: list[LayerReport]) -> list[str]:
    return [report.layer.name for report in found]


@pytest.mark.parametrize("letter", COUNTS)
def test_numbers_of_bound_layers(letter):
    found = reports(letter)
    weight, compute = bound_by(found, Bottleneck.LOAD_WGT), bound_by(found, Bottleneck.COMPUTE)
    assert (len(weight), len(compute)) == COUNTS[letter]


@pytest.mark.parametrize("letter", "BCDEFGHI")
def test_quant_genes_are_the_weight_bound_layers(letter):
    genes = [gene.layer for gene in SPACES[letter].of_kind(QuantGene)]
    assert sorted(genes) == sorted(names(bound_by(reports(letter), Bottleneck.LOAD_WGT)))


@pytest.mark.parametrize("letter", "BCDEFGHI")
def test_flags_are_the_prunable_compute_bound_layers(letter):
    generated = generate(reports(letter))
    flags = [(gene.layer, gene.kernel) for gene in SPACES[letter].of_kind(FlagGene)]
    assert sorted(flags) == sorted((gene.layer, gene.kernel) for gene in generated.patterns)


def test_resnet18_lists():
    space, generated = SPACES["A"], generate(reports("A"))
    assert [gene.layer for gene in generated.patterns] == list(space.always_pruned)
    assert generated.unprunable == ("conv1",)
    (expand,) = space.of_kind(ExpandGene)
    assert generated.expand == expand.layers
    shortcuts = {gene.layer for gene in generated.quant} - {gene.layer for gene in space.of_kind(QuantGene)}
    assert shortcuts == {"layer3.0.downsample.0", "layer4.0.downsample.0"}


def test_proxyless_lists():
    generated = generate(reports("D"), quantise_depthwise=True)
    kernels = {layer.name: layer.K for layer in zoo_layers("proxyless_mobile")}
    assert (len(generated.quant), len(generated.patterns)) == (11, 11)
    assert [kernels[name] for name in generated.unprunable] == [7] * 6


def test_only_the_imagenet_spaces_quantise_depthwise_layers():
    depthwise = {
        letter: sum(
            report.layer.kind is ConvKind.DCONV for report in bound_by(reports(letter), Bottleneck.LOAD_WGT)
        )
        for letter in COUNTS
    }
    assert depthwise == {letter: {"C": 5, "D": 1}.get(letter, 0) for letter in COUNTS}
    assert len(generate(reports("C")).quant) == 11


@pytest.mark.parametrize(("letter", "equal"), [("G", 93), ("H", 18), ("I", 46)])
def test_options_of_the_shipped_lists(letter, equal):
    genes = SPACES[letter].of_kind(QuantGene)
    integer_bits = {gene.layer: gene.integer_bits for gene in genes}
    generated = {gene.layer: gene for gene in generate(reports(letter), integer_bits).quant}
    assert [generated[gene.layer] for gene in genes] == genes
    assert len(genes) == equal


def test_options_of_cifar_resnet18_were_made_with_no_integer_bits():
    """The first entries are the rule's; of layer3 and layer4 the lowest option was dropped by hand."""
    generated = {gene.layer: gene.options for gene in generate(reports("F"), integer_bits=0).quant}
    for gene in SPACES["F"].of_kind(QuantGene):
        options = generated[gene.layer]
        if gene.layer.startswith(("layer3", "layer4")):
            assert options[0] == 1
            options = options[1:]
        assert gene.options == options, gene.layer
