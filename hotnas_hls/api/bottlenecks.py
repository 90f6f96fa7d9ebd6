"""What bounds each layer of an uncompressed network on a board, and what would help (iDetect)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.timing.latency_chart import term_chart
from hotnas_hls.accel.timing.latency_report import LayerRow
from hotnas_hls.base.notebook import Shown
from hotnas_hls.errors import ConfigError
from hotnas_hls.explore.workload import Workload
from hotnas_hls.frontends.source import LoadedModel
from hotnas_hls.platforms.platform import Choices
from hotnas_hls.platforms.tiled_engine import TiledEnginePlatform
from hotnas_hls.report.data import LABELS
from hotnas_hls.search.config import RunConfig
from hotnas_hls.search.configure import options_of, platform_of
from hotnas_hls.search.detecting.detect import Detection, detect
from hotnas_hls.search.detecting.start import Start, fastest_start, starts
from hotnas_hls.search.proposing.strongest import Strongest, strongest_edits
from hotnas_hls.search.telling import charts
from hotnas_hls.search.telling.tables import detection_legend, detection_table, reductions_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

    from hotnas_hls.boards.board import Board


@dataclass(frozen=True, eq=False, repr=False)
class Bottlenecks(Shown):
    """The best uncompressed design of a board, layer by layer: what bounds it, what would help, how much."""

    platform: TiledEnginePlatform
    start: Start
    detection: Detection
    strongest: Strongest | None = None  # what the strongest edits save; None: not asked for

    @property
    def workload(self) -> Workload:
        """The network's layers."""
        return self.start.workload

    @property
    def hardware(self) -> Choices:
        """The design's hardware, by axis."""
        return self.start.choices

    @property
    def cycles(self) -> float:
        """Cycles of one image on the design."""
        return self.detection.cost.total

    @property
    def ms(self) -> float:
        """The same in milliseconds: a bound worth asking for is below."""
        return self.detection.cost.latency_ms

    @property
    def title(self) -> str:
        """Network, board and clock."""
        return f"{self.workload.name} on {self.platform.board.name} at {self.platform.clock_mhz:g} MHz"

    def tables(self) -> Sequence[Table]:
        """A line a layer; with reductions, a line for each kind of edit."""
        tables = [detection_table(self.detection, self.platform, self.title)]
        if self.strongest is not None:
            title = f"{self.workload.name}: the strongest edits of the search space"
            tables.append(reductions_table(self.strongest, title))
        return tables

    def notes(self) -> list[str]:
        """What the columns say, the scarcest resource, the hardware."""
        hardware = ", ".join(f"{name} {value}" for name, value in self.hardware.items())
        arrangement = self.start.format.arrangement
        return [*detection_legend(self.detection, LABELS), f"hardware: {hardware}; {arrangement}"]

    def figure(self) -> Figure:
        """Bars of every layer's terms."""
        found = self.detection.findings
        rows = (LayerRow(one.layer, one.cost, one.label, dict(one.terms)) for one in found)
        return term_chart(rows, self.platform.unit, self.title)

    def roofline(self) -> Figure:
        """The roofline: performance of every layer over its operations a byte."""
        roof = self.platform.roof(self.workload.layers, self.hardware)
        layers = self.workload.layers
        return charts.roofline_chart(self.detection, layers, roof, self.platform.act_bits, self.title)

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        told = {
            "network": self.workload.name,
            "board": self.platform.board.name,
            "clock_mhz": self.platform.clock_mhz,
            "hardware": dict(self.hardware),
            **dataclasses.asdict(self.start.format.arrangement),
            "total_cycles": self.cycles,
            "total_ms": self.ms,
            "resources": dict(self.detection.cost.usage),
            "layers": [finding.record() for finding in self.detection.findings],
        }
        return told if self.strongest is None else told | {"strongest": self.strongest.record()}


def find_bottlenecks(
    loaded: LoadedModel, config: RunConfig, board: Board | None = None, reductions: bool = False
) -> Bottlenecks:
    """Detection on ``board`` (None: the configuration's), at the widths of ``config``.

    reductions: price the strongest edits of the search space too.
    """
    if reductions:
        loaded = loaded.trainable()
    platform, options = platform_of(config, loaded.graph, board), options_of(config)
    if not isinstance(platform, TiledEnginePlatform):
        raise ConfigError(f"platform: bottlenecks are told of the tiled-engine, not of {config.platform}")
    asked = (loaded.graph, loaded.module, platform, options.format, options.stem, options.packed)
    all_starts = starts(*asked) if reductions else None
    start = all_starts.own if all_starts else fastest_start(*asked)
    found = detect(start.workload, platform, start.choices, options.space.least_weight_bits)
    strongest = strongest_edits(all_starts, platform, options.space) if all_starts else None
    return Bottlenecks(platform, start, found, strongest)
