"""How a network is laid on the array: the stem that reads the image, and the resolutions with packed pixels.

Neither changes an integer the network computes (see ``accel.image_layout``, ``accel.pixel_packing``). A
command takes the arrangement asked for, or of those the network allows the one a price finds fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from hotnas_hls.accel.image_layout import BEST, ImageLayout, Stem, StemChoice
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer
from hotnas_hls.accel.layer_checks import layout_violations, network_violations
from hotnas_hls.accel.pixel_packing import PACKINGS, Packing, PackingChoice, packing
from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork, raise_all
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.lower import lower
from hotnas_hls.network.lowered import LoweredNetwork

Attempt = TypeVar("Attempt")


@dataclass(frozen=True)
class Arrangement:
    """A stem, and how many resolutions, from the image's down, have their pixels packed."""

    stem: Stem = Stem.PLAIN
    packed_resolutions: int = 0
    packed_across: bool = False  # pixels of a row, not squares of four

    def __str__(self) -> str:
        packed = {0: "", 1: ", one resolution packed", 2: ", two resolutions packed"}
        across = " along rows" if self.packed_across else ""
        return f"{self.stem} stem{packed[self.packed_resolutions]}{across}"

    def lower(self, graph: Graph, weight_bits: int = 16) -> LoweredNetwork:
        """``graph`` as it is quantised: packing rewrites integers, its stem too, so this one is plain."""
        return lower(graph, Stem.PLAIN if self.packed_resolutions else self.stem, weight_bits)

    def layers(self, layers: tuple[Layer, ...], image: str) -> tuple[Layer, ...]:
        """The layers of the lowered network as they run."""
        packed = self.packing(layers, image)
        return packed.layers(layers) if packed else layers

    def network(self, net: IntegerNetwork) -> IntegerNetwork:
        """The integers of the quantised network as they run: bit for bit what they were."""
        packed = self.packing(net.layers, net.image)
        return packed.network(net) if packed else net

    def maps(self, lowered: LoweredNetwork) -> tuple[dict[str, FeatureMap], ImageLayout | None]:
        """Feature maps of the lowered network as they lie in memory, and the layout of its image."""
        packed = self.packing(lowered.shapes, lowered.image)
        if packed is None:
            return lowered.feature_maps, lowered.image_layout
        return packed.feature_maps(lowered.feature_maps, lowered.shapes), packed.layout(lowered.shapes)

    def violations(self, lowered: LoweredNetwork) -> list[str]:
        """What keeps the network, lowered and arranged like this, from being built."""
        layers = self.layers(lowered.shapes, lowered.image)
        maps, layout = self.maps(lowered)
        found = network_violations(tuple(maps.values()), layers, lowered.image, lowered.host)
        found += [
            f"{item.layer.name}: a dilated kernel has no packed form; use packed_resolutions = 0"
            for item, layer in zip(lowered.layers, layers, strict=True)
            if item.mask is not None and layer != item.layer
        ]
        if layout is not None:
            found += layout_violations(layout, tuple(maps.values()), layers, lowered.image)
        return found

    def packing(self, layers: tuple[Layer, ...], image: str) -> Packing | None:
        """Which maps are packed, and how; None where none are. UnsupportedNetwork where they cannot be."""
        if not self.packed_resolutions:
            return None
        found = packing(layers, image, self.packed_resolutions, self.stem, self.packed_across)
        if found is None:
            raise UnsupportedNetwork(
                f"packed_resolutions = {self.packed_resolutions}: no layer writes maps of the smallest of "
                "these sizes, or one that reads or writes them has no packed form (a maximum, a depthwise or "
                "dilated kernel, an odd side), or is the output; use fewer"
            )
        return found


PLAIN = Arrangement()
PACKED_STEMS = (Stem.UNFOLDED, Stem.PATCHES)  # for packed maps the others read as much in more positions


def allowed_arrangements(
    graph: Graph, stem: StemChoice = BEST, packed: PackingChoice = BEST
) -> tuple[Arrangement, ...]:
    """The arrangements the choices name; of BEST, every one the network allows, the plainest first.

    Stems of packed maps are those of PACKED_STEMS, unless another is asked for. Where it allows none,
    UnsupportedNetwork says why the first of them cannot be.
    """
    plain = tuple(Stem) if stem == BEST else (Stem(stem),)
    packing_stems = PACKED_STEMS if stem == BEST else plain
    counts = PACKINGS if packed == "best" else (packed,)
    shapes = [(count, across) for count in counts for across in ((False, True) if count else (False,))]
    asked = [Arrangement(each, *shape) for shape in shapes for each in (packing_stems if shape[0] else plain)]
    found: list[Arrangement] = []
    refused: list[UnsupportedNetwork] = []
    for arrangement in asked:
        try:
            raise_all(
                UnsupportedNetwork,
                f"{graph.name}: cannot be built with a {arrangement}:",
                arrangement.violations(arrangement.lower(graph)),
            )
        except UnsupportedNetwork as unsupported:
            refused.append(unsupported)
        else:
            found.append(arrangement)
    if not found:
        raise refused[0]
    return tuple(found)


def attempts(
    arrangements: Iterable[Arrangement], attempt: Callable[[Arrangement], Attempt]
) -> dict[Arrangement, Attempt]:
    """What ``attempt`` finds for each arrangement; one that no design can run is left out.

    Where none can be run, the InfeasibleDesign of the first is raised.
    """
    found: dict[Arrangement, Attempt] = {}
    refused: list[InfeasibleDesign] = []
    for arrangement in arrangements:
        try:
            found[arrangement] = attempt(arrangement)
        except InfeasibleDesign as infeasible:
            refused.append(infeasible)
    if not found:
        raise refused[0]
    return found


def fastest(found: dict[Arrangement, Attempt], cycles: Callable[[Attempt], float]) -> Arrangement:
    """The arrangement of fewest cycles, the plainest of equals."""
    return min(found, key=lambda arrangement: cycles(found[arrangement]))
