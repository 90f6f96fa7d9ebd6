"""From a published design to the nearest accelerator that can be built, and from a DNA to true layers.

The published rule counts ports in 16-bit words of any number and buffers in tiles without a halo; real ports
have a power of two bits, arrays are whole channel blocks, and buffers hold what is loaded.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.plan import for_layers
from hotnas_hls.accel.port_plan import has_residual, port_violations
from hotnas_hls.accel.resources import accelerator_resources, violations
from hotnas_hls.accel.timing.latency import layer_latency, places
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tile
from hotnas_hls.boards.board import Board
from hotnas_hls.errors import ConfigError, InfeasibleDesign, raise_all
from hotnas_hls.published.design import PublishedHardware
from hotnas_hls.published.latency import WORD_BITS
from hotnas_hls.published.layers import PublishedLayer

LEAST_DEPTH = 16  # words of an IFM bank
LEAST_SIDE = 4  # of the largest tile
MOST_DEPTH = 1 << 15


@dataclass(frozen=True)
class Nearest:
    """The accelerator, and what had to change, a sentence each."""

    accel: Accelerator
    changes: tuple[str, ...]


def nearest_accelerator(
    hardware: PublishedHardware, layers: Sequence[Layer], board: Board, blocks: Sequence[int] | None = None
) -> Nearest:
    """The accelerator nearest to ``hardware`` that fits ``board`` and its ports, and runs ``layers``.

    blocks: channel blocks the network allows (concatenation). Raises InfeasibleDesign when the array and the
    ports alone exceed the board.
    """
    design = hardware.cconv
    lanes = {"wgt": design.wp, "ifm": design.ip, "ofm": design.op}
    legal = sorted({width for kind in board.ports for width in kind.bits})
    bits = {port: _nearest_port(WORD_BITS * count, legal) for port, count in lanes.items()}
    while blocks is not None and max(bits["ifm"], bits["ofm"]) // WORD_BITS not in blocks:
        widest = max(("ifm", "ofm"), key=lambda port: bits[port])
        if bits[widest] == legal[0]:
            raise InfeasibleDesign("the network's concatenations fit no feature-map port of 16-bit words")
        bits[widest] = max(width for width in legal if width < bits[widest])
    block = max(bits["ifm"], bits["ofm"]) // WORD_BITS
    tm, tn = _nearest_array(design.tm, design.tn, block, board.dsp)
    accel = fitted(_blank(tm, tn, design.tr, design.tc, bits), layers, board)
    changes = [
        f"{port} port: {lanes[port]} words of 16 bits ({WORD_BITS * lanes[port]}) -> {bits[port]} bits"
        for port in lanes
        if bits[port] != WORD_BITS * lanes[port]
    ]
    if (tm, tn) != (design.tm, design.tn):
        changes.append(f"array: {design.tm} x {design.tn} -> {tm} x {tn} (whole blocks of {block} channels)")
    if (accel.tr, accel.tc) != (design.tr, design.tc):
        changes.append(
            f"largest tile: {design.tr} x {design.tc} -> {accel.tr} x {accel.tc} (fastest on {board.name})"
        )
    changes.append(f"IFM banks: {accel.ifm_depth} words a half, halo and all input slices included")
    if hardware.dconv is not None:
        changes.append(
            f"depthwise engine of {hardware.dconv.tm} lanes -> {accel.td} lanes of the array (one engine)"
        )
    return Nearest(accel, tuple(changes))


def fitted(
    accel: Accelerator, layers: Sequence[Layer], board: Board, clock_mhz: float | None = None
) -> Accelerator:
    """``accel`` for these layers: slots, widths, and of the buffers that fit those they are fastest on.

    clock_mhz: None for the board's. Raises InfeasibleDesign when its ports or resources do not allow it.
    """
    accel = for_layers(accel, layers)
    residual = has_residual(layers) and not accel.map_words  # those on chip need no port
    raise_all(
        InfeasibleDesign,
        f"{accel.tm} x {accel.tn} on {board.name}:",
        port_violations(accel, board, clock_mhz or board.clock_mhz, residual),
    )
    best: tuple[int, Accelerator] | None = None
    for tr, tc in _halvings(accel.tr, accel.tc):
        deepest = _deepest(dataclasses.replace(accel, tr=tr, tc=tc), layers, board)
        cycles = None if deepest is None else _cycles(layers, deepest)
        if deepest is not None and cycles is not None and (best is None or cycles < best[0]):
            best = cycles, deepest
    if best is None:
        least = dataclasses.replace(accel, tr=LEAST_SIDE, tc=LEAST_SIDE, ifm_depth=LEAST_DEPTH)
        broken = violations(accelerator_resources(least), board) or ["a layer fits no tile"]
        raise InfeasibleDesign(f"{accel.tm} x {accel.tn} on {board.name}: {'; '.join(broken)}")
    return best[1]


def _halvings(tr: int, tc: int) -> Iterator[tuple[int, int]]:
    """The tile, then with its longer side halved, again and again."""
    yield tr, tc
    while max(tr, tc) > LEAST_SIDE:
        tr, tc = (-(-tr // 2), tc) if tr >= tc else (tr, -(-tc // 2))
        yield tr, tc


def _deepest(accel: Accelerator, layers: Sequence[Layer], board: Board) -> Accelerator | None:
    """``accel`` with the deepest IFM banks that its layers use and the board holds."""
    depth = _wanted_depth(accel, layers)
    while depth >= LEAST_DEPTH:
        deep = dataclasses.replace(accel, ifm_depth=depth)
        if not violations(accelerator_resources(deep), board):
            return deep
        depth //= 2
    return None


def _cycles(layers: Sequence[Layer], accel: Accelerator) -> int | None:
    """Cycles of all layers in their fastest tiles; None when one fits none."""
    placed = zip((layer.unnamed() for layer in layers), places(layers, accel.shared_bus), strict=True)
    total, memory = 0, MemoryTiming()
    for (layer, place), count in Counter(placed).items():
        tile = best_tile(layer, accel, memory, place)
        if tile is None:
            return None
        total += count * layer_latency(layer, accel, tile, memory, place).cycles
    return total


def _wanted_depth(accel: Accelerator, layers: Iterable[Layer]) -> int:
    """Words of an IFM bank with which every layer can use the largest tile, a power of two."""
    need = 1
    for layer in layers:
        slices = -(-layer.n // accel.tn)
        rows = (min(accel.tr, layer.out_rows) - 1) * layer.stride_rows + layer.kernel_rows
        columns = (min(accel.tc, layer.out_columns) - 1) * layer.stride + layer.kernel_columns
        need = max(need, slices * rows * columns)
    return min(MOST_DEPTH, 1 << (need - 1).bit_length())


def _nearest_port(bits: int, legal: Sequence[int]) -> int:
    """The legal width nearest in ratio, the wider of two."""
    return min(legal, key=lambda legal: (max(legal / bits, bits / legal), -legal))


def _nearest_array(tm: int, tn: int, block: int, dsp: int) -> tuple[int, int]:
    """Whole blocks nearest to tm x tn within the DSP slices."""

    def around(value: int) -> tuple[int, int]:
        below = max(block, value // block * block)
        return below, below + block

    legal = [(m, n) for m, n in product(around(tm), around(tn)) if m * n <= dsp]
    if not legal:
        raise InfeasibleDesign(f"no array near {tm} x {tn} in blocks of {block} channels fits {dsp} DSPs")
    return min(legal, key=lambda pair: (abs(pair[0] / tm - 1) + abs(pair[1] / tn - 1), pair))


def _blank(tm: int, tn: int, tr: int, tc: int, bits: dict[str, int]) -> Accelerator:
    """Array, largest tile and ports; ``fitted`` decides the rest."""
    return Accelerator(
        tm, tn, tr, tc, bits["ifm"], bits["wgt"], bits["ofm"], ifm_depth=1, wgt_entries=1, max_entries=1
    )


def edited_layers(
    layers: Sequence[Layer], before: Sequence[PublishedLayer], after: Sequence[PublishedLayer]
) -> tuple[Layer, ...]:
    """``layers`` with what a DNA did to the published ones of the same name."""
    changes: dict[str, dict[str, int]] = {}
    for old, new in zip(before, after, strict=True):
        changed: dict[str, int] = {}
        if new.M != old.M:
            changed["m"] = new.M
        if new.N != old.N:
            changed["n"] = new.N
        if new.ones != old.ones and new.ones is not None:
            changed["pattern_ones"] = new.ones
        if new.bits != old.bits and new.bits is not None:
            changed["weight_bits"] = max(2, min(16, new.bits))
        if new.K != old.K:
            changed |= {"kernel_rows": new.K, "kernel_columns": new.K, "pad_top": new.P, "pad_left": new.P}
        if changed:
            changes[old.name] = changed
    if missing := sorted(set(changes) - {layer.name for layer in layers}):
        raise ConfigError(f"genes of layers the lowered network does not have: {', '.join(missing)}")
    return tuple(dataclasses.replace(layer, **changes.get(layer.name, {})) for layer in layers)  # type: ignore[arg-type]
