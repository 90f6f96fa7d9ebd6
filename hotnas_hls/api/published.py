"""HotNAS's published latencies, and what its rule says of any network: to compare with, not to trust."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.latency_report import LayerRow, latency_table, record
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tiles
from hotnas_hls.api.network import Network
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.notebook import Shown
from hotnas_hls.boards.board import clock_violations, load_board
from hotnas_hls.errors import ConfigError, InfeasibleDesign, UnsupportedNetwork, raise_all
from hotnas_hls.explore.model_layers import load_layers
from hotnas_hls.explore.nearest import edited_layers, nearest_accelerator
from hotnas_hls.published import latency as rule
from hotnas_hls.published.design import PublishedHardware
from hotnas_hls.published.networks import module_layers, zoo_layers
from hotnas_hls.published.spaces import with_genes
from hotnas_hls.published.tables import (
    PublishedCase,
    PublishedRow,
    ReductionRow,
    published_rows,
    reduction_rows,
)

if TYPE_CHECKING:
    from rich.table import Table

CLOCK_MHZ = 200.0  # of every published figure
BOARD = "ZCU102"
TERMS = {
    "load_ifm": rule.Bottleneck.LOAD_IFM,
    "load_wgt": rule.Bottleneck.LOAD_WGT,
    "compute": rule.Bottleneck.COMPUTE,
    "store_ofm": rule.Bottleneck.STORE,
}
NOTE = "convolutions alone, sizes as the published code walks them: see hotnas published"


@dataclass(frozen=True, eq=False, repr=False)
class PublishedEstimate(Shown):
    """A network on a published engine, by the published rule."""

    network: str
    engine: PublishedHardware
    clock_mhz: float
    layers: tuple[LayerRow, ...]

    @property
    def cycles(self) -> float:
        """Cycles of one image."""
        return sum(row.cycles for row in self.layers)

    @property
    def ms(self) -> float:
        """The same in milliseconds."""
        return self.cycles / (self.clock_mhz * 1000)

    def tables(self) -> Sequence[Table]:
        """A line a layer."""
        title = f"{self.network} by the published rule at {self.clock_mhz:g} MHz"
        return (latency_table(self.layers, self.clock_mhz, title),)

    def notes(self) -> list[str]:
        """The engine, and what the rule leaves out."""
        return [f"design: {self.engine}", f"  - {NOTE}"]

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        about = {"rule": "published", "model": self.network, "design": str(self.engine), "notes": [NOTE]}
        return record(self.layers, self.clock_mhz, **about)


@checked
def published_latency(
    network: str | Network,
    engine: PublishedHardware,
    *,
    genes: Sequence[int] | None = None,
    formula: Literal["HEAD", "A"] = "HEAD",
    clock_mhz: float = CLOCK_MHZ,
) -> PublishedEstimate:
    """What the published rule says of a network; it is wrong about real ones (:meth:`Network.latency`).

    network: one that was loaded, or a name of the zoo, also of one that the accelerator cannot run. genes: a
    DNA of the network's published search space. formula: A counts padding as map.
    Raises ConfigError for genes, a formula or a clock that cannot be, and for images that are not square.
    """
    problems = [f"clock {problem}" for problem in clock_violations(clock_mhz)]
    raise_all(ConfigError, "these options cannot be:", problems)
    if isinstance(network, Network):
        name = network.name
        walked = module_layers(name, network.graph.input.shape, network.module)
    else:
        name, walked = network, zoo_layers(network)
    layers, hardware = with_genes(name, genes, walked, engine)
    found = rule.network_latency(layers, hardware, rule.Formula(formula))
    return PublishedEstimate(name, hardware, clock_mhz, tuple(map(_row, found)))


def _row(report: rule.LayerReport) -> LayerRow:
    found = report.latency
    terms = {name: found.totals[label] for name, label in TERMS.items()}
    return LayerRow(report.layer.name, found.cycles, str(found.bottleneck), terms)


@dataclass(frozen=True, eq=False, repr=False)
class PublishedTables(Shown):
    """HotNAS's tables beside what its rule computes, and the latency that simulation confirms."""

    rows: tuple[PublishedRow, ...]
    reductions: tuple[ReductionRow, ...]

    @property
    def all_round(self) -> bool:
        """Whether every computed value rounds to the printed one."""
        latencies = all(row.rounds_to_published for row in self.rows)
        return latencies and all(step.rounds_to_published for step in self.reductions)

    def tables(self) -> Sequence[Table]:
        """Latencies, and what each step of HotNAS-ResNet saves."""
        from rich.table import Table

        table = Table(title="Latencies, ms at 200 MHz", title_justify="left")
        for head in ("network", "data", "design"):
            table.add_column(head)
        for head in ("published", "computed", "difference", "real sizes", "stride once", "true"):
            table.add_column(head, justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(
                row.name, row.dataset, row.design, row.published_ms,
                _mark(row.computed_ms, row.rounds_to_published),
                f"{row.difference_ms:+.4f}", f"{row.real_sizes_ms:.3f}", f"{row.stride_once_ms:.3f}",
                "-" if row.true_ms is None else f"{row.true_ms:.3f}",
            )  # fmt: skip
        steps = Table(title="HotNAS-ResNet: what each step saves, ms", title_justify="left")
        steps.add_column("step")
        for head in ("published", "as listed", "alone", "cumulative"):
            steps.add_column(head, justify="right")
        steps.add_column("listed is")
        for step in self.reductions:
            steps.add_row(
                step.step, step.published_ms, _mark(step.listed_ms, step.rounds_to_published),
                f"{step.alone_ms:.4f}", f"{step.cumulative_ms:.4f}", step.how,
            )  # fmt: skip
        return table, steps

    def notes(self) -> list[str]:
        """Why the published and the true latency differ, network by network."""
        return [
            "Why the published and the true latency of a design differ:",
            *(f"  {row.name} ({row.dataset}): {row.why_they_differ}" for row in self.rows),
            "  The true column is of the nearest accelerator that can be built (power-of-two ports, whole "
            "channel blocks, one engine, FC layers included): hotnas latency --design prints how it differs.",
        ]

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {
            "clock_mhz": CLOCK_MHZ,
            "all_round_to_published": self.all_round,
            "latencies": [dataclasses.asdict(row) for row in self.rows],
            "hotnas_resnet_reductions": [dataclasses.asdict(row) for row in self.reductions],
        }


@checked
def published_tables(*, true: bool = True) -> PublishedTables:
    """HotNAS's published latencies, computed again; true: False leaves the true rule out (much quicker)."""
    return PublishedTables(tuple(published_rows(true_ms if true else None)), tuple(reduction_rows()))


def true_ms(case: PublishedCase) -> float | None:
    """The true rule's latency of a published case; None for a network the accelerator cannot run."""
    hardware, memory = case.hardware, MemoryTiming()
    try:
        loaded = load_layers(case.model)
        layers = loaded.layers
        if case.dna is not None:
            before = zoo_layers(case.model)
            after, hardware = with_genes(case.model, case.dna, before, hardware)
            layers = edited_layers(layers, before, after)
        accel = nearest_accelerator(hardware, layers, load_board(BOARD), loaded.blocks).accel
    except (UnsupportedNetwork, InfeasibleDesign):
        return None
    tiles = best_tiles(layers, accel, memory)
    chosen = {name: tile for name, tile in tiles.items() if tile is not None}
    return network_latency(layers, accel, chosen, memory).ms(CLOCK_MHZ)


def _mark(value: float, matches: bool) -> str:
    return f"{value:.5f}" if matches else f"{value:.5f} (!)"
