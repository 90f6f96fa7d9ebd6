"""The nine published search spaces (section 3.1 A to I) as tables: layer names and option lists.

These are the hand-written (or iDetect-written) lists of the original; ``ispace`` generates such lists.
Every layer without a Quant gene is 16-bit fixed point in the original, which the latency does not see.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from hotnas_hls.errors import ConfigError
from hotnas_hls.models.patterns import PatternSet
from hotnas_hls.published.design import PublishedHardware
from hotnas_hls.published.genes import (
    ChannelGene,
    ExpandGene,
    FlagGene,
    Gene,
    PatternGene,
    PortGene,
    PublishedSpace,
    QuantGene,
    apply,
)
from hotnas_hls.published.layers import PublishedLayer

IMAGENET_SIZE = 224
CIFAR_SIZE = 32  # BiT too: its published latency is that of 32 x 32, though it is trained on 128 x 128

_PROXYLESS_STEM = "first_conv.conv"
_PROXYLESS_EXPAND = "blocks.{}.mobile_inverted_conv.inverted_bottleneck.conv"
_PROXYLESS_DEPTHWISE = "blocks.{}.mobile_inverted_conv.depth_conv.conv"
_PROXYLESS_PROJECT = "blocks.{}.mobile_inverted_conv.point_linear.conv"
_PROXYLESS_FEATURE_MIX = "feature_mix_layer.conv"

_PATTERNS_CHOSEN = 4  # patterns a network may use, for each kernel size


def _span(low: int, high: int, step: int = 1) -> tuple[int, ...]:
    """``low, low + step, ..., high``."""
    return tuple(range(low, high + 1, step))


def _patterns(kernel: int, zeros: int) -> list[Gene]:
    return [PatternGene(PatternSet(kernel, zeros))] * _PATTERNS_CHOSEN


def _flags(kernel: int, layers: Iterable[str]) -> list[Gene]:
    return [FlagGene(layer, kernel) for layer in layers]


def _quant(integer_bits: int, fractions: tuple[int, ...], layers: Iterable[str]) -> list[Gene]:
    return [QuantGene(layer, integer_bits, fractions) for layer in layers]


def _ports(**deltas: tuple[int, ...]) -> list[Gene]:
    return [PortGene(port, options) for port, options in deltas.items()]


def _numbered(prefix: str, names: str) -> list[str]:
    """``_numbered("layers.", "a b")`` is ``["layers.a", "layers.b"]``."""
    return [prefix + name for name in names.split()]


def _resnet18() -> PublishedSpace:
    """A. The flags are absent: the seven layers are always pruned."""
    blocks = {
        "layer2.1": (128,),
        "layer3.0": (256, 240, 224),
        "layer3.1": (256, 240, 224),
        "layer4.0": (512, 496, 480, 464),
        "layer4.1": (512, 496, 480, 464),
    }
    stage3 = _numbered("layer3.", "0.conv1 0.conv2 1.conv1 1.conv2")
    stage4 = _numbered("layer4.", "0.conv1 0.conv2 1.conv1 1.conv2")
    deltas = _span(-2, 2)
    return PublishedSpace(
        letter="A",
        model="resnet18",
        input_size=IMAGENET_SIZE,
        hardware=PublishedHardware.parse("70,36,64,64,7,18,6,6"),
        genes=(
            *_patterns(3, zeros=3),
            ExpandGene(("layer2.0.conv1", "layer2.0.downsample.0")),
            *(ChannelGene(f"{name}.conv1", f"{name}.conv2", options) for name, options in blocks.items()),
            *_quant(0, (16,), stage3),
            *_quant(0, (16, 12, 8), stage4),
            *_ports(wp=deltas, ip=deltas, op=deltas),
        ),
        always_pruned=(
            *_numbered("layer1.", "0.conv1 0.conv2 1.conv1 1.conv2"),
            *_numbered("layer2.", "0.conv2 1.conv1 1.conv2"),
        ),
    )


def _mnasnet1_0() -> PublishedSpace:
    """B."""
    return PublishedSpace(
        letter="B",
        model="mnasnet1_0",
        input_size=IMAGENET_SIZE,
        hardware=PublishedHardware.parse("100,18,32,32,3,10,10,10", "704,1,32,32,5,10,10,10"),
        genes=(
            *_patterns(3, zeros=2),
            *_patterns(5, zeros=8),
            *_flags(5, _numbered("layers.9.", "0.layers.3 1.layers.3 2.layers.3")),
            *_flags(3, _numbered("layers.", "0 3 8.1.layers.3 8.2.layers.3")),
            *_quant(
                1,
                _span(4, 14, 2),
                [
                    *_numbered("layers.12.", "0.layers.6 1.layers.0 1.layers.6 2.layers.0 2.layers.6"),
                    *_numbered("layers.12.", "3.layers.0 3.layers.6"),
                    *_numbered("layers.13.", "0.layers.0 0.layers.6"),
                    "layers.14",
                ],
            ),
            *_ports(wp=_span(-3, 3), ip=_span(-3, 3)),
        ),
    )


def _mnasnet0_5() -> PublishedSpace:
    """C. No port genes."""
    quant: Mapping[str, tuple[int, tuple[int, ...]]] = {
        "layers.0": (6, _span(4, 10, 2)),
        "layers.10.0.layers.3": (4, _span(4, 10, 3)),
        "layers.12.0.layers.3": (3, _span(2, 11, 3)),
        "layers.12.0.layers.6": (4, _span(1, 10, 3)),
        "layers.12.1.layers.0": (3, _span(1, 13, 3)),
        "layers.12.1.layers.3": (4, _span(4, 10, 3)),
        "layers.12.1.layers.6": (3, _span(2, 11, 3)),
        "layers.12.2.layers.0": (4, _span(1, 10, 3)),
        "layers.12.2.layers.3": (5, _span(4, 10, 3)),
        "layers.12.2.layers.6": (3, _span(1, 13, 3)),
        "layers.12.3.layers.0": (4, _span(2, 11, 3)),
        "layers.12.3.layers.3": (4, _span(4, 10, 3)),
        "layers.12.3.layers.6": (3, _span(1, 13, 3)),
        "layers.13.0.layers.0": (4, _span(1, 10, 3)),
        "layers.13.0.layers.6": (3, _span(1, 13, 3)),
        "layers.14": (3, _span(1, 13, 3)),
    }
    return PublishedSpace(
        letter="C",
        model="mnasnet0_5_v1",
        input_size=IMAGENET_SIZE,
        hardware=PublishedHardware.parse("100,16,32,32,3,6,10,14", "832,1,32,32,5,6,10,14"),
        genes=(
            *_patterns(3, zeros=1),
            *_patterns(5, zeros=6),
            *_flags(5, _numbered("layers.9.", "0.layers.3 1.layers.3 2.layers.3")),
            *_flags(5, _numbered("layers.10.", "1.layers.3 2.layers.3")),
            *_flags(3, _numbered("layers.", "3 8.1.layers.3 8.2.layers.3")),
            *(QuantGene(layer, integer, fractions) for layer, (integer, fractions) in quant.items()),
        ),
    )


def _proxyless_mobile() -> PublishedSpace:
    """D."""
    return PublishedSpace(
        letter="D",
        model="proxyless_mobile",
        input_size=IMAGENET_SIZE,
        hardware=PublishedHardware.parse("100,16,32,32,3,10,10,10", "832,1,32,32,7,10,10,10"),
        genes=(
            *_patterns(3, zeros=3),
            *_patterns(5, zeros=6),
            *_flags(5, [_PROXYLESS_DEPTHWISE.format(block) for block in (1, 7, 8, 10, 11, 12, 14, 15, 16)]),
            *_flags(3, [_PROXYLESS_STEM, _PROXYLESS_DEPTHWISE.format(0)]),
            *_quant(
                1,
                _span(4, 12, 4),
                [
                    _PROXYLESS_DEPTHWISE.format(17),
                    _PROXYLESS_PROJECT.format(17),
                    *(
                        name.format(block)
                        for block in (18, 19, 20, 21)
                        for name in (_PROXYLESS_EXPAND, _PROXYLESS_PROJECT)
                    ),
                    _PROXYLESS_FEATURE_MIX,
                ],
            ),
            *_ports(wp=_span(-3, 3), ip=_span(-3, 3)),
        ),
    )


def _mobilenet_v2() -> PublishedSpace:
    """E. The original trainer computed no latency for this model; no published row."""
    return PublishedSpace(
        letter="E",
        model="mobilenet_v2",
        input_size=IMAGENET_SIZE,
        hardware=PublishedHardware.parse("160,12,32,32,3,10,10,10", "576,1,32,32,3,10,10,10"),
        genes=(
            *_patterns(3, zeros=3),
            *_flags(3, _numbered("features.", "0.0 1.conv.0.0")),
            *_quant(
                1,
                _span(3, 15, 3),
                [
                    *_numbered("features.", "14.conv.2 15.conv.0.0 15.conv.2 16.conv.0.0 16.conv.2"),
                    *_numbered("features.", "17.conv.0.0 17.conv.2 18.0"),
                ],
            ),
            *_ports(wp=_span(-5, 3), ip=_span(-5, 3)),
        ),
    )


def _resnet18_cifar() -> PublishedSpace:
    """F. Fraction 16 with one integer bit makes 17 bits, slower than 16: kept as published."""
    return PublishedSpace(
        letter="F",
        model="resnet18_cifar",
        input_size=CIFAR_SIZE,
        hardware=PublishedHardware.parse("130,19,32,32,3,18,2,10"),
        genes=(
            *_patterns(3, zeros=3),
            *_flags(3, ["conv1", *_numbered("layer1.", "0.conv1 0.conv2 1.conv1 1.conv2")]),
            *_quant(1, _span(7, 15, 2), ["layer2.0.conv1"]),
            *_quant(1, _span(11, 16), ["layer2.0.conv2"]),
            *_quant(
                1,
                _span(4, 16, 3),
                [
                    *_numbered("layer2.", "1.conv1 1.conv2"),
                    *_numbered("layer3.", "0.conv1 0.conv2 0.downsample.0 1.conv1 1.conv2"),
                    *_numbered("layer4.", "0.conv1 0.conv2 0.downsample.0 1.conv1 1.conv2"),
                ],
            ),
            *_ports(wp=_span(-3, 3), ip=_span(-1, 5)),
        ),
    )


def _densenet121_cifar() -> PublishedSpace:
    """G. The original loop reads only five of the six flags."""
    block = "features.denseblock{}.denselayer{}.conv{}"
    flags = [FlagGene(block.format(1, layer, 2), kernel=3, ignored=layer == 6) for layer in range(1, 7)]
    quant: list[Gene] = _quant(1, _span(11, 15), [block.format(2, layer, 2) for layer in range(1, 13)])
    for layer in range(1, 25):
        quant += _quant(1, _span(10, 15), [block.format(3, layer, 1)])
        quant += _quant(1, _span(4, 14, 2), [block.format(3, layer, 2)])
    quant += _quant(1, _span(10, 15), ["features.transition3.conv"])
    for layer in range(1, 17):
        quant += _quant(1, _span(2, 14, 3), [block.format(4, layer, 1)])
        quant += _quant(1, _span(1, 13, 3), [block.format(4, layer, 2)])
    return PublishedSpace(
        letter="G",
        model="densenet121_cifar",
        input_size=CIFAR_SIZE,
        hardware=PublishedHardware.parse("70,36,32,32,3,18,6,6"),
        genes=(
            *_patterns(3, zeros=3),
            *flags,
            *quant,
            *_ports(wp=_span(-3, 3), ip=_span(-3, 3)),
        ),
    )


def _mobilenet_v2_cifar() -> PublishedSpace:
    """H."""
    return PublishedSpace(
        letter="H",
        model="mobilenet_v2_cifar",
        input_size=CIFAR_SIZE,
        hardware=PublishedHardware.parse("160,9,32,32,3,14,6,10", "960,1,32,32,3,14,6,10"),
        genes=(
            *_patterns(3, zeros=3),
            *_flags(3, _numbered("features.", "0.0 1.conv.0.0")),
            *_quant(
                1,
                (14, 15),
                [
                    *_numbered("features.", "7.conv.2 8.conv.2 9.conv.2 10.conv.2 11.conv.2"),
                    *_numbered("features.", "12.conv.0.0 12.conv.2 13.conv.0.0 13.conv.2 14.conv.0.0"),
                ],
            ),
            *_quant(
                1,
                _span(3, 15, 3),
                [
                    *_numbered("features.", "14.conv.2 15.conv.0.0 15.conv.2 16.conv.0.0 16.conv.2"),
                    *_numbered("features.", "17.conv.0.0 17.conv.2 18.0"),
                ],
            ),
            *_ports(wp=_span(-3, 3), ip=_span(-1, 5)),
        ),
    )


def _bit_cifar() -> PublishedSpace:
    """I. Quantisation only.

    The original integer bits (4 to 6 a layer) follow from pre-trained weights that are not recorded. Taken
    here: the one the option lists allow (root {12}: 4; block 1 {9,10,11}: 5) and 5 for all others, whose
    lists are the same for 4 and 5.
    """
    unit = "body.block{}.unit{:02d}.{}"
    quant: list[Gene] = _quant(4, (12,), ["root.conv"])
    quant += _quant(5, _span(9, 11), [unit.format(1, at, "conv2") for at in (1, 2, 3)])
    for block, units in ((2, 4), (3, 6), (4, 3)):
        for at in range(1, units + 1):
            names = ["conv1", "conv2", "conv3"]
            if at == 1:
                names.append("downsample")
                if block == 2:
                    names.remove("conv1")  # I-bound
            for name in names:
                fractions = _span(5, 11, 2) if (block, at, name) == (2, 1, "conv3") else _span(1, 11, 2)
                quant += _quant(5, fractions, [unit.format(block, at, name)])
    quant += _quant(5, _span(1, 11, 2), ["head.conv"])
    return PublishedSpace(
        letter="I",
        model="bit_cifar",
        input_size=CIFAR_SIZE,
        hardware=PublishedHardware.parse("130,19,32,32,7,18,6,6"),
        genes=(*quant, *_ports(wp=_span(-3, 3), ip=_span(-3, 3))),
    )


SPACES: dict[str, PublishedSpace] = {
    space.letter: space
    for space in (
        _resnet18(),
        _mnasnet1_0(),
        _mnasnet0_5(),
        _proxyless_mobile(),
        _mobilenet_v2(),
        _resnet18_cifar(),
        _densenet121_cifar(),
        _mobilenet_v2_cifar(),
        _bit_cifar(),
    )
}


def space_of(model: str) -> PublishedSpace:
    """The space of a network of the zoo; ConfigError where none was published."""
    for space in SPACES.values():
        if space.model == model:
            return space
    known = ", ".join(sorted({space.model for space in SPACES.values()}))
    raise ConfigError(f"genes: {model} has no published search space; these have one: {known}")


def with_genes(
    model: str, genes: Sequence[int] | None, layers: Sequence[PublishedLayer], hardware: PublishedHardware
) -> tuple[tuple[PublishedLayer, ...], PublishedHardware]:
    """Layers and hardware after a DNA of the model's own space; as they are without one."""
    if genes is None:
        return tuple(layers), hardware
    applied = apply(dataclasses.replace(space_of(model), hardware=hardware), genes, layers)
    return applied.layers, applied.hardware
