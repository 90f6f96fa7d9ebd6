"""Everything a report says.

What no file tells is ``None`` and is printed as unknown, never as 0.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.timing.efficiency import efficiency, multipliers
from hotnas_hls.accel.timing.latency import LayerLatency, network_latency
from hotnas_hls.accel.timing.timeline import LayerTimeline, network_timeline
from hotnas_hls.base.records import to_record
from hotnas_hls.implementation.vendor_reports import VendorReports
from hotnas_hls.report.run_record import RunRecord
from hotnas_hls.simulate.certificate import TWIN, Certificate
from hotnas_hls.simulate.dram_check import DramCheck
from hotnas_hls.version import __version__

FORMAT = "hotnas-report"
FORMAT_VERSION = 1
REPORTS = "reports"
CYCLE_CHECK = f"cycle check is against the {TWIN}"
LABELS = {"I": "load IFM", "W": "load weights", "C": "compute", "O": "store OFM"}


@dataclass(frozen=True)
class LayerReport:
    """One layer: what became of it, and its cycles by every source that knows them."""

    name: str
    kind: str
    shape: str  # input channels and map -> output channels and map
    kernel: str
    pattern_ones: int | None  # kernel positions kept, None: dense
    kernel_positions: int
    channels_cut_to: int | None  # output channels the search kept, None: not cut, or unknown
    channels_before: int | None  # output channels before the cut, None: not cut, or not recorded
    expanded: bool | None  # None: no run record tells
    skip_cut: bool  # the skip connection that it read was left out
    weight_bits: int | None  # None: a layer without weights
    narrowed: bool  # the bits are a choice made for this layer
    macs: int  # that remain
    dsp_efficiency: float  # of the multipliers, over the predicted cycles
    traffic_bytes: int  # both ways, halo and reloads included
    bound: int | None  # share of the latency bound, in cycles
    predicted: LayerLatency
    simulated: dict[str, int] | None  # by term, with the ideal memory
    behind: int | None  # cycles behind the board's DRAM: simulated, where nothing is certified predicted
    cosim: int | None  # cycles of its transaction in co-simulation
    board: int | None  # cycles on the board, by the self-test
    outputs_match: bool | None

    @property
    def bottleneck(self) -> str:
        return str(self.predicted.bottleneck)

    @property
    def difference(self) -> int | None:
        """Simulated - predicted cycles."""
        return None if self.simulated is None else self.simulated["cycles"] - self.predicted.cycles

    @property
    def margin(self) -> int | None:
        """Cycles below the bound: behind the DRAM, unless that is not known."""
        cycles = self.predicted.cycles if self.simulated is None else self.simulated["cycles"]
        cycles = cycles if self.behind is None else self.behind
        return None if self.bound is None else self.bound - cycles

    @property
    def treatment(self) -> list[str]:
        """HotNAS's edits of this layer in words; empty when it was left alone."""
        found = []
        if self.pattern_ones is not None:
            found.append(f"pattern {self.pattern_ones}/{self.kernel_positions}")
        if self.channels_cut_to is not None:
            before = "" if self.channels_before is None else f"{self.channels_before} → "
            found.append(f"{before}{self.channels_cut_to} channels")
        if self.expanded:
            found.append("kernel expanded")
        if self.skip_cut:
            found.append("skip cut")
        if self.narrowed:
            found.append(f"{self.weight_bits}-bit weights")
        return found


@dataclass(frozen=True)
class ResourceReport:
    """One resource: the model, the board, and whoever else counted."""

    name: str
    model: int
    available: int
    yosys: int | None
    csynth: int | None
    implementation: int | None

    @property
    def share(self) -> float | None:
        """Of the board, None where the board has none."""
        return self.model / self.available if self.available else None


@dataclass(frozen=True)
class Placement:
    """The design on an ECP5, placed and routed by open tools; not the board's part."""

    device: str
    fmax_mhz: float
    used: dict[str, tuple[int, int]]  # kind -> cells used, and on the device
    slowest_path: str


@dataclass(frozen=True)
class ClockEstimate:
    """What static timing before placement says of the clock; an estimate, not Vivado's."""

    part: str
    fmax_mhz: float
    low_mhz: float
    high_mhz: float
    slowest_path: str


@dataclass(frozen=True)
class Region:
    """A stretch of memory behind one of the two pointers."""

    pointer: str  # wgt, or ifm/ofm
    name: str
    offset: int
    bytes: int
    inside: str | None = None  # the feature map it is a part of


@dataclass(frozen=True)
class SweepPoint:
    """One inference at another memory latency."""

    other_keys: ClassVar[bool] = True  # in its file
    read_latency: int
    predicted_cycles: int
    simulated_cycles: int


@dataclass(frozen=True)
class ReportData:
    """One design, everything that is known of it."""

    name: str
    point: DesignPoint
    layers: tuple[LayerReport, ...]
    resources: tuple[ResourceReport, ...]
    regions: tuple[Region, ...]
    certificate: Certificate | None = None
    vendor: VendorReports | None = None
    run: RunRecord | None = None
    sweep: tuple[SweepPoint, ...] | None = None
    placement: Placement | None = None
    clock_estimate: ClockEstimate | None = None
    dram: DramCheck | None = None
    notes: tuple[str, ...] = ()  # files that were there and are not used, and why

    @property
    def predicted_cycles(self) -> int:
        return sum(layer.predicted.cycles for layer in self.layers)

    @property
    def dsp_efficiency(self) -> float:
        """MACs that remain, of those the array could do in the predicted cycles."""
        macs = sum(layer.macs for layer in self.layers)
        return efficiency(macs, self.predicted_cycles, multipliers(self.point.accelerator))

    @property
    def simulated_cycles(self) -> int | None:
        return None if self.certificate is None else self.certificate.simulated_cycles

    @property
    def certified_cycles(self) -> int | None:
        """What the certificate vouches for: behind the board's DRAM, unless that was left out."""
        return None if self.certificate is None else self.certificate.certified_cycles

    @property
    def cycles(self) -> int:
        """What is certified; where nothing is, the prediction: behind the DRAM, if that is known."""
        return self.certified_cycles or self.point.behind_dram_cycles or self.predicted_cycles

    @property
    def latency_ms(self) -> float:
        """Those at the design's clock."""
        return self.point.cycles_to_ms(self.cycles)

    @property
    def latency_before_ms(self) -> float | None:
        """Of the best uncompressed 16-bit design."""
        return None if self.run is None else self.run.latency_before_ms

    @property
    def plain_ms(self) -> float | None:
        """Of the best uncompressed 8-bit design, which needs no search."""
        return None if self.run is None else self.run.plain_ms

    @property
    def margin_ms(self) -> float | None:
        """Below the bound."""
        bound = self.point.latency_bound_ms
        return None if bound is None else bound - self.latency_ms

    @property
    def bottlenecks(self) -> dict[str, tuple[int, float]]:
        """Label -> layers with it, and their share of the time; the largest share first."""
        count = Counter(layer.bottleneck for layer in self.layers)
        cycles: Counter[str] = Counter()
        for layer in self.layers:
            cycles[layer.bottleneck] += layer.predicted.cycles
        total = self.predicted_cycles
        return {label: (count[label], cycles[label] / total) for label, _ in cycles.most_common()}

    @property
    def streamed_cycles(self) -> int:
        """Predicted with an ideal memory, were nothing kept on chip."""
        point = self.point
        accel = replace(point.accelerator, map_words=0, weight_planes=0)
        layers = [entry.layer.streamed() for entry in point.layers]
        return network_latency(layers, accel, point.tiles, point.memory).cycles

    @property
    def csynth_cycles(self) -> int | None:
        csynth = self.vendor.csynth if self.vendor else None
        return csynth.latency_max if csynth else None

    @property
    def cosim_cycles(self) -> int | None:
        """Of all layers, where co-simulation gave each one's."""
        cycles = [layer.cosim for layer in self.layers if layer.cosim is not None]
        return sum(cycles) if len(cycles) == len(self.layers) else None

    @property
    def board_cycles(self) -> int | None:
        """Of an image on the board, by the self-test."""
        board = self.vendor.board if self.vendor else None
        return board.cycles if board else None

    def timelines(self) -> list[LayerTimeline]:
        """Every layer's events, in order."""
        point = self.point
        layers = [entry.layer for entry in point.layers]
        return network_timeline(layers, point.accelerator, point.tiles, point.memory)

    def record(self) -> dict[str, Any]:
        """The report for programs; ``null`` is unknown."""
        point, certificate = self.point, self.certificate
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "tool_version": __version__,
            "design": self.name,
            "network": point.network,
            "design_digest": point.digest(),
            "board": point.board.name,
            "part": point.board.part,
            "clock_mhz": point.clock_mhz,
            "stem": point.stem,
            "packed_resolutions": point.packed_resolutions,
            "packed_across": point.packed_across,
            "accelerator": to_record(point.accelerator),
            "dsp_efficiency": self.dsp_efficiency,
            "latency": {
                "before_ms": self.latency_before_ms,
                "plain_8bit_ms": self.plain_ms,
                "after_ms": self.latency_ms,
                "bound_ms": point.latency_bound_ms,
                "margin_ms": self.margin_ms,
                "predicted_cycles": self.predicted_cycles,
                "simulated_cycles": self.simulated_cycles,
                "behind_dram_cycles": point.behind_dram_cycles if certificate is None else None,
                "certified_cycles": self.certified_cycles,
                "range_ms": None if certificate is None else certificate.range_ms,
                "bound_cycles": point.latency_bound_cycles,
                "csynth_cycles": self.csynth_cycles,
                "cosim_cycles": self.cosim_cycles,
                "board_cycles": self.board_cycles,
            },
            "accuracy": to_record(point.accuracy)
            | {"drop_allowed": point.configured("search", "accuracy_drop")},
            "certificate": None
            if certificate is None
            else {
                "holds": certificate.holds,
                "exact": certificate.exact,
                "outputs_match": certificate.outputs_match,
                "simulated_rtl": certificate.simulated_rtl,
                "line": certificate.line(),
                "reasons": list(certificate.reasons),
            },
            "memory": to_record(point.memory),
            "layers": [
                to_record(layer)
                | {
                    "bottleneck": layer.bottleneck,
                    "difference": layer.difference,
                    "margin": layer.margin,
                    "treatment": layer.treatment,
                }
                for layer in self.layers
            ],
            "resources": [to_record(resource) for resource in self.resources],
            "memory_map": [to_record(region) for region in self.regions],
            "vendor": None if self.vendor is None else to_record(self.vendor),
            "search": None if self.run is None else to_record(self.run),
            "sweep": None if self.sweep is None else to_record(self.sweep),
            "placement": None if self.placement is None else to_record(self.placement),
            "clock_estimate": None if self.clock_estimate is None else to_record(self.clock_estimate),
            "dram": None if self.dram is None else to_record(self.dram),
            "notes": list(self.notes),
        }
