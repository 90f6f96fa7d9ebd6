"""Drivers of a design: Python for PYNQ and C99, both from one record of registers, memory and numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.images import (
    ALIGNMENT,
    buffer_alignment,
    feature_map_bytes,
    map_block,
    map_memory,
)
from hotnas_hls.accel.host_work import Answer
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer
from hotnas_hls.accel.pieces import Piece
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.traffic import network_beats
from hotnas_hls.base.records import to_record
from hotnas_hls.codegen.registers import (
    ABORTS,
    BLOCKS,
    COUNTS,
    IDENTITY,
    MAP,
    PROFILE_HWH,
    PROFILE_ROW_BYTES,
    PROFILE_TERMS,
    REGISTERS,
    STATUS_BITS,
    STRIPE_POINTERS,
    UNKNOWN_CYCLES,
    Block,
    Register,
    stripe_registers,
)
from hotnas_hls.codegen.render import Banner, render_folder
from hotnas_hls.codegen.rtl import TOP, identity_of, profile_slots
from hotnas_hls.codegen.testbench import bench_registers

DESIGN_JSON = "hotnas_design.json"
PYNQ_DRIVER = "hotnas_pynq.py"
FOLDER = "driver"


@dataclass(frozen=True)
class Taps:
    """How an image becomes the image feature map.

    Element (c, r, k) comes from channel c // (rows * columns) of the source, at row
    down * r + c // columns % rows - pad_top and column across * k + c % columns - pad_left;
    outside the source it is zero.
    """

    source: tuple[int, int, int]  # channels, rows, columns of the image
    rows: int
    columns: int
    down: int  # strides
    across: int
    pad_top: int
    pad_left: int

    @classmethod
    def of(cls, net: IntegerNetwork) -> Taps:
        layout = net.image_layout
        if layout is None:
            return cls(net.image_shape, 1, 1, 1, 1, 0, 0)
        taps = layout.tap_rows, layout.tap_columns
        return cls(net.image_shape, *taps, *layout.strides, layout.pad_top, layout.pad_left)


def driver_files(
    net: IntegerNetwork,
    accel: Accelerator,
    tiles: dict[str, Tile],
    *,
    banner: Banner,
    timing: MemoryTiming | None = None,
) -> dict[str, str | bytes]:
    """``driver/``: the Python and C drivers and what they know of this design, by path.

    They take raw images, prepare them and lay them as the network's stem reads them, and make the answers of
    the outputs. timing: of the ideal memory that the self-test's predictions assume.
    """
    design = design_record(net, accel, tiles, banner=banner, timing=timing or MemoryTiming())
    files: dict[str, str | bytes] = {}
    context = {
        "d": design,
        "registers": design_registers(accel),
        "stripe_pointers": [name for name, _ in STRIPE_POINTERS[: accel.wgt_masters - 1]],
        "blocks": BLOCKS,
        "strides": raw_strides(net),
        "outputs": _outputs_in_turn(net),
        "views": _views_in_turn(net),
        **page_sizes([accel]),
    }
    for name, text in render_folder(FOLDER, banner, context).items():
        files[f"{FOLDER}/{name}"] = text
    files[f"{FOLDER}/{DESIGN_JSON}"] = json.dumps(design, indent=2) + "\n"
    return files


def page_sizes(accels: Iterable[Accelerator]) -> dict[str, int]:
    """What drivers of these accelerators know of pages, in bytes; the PYNQ driver depends on nothing else."""
    return {"page": ALIGNMENT, "alignment": max(map(buffer_alignment, accels))}


def design_registers(accel: Accelerator) -> tuple[Register, ...]:
    """The registers that a driver of a design knows, of the RTL twin and of an HLS build."""
    return REGISTERS + stripe_registers(accel.wgt_masters)


def raw_strides(net: IntegerNetwork) -> tuple[int, ...]:
    """How many values apart channels, rows and columns of the image lie in the raw one."""
    before = net.host.preparation
    if before is None:
        return ()
    _, second, third = before.source
    apart = (second * third, third, 1)
    return tuple(apart[axis] for axis in before.axes)


def _outputs_in_turn(net: IntegerNetwork) -> dict[str, Any]:
    """The values of an image's outputs one after the other: where each begins, and what is made."""
    maps = [net.feature_maps[output.map] for output in net.host.outputs]
    ends = list(accumulate((fm.values for fm in maps), initial=0))
    answers = {str(returned.answer) for returned in net.host.returned if returned.answer is not None}
    return {
        "first": ends[:-1],
        "size": ends[-1],
        "answers": answers,
        "exponential": bool(answers - {Answer.ARGMAX}),
        "softmax": bool(answers & {Answer.SOFTMAX, Answer.LOG_SOFTMAX}),
    }


def _views_in_turn(net: IntegerNetwork) -> dict[str, Any]:
    """The views as tables in C: pieces one after the other, all of one rank."""
    views = net.host.views
    rank = max((len(piece.sizes) for view in views for piece in view.pieces), default=0) or 1
    numbers = {output.name: number for number, output in enumerate(net.host.outputs)}

    def padded(values: tuple[int, ...], fill: int) -> list[int]:
        return [*[fill] * (rank - len(values)), *values]

    def table(piece: Piece) -> dict[str, Any]:
        return {
            "output": numbers[piece.output],
            "count": piece.count,
            "sizes": padded(piece.sizes, 1),
            "first": piece.first,
            "steps": padded(piece.steps, 0),
            "place": piece.place,
            "place_steps": padded(piece.place_steps, 0),
        }

    firsts = accumulate((len(view.pieces) for view in views), initial=0)
    return {
        "rank": rank,
        "all": [
            {
                "name": view.name,
                "shape": view.shape,
                "count": prod(view.shape),
                "first": first,
                "pieces": [table(piece) for piece in view.pieces],
                "answer": view.answer,
                "size": view.shape[view.axis],
                "apart": prod(view.shape[view.axis + 1 :]),
            }
            for view, first in zip(views, firsts, strict=False)
        ],
    }


def design_record(
    net: IntegerNetwork,
    accel: Accelerator,
    tiles: dict[str, Tile],
    *,
    banner: Banner,
    timing: MemoryTiming,
    ip: str = TOP,
) -> dict[str, Any]:
    """Everything a driver must know, as it stands in ``hotnas_design.json``; ip: what the IP is called."""
    memory = map_memory(net, accel, tiles)
    predicted = network_latency(net.layers, accel, tiles, timing)
    image = net.feature_maps[net.image]
    taps = Taps.of(net)
    slots = profile_slots(len(net.layers))
    registers: tuple[Register | Block, ...] = (*design_registers(accel), *BLOCKS)

    def placed(fm: FeatureMap) -> dict[str, Any]:
        return {
            "name": fm.name,
            "offset": memory.feature_maps[fm.name],
            "bytes": feature_map_bytes(fm, accel),
            "channels": fm.channels,
            "rows": fm.rows,
            "columns": fm.columns,
            "frac_bits": fm.frac_bits,
        }

    def output(layer: Layer) -> dict[str, Any]:
        """What the self-test compares of a layer."""
        return placed(net.feature_maps[layer.target]) | {
            "on_chip": layer.ofm_on_chip,
            "predicted": predicted.layers[layer.name].cycles,
        }

    return {
        "design": banner.design,
        "digest": banner.digest,
        "ip": ip,
        "act_bits": accel.act_bits,
        "channel_block": accel.channel_block,
        "feature_map_bytes": memory.feature_map_bytes,
        "weight_bytes": memory.weight_bytes,
        "image": placed(image) | {"block": map_block(image, accel)},  # channels in a word of it
        "source": {
            "channels": taps.source[0],
            "rows": taps.source[1],
            "columns": taps.source[2],
            "tap_rows": taps.rows,
            "tap_columns": taps.columns,
            "down": taps.down,
            "across": taps.across,
            "pad_top": taps.pad_top,
            "pad_left": taps.pad_left,
        },
        "host": {
            "preparation": to_record(net.host)["preparation"],
            "outputs": [
                placed(net.feature_maps[out.map]) | {"name": out.name, "map": out.map, "answer": out.answer}
                for out in net.host.outputs
            ],
            "views": [to_record(view) for view in net.host.views],
        },
        "memory": to_record(timing),  # of the predictions
        "bench": bench_registers(slots),
        "layers": [layer.name for layer in net.layers],
        "outputs": [output(layer) for layer in net.layers],
        "registers": {each.name: each.offset for each in registers},
        "hwh": {each.name: each.hwh for each in registers} | {"profile": PROFILE_HWH},
        "identity": {
            "words": list(IDENTITY.words),
            "map": MAP,
            "hardware": identity_of(accel, len(net.layers)).hardware,
            "counts": COUNTS,
            "aborts": ABORTS,
        },
        "ports": network_beats(net.layers, accel, tiles),  # beats of an image, in the order of the counters
        "profile": {
            "offset": slots * PROFILE_ROW_BYTES,
            "rows": slots,
            "row_bytes": PROFILE_ROW_BYTES,
            "terms": list(PROFILE_TERMS),
            "unknown": UNKNOWN_CYCLES,
        },
        "status": {bit.name: {"bit": bit.bit, "meaning": bit.meaning} for bit in STATUS_BITS},
    }
