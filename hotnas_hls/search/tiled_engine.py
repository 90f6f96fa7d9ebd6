"""The platform of this project: one tiled convolution engine on one board, priced by its true model."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hotnas_hls.accel.accelerator import LEGAL_PORT_BITS, LEGAL_TAPS, Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.latency import LayerLatency, best_tile, layer_latency
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.memory_timing import MemoryTiming
from hotnas_hls.accel.plan import Tile, for_layers, plan_violations
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.board import Board
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.search.platform import Choices, Cost, Emission, LayerCost, Relief, Remedy, Roof
from hotnas_hls.search.space import Axis, AxisKind

AXES = ("tm", "tn", "tr", "tc", "ifm_bits", "wgt_bits", "ofm_bits", "ifm_depth", "taps")
PORT_OF_LABEL = {"I": "ifm_bits", "W": "wgt_bits", "O": "ofm_bits"}
TERMS = ("load_ifm", "load_wgt", "compute", "store_ofm")
ARRAY_SIDES = (4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128)
TILE_SIDES = (2, 4, 7, 8, 14, 16, 28, 32, 56, 64)
IFM_DEPTHS = tuple(2**power for power in range(4, 15))
PIPELINES = 20  # cycles of filling and draining that every layer has at least (see accel.latency)
WIDEST_PORT = 256  # of the ports tried when none are given; wider masters rarely exist on a board


@dataclass(frozen=True)
class EngineOptions:
    """Values the hardware axes may take; ``None`` leaves them to the platform."""

    tm: tuple[int, ...] | None = None
    tn: tuple[int, ...] | None = None
    tr: tuple[int, ...] | None = None
    tc: tuple[int, ...] | None = None
    port_bits: tuple[int, ...] | None = None
    dsp_limit: int | None = None


@dataclass(frozen=True)
class EngineDesign:
    """An accelerator and the tile of every layer; a layer that fits no tile has none."""

    accel: Accelerator
    tiles: Mapping[str, Tile]


@dataclass
class TiledEnginePlatform:
    """:class:`~hotnas_hls.search.platform.Platform` on ``accel.latency`` and ``accel.resources``."""

    board: Board
    clock_mhz: float
    memory: MemoryTiming = MemoryTiming()
    act_bits: int = 16
    options: EngineOptions = EngineOptions()
    unit: str = "cycles"
    _tiles: dict[tuple, Tile | None] = field(default_factory=dict, repr=False)
    _latencies: dict[tuple, LayerLatency] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.name = f"tiled engine on {self.board.name} at {self.clock_mhz:g} MHz"
        self._whole_board = self.board
        if self.options.dsp_limit is not None:
            limited = min(self.board.dsp, self.options.dsp_limit)
            self.board = dataclasses.replace(self.board, dsp=limited)

    # --- design space ---------------------------------------------------------------------------------

    def values(self, name: str) -> tuple[int, ...]:
        """Every value of a hardware axis."""
        given = self.options
        if name in ("tm", "tn"):
            return getattr(given, name) or ARRAY_SIDES
        if name in ("tr", "tc"):
            return getattr(given, name) or TILE_SIDES
        if name == "ifm_depth":
            return IFM_DEPTHS
        if name == "taps":
            return LEGAL_TAPS
        return given.port_bits or tuple(bits for bits in LEGAL_PORT_BITS if bits <= WIDEST_PORT)

    def axes(self, near: Choices | None = None) -> tuple[Axis, ...]:
        """All values of each axis, or those one step from ``near`` (its own first)."""
        found = []
        for name in AXES:
            values = self.values(name)
            if near is not None:
                block = self.channel_multiple(near) if name in ("tm", "tn") else 1
                legal = [value for value in values if value % block == 0 or value == near[name]]
                place = legal.index(near[name])
                around = legal[max(0, place - 1) : place + 2]
                values = (near[name], *(value for value in around if value != near[name]))
            found.append(Axis(name, AxisKind.HARDWARE, values))
        return tuple(found)

    def channel_multiple(self, choices: Choices) -> int:
        """Channels of one memory word."""
        return max(choices["ifm_bits"], choices["ofm_bits"]) // self.act_bits

    def remedies(self, label: str) -> tuple[Remedy, ...]:
        """Section 2.2; beyond it, fewer channels also help a compute-bound layer."""
        return {
            "C": (Remedy.PATTERN, Remedy.CHANNEL_CUT),
            "W": (Remedy.WEIGHT_BITS, Remedy.CHANNEL_CUT, Remedy.HARDWARE),
            "I": (Remedy.KERNEL_EXPAND, Remedy.CHANNEL_CUT, Remedy.HARDWARE),
            "O": (Remedy.HARDWARE,),
        }[label]

    def reliefs(self, label: str, choices: Choices) -> tuple[Relief, ...]:
        """The next wider port for a label that a port bounds."""
        name = PORT_OF_LABEL.get(label)
        if name is None:
            return ()
        wider = min((bits for bits in self.values(name) if bits > choices[name]), default=None)
        if wider is None:
            return ()
        return (Relief(f"{name} {choices[name]} -> {wider}", {**choices, name: wider}),)

    # --- cost -----------------------------------------------------------------------------------------

    def design(self, layers: Sequence[Layer], choices: Choices) -> EngineDesign:
        """What the choices leave open follows from the workload; each layer gets its fastest tile."""
        accel = self._accelerator(layers, choices)
        if accel.violations():
            return EngineDesign(accel, {})
        tiles = {layer.name: self._tile(layer, accel) for layer in layers}
        return EngineDesign(accel, {name: tile for name, tile in tiles.items() if tile is not None})

    def violations(self, layers: Sequence[Layer], design: EngineDesign) -> list[str]:
        """Rules of the generator, resources of the board, layers that fit no tile."""
        found = design.accel.violations()
        if found:
            return found
        found = list(violations(accelerator_resources(design.accel, len(layers)), self.board))
        for layer in layers:
            if layer.name not in design.tiles:
                found += plan_violations(layer, design.accel, Tile(1, 1)) or [f"{layer.name}: fits no tile"]
        return found

    def cost(self, layers: Sequence[Layer], design: EngineDesign) -> Cost:
        """Cycles of every layer by the true model, and their sum."""
        costs = []
        for layer in layers:
            latency = self._latency(layer, design.accel, design.tiles[layer.name])
            terms = {name: float(getattr(latency, name)) for name in TERMS}
            costs.append(LayerCost(layer.name, float(latency.cycles), terms, str(latency.bottleneck)))
        total = sum(layer.total for layer in costs)
        resources = accelerator_resources(design.accel, len(layers))
        usage = {item.name: float(getattr(resources, item.name)) for item in dataclasses.fields(resources)}
        limits = {name: float(getattr(self.board, name)) for name in usage}
        return Cost(tuple(costs), total, total / (self.clock_mhz * 1000), usage, limits)

    def roof(self, layers: Sequence[Layer], choices: Choices) -> Roof:
        """What the array computes and the three ports move in a cycle at most."""
        ports = choices["ifm_bits"] + choices["wgt_bits"] + choices["ofm_bits"]
        return Roof(choices["tm"] * choices["tn"], ports / 8)

    def emit(self, emission: Emission) -> DesignPoint:
        """The design point: all that HLS, RTL and simulation need."""
        network = emission.network
        design = self.design(network.layers, emission.choices)
        return DesignPoint(
            network=network.name,
            board=self._whole_board,
            clock_mhz=self.clock_mhz,
            seed=emission.seed,
            accelerator=design.accel,
            image=network.image,
            logits=network.logits,
            feature_maps=tuple(network.feature_maps.values()),
            layers=tuple(DesignLayer(layer, design.tiles[layer.name]) for layer in network.layers),
            image_layout=network.image_layout,
            memory=self.memory,
            latency_bound_ms=emission.latency_bound_ms,
            predicted_cycles=int(self.cost(network.layers, design).total),
            accuracy=emission.accuracy,
            config=dict(emission.config),
            numbers=network.numbers,
            golden=emission.golden,
        )

    def _accelerator(self, layers: Sequence[Layer], choices: Choices) -> Accelerator:
        chosen = {name: choices[name] for name in AXES}
        blank = Accelerator(**chosen, wgt_entries=1, max_entries=1, act_bits=self.act_bits)  # type: ignore[arg-type]
        return for_layers(blank, layers)

    def _tile(self, layer: Layer, accel: Accelerator) -> Tile | None:
        key = (_shape(layer), accel)
        if key not in self._tiles:
            self._tiles[key] = best_tile(layer, accel, self.memory)
        return self._tiles[key]

    def _latency(self, layer: Layer, accel: Accelerator, tile: Tile) -> LayerLatency:
        key = (_shape(layer), accel, tile)
        if key not in self._latencies:
            self._latencies[key] = layer_latency(layer, accel, tile, self.memory)
        return self._latencies[key]

    # --- exploration ----------------------------------------------------------------------------------

    def explore(self, layers: Sequence[Layer]) -> Choices:
        """The fastest design of the grid, exactly: in order of a lower bound, until that exceeds the best.

        Ties go to the design with fewer multipliers, then to the smaller values.
        """
        grid = list(self._grid(layers))
        if not grid:
            raise InfeasibleDesign(self._too_small(layers))
        counted = Counter(_shape(layer) for layer in layers)
        of = {name: np.array([choices[name] for choices in grid], dtype=np.int64) for name in AXES}
        by_layer = np.array([count * self._lower_bound(layer, of) for layer, count in counted.items()])
        bounds = by_layer.sum(axis=0)
        sizes = of["tm"] * of["tn"]
        order = np.lexsort((np.arange(len(grid)), sizes, bounds))
        best: tuple[float, int, Choices] | None = None
        for index in order:
            if best is not None and bounds[index] > best[0]:
                break
            choices = grid[index]
            accel = self._accelerator(layers, choices)
            if accel.violations() or violations(accelerator_resources(accel, len(layers)), self.board):
                continue
            total = self._total(counted, accel, by_layer[:, index], best[0] if best else np.inf)
            size = choices["tm"] * choices["tn"]
            if total is not None and (best is None or (total, size) < best[:2]):
                best = (total, size, choices)
        if best is None:
            raise InfeasibleDesign(self._too_small(layers))
        return best[2]

    def _total(
        self, layers: Mapping[Layer, int], accel: Accelerator, bounds: np.ndarray, enough: float
    ) -> float | None:
        """Cycles of layers that occur so many times; ``bounds`` are their lower bounds.

        ``None`` once one fits no tile, or the sum must exceed ``enough``.
        """
        total = float(bounds.sum())
        for (layer, count), bound in zip(layers.items(), bounds, strict=True):
            tile = self._tile(layer, accel)
            if tile is None:
                return None
            total += count * self._latency(layer, accel, tile).cycles - bound
            if total > enough:
                return None
        return total

    def _grid(self, layers: Sequence[Layer]) -> Iterator[dict[str, int]]:
        """Designs worth trying: within the DSPs, square tiles no larger than the maps, depths that matter."""
        ports = self.values("ifm_bits")
        side = max(max(layer.out_rows, layer.out_columns) for layer in layers)
        rows, columns = ([v for v in self.values(name) if v < 2 * side] for name in ("tr", "tc"))
        rows, columns = rows or [min(self.values("tr"))], columns or [min(self.values("tc"))]
        squares = [(r, c) for r, c in itertools.product(rows, columns) if r == c] or [(rows[0], columns[0])]
        widest = {
            name: _useful(self.values(name), max(getattr(x, dim) for x in layers))
            for name, dim in (("tm", "m"), ("tn", "n"))
        }
        taps = LEGAL_TAPS if any(layer.kind is not LayerKind.CONV for layer in layers) else LEGAL_TAPS[:1]
        for ifm, wgt, ofm in itertools.product(ports, repeat=3):
            if ifm + wgt + ofm > self.board.port_bits or not _fits_ports((ifm, wgt, ofm), self.board):
                continue
            block = max(ifm, ofm) // self.act_bits
            for tm, tn in itertools.product(widest["tm"], widest["tn"]):
                if tm * tn > self.board.dsp or tm % block or tn % block:
                    continue
                for (tr, tc), count in itertools.product(squares, taps):
                    if count <= min(tm, tn):
                        for depth in self._depths(layers, tn, tr, tc):
                            yield dict(zip(AXES, (tm, tn, tr, tc, ifm, wgt, ofm, depth, count), strict=True))

    @staticmethod
    def _depths(layers: Sequence[Layer], tn: int, tr: int, tc: int) -> list[int]:
        """The depth at which every layer can use the whole tile, and its half and quarter."""
        need = 1
        for layer in layers:
            slices = -(-layer.n // tn)
            rows = (min(tr, layer.out_rows) - 1) * layer.stride_rows + layer.kernel_rows
            columns = (min(tc, layer.out_columns) - 1) * layer.stride + layer.kernel_columns
            need = max(need, slices * rows * columns)
        top = min((depth for depth in IFM_DEPTHS if depth >= need), default=IFM_DEPTHS[-1])
        return [depth for depth in (top, top // 2, top // 4) if depth >= IFM_DEPTHS[0]]

    def _lower_bound(self, layer: Layer, of: Mapping[str, np.ndarray]) -> np.ndarray:
        """Cycles of a layer no tile can beat, for columns of choices.

        The largest of compute and the three traffics, and the latencies around them.
        """
        block = np.maximum(of["ifm_bits"], of["ofm_bits"]) // self.act_bits
        rows_per_group = np.maximum(1, of["wgt_bits"] // of["tn"])
        parts = -(-of["tn"] // of["wgt_bits"])
        narrow = np.minimum(of["tm"], of["tn"])
        around = 2 * self.memory.read_latency + self.memory.write_latency + PIPELINES
        conv = layer.kind is LayerKind.CONV
        pixels = layer.out_rows * layer.out_columns
        rows = min(layer.read_rows, (layer.out_rows - 1) * layer.stride_rows + 1)
        columns = min(layer.in_columns, (layer.out_columns - 1) * layer.stride + 1)
        tiles_m = -(-layer.m // (of["tm"] if conv else narrow))
        tiles_n = -(-layer.n // of["tn"]) if conv else 1
        entries = layer.positions if conv else -(-layer.positions // of["taps"])
        weight_rows = layer.m if conv else tiles_m * of["taps"]
        groups = np.where(parts > 1, weight_rows * parts, -(-weight_rows // rows_per_group))
        groups = 0 * groups if layer.kind is LayerKind.MAXPOOL else groups
        terms = (
            tiles_m * tiles_n * (entries * pixels + 1),
            groups * tiles_n * entries * layer.weight_bits,
            -(-layer.n // block) * rows * columns * (block * self.act_bits // of["ifm_bits"]),
            -(-layer.m // block) * pixels * (block * self.act_bits // of["ofm_bits"]),
        )
        return np.maximum.reduce(np.broadcast_arrays(*terms)) + around

    def _too_small(self, layers: Sequence[Layer]) -> str:
        least = dict(zip(AXES, (min(self.values(name)) for name in AXES), strict=True))
        accel = self._accelerator(layers, least)
        broken = accel.violations() or violations(accelerator_resources(accel, len(layers)), self.board)
        detail = "".join(f"\n  - {problem}" for problem in broken)
        return f"no design of the grid fits {self.board.name}; the smallest one" + (
            f" breaks:{detail}" if detail else " has a layer that fits no tile; allow larger tiles"
        )


def _shape(layer: Layer) -> Layer:
    """The layer without its names: equal for layers that cost the same."""
    return dataclasses.replace(layer, name="", source="", target="", residual="r" if layer.residual else None)


def _useful(values: Sequence[int], channels: int) -> list[int]:
    """Array sides up to the first that holds all channels."""
    return [v for v in values if v < channels] + [v for v in values if v >= channels][:1]


def _fits_ports(widths: tuple[int, ...], board: Board) -> bool:
    """True when the board has ports for these masters (one master may use several)."""
    return sum(-(-bits // board.ports.bits) for bits in widths) <= board.ports.count
