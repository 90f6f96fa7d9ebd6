"""The platform of this project: one tiled convolution engine on one board, behind that board's DRAM.

``cost`` is the bound of ``accel.memory.pricing``, layer by layer; ``measure`` steps the whole network.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

from hotnas_hls.accel.accelerator import LEGAL_PLANE_BITS, LEGAL_PORT_BITS, Accelerator
from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.memory.dram_timing import DramTiming, load_dram
from hotnas_hls.accel.memory.pricing import least_memory, without_numbers, worst_phase
from hotnas_hls.accel.plan import Tile, for_layers, plan_violations
from hotnas_hls.accel.port_plan import has_residual, port_violations
from hotnas_hls.accel.residency import reside
from hotnas_hls.accel.resources import (
    ROUTABLE,
    accelerator_resources,
    least_fabric_rows,
    routable,
    violations,
)
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import Board
from hotnas_hls.errors import ConfigError
from hotnas_hls.explore.behind_dram import fastest_behind
from hotnas_hls.explore.exhaustive import fastest
from hotnas_hls.explore.on_chip import Kept, cheapest, fastest_on_chip
from hotnas_hls.explore.space import WHOLE_SPACE, Space, worth_wiring
from hotnas_hls.network.fold import fold_shapes
from hotnas_hls.network.lower import channel_blocks, concat_alignment, lower
from hotnas_hls.platforms.layered import LayeredPlatform
from hotnas_hls.platforms.metric import LATENCY, Metric
from hotnas_hls.platforms.platform import Choices, Cost, Emission, LayerCost, Relief, Remedy, Roof
from hotnas_hls.platforms.request import PlatformRequest
from hotnas_hls.platforms.space import Axis, AxisKind, steps_from

AXES = (
    "tm",
    "tn",
    "tr",
    "tc",
    "ifm_bits",
    "wgt_bits",
    "ofm_bits",
    "wgt_masters",
    "ifm_depth",
    "taps",
    "shared_bus",
    "dsp_packing",
    "word_bits",  # 0: as wide as the ports
    "plane_bits",
    "map_words",
    "weight_planes",
    "ultra_ram",
)
ON_CHIP = AXES[-5:]
LEGAL_WIDTHS = {"word_bits": LEGAL_PORT_BITS, "plane_bits": LEGAL_PLANE_BITS}  # of what lies on chip
SWITCHES = ("shared_bus", "dsp_packing", "ultra_ram")
PORT_OF_LABEL = {"I": "ifm_bits", "W": "wgt_bits", "O": "ofm_bits"}
TERMS = ("load_ifm", "load_wgt", "compute", "store_ofm")
CYCLES = Metric("cycles", "cycles", "the same in clock cycles of the engine")


@dataclass(frozen=True)
class EngineOptions:
    """Values the hardware axes may take; ``None`` leaves them to the platform."""

    tm: tuple[int, ...] | None = None
    tn: tuple[int, ...] | None = None
    tr: tuple[int, ...] | None = None
    tc: tuple[int, ...] | None = None
    port_bits: tuple[int, ...] | None = None
    wgt_masters: tuple[int, ...] | None = None
    dsp_limit: int | None = None
    on_chip: bool = True  # whether designs may keep maps and weights


@dataclass(frozen=True)
class EngineDesign:
    """An accelerator, the layers as they lie on it, and their tiles; a layer that fits no tile has none."""

    accel: Accelerator
    layers: tuple[Layer, ...]
    tiles: Mapping[str, Tile]


@dataclass
class TiledEnginePlatform(LayeredPlatform):
    """:class:`~hotnas_hls.platforms.platform.Platform` on ``accel.memory`` and ``resources``.

    Where the board's DRAM is not known the memory is the ideal one. What stays on chip follows from the rooms
    that the choices give to maps and weights; maps of a network with concatenations lie in DRAM.
    """

    board: Board
    clock_mhz: float
    memory: MemoryTiming = MemoryTiming()  # the ideal one
    act_bits: int = 16
    concat_alignment: int = 0  # channels; only channel blocks that divide it are legal (see lower)
    options: EngineOptions = EngineOptions()
    unit: str = "cycles"
    metrics: ClassVar[tuple[Metric, ...]] = (LATENCY, CYCLES)
    needs_board: ClassVar[bool] = True
    about: ClassVar[str] = "one tiled convolution engine on one FPGA board, behind that board's DRAM"

    @classmethod
    def of(cls, request: PlatformRequest) -> TiledEnginePlatform:
        """The engine on the board asked for, as far as it can place the network's concatenations."""
        names = {field.name for field in dataclasses.fields(EngineOptions)}
        if request.board is None:
            raise ConfigError("the tiled engine runs on a board, and none is given")
        if request.technology is not None:
            raise ConfigError(
                f"technology: the tiled engine has none, {request.board.name} tells all of it; leave it out"
            )
        return cls(
            board=request.board,
            clock_mhz=request.board.clock_mhz if request.clock_mhz is None else request.clock_mhz,
            memory=request.memory,
            act_bits=request.act_bits,
            concat_alignment=concat_alignment(lower(fold_shapes(request.graph))),
            options=EngineOptions(**{k: v for k, v in request.accelerator.items() if k in names}),
        )

    def __post_init__(self) -> None:
        self.name = f"tiled engine on {self.board.name} at {self.clock_mhz:g} MHz"
        self._whole_board = self.board
        self.dram = None if self.board.dram is None else load_dram(self.board.dram)
        self.least = self.memory if self.dram is None else least_memory(self.dram, self.clock_mhz)
        if self.options.dsp_limit is not None:
            limited = min(self.board.dsp, self.options.dsp_limit)
            self.board = dataclasses.replace(self.board, dsp=limited)

    # --- design space ---------------------------------------------------------------------------------

    @property
    def space(self) -> Space:
        """All designs of the search: those of ``hotnas dse``, as far as the options leave them."""
        given = self.options
        rows, columns = given.tr or _sides(0), given.tc or _sides(1)
        return Space(
            tm=given.tm or WHOLE_SPACE.tm,
            packed_tm=given.tm or WHOLE_SPACE.packed_tm,
            tn=given.tn or WHOLE_SPACE.tn,
            port_bits=given.port_bits or WHOLE_SPACE.port_bits,
            bus_bits=given.port_bits or WHOLE_SPACE.bus_bits,
            tiles=tuple(product(rows, columns)) if given.tr or given.tc else WHOLE_SPACE.tiles,
            act_bits=self.act_bits,
            wgt_masters=given.wgt_masters or WHOLE_SPACE.wgt_masters,
        )

    @property
    def pattern_rows(self) -> int:
        """Two, so that DSP slices can be packed, where activations are narrow enough for it."""
        return 2 if any(self.space.packing(self.act_bits)) else 1

    def values(self, name: str, near: Choices | None = None) -> tuple[int, ...]:
        """Every value of a hardware axis, for such ports and DSP slices as ``near`` has."""
        space = self.space
        shared_bus, packed = (bool(near and near[name]) for name in ("shared_bus", "dsp_packing"))
        if name in ("tr", "tc"):
            return tuple(sorted({tile[name == "tc"] for tile in space.tiles}))
        if name in ("ifm_bits", "wgt_bits", "ofm_bits"):
            return space.bus_bits if shared_bus else space.port_bits
        if name in ON_CHIP:
            return self._on_chip_values(name, near)
        if name == "wgt_masters":
            return self._masters(near)
        return {
            "tm": space.packed_tm if packed else space.tm,
            "tn": space.tn,
            "ifm_depth": space.ifm_depths,
            "taps": space.taps,
            "shared_bus": (0, 1),
            "dsp_packing": tuple(int(value) for value in space.packing(self.act_bits)),
        }[name]

    @staticmethod
    def _on_chip_values(name: str, near: Choices | None) -> tuple[int, ...]:
        """Of an axis that says what lies on chip: nothing, or about as much as ``near`` has room for."""
        if near is None or not near[name]:
            return (0,)
        if name in LEGAL_WIDTHS:
            return LEGAL_WIDTHS[name]
        return (near[name],) if name == "ultra_ram" else (near[name] // 2, near[name])

    def _masters(self, near: Choices | None) -> tuple[int, ...]:
        """Of the weights: those that ``near`` has, and others that are worth wiring to its ports."""
        every = self.space.wgt_masters
        if near is None or near["shared_bus"]:
            return every
        wired = Accelerator(1, 1, 1, 1, near["ifm_bits"], near["wgt_bits"], near["ofm_bits"], 1, 1, 1)
        return tuple(
            count
            for count in every
            if count == near["wgt_masters"]
            or worth_wiring(dataclasses.replace(wired, wgt_masters=count), self.board, self.clock_mhz, False)
        )

    def axes(self, near: Choices | None = None) -> tuple[Axis, ...]:
        """All values of each axis, or those one step from ``near`` (its own first)."""
        found = []
        for name in AXES:
            values = self.values(name, near)
            if near is not None and name in self._settled(near):
                values = (near[name],)
            elif near is not None:
                block = self.channel_multiple(near) if name in ("tm", "tn") else 1
                values = steps_from(near[name], sorted({v for v in values if v % block == 0} | {near[name]}))
            found.append(Axis(name, AxisKind.HARDWARE, values))
        return tuple(found)

    @staticmethod
    def _settled(near: Choices) -> set[str]:
        """Axes that stay: a step leads to no legal design, or to the same: a bus has one port for reads."""
        kinds = set(SWITCHES)
        return kinds | {"ifm_bits", "wgt_bits", "wgt_masters"} if near["shared_bus"] else kinds

    def channel_multiple(self, choices: Choices) -> int:
        """Channels of one memory word."""
        ports = ("ofm_bits",) if choices["shared_bus"] else ("ifm_bits", "ofm_bits", "word_bits")
        return max(choices[name] for name in ports) // self.act_bits

    def remedies(self, label: str, choices: Choices) -> tuple[Remedy, ...]:
        """Section 2.2; beyond it, fewer channels also help a compute-bound layer, and patterns one that waits
        for its weights: what a pattern leaves out is not stored.

        On a shared bus weights delay everything else: fewer of them, in fewer bits, help whatever the label.
        """
        if choices["shared_bus"]:
            return (Remedy.WEIGHT_BITS, Remedy.PATTERN, Remedy.CHANNEL_CUT, Remedy.HARDWARE)
        return {
            "C": (Remedy.PATTERN, Remedy.CHANNEL_CUT),
            "W": (Remedy.WEIGHT_BITS, Remedy.PATTERN, Remedy.CHANNEL_CUT, Remedy.HARDWARE),
            "I": (Remedy.KERNEL_EXPAND, Remedy.CHANNEL_CUT, Remedy.HARDWARE),
            "O": (Remedy.HARDWARE,),
        }[label]

    def reliefs(self, label: str, choices: Choices) -> tuple[Relief, ...]:
        """Wider ports, or two, for a label that a port bounds; wider words or planes of what lies on chip."""
        name = PORT_OF_LABEL.get(label)
        if name is None:
            return ()
        found = []
        kept, rooms = ("plane_bits", "weight_planes") if label == "W" else ("word_bits", "map_words")
        wider = min((bits for bits in LEGAL_WIDTHS[kept] if bits > choices[kept]), default=None)
        if choices[rooms] and choices[kept] and wider is not None:
            found.append(Relief(f"{kept} {choices[kept]} -> {wider}", {**choices, kept: wider}))
        shared = bool(choices["shared_bus"])
        name = "ofm_bits" if shared else name
        wider = min((bits for bits in self.values(name, choices) if bits > choices[name]), default=None)
        if wider is not None and shared:
            widened = dict.fromkeys(PORT_OF_LABEL.values(), wider)
            found.append(Relief(f"bus {choices[name]} -> {wider} bits", {**choices, **widened}))
        elif wider is not None:
            found.append(Relief(f"{name} {choices[name]} -> {wider}", {**choices, name: wider}))
        masters = choices["wgt_masters"]
        more = min((count for count in self.values("wgt_masters", choices) if count > masters), default=None)
        if label == "W" and more is not None and not shared:
            found.append(Relief(f"wgt_masters {masters} -> {more}", {**choices, "wgt_masters": more}))
        return tuple(found)

    def explore(self, layers: Sequence[Layer]) -> Choices:
        """The fastest design that streams everything, exactly (see ``explore.behind_dram``), or one that is
        faster because it keeps data on chip (see ``explore.on_chip``).
        """
        legal = channel_blocks(self.act_bits, self.concat_alignment)
        asked = tuple(layer.streamed() for layer in layers)
        at = (self.board, self.dram, self.memory, self.clock_mhz, self.space)
        accel = _fastest(asked, *at, legal, self.options.on_chip, not self.concat_alignment)
        return {name: int(getattr(accel, name) or 0) for name in AXES}

    def at_bits(self, bits: int) -> TiledEnginePlatform:
        """The same board, with activations of ``bits`` bits."""
        return dataclasses.replace(self, board=self._whole_board, act_bits=bits)

    # --- cost -----------------------------------------------------------------------------------------

    def design(self, layers: Sequence[Layer], choices: Choices) -> EngineDesign:
        """What the choices leave open follows from the workload: what lies in the rooms, fastest tiles."""
        accel = self._accelerator(layers, choices)
        if accel.violations():
            return EngineDesign(accel, tuple(layers), {})
        resident = reside(without_numbers(layers, self.act_bits), accel, self.least)
        return EngineDesign(resident.accel, resident.net.layers, resident.tiles)

    def violations(self, layers: Sequence[Layer], design: EngineDesign) -> list[str]:
        """Rules of the generator, resources and ports of the board, layers that fit no tile."""
        found = design.accel.violations()
        if found:
            return found
        resources = accelerator_resources(design.accel, len(layers))
        found = list(violations(resources, self.board))
        if design.accel.fabric_rows and not routable(resources, self.board, design.accel):
            found.append(
                f"{resources.lut} of {self.board.lut} LUTs: with rows in the fabric at most {ROUTABLE:.0%} "
                "are taken, or wires find no way; choose a smaller Tm or Tn"
            )
        found += port_violations(design.accel, self.board, self.clock_mhz, has_residual(design.layers))
        if self.concat_alignment % design.accel.channel_block:
            found.append(
                f"concatenated maps do not begin on whole blocks of {design.accel.channel_block} channels; "
                f"use feature-map ports of at most {self.concat_alignment & -self.concat_alignment} channels"
            )
        for layer in layers:
            broken = plan_violations(layer, design.accel, design.tiles.get(layer.name, Tile(1, 1)))
            if layer.name not in design.tiles and not broken:
                broken = [f"{layer.name}: fits no tile"]
            found += broken
        return found

    def cost(self, layers: Sequence[Layer], design: EngineDesign) -> Cost:
        """Cycles below which no layer stays, and their sum."""
        costs = []
        found = network_latency(design.layers, design.accel, design.tiles, self.least).layers
        for layer in design.layers:
            latency = found[layer.name]
            terms = {name: float(getattr(latency, name)) for name in TERMS}
            total, label = float(latency.cycles), str(latency.bottleneck)
            costs.append(LayerCost(layer.name, total, terms, label, layer.kept))
        total = sum(layer.total for layer in costs)
        resources = accelerator_resources(design.accel, len(layers))
        usage = {item.name: float(getattr(resources, item.name)) for item in dataclasses.fields(resources)}
        limits = {name: float(getattr(self.board, name)) for name in usage}
        return Cost(tuple(costs), total, self._metrics(total), LATENCY, usage, limits)

    def measure(self, layers: Sequence[Layer], design: EngineDesign) -> Cost:
        """Cycles behind the DRAM at the worst phase of its refresh: what the certificate measures."""
        cost = self.cost(layers, design)
        if self.dram is None:
            return cost
        net = without_numbers(design.layers, self.act_bits)
        behind = worst_phase(net, design.accel, design.tiles, self.dram, self.clock_mhz)
        found = tuple(
            dataclasses.replace(layer, total=float(behind.layers[layer.layer])) for layer in cost.layers
        )
        total = float(behind.cycles)
        return dataclasses.replace(cost, layers=found, total=total, metrics=self._metrics(total))

    def _metrics(self, cycles: float) -> dict[str, float]:
        return {LATENCY.name: cycles / (self.clock_mhz * 1000), CYCLES.name: cycles}

    def roof(self, layers: Sequence[Layer], choices: Choices) -> Roof:
        """What the array computes, and what ports and memory on chip move in a cycle at most."""
        accel = self._accelerator(layers, choices)
        bits = accel.port_bits
        bits += 2 * accel.word_width if accel.map_words else 0
        bits += accel.plane_width if accel.weight_planes else 0
        return Roof(accel.tm * accel.tn, bits / 8)

    def emit(self, emission: Emission) -> DesignPoint:
        """The design point: all that HLS, RTL and simulation need."""
        network = emission.network
        design = self.design(network.layers, emission.choices)
        if self.dram is None:
            predicted = int(self.cost(network.layers, design).total)
        else:
            shapes = without_numbers(design.layers, network.act_bits, network.feature_maps.values())
            predicted = worst_phase(shapes, design.accel, design.tiles, self.dram, self.clock_mhz).cycles
        return DesignPoint(
            network=network.name,
            board=self._whole_board,
            clock_mhz=self.clock_mhz,
            seed=emission.seed,
            accelerator=design.accel,
            image=network.image,
            host=network.host,
            feature_maps=tuple(network.feature_maps.values()),
            layers=tuple(DesignLayer(layer, design.tiles[layer.name]) for layer in design.layers),
            image_layout=network.image_layout,
            packed_resolutions=emission.packed_resolutions,
            packed_across=emission.packed_across,
            memory=self.memory,
            latency_bound_ms=emission.latency_bound_ms,
            predicted_cycles=predicted,
            accuracy=emission.accuracy,
            config=dict(emission.config),
            numbers=network.numbers,
            golden=emission.golden,
        )

    def _accelerator(self, layers: Sequence[Layer], choices: Choices) -> Accelerator:
        """On a shared bus ports are as wide as that of the results, and one each; nothing lies on chip.

        Products that the board has no DSP slices for are in the fabric, at its own clock or below.
        """
        chosen: dict[str, Any] = {name: choices[name] for name in AXES}
        if chosen["shared_bus"]:
            chosen |= dict.fromkeys(PORT_OF_LABEL.values(), choices["ofm_bits"]) | dict.fromkeys(ON_CHIP, 0)
            chosen["wgt_masters"] = 1
        elif self.concat_alignment:
            chosen["map_words"] = 0
        widths = {name: chosen.pop(name) for name in ("word_bits", "plane_bits")}
        chosen |= {switch: bool(chosen[switch]) for switch in SWITCHES}
        streaming = Accelerator(**chosen, wgt_entries=1, max_entries=1, act_bits=self.act_bits)
        least = {"word_bits": streaming.word_width, "plane_bits": streaming.plane_width}
        wider: dict[str, Any] = {name: bits for name, bits in widths.items() if bits > least[name]}
        accel = for_layers(dataclasses.replace(streaming, **wider), layers)
        if self.clock_mhz > self.board.clock_mhz or accel.violations():  # only legal ones can be counted
            return accel
        return dataclasses.replace(accel, fabric_rows=least_fabric_rows(accel, self.board))


@functools.lru_cache(maxsize=256)
def _fastest(
    layers: tuple[Layer, ...],
    board: Board,
    dram: DramTiming | None,
    memory: MemoryTiming,
    clock_mhz: float,
    space: Space,
    legal: tuple[int, ...],
    on_chip: bool,
    maps: bool,
) -> Accelerator:
    """The fastest design; on_chip: it may keep weights there, and maps where ``maps`` says so.

    Designs that keep nothing are stepped behind the DRAM only where their bound leaves them a chance.
    Remembered: samplers that are compared, and the searches of a session, ask for it again.
    """
    least = memory if dram is None else least_memory(dram, clock_mhz)
    bound = fastest(layers, board, least, space, legal, clock_mhz)
    kept: tuple[Kept, ...] = ()
    if on_chip:
        net = without_numbers(layers, space.act_bits)
        kept = fastest_on_chip(net, board, least, clock_mhz, space, bound.accel, legal, maps)
    price = math.inf
    if kept:
        there, price = kept[0].resident, kept[0].cycles
        if dram is not None:
            best_kept = cheapest(kept, dram, clock_mhz)
            there, price = best_kept.candidate.resident, best_kept.price
        if price <= bound.cycles:
            return there.accel
    streamed, cycles = bound.accel, bound.cycles
    if dram is not None:
        best = fastest_behind(layers, board, dram, clock_mhz, space, blocks=legal).best[0]
        streamed, cycles = best.candidate.accel, best.price
    return there.accel if price < cycles else streamed


def _sides(of: int) -> tuple[int, ...]:
    """Rows (0) or columns (1) of the tiles that are tried where none are given."""
    return tuple(sorted({tile[of] for tile in WHOLE_SPACE.tiles}))
