"""Where a search starts: the uncompressed network with its fastest stem, on the design that suits it best."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from hotnas_hls.accel.image_layout import Stem, StemChoice
from hotnas_hls.graph import Graph
from hotnas_hls.search.detect import Workload
from hotnas_hls.search.integer import IntegerFormat, workload_of
from hotnas_hls.search.platform import Choices, Platform
from hotnas_hls.stems import allowed_stems, attempts, fastest


@dataclass(frozen=True)
class Start:
    """An uncompressed network and the hardware that runs it fastest."""

    workload: Workload
    choices: Choices
    format: IntegerFormat  # with the stem that was chosen
    total: float  # cost, in the platform's unit


def fastest_start(
    graph: Graph, model: nn.Module | None, platform: Platform, form: IntegerFormat, stem: StemChoice
) -> Start:
    """The start with ``stem``, or of all stems the network allows the one that is fastest.

    Without a torch module nothing can be edited. InfeasibleDesign where no design runs the network.
    """

    def attempt(tried: Stem) -> Start:
        with_stem = replace(form, stem=tried)
        workload = workload_of(graph, model, with_stem)
        choices = platform.explore(workload.layers)
        cost = platform.cost(workload.layers, platform.design(workload.layers, choices))
        return Start(workload, choices, with_stem, cost.total)

    found = attempts(allowed_stems(graph, stem), attempt)
    return found[fastest(found, lambda start: start.total)]
