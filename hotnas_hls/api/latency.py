"""Latency of a network on one design by the true model, layer by layer, and behind a DRAM."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.memory.dram_latency import DramLatency
from hotnas_hls.accel.memory.dram_timing import PHASES, DramTiming, load_dram
from hotnas_hls.accel.memory.pricing import latency_behind, least_memory, without_numbers, worst_phase
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.accel.plan import Tile, plan_violations
from hotnas_hls.accel.timing.efficiency import multipliers, needed_macs
from hotnas_hls.accel.timing.latency import NetworkLatency, network_latency
from hotnas_hls.accel.timing.latency_report import LayerRow, latency_table, record, rows_of
from hotnas_hls.accel.timing.memory_timing import LEAST_LATENCY, MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tiles
from hotnas_hls.base.notebook import Shown
from hotnas_hls.boards.board import clock_violations
from hotnas_hls.errors import ConfigError, InfeasibleDesign, raise_all
from hotnas_hls.explore.arrangement import Arrangement, allowed_arrangements, attempts, fastest
from hotnas_hls.explore.behind_dram import decide
from hotnas_hls.explore.model_layers import ModelLayers
from hotnas_hls.network.graph import Graph

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

OWN = "own"  # the DRAM of the design, or of the board

Built = tuple[ModelLayers, Accelerator, Sequence[str]]  # layers, what they run on, what had to change for it


@dataclass(frozen=True, eq=False, repr=False)
class Latency(Shown):
    """A network on an accelerator, by the model that simulation confirms to the cycle."""

    network: str
    arrangement: Arrangement
    accelerator: Accelerator
    clock_mhz: float
    ideal: NetworkLatency  # of the ideal memory, every term of every layer
    macs: dict[str, int]  # multiply-accumulates that remain, by layer
    memory: MemoryTiming  # the ideal one
    dram: DramTiming | None  # None: the ideal memory alone
    behind: DramLatency | None  # behind that DRAM, at the worst phase of its refresh
    changes: tuple[str, ...] = ()  # what had to change for this accelerator

    @property
    def cycles(self) -> int:
        """Cycles of one image: behind the DRAM where there is one, with the ideal memory otherwise."""
        return self.ideal.cycles if self.behind is None else self.behind.cycles

    @property
    def ms(self) -> float:
        """The same in milliseconds."""
        return self.cycles / (self.clock_mhz * 1000)

    def layers(self) -> list[LayerRow]:
        """Every layer with the ideal memory: cycles, what bounds it, its terms."""
        return rows_of(self.ideal, self.macs, multipliers(self.accelerator))

    def tables(self) -> Sequence[Table]:
        """A line a layer."""
        title = f"{self.network} by the true rule at {self.clock_mhz:g} MHz"
        return (latency_table(self.layers(), self.clock_mhz, title),)

    def figure(self) -> Figure:
        """Bars of every layer's terms with the ideal memory, and what bounds it."""
        from hotnas_hls.accel.timing.latency_chart import term_chart

        return term_chart(self.layers(), "cycles", f"{self.network} at {self.clock_mhz:g} MHz")

    @property
    def details(self) -> list[str]:
        """How the network is laid, what had to change, which memories the figures are of."""
        memory = self.memory
        lines = [
            f"arrangement: {self.arrangement}",
            *self.changes,
            f"ideal memory of the table: {memory.read_latency} cycles to the first beat, "
            f"{memory.write_latency} after a write",
        ]
        if self.behind is not None and self.dram is not None:
            lines.append(
                f"behind {self.dram.name}, worst of {PHASES} phases of its refresh: {self.cycles:,} cycles, "
                f"{self.ms:.4g} ms ({self.cycles / self.ideal.cycles - 1:+.1%} against the table's ideal "
                "memory)"
            )
        return lines

    def notes(self) -> list[str]:
        """The design, and the details."""
        return [f"design: {self.accelerator.summary}", *(f"  - {line}" for line in self.details)]

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        about: dict[str, Any] = {
            "rule": "true",
            "model": self.network,
            **dataclasses.asdict(self.arrangement),
            "design": self.accelerator.summary,
            "accelerator": dataclasses.asdict(self.accelerator),
        }
        if self.behind is not None and self.dram is not None:
            about["behind_dram"] = {
                "dram": self.dram.name,
                "cycles": self.cycles,
                "ms": self.ms,
                "layers": self.behind.layers,
            }
        return record(self.layers(), self.clock_mhz, **about, notes=self.details)


@dataclass(frozen=True)
class LatencyOptions:
    """Under which clock and memory a design is priced."""

    clock_mhz: float | None = None  # None: the design's, or the board's
    dram: str | DramTiming | None = OWN  # another by name; None: an ideal memory alone
    read_latency: int | None = None  # of the ideal memory, in cycles; None: the design's, or 40

    def violations(self) -> list[str]:
        """Values that cannot be."""
        found = []
        if self.clock_mhz is not None:
            found += [f"clock {problem}" for problem in clock_violations(self.clock_mhz)]
        if self.read_latency is not None and self.read_latency < LEAST_LATENCY:
            found.append(f"read latency {self.read_latency}: must be at least {LEAST_LATENCY}")
        return found

    def dram_behind(self, known: str | DramTiming | None, board: str) -> DramTiming | None:
        """The DRAM that is asked for, ``known`` where it is the own one; ConfigError where there is none."""
        wanted = known if self.dram == OWN else self.dram
        if wanted is None and self.dram == OWN:
            raise ConfigError(
                f"{board}: no DRAM is known behind its ports; name one (--dram), or leave it out (--no-dram)"
            )
        return load_dram(wanted) if isinstance(wanted, str) else wanted

    def ideal(self, memory: MemoryTiming) -> MemoryTiming:
        """``memory`` with the latency that is asked for."""
        if self.read_latency is None:
            return memory
        return dataclasses.replace(memory, read_latency=self.read_latency)


def latency_of_design(point: DesignPoint, options: LatencyOptions) -> Latency:
    """A design point as it stands.

    Raises ConfigError for options that cannot be.
    """
    raise_all(ConfigError, "these options cannot be:", options.violations())
    clock, memory = options.clock_mhz or point.clock_mhz, options.ideal(point.memory)
    layers = [entry.layer for entry in point.layers]
    latency = network_latency(layers, point.accelerator, point.tiles, memory)
    dram = options.dram_behind(point.dram, point.board.name)
    behind = None
    if dram is not None:
        behind = worst_phase(point.integer_network(), point.accelerator, point.tiles, dram, clock)
    arrangement = Arrangement(point.stem, point.packed_resolutions, point.packed_across)
    macs = point.needed_macs()
    return Latency(point.network, arrangement, point.accelerator, clock, latency, macs, memory, dram, behind)


def latency_of_network(
    graph: Graph,
    build: Callable[[Arrangement], Built],
    clock: float,
    memory: MemoryTiming,
    dram: DramTiming | None,
    stem: StemChoice = BEST,
    packed: PackingChoice = BEST,
) -> Latency:
    """A network on the accelerator that ``build`` gives for each arrangement; of those the fastest.

    Raises InfeasibleDesign, layer by layer, where the accelerator cannot run the network.
    """
    least = memory if dram is None else least_memory(dram, clock)
    runs: dict[Arrangement, tuple[int, IntegerNetwork, Accelerator, dict[str, Tile]]] = {}

    def attempt(arrangement: Arrangement) -> Latency:
        model, accel, changes = build(arrangement)
        found = best_tiles(model.layers, accel, least)
        tiles = {name: tile for name, tile in found.items() if tile is not None}
        _refuse_unfit(model, accel, tiles)
        model = model.weights_kept(accel, tiles, memory)
        latency = network_latency(model.layers, accel, tiles, memory)
        macs = needed_macs(model.layers, model.image, model.image_layout)
        bound = network_latency(model.layers, accel, tiles, least).cycles
        net = without_numbers(model.layers, accel.act_bits, model.feature_maps, model.host.maps)
        runs[arrangement] = bound, net, accel, tiles
        return Latency(
            graph.name, arrangement, accel, clock, latency, macs, memory, dram, None, tuple(changes)
        )

    priced = attempts(allowed_arrangements(graph, stem, packed), attempt)
    if dram is None:
        return priced[fastest(priced, lambda one: one.ideal.cycles)]
    bounds = sorted(((runs[tried][0], tried) for tried in priced), key=lambda pair: pair[0])
    decided = decide(bounds, lambda tried: latency_behind(*runs[tried][1:], dram, clock).cycles)
    chosen = decided.best[0].candidate
    return dataclasses.replace(priced[chosen], behind=worst_phase(*runs[chosen][1:], dram, clock))


def _refuse_unfit(model: ModelLayers, accel: Accelerator, tiles: dict[str, Tile]) -> None:
    found = []
    for layer in model.layers:
        if layer.name not in tiles:
            found += plan_violations(layer, accel, Tile(1, 1)) or [f"{layer.name}: fits no tile"]
    raise_all(InfeasibleDesign, "the design cannot run this network:", found)
