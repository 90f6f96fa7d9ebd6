"""Which stem a network runs with: the one asked for, or of those it allows the one a price finds fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from hotnas_hls.accel.image_layout import BEST, Stem, StemChoice
from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork
from hotnas_hls.graph import Graph
from hotnas_hls.lower import lower

Attempt = TypeVar("Attempt")


def allowed_stems(graph: Graph, choice: StemChoice = BEST) -> tuple[Stem, ...]:
    """The stem ``choice`` names; of BEST, plain and every other one the network allows."""
    if choice != BEST:
        return (Stem(choice),)
    found = [Stem.PLAIN]
    for stem in (Stem.SPACE_TO_DEPTH, Stem.UNFOLDED):
        try:
            lower(graph, stem)
        except UnsupportedNetwork:
            continue
        found.append(stem)
    return tuple(found)


def attempts(stems: Iterable[Stem], attempt: Callable[[Stem], Attempt]) -> dict[Stem, Attempt]:
    """What ``attempt`` finds for each stem; one that no design can run is left out.

    Where none can be run, the InfeasibleDesign of the first is raised.
    """
    found: dict[Stem, Attempt] = {}
    refused: list[InfeasibleDesign] = []
    for stem in stems:
        try:
            found[stem] = attempt(stem)
        except InfeasibleDesign as infeasible:
            refused.append(infeasible)
    if not found:
        raise refused[0]
    return found


def fastest(found: dict[Stem, Attempt], cycles: Callable[[Attempt], float]) -> Stem:
    """The stem of fewest cycles, the plainest of equals."""
    return min(found, key=lambda stem: cycles(found[stem]))
