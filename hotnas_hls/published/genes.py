"""DNA of the published search (section 3): genes as data, and what a DNA does to layers and hardware.

Only shapes are edited here: enough for the latency. Edits of weights belong to the true search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from hotnas_hls.errors import ConfigError, InfeasibleDesign, raise_all
from hotnas_hls.models.patterns import PatternSet
from hotnas_hls.published.design import PublishedHardware
from hotnas_hls.published.latency import Formula, network_cycles, published_ms
from hotnas_hls.published.layers import PublishedLayer
from hotnas_hls.published.resources import PORT_LANES


@dataclass(frozen=True)
class PatternGene:
    """KP: one of the patterns the whole network may use; its value is an index into ``patterns``."""

    patterns: PatternSet

    @property
    def options(self) -> tuple[int, ...]:
        return tuple(range(len(self.patterns)))


@dataclass(frozen=True)
class FlagGene:
    """Whether ``layer`` is pattern pruned (1) or not (0), with the pattern genes of its kernel size."""

    layer: str
    kernel: int  # side
    ignored: bool = False  # a gene the public loop never reads
    options: tuple[int, ...] = (0, 1)


@dataclass(frozen=True)
class ExpandGene:
    """KE: bit j of the value expands ``layers[j]`` by two (K+2, P+1; section 3.5)."""

    layers: tuple[str, ...]

    @property
    def options(self) -> tuple[int, ...]:
        return tuple(range(2 ** len(self.layers)))


@dataclass(frozen=True)
class ChannelGene:
    """CC: the inner width of a basic block, out of ``producer`` and into ``consumer`` (section 3.4)."""

    producer: str
    consumer: str
    options: tuple[int, ...]


@dataclass(frozen=True)
class QuantGene:
    """Qu: fraction bits of ``layer``; the weight has ``integer_bits`` + value bits (section 3.6)."""

    layer: str
    integer_bits: int  # sign included; 0 where the options are total bits (ResNet-18 on ImageNet)
    options: tuple[int, ...]


@dataclass(frozen=True)
class PortGene:
    """HW: a change of one port, in 16-bit words a cycle."""

    port: str  # "wp", "ip" or "op"
    options: tuple[int, ...]


Gene = PatternGene | FlagGene | ExpandGene | ChannelGene | QuantGene | PortGene


@dataclass(frozen=True)
class PublishedSpace:
    """One search space of section 3.1. A DNA is one option value per gene, in the order of ``genes``."""

    letter: str  # A to I
    model: str  # name in the zoo
    input_size: int  # side of the image
    hardware: PublishedHardware  # before the port genes
    genes: tuple[Gene, ...]
    always_pruned: tuple[str, ...] = ()  # layers pruned whatever the DNA says

    @property
    def size(self) -> int:
        """Number of DNAs."""
        return prod(len(gene.options) for gene in self.genes)

    @property
    def output_port_takes_rest(self) -> bool:
        """With only Wp and Ip genes, Op := 32 - Wp - Ip (section 3.1 B)."""
        ports = {gene.port for gene in self.genes if isinstance(gene, PortGene)}
        return ports == {"wp", "ip"}

    def of_kind(self, kind: type[Gene]) -> list[Gene]:
        """The genes of one kind, in DNA order."""
        return [gene for gene in self.genes if isinstance(gene, kind)]


@dataclass(frozen=True)
class AppliedDna:
    """A network and its accelerator after a DNA."""

    layers: tuple[PublishedLayer, ...]
    hardware: PublishedHardware

    @property
    def feasible(self) -> bool:
        """Section 3.1 A: the ports fit in 32 lanes (every port has at least one)."""
        design = self.hardware.cconv
        return self.hardware.lanes <= PORT_LANES and min(design.wp, design.ip, design.op) >= 1

    def cycles(self, formula: Formula = Formula.HEAD) -> float:
        """Latency in cycles. Raises InfeasibleDesign where the original returned -1."""
        if not self.feasible:
            raise InfeasibleDesign(f"{self.hardware}: {self.hardware.lanes} port lanes, {PORT_LANES} at most")
        return network_cycles(self.layers, self.hardware, formula)

    def ms(self) -> float:
        """Latency in milliseconds at 200 MHz. Raises InfeasibleDesign like :meth:`cycles`."""
        return published_ms(self.cycles())


def apply(space: PublishedSpace, dna: Sequence[int], layers: Sequence[PublishedLayer]) -> AppliedDna:
    """``layers`` and the space's hardware after ``dna``: cut, prune, expand, quantise, then the ports.

    Raises ConfigError listing every value that is no option of its gene, a wrong length, or genes whose layer
    is not in ``layers``.
    """
    _check(space, dna, layers)
    chosen = list(zip(space.genes, dna, strict=True))
    edited = {layer.name: layer for layer in layers}

    def edit(name: str, **changes: Any) -> None:
        edited[name] = replace(edited[name], **changes)

    for gene, value in chosen:
        if isinstance(gene, ChannelGene):
            edit(gene.producer, M=value)
            edit(gene.consumer, N=value)
    for name in _pruned(space, chosen):
        edit(name, ones=_ones(chosen, edited[name].K))
    for gene, value in chosen:
        if isinstance(gene, ExpandGene):
            for bit, name in enumerate(gene.layers):
                if value >> bit & 1:
                    edit(name, K=edited[name].K + 2, P=edited[name].P + 1)
    for gene, value in chosen:
        if isinstance(gene, QuantGene):
            edit(gene.layer, bits=gene.integer_bits + value)
    return AppliedDna(tuple(edited[layer.name] for layer in layers), _hardware(space, chosen))


def _pruned(space: PublishedSpace, chosen: list[tuple[Gene, int]]) -> list[str]:
    flagged = [
        gene.layer for gene, value in chosen if isinstance(gene, FlagGene) and value and not gene.ignored
    ]
    return [*space.always_pruned, *flagged]


def _ones(chosen: list[tuple[Gene, int]], kernel: int) -> int:
    """Ones of the chosen patterns of one kernel size: the largest (section 3.3)."""
    return max(
        gene.patterns.largest_ones([value])
        for gene, value in chosen
        if isinstance(gene, PatternGene) and gene.patterns.kernel == kernel
    )


def _hardware(space: PublishedSpace, chosen: list[tuple[Gene, int]]) -> PublishedHardware:
    design = space.hardware.cconv
    ports = {"wp": design.wp, "ip": design.ip, "op": design.op}
    for gene, value in chosen:
        if isinstance(gene, PortGene):
            ports[gene.port] += value
    if space.output_port_takes_rest:
        ports["op"] = PORT_LANES - ports["wp"] - ports["ip"]
    return space.hardware.with_ports(**ports)


def _check(space: PublishedSpace, dna: Sequence[int], layers: Sequence[PublishedLayer]) -> None:
    if len(dna) != len(space.genes):
        raise ConfigError(f"space {space.letter}: a DNA has {len(space.genes)} genes, not {len(dna)}")
    raise_all(
        ConfigError,
        f"space {space.letter}:",
        [
            f"gene {at}: {value} is not one of {list(gene.options)}"
            for at, (gene, value) in enumerate(zip(space.genes, dna, strict=True))
            if value not in gene.options
        ],
    )
    known = {layer.name for layer in layers}
    raise_all(
        ConfigError,
        f"space {space.letter}: layers the network does not have:",
        (name for name in sorted(layer_names(space)) if name not in known),
    )


def layer_names(space: PublishedSpace) -> set[str]:
    """Every layer a space names."""
    names = set(space.always_pruned)
    for gene in space.genes:
        match gene:
            case FlagGene() | QuantGene():
                names.add(gene.layer)
            case ExpandGene():
                names.update(gene.layers)
            case ChannelGene():
                names.update((gene.producer, gene.consumer))
    return names
