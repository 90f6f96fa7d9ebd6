"""Exploring the designs of an uncompressed network: what is asked, and what was found."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rich.table import Table

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.memory.pricing import least_memory
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.accel.timing.efficiency import multipliers, needed_macs
from hotnas_hls.accel.timing.latency import NetworkLatency, network_latency
from hotnas_hls.accel.timing.latency_report import LayerRow, latency_table, record, rows_of
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.api.design import Design
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.notebook import Shown
from hotnas_hls.boards.board import Board, clock_violations
from hotnas_hls.errors import ConfigError, InfeasibleDesign, raise_all
from hotnas_hls.explore.behind_dram import Decision
from hotnas_hls.explore.exhaustive import Explored
from hotnas_hls.explore.fastest_design import (
    ArrangementExploration,
    explore_arrangements,
    fastest_point,
    with_own_integers,
)
from hotnas_hls.explore.space import Space, clocks_of
from hotnas_hls.network.graph import Graph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DspPacking = Literal["best", "on", "off"]
PACKING_CHOICES: dict[str, tuple[bool, ...]] = {"best": (False, True), "on": (True,), "off": (False,)}
HEADS = (
    *("ms", "cycles", "Tm", "Tn", "packed", "in LUTs", "taps", "Tr x Tc", "IFM depth", "ports I/W/O"),
    *("DSP", "BRAM18", "LUT", "board"),
)


@dataclass(frozen=True)
class ExploreOptions:
    """What is explored."""

    clock_mhz: float | Literal["best"] | None = None  # None: the board's; best: each that may be is tried
    read_latency: int | None = None  # of the ideal memory, in cycles; None: 40
    act_bits: Literal[8, 16] = 16
    weight_bits: int = 16
    array: tuple[int, int] | None = None  # Tm and Tn of one MAC array; None: all
    dsp_packing: DspPacking = "best"  # two multiplications in one DSP slice
    pattern_ones: int | None = None  # positions that every 3x3 convolution keeps; None: all nine
    stem: StemChoice = BEST
    packed_resolutions: PackingChoice = BEST
    on_chip: bool = True  # whether designs may keep maps and weights on chip
    top: int = 5  # designs that are listed

    @checked
    def clocks(self, board: Board) -> tuple[float, ...]:
        """The clocks in MHz that are tried on ``board``."""
        if self.clock_mhz == "best":
            return clocks_of(self.space, board)
        return (board.clock_mhz if self.clock_mhz is None else self.clock_mhz,)

    @property
    def memory(self) -> MemoryTiming:
        """The ideal memory."""
        return MemoryTiming() if self.read_latency is None else MemoryTiming(read_latency=self.read_latency)

    @property
    def space(self) -> Space:
        """The designs that are decided."""
        space = Space(act_bits=self.act_bits, dsp_packing=PACKING_CHOICES[self.dsp_packing])
        if self.array is None:
            return space
        tm, tn = self.array
        return dataclasses.replace(space, tm=(tm,), packed_tm=(tm,), tn=(tn,))

    def violations(self) -> list[str]:
        """Values that cannot be."""
        found = []
        if self.clock_mhz is not None and self.clock_mhz != "best":
            found += [f"clock {problem}" for problem in clock_violations(self.clock_mhz)]
        if self.top < 1:
            found.append(f"top {self.top}: must be more than 0")
        if self.act_bits not in (8, 16):
            found.append(f"activation bits {self.act_bits}: must be 8 or 16")
        if not 2 <= self.weight_bits <= 16:
            found.append(f"weight bits {self.weight_bits}: must be 2 to 16")
        if self.pattern_ones is not None and not 1 <= self.pattern_ones <= 8:
            found.append(f"pattern ones {self.pattern_ones}: must be 1 to 8")
        if self.dsp_packing not in PACKING_CHOICES:
            found.append(f"DSP packing {self.dsp_packing!r}: must be {', '.join(PACKING_CHOICES)}")
        elif not self.space.packing(self.weight_bits):
            found.append("DSP packing on: needs activations of 8 bits and weights of at most 8")
        return found + self.memory.violations()


@dataclass(frozen=True, eq=False, repr=False)
class Exploration(Shown):
    """The fastest designs of a network on a board, and the Pareto front of latency against the board."""

    board: Board
    dram: DramTiming | None  # None: an ideal memory
    options: ExploreOptions
    explored: ArrangementExploration
    graph: Graph
    clock_mhz: float  # of every design
    ms_by_clock: Mapping[float, float]  # of the fastest design at each clock that was tried

    @property
    def network(self) -> str:
        """The network's name."""
        return self.explored.model.name

    @property
    def designs(self) -> tuple[Explored, ...]:
        """The fastest designs that stream all maps and weights; cycles are behind the DRAM, if any."""
        if self.explored.decision is None:
            return self.explored.found.best
        found = self.explored.decision.best
        return tuple(dataclasses.replace(one.candidate, cycles=one.price) for one in found)

    @property
    def front(self) -> tuple[Explored, ...]:
        """The Pareto front; cycles are those of the bound where there is a DRAM."""
        return self.explored.found.front

    @property
    def cycles(self) -> int:
        """Cycles of one image on the fastest design."""
        return self.explored.price

    @property
    def ms(self) -> float:
        """The same in milliseconds."""
        return self.cycles / (self.clock_mhz * 1000)

    @property
    def best(self) -> Design:
        """The fastest design, with the integers of a network quantised elsewhere where its bits hold them.

        Any other has no weights: random ones are simulated.

        Raises InfeasibleDesign where it cannot be built.
        """
        return Design(self._point)

    @functools.cached_property
    def _point(self) -> DesignPoint:
        memory = self.options.memory
        point = fastest_point(self.explored, self.board, self.dram or memory, self.clock_mhz)
        return self._with_integers(dataclasses.replace(point, memory=memory), [])

    def _with_integers(self, point: DesignPoint, problems: list[str]) -> DesignPoint:
        """A design with the integers that the network brings; ``problems`` say why it has none."""
        if self.graph.input.grid is None:
            return point
        if self.options.pattern_ones is not None:
            problems.append("patterns leave out weights")
            return point
        arrangement, bits = self.explored.arrangement, self.options.weight_bits
        return with_own_integers(point, self.graph, arrangement, bits, problems)

    def layers(self) -> list[LayerRow]:
        """The layers of the fastest design; by the bound where there is a DRAM."""
        model, best = self.explored.model, self._bound()
        macs = needed_macs(model.layers, model.image, model.image_layout)
        return rows_of(best, macs, multipliers(self._point.accelerator))

    def _bound(self) -> NetworkLatency:
        """Of the fastest design, with the ideal memory or by the bound behind the DRAM."""
        point = self._point
        memory = point.memory if self.dram is None else least_memory(self.dram, self.clock_mhz)
        layers = [entry.layer for entry in point.layers]
        return network_latency(layers, point.accelerator, point.tiles, memory)

    def tables(self) -> Sequence[Table]:
        """Fastest designs, Pareto front, layers of the fastest."""
        clock = self.clock_mhz
        behind = ", ideal memory" if self.dram is None else f" behind {self.dram.name}"
        title = (
            f"{self.network} on {self.board.name} at {clock:g} MHz, {self.explored.arrangement}: "
            f"the fastest designs, all maps and weights streamed{behind}"
        )
        which = "" if self.explored.decision is None else ", by the bound"
        front = f"Pareto front: latency against share of the board{which}"
        return (
            designs_table(self.designs, clock, title),
            designs_table(self.front, clock, front),
            latency_table(self.layers(), clock, "layers of the fastest design"),
        )

    def notes(self) -> list[str]:
        """What the DRAM makes of the bound, what stays on chip, other arrangements, how much was decided."""
        found, decision, clock = self.explored.found, self.explored.decision, self.clock_mhz
        lines = self._own_integers()
        if decision is not None and self.dram is not None:
            bound = self._bound().cycles
            lines.append(
                f"behind {self.dram.name}: {self.cycles:,} cycles, {self.ms:.4g} ms; "
                f"the bound, of which the layers above are, says {bound:,} "
                f"({self.cycles / bound - 1:+.1%}); {decision.priced:,} designs stepped"
            )
        if self.options.on_chip:
            lines.append(on_chip_line(self._point, self.explored.streamed))
        reached = self.explored.cycles.items()
        tried = "; ".join(f"{name} {cycles / (clock * 1000):.3f} ms" for name, cycles in reached)
        lines.append(f"fastest design by arrangement: {tried}")
        if len(self.ms_by_clock) > 1:
            tried = "; ".join(f"{mhz:g} MHz {ms:.4g} ms" for mhz, ms in self.ms_by_clock.items())
            lines.append(f"fastest design by clock, within what is estimated of its array: {tried}")
        lines.append(
            f"{found.designs:,} designs decided in {found.seconds:.1f} s "
            f"({found.designs_per_second:,.0f}/s): "
            f"{found.priced:,} priced, {found.pruned:,} pruned by lower bounds, "
            f"{found.designs - found.priced - found.pruned:,} do not fit; "
            f"{found.evaluations:,} layer evaluations"
        )
        return lines

    def _own_integers(self) -> list[str]:
        """What becomes of the integers that the network brings, a line; nothing where it brings none."""
        if self.graph.input.grid is None:
            return []
        if self._point.numbers is not None:
            return ["the design has the network's own integers"]
        problems: list[str] = []
        self._with_integers(self._point, problems)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return [f"the design has no weights, the network's own integers do not fit: {problems[0]}{more}"]

    def figure(self) -> Figure:
        """The Pareto front."""
        from matplotlib.figure import Figure

        clock = self.clock_mhz
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        places = [(100 * d.board_share, d.cycles / (clock * 1000)) for d in self.front]
        axes.plot([share for share, _ in places], [ms for _, ms in places], "o-")
        step = max(1, len(places) // 6)
        for design, place in zip(self.front[::step], places[::step], strict=True):
            name = f"{design.accel.tm}x{design.accel.tn}"
            axes.annotate(name, place, (4, 4), textcoords="offset points", fontsize=8)
        axes.set_yscale("log")
        axes.set_xlabel(f"share of {self.board.name}, of the scarcest resource (%)")
        axes.set_ylabel(f"ms per image at {clock:g} MHz")
        axes.set_title(f"{self.network}: Pareto front")
        axes.grid(alpha=0.3, which="both")
        return figure

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        found, clock = self.explored.found, self.clock_mhz
        counted = ("designs", "priced", "pruned", "evaluations", "seconds", "designs_per_second")
        told: dict[str, Any] = {
            "clock_mhz": clock,
            "ms_by_clock": {f"{mhz:g}": ms for mhz, ms in self.ms_by_clock.items()},
            **{name: getattr(found, name) for name in counted},
            "best": [_design_record(d, clock) for d in found.best],
            "front": [_design_record(d, clock) for d in found.front],
            "network": self.network,
            "board": self.board.name,
            **dataclasses.asdict(self.explored.arrangement),
            "cycles_by_arrangement": {str(tried): least for tried, least in self.explored.cycles.items()},
        }
        if self.explored.kept is not None:
            told["on_chip"] = {
                "cycles": self._point.predicted_cycles,
                "accelerator": dataclasses.asdict(self._point.accelerator),
            }
        if self.explored.decision is not None and self.dram is not None:
            told |= _behind_record(self.explored.decision, self.dram, clock)
        return told | {"best_latency": record(self.layers(), clock, rule="true")}


def explore_designs(
    graph: Graph, board: Board, dram: DramTiming | None, options: ExploreOptions
) -> Exploration:
    """Decide every design of a network on a board; ``dram`` lies behind its ports, None for an ideal memory.

    Raises ConfigError for options that cannot be, InfeasibleDesign where nothing fits the board.
    """
    raise_all(ConfigError, "these options cannot be:", options.violations())
    found: dict[float, ArrangementExploration] = {}
    refused: list[InfeasibleDesign] = []
    for clock in options.clocks(board):
        try:
            found[clock] = explore_arrangements(
                graph,
                board,
                dram or options.memory,
                options.space,
                options.top,
                options.stem,
                options.weight_bits,
                options.pattern_ones,
                options.packed_resolutions,
                clock,
                options.on_chip,
            )
        except InfeasibleDesign as error:
            refused.append(error)
    if not found:
        raise refused[0]
    ms = {clock: explored.price / (clock * 1000) for clock, explored in found.items()}
    best = min(ms, key=lambda clock: ms[clock])
    return Exploration(board, dram, options, found[best], graph, best, ms)


def on_chip_line(point: DesignPoint, streamed: int) -> str:
    """What keeping maps and weights on chip brings; ``streamed``: least cycles of designs that keep none."""
    accel, layers = point.accelerator, [entry.layer for entry in point.layers]
    if not accel.keeps:
        return "on chip: no design that keeps maps or weights there is faster"
    maps, weights = (sum(getattr(one, flag) for one in layers) for flag in ("ofm_on_chip", "weights_on_chip"))
    return (
        f"on chip, array {accel.tm}x{accel.tn}: outputs of {maps} of {len(layers)} layers in "
        f"{accel.map_words:,} words of {accel.word_width} bits, weights of {weights} in "
        f"{accel.weight_planes:,} planes of {accel.plane_width} bits: {point.predicted_cycles:,} cycles, "
        f"{point.cycles_to_ms(point.predicted_cycles or 0):.3f} ms; streamed, in the arrangement that suits "
        f"that best, at least {streamed:,}"
    )


def designs_table(designs: Sequence[Explored], clock: float, title: str) -> Table:
    """A line a design."""
    table = Table(title=title, title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    for design in designs:
        accel, used = design.accel, design.resources
        table.add_row(
            f"{design.cycles / (clock * 1000):.3f}",
            f"{design.cycles:,}",
            f"{accel.tm}",
            f"{accel.tn}",
            "yes" if accel.dsp_packing else "no",
            f"{accel.fabric_rows}",
            f"{accel.taps}",
            f"{accel.tr} x {accel.tc}",
            f"{accel.ifm_depth:,}",
            accel.ports_text,
            f"{used.dsp:,}",
            f"{used.bram18:,}",
            f"{used.lut:,}",
            f"{design.board_share:.0%}",
        )
    return table


def _design_record(design: Explored, clock: float) -> dict[str, Any]:
    return {
        "cycles": design.cycles,
        "ms": design.cycles / (clock * 1000),
        "board_share": design.board_share,
        "accelerator": dataclasses.asdict(design.accel),
        "resources": dataclasses.asdict(design.resources),
    }


def _behind_record(decision: Decision[Explored], dram: DramTiming, clock: float) -> dict[str, Any]:
    """What was decided behind the DRAM, the fastest first."""
    return {
        "dram": dram.name,
        "stepped": decision.priced,
        "behind_dram": [
            {
                "cycles": one.price,
                "ms": one.price / (clock * 1000),
                "bound_cycles": one.bound,
                "accelerator": dataclasses.asdict(one.candidate.accel),
            }
            for one in decision.best
        ],
    }
