"""Drivers of a design: Python for PYNQ and C99, both from one record of registers, memory and numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.images import feature_map_bytes, map_memory
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base.records import to_record
from hotnas_hls.codegen.render import Banner, render_folder
from hotnas_hls.codegen.rtl import TOP, profile_slots

DESIGN_JSON = "hotnas_design.json"
FOLDER = "driver"


@dataclass(frozen=True)
class Register:
    """A register of s_axi_control: its name in the driver, in Vitis HLS's .hwh, and in AMD's header."""

    name: str
    offset: int
    hwh: str  # name in the hardware hand-off file, as PYNQ reads it
    bits: str  # what is in it


REGISTERS = (
    Register(
        "ctrl",
        0x00,
        "CTRL",
        "0 ap_start, 1 ap_done (clears on read), 2 ap_idle, 3 ap_ready, 7 auto_restart, 9 interrupt",
    ),
    Register("gier", 0x04, "GIER", "0 enables the interrupt output"),
    Register("ier", 0x08, "IP_IER", "0 ap_done, 1 ap_ready enabled"),
    Register("isr", 0x0C, "IP_ISR", "0 ap_done, 1 ap_ready; a written 1 toggles"),
    Register("status", 0x10, "ap_return", "status word of the last run, see below"),
    Register("ifm", 0x18, "ifm_1", "byte address of the feature maps, bits 31:0"),
    Register("ifm_high", 0x1C, "ifm_2", "bits 63:32"),
    Register("wgt", 0x24, "wgt_1", "byte address of the weight image, bits 31:0"),
    Register("wgt_high", 0x28, "wgt_2", "bits 63:32"),
    Register("ofm", 0x30, "ofm_1", "the same address as ifm, bits 31:0"),
    Register("ofm_high", 0x34, "ofm_2", "bits 63:32"),
    Register("layers", 0x3C, "layer_count", "layers to run"),
    Register("images", 0x44, "images", "images to run them on, one after another"),
    Register(
        "image_stride",
        0x4C,
        "image_stride",
        "bytes from the feature maps of an image to those of the next, a multiple of 64",
    ),
)
PROFILE_HWH = "Memory_profile"
PROFILE_TERMS = ("cycles", "load_ifm", "load_wgt", "compute", "store_ofm", "stall")
PROFILE_ROW_BYTES = 32
UNKNOWN_CYCLES = 0xFFFFFFFF  # of an HLS build, which cannot see the clock


@dataclass(frozen=True)
class StatusBit:
    """One bit of the status word; bits 31:16 name the layer."""

    name: str
    bit: int
    meaning: str


STATUS_BITS = (
    StatusBit("ifm_read", 0, "m_axi_ifm was answered with an error (feature-map address)"),
    StatusBit("wgt_read", 1, "m_axi_wgt was answered with an error (weight address)"),
    StatusBit("ofm_read", 2, "m_axi_ofm was answered with an error while reading a residual map"),
    StatusBit("ofm_write", 3, "m_axi_ofm was answered with an error while writing"),
    StatusBit("descriptor", 4, "the descriptor is damaged or not one of this design; are these its weights?"),
    StatusBit("layers", 5, "more layers were asked for than the profile has rows"),
)


@dataclass(frozen=True)
class Taps:
    """How an image becomes the image feature map.

    Element (c, r, k) comes from channel c // (rows * columns) of the source, at row
    stride * r + c // columns % rows - pad_top and column stride * k + c % columns - pad_left;
    outside the source it is zero.
    """

    source: tuple[int, int, int]  # channels, rows, columns of the image
    rows: int
    columns: int
    stride: int
    pad_top: int
    pad_left: int

    @classmethod
    def of(cls, net: IntegerNetwork) -> Taps:
        layout = net.image_layout
        if layout is None:
            return cls(net.image_shape, 1, 1, 1, 0, 0)
        taps = layout.tap_rows, layout.tap_columns
        return cls(net.image_shape, *taps, layout.stride, layout.pad_top, layout.pad_left)


def driver_files(
    net: IntegerNetwork,
    accel: Accelerator,
    tiles: dict[str, Tile],
    *,
    banner: Banner,
    timing: MemoryTiming | None = None,
) -> dict[str, str | bytes]:
    """``driver/``: the Python and C drivers and what they know of this design, by path.

    They take raw images, prepare them and lay them as the network's stem reads them, and make the answer of
    the logits. timing: of the ideal memory that the self-test's predictions assume.
    """
    design = design_record(net, accel, tiles, banner=banner, timing=timing or MemoryTiming())
    files: dict[str, str | bytes] = {}
    context = {"d": design, "registers": REGISTERS, "strides": raw_strides(net)}
    for name, text in render_folder(FOLDER, banner, context).items():
        files[f"{FOLDER}/{name}"] = text
    files[f"{FOLDER}/{DESIGN_JSON}"] = json.dumps(design, indent=2) + "\n"
    return files


def raw_strides(net: IntegerNetwork) -> tuple[int, ...]:
    """How many values apart channels, rows and columns of the image lie in the raw one."""
    before = net.host.preparation
    if before is None:
        return ()
    _, second, third = before.source
    apart = (second * third, third, 1)
    return tuple(apart[axis] for axis in before.axes)


def design_record(
    net: IntegerNetwork, accel: Accelerator, tiles: dict[str, Tile], *, banner: Banner, timing: MemoryTiming
) -> dict[str, Any]:
    """Everything a driver must know, as it stands in ``hotnas_design.json``."""
    memory = map_memory(net, accel, tiles)
    predicted = network_latency(net.layers, accel, tiles, timing)
    image, logits = net.feature_maps[net.image], net.feature_maps[net.logits]
    taps = Taps.of(net)
    slots = profile_slots(len(net.layers))

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
        "ip": TOP,
        "act_bits": accel.act_bits,
        "channel_block": accel.channel_block,
        "feature_map_bytes": memory.feature_map_bytes,
        "weight_bytes": memory.weight_bytes,
        "image": placed(image),
        "source": {
            "channels": taps.source[0],
            "rows": taps.source[1],
            "columns": taps.source[2],
            "tap_rows": taps.rows,
            "tap_columns": taps.columns,
            "stride": taps.stride,
            "pad_top": taps.pad_top,
            "pad_left": taps.pad_left,
        },
        "logits": placed(logits),
        "host": to_record(net.host),
        "layers": [layer.name for layer in net.layers],
        "outputs": [output(layer) for layer in net.layers],
        "registers": {register.name: register.offset for register in REGISTERS},
        "hwh": {register.name: register.hwh for register in REGISTERS} | {"profile": PROFILE_HWH},
        "profile": {
            "offset": slots * PROFILE_ROW_BYTES,
            "rows": slots,
            "row_bytes": PROFILE_ROW_BYTES,
            "terms": list(PROFILE_TERMS),
            "unknown": UNKNOWN_CYCLES,
        },
        "status": {bit.name: {"bit": bit.bit, "meaning": bit.meaning} for bit in STATUS_BITS},
    }
