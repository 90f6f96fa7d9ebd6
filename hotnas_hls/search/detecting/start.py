"""Where a search starts: the uncompressed network in its fastest arrangement, on its fastest design."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace

from torch import nn

from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.explore.arrangement import Arrangement, attempts
from hotnas_hls.explore.integer_layers import PLAIN_BITS, IntegerFormat
from hotnas_hls.explore.workload import Workload
from hotnas_hls.network.graph import Graph
from hotnas_hls.platforms.platform import Choices, Platform, measured


@dataclass(frozen=True)
class Start:
    """An uncompressed network and the hardware that runs it fastest."""

    workload: Workload
    choices: Choices
    format: IntegerFormat  # with the arrangement that was chosen
    total: float  # cost, in the platform's unit
    value: float  # the objective's


def arranged_starts(
    graph: Graph,
    model: nn.Module | None,
    platform: Platform,
    form: IntegerFormat,
    stem: StemChoice,
    packed: PackingChoice = BEST,
) -> tuple[Start, ...]:
    """A start in each arrangement asked for that a design can run, the fastest first, of equals the plainest.

    Measured are those whose cost, which is never above what is measured, leaves them a chance to be the
    fastest; the others follow by that cost. Without a torch module nothing can be edited. InfeasibleDesign
    where no design runs the network.
    """

    def attempt(tried: Arrangement) -> tuple[float, Start]:
        """The cost of the fastest design, and the start without what only measuring tells."""
        arranged = replace(form, arrangement=tried)
        workload = platform.workload(graph, model, arranged)
        choices = platform.explore(workload.layers)
        cost = platform.cost(workload.layers, platform.design(workload.layers, choices))
        return cost.total, Start(workload, choices, arranged, math.inf, math.inf)

    found = list(attempts(platform.arrangements(graph, stem, packed), attempt).values())
    order = sorted(range(len(found)), key=lambda index: found[index][0])
    measured_starts: dict[int, Start] = {}
    for index in order:
        bound, start = found[index]
        if bound > min((other.total for other in measured_starts.values()), default=math.inf):
            break
        layers = start.workload.layers
        cost = measured(platform, layers, platform.design(layers, start.choices))
        measured_starts[index] = replace(start, total=cost.total, value=cost.value)
    first = sorted(measured_starts, key=lambda index: (measured_starts[index].total, index))
    others = (found[index][1] for index in order if index not in measured_starts)
    return (*(measured_starts[index] for index in first), *others)


def fastest_start(
    graph: Graph,
    model: nn.Module | None,
    platform: Platform,
    form: IntegerFormat,
    stem: StemChoice,
    packed: PackingChoice = BEST,
) -> Start:
    """The first of :func:`arranged_starts`."""
    return arranged_starts(graph, model, platform, form, stem, packed)[0]


@dataclass(frozen=True)
class Starts:
    """The uncompressed network at three widths, each on its fastest design."""

    full: Start  # the platform's full width: HotNAS's baseline, of 16 bits
    plain: Start | None  # 8 bits: what needs no search; None where no design of the space runs it
    arranged: tuple[Start, ...]  # at the widths of the search, one for each packing, the fastest first

    @property
    def own(self) -> Start:
        """The fastest at the widths of the search."""
        return self.arranged[0]

    @property
    def values(self) -> dict[str, float]:
        """The objective's, of the baselines that results are compared with, by name."""
        named = {f"int{start.format.act_bits}": start for start in (self.full, self.plain) if start}
        return {name: start.value for name, start in named.items()}


def starts(
    graph: Graph,
    model: nn.Module | None,
    platform: Platform,
    form: IntegerFormat,
    stem: StemChoice,
    packed: PackingChoice = BEST,
) -> Starts:
    """What a search is compared with, and what it starts from. Raises as :func:`fastest_start`."""

    def at_bits(bits: int) -> tuple[Start, ...]:
        return arranged_starts(graph, model, platform.at_bits(bits), form.at_bits(bits), stem, packed)

    full, plain = at_bits(platform.full_bits), None
    with contextlib.suppress(InfeasibleDesign):
        plain = at_bits(PLAIN_BITS)[0]
    own = full
    if form != form.at_bits(platform.full_bits):
        own = arranged_starts(graph, model, platform, form, stem, packed)
    packings: dict[tuple[int, bool], Start] = {}  # what is packed decides which edits gain, the stem hardly
    for start in own:
        tried = start.format.arrangement
        packings.setdefault((tried.packed_resolutions, tried.packed_across), start)
    return Starts(full[0], plain, tuple(packings.values()))
