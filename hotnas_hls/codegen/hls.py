"""HLS C++ of a design: constants, layer tables, testbench data and tool scripts.

The engines in ``templates/hls`` are plain C++; what a design decides is computed here and
transcribed by a few templates. Nothing is written to disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.descriptor import CHIP_FIELDS, FIELDS, Field, fields_of
from hotnas_hls.accel.encoding.images import ALIGNMENT, MemoryMap, map_memory, pack_feature_map, weight_image
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.plan import (
    Tile,
    ceil_div,
    plan_layer,
)
from hotnas_hls.accel.residency import chip_words
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base.escaping import Code
from hotnas_hls.codegen.hls_constants import (
    HLS_BURST_BEATS,
    HLS_LATENCY,
    HLS_OUTSTANDING,
    PROFILE_WORDS,
    checks,
    constant_groups,
)
from hotnas_hls.codegen.registers import IDENTITY, PROFILE_ROW_BYTES, REGISTERS, STRIPE_POINTERS
from hotnas_hls.codegen.render import Banner, render_folder
from hotnas_hls.codegen.rtl import identity_of, profile_slots
from hotnas_hls.codegen.testbench import (
    AT_POWER_UP,
    COCOTB,
    DRAM_SOURCE,
    PLAIN_SOURCE,
    SV_SOURCES,
    VERILATOR,
)

TOP = "hotnas_accel"
SOURCES = ("src/accelerator.cpp",)
# Pointers of the top function, one for each master of the weights.
WGT_PORTS = ("wgt", *(name for name, _ in STRIPE_POINTERS))
# ifm and ofm point to one memory as beats of different width, which strict aliasing would forbid.
CSIM_FLAGS = (
    *("-std=c++14", "-O1", "-Wall", "-Wextra", "-Wpedantic"),  # -O2 compiles longer and runs no faster
    *("-Wno-unknown-pragmas", "-fno-strict-aliasing"),
)
# Of Bambu, an open HLS compiler, whose dataflow is not ours (simulate/bambu.py).
BAMBU_FLAGS = (
    *("-Iinclude", "-Itb", "-DHOTNAS_DATAFLOW=0", "--compiler=I386_CLANG16", "--std=c++14", "-O2"),
    *("--device=xc7z020-1clg484-VVD", "--clock-period=10", "--tb-memory-mapping=SHARED"),
    "--fsm-encoding=binary",  # one-hot states of a thousand bits become 370 MB of Verilator's C++
    *("--simulate", "--simulator=VERILATOR", "--max-sim-cycles=2000000000", "-v2"),
)
CLOCK_UNCERTAINTY = 0.27  # of the period, left for routing; Vitis HLS's own default


@dataclass(frozen=True)
class Target:
    """What the tool scripts must know of the board."""

    part: str = "xczu9eg-ffvb1156-2-e"
    clock_ns: float = 5.0


def hls_files(
    net: IntegerNetwork,
    accel: Accelerator,
    tiles: dict[str, Tile],
    *,
    images: Sequence[np.ndarray],
    target: Target,
    banner: Banner,
) -> dict[str, str | bytes]:
    """Everything an HLS tool needs, by path: src, include, tb, tb_data, weights, scripts, Makefile.

    images: at least one integer image (C, H, W); each is a transaction of the testbench, which ends
    with the first one again, so that state left behind by a run would show.
    """
    if not images:
        raise ValueError("the testbench needs at least one image")
    memory = map_memory(net, accel, tiles)
    plans = {layer.name: plan_layer(layer, accel, tiles[layer.name]) for layer in net.layers}
    identity = identity_of(accel, len(net.layers), 1000 / target.clock_ns)
    context = {
        "identity": identity.words(features=0),
        "act_bits": accel.act_bits,
        "act_lowest": f"-{(1 << (accel.act_bits - 1)) - 1} - 1",
        "weight_storage": 8 if accel.weight_bits <= 8 else 16,
        "acc_storage": 32 if accel.acc_bits <= 32 else 64,
        "acc_bits": accel.acc_bits,
        "constants": constant_groups(net, accel, plans),
        "checks": checks(accel),
        "wgt_ports": wgt_ports(accel),
        "wgt_parameters": Code(", ".join(f"WgtPort {port}" for port in wgt_ports(accel))),
        "wgt_arguments": Code(", ".join(wgt_ports(accel))),
        "fields": _descriptor_fields(accel),
        "ports": _ports(accel, memory),
        "places": _places(accel, len(net.layers)),
        "top": TOP,
        "design": banner.design,
        "target": target,
        "net": _testbench_network(net, accel, memory, len(images)),
        "sources": SOURCES,
        "memory": MemoryTiming(),
        "csim_flags": " ".join(CSIM_FLAGS),
        "verilator_flags": " ".join(VERILATOR),
        "bench_sources": [f"sim/{name}" for name in (*SV_SOURCES, "dram.cpp", DRAM_SOURCE)],
        "plain_source": PLAIN_SOURCE,
        "cocotb": COCOTB | {"HOTNAS_AT_POWER_UP": " ".join(AT_POWER_UP)},
        "bambu_flags": " ".join(BAMBU_FLAGS),
        "bambu_sizes": bambu_sizes(
            memory.feature_map_bytes, memory.weight_bytes, len(net.layers), accel.wgt_masters
        ),
        "clock_uncertainty": CLOCK_UNCERTAINTY,
        "clock_uncertainty_percent": f"{100 * CLOCK_UNCERTAINTY:g}",
    }
    files: dict[str, str | bytes] = dict(render_folder("hls", banner, context))
    files["weights/weights.bin"] = weight_image(net, accel, tiles, memory)
    files["weights/memory_map.json"] = _memory_map_json(net, memory)
    if accel.keeps:  # co-simulation runs layers one by one, whose maps must come from outside
        streamed = replace(net, layers=tuple(layer.streamed() for layer in net.layers))
        files["tb_data/weights_streamed.bin"] = weight_image(streamed, accel, tiles, memory)
    for index, image in enumerate(images):
        maps = run_network(net, image)
        fm = net.feature_maps[net.image]
        files[f"tb_data/image_{index}.bin"] = pack_feature_map(np.asarray(image), fm, accel)
        files[f"tb_data/golden_{index}.bin"] = golden_arena(net, maps, accel, memory)
        if net.host.makes_results:
            files[f"tb_data/answer_{index}.bin"] = golden_answers(net, maps)
    return files


def wgt_ports(accel: Accelerator) -> tuple[str, ...]:
    """The pointers of the top function that weights are read through, the first master's first."""
    return WGT_PORTS[: accel.wgt_masters]


def golden_answers(net: IntegerNetwork, maps: Mapping[str, np.ndarray]) -> bytes:
    """What the network returns, of the integers (C, H, W) of its maps, one after the other: 32-bit floats."""
    real = {name: maps[name][None] * 2.0 ** -net.feature_maps[name].frac_bits for name in net.host.maps}
    return b"".join(result.astype("<f4").tobytes() for result in net.host.results(real).values())


def wgt_port_bytes(weight_bytes: int, wgt_masters: int) -> dict[str, int]:
    """Bytes of the weight image from where each port of it begins, a page behind the one before."""
    return {port: weight_bytes - at * ALIGNMENT for at, port in enumerate(WGT_PORTS[:wgt_masters])}


def bambu_sizes(feature_map_bytes: int, weight_bytes: int, layers: int, wgt_masters: int) -> str:
    """The bytes behind every pointer of the top function, as Bambu's testbench wants them."""
    sizes = {
        "ifm": feature_map_bytes,
        **wgt_port_bytes(weight_bytes, wgt_masters),
        "ofm": feature_map_bytes,
        "identity": IDENTITY.bytes,
        "profile": 4 * PROFILE_WORDS * profile_slots(layers),
    }
    return ",".join(f"{name}:{size}" for name, size in sizes.items())


def golden_arena(
    net: IntegerNetwork, maps: Mapping[str, np.ndarray], accel: Accelerator, memory: MemoryMap
) -> bytes:
    """The feature-map arena after one image: every map where the accelerator leaves it."""
    arena = bytearray(memory.feature_map_bytes)
    for name, values in maps.items():
        data = pack_feature_map(values, net.feature_maps[name], accel)
        arena[memory.feature_maps[name] : memory.feature_maps[name] + len(data)] = data
    return bytes(arena)


def _descriptor_fields(accel: Accelerator) -> list[dict[str, str]]:
    """Declaration and decoding of every descriptor field, comments in one column.

    Those that the design's descriptors have no words for are zero.
    """
    fields, there = FIELDS + CHIP_FIELDS, fields_of(accel)
    code = [f"{_cpp_type(field)} {field.name};" for field in fields]
    width = max(len(text) for text in code)
    return [
        {
            "name": field.name,
            "declaration": f"{text:<{width}}  // {field.meaning}",
            "extraction": _extraction(field) if field in there else _zero(field),
        }
        for field, text in zip(fields, code, strict=True)
    ]


def _cpp_type(field: Field) -> str:
    if field.width == 1:
        return "bool"
    bits = 8 if field.width <= 8 else 16 if field.width <= 16 else 32
    return f"std::{'' if field.signed else 'u'}int{bits}_t"


def _zero(field: Field) -> str:
    return "false" if field.width == 1 else "0"


def _extraction(field: Field) -> str:
    """C++ that takes the field out of ``word[]``."""
    shifted = f"word[{field.word}] >> {field.lsb}" if field.lsb else f"word[{field.word}]"
    if field.width == 32:
        return f"static_cast<std::int32_t>({shifted})" if field.signed else shifted
    masked = f"{shifted} & 0x{(1 << field.width) - 1:X}"
    return f"({masked}) != 0" if field.width == 1 else masked


def _ports(accel: Accelerator, memory: MemoryMap) -> list[dict[str, Any]]:
    """The AXI masters. ``depth`` (beats behind the pointer) is what co-simulation copies."""
    bursts = (HLS_OUTSTANDING, HLS_BURST_BEATS)
    read = "latency={} num_read_outstanding={} max_read_burst_length={}".format(HLS_LATENCY, *bursts)
    write = "num_write_outstanding={} max_write_burst_length={}".format(*bursts)
    sizes = (
        ("ifm", "ifm", accel.ifm_bits, memory.feature_map_bytes, read),
        *(
            (name, f"wgt_{at}" if at else "wgt", accel.wgt_bits, size, read)
            for at, (name, size) in enumerate(wgt_port_bytes(memory.weight_bytes, accel.wgt_masters).items())
        ),
        ("ofm", "ofm", accel.ofm_bits, memory.feature_map_bytes, f"{read} {write}"),
    )
    return [
        {"name": name, "bundle": bundle, "depth": ceil_div(8 * size, bits), "options": options}
        for name, bundle, bits, size, options in sizes
    ]


def _places(accel: Accelerator, layers: int) -> dict[str, Code]:
    """Where each argument of the top function lies in s_axi_control, as an option of its pragma.

    Vitis HLS puts those of one or two masters of weights where the register map has them. Those of more
    would move what lies behind them, so that all are told their places ("S_AXILITE Offset Option", UG1399).
    """
    scalars = ("layer_count", "images", "image_stride")
    arguments = ("ifm", "ofm", *wgt_ports(accel), *scalars, IDENTITY.name, "profile", "return")
    if accel.wgt_masters <= 2:
        return dict.fromkeys(arguments, Code(""))
    at = {register.name: register.offset for register in REGISTERS} | dict(STRIPE_POINTERS)
    at |= {"layer_count": at["layers"], IDENTITY.name: IDENTITY.offset}
    at["profile"] = profile_slots(layers) * PROFILE_ROW_BYTES
    return {name: Code(f" offset=0x{at[name]:02x}" if name in at else "") for name in arguments}


def _testbench_network(
    net: IntegerNetwork, accel: Accelerator, memory: MemoryMap, images: int
) -> dict[str, Any]:
    """The table the testbench compares by: where every layer's output lies, in DRAM or on chip, its shape."""
    image = net.feature_maps[net.image]
    on_chip = chip_words(net.layers, net.feature_maps.values(), accel)
    layers = []
    for layer in net.layers:
        fm = net.feature_maps[layer.target]
        kept = on_chip[fm.name] if layer.ofm_on_chip else -1
        rows = {"first_row": layer.target_row, "row_step": layer.target_rows}
        offset = memory.feature_maps[fm.name]
        layers.append({"name": layer.name, "offset": offset, "kept": kept, "fm": fm, **rows})
    return {
        "layers": layers,
        "keeps": accel.keeps,
        "images": images,
        "image_offset": memory.feature_maps[image.name],
        "arena_bytes": memory.feature_map_bytes,
        "weight_bytes": memory.weight_bytes,
    }


def _memory_map_json(net: IntegerNetwork, memory: MemoryMap) -> str:
    """Where a driver finds image, outputs and every layer, in bytes from the pointers."""
    record = {
        "image": net.image,
        "outputs": {output.name: output.map for output in net.host.outputs},
        "feature_map_bytes": memory.feature_map_bytes,
        "weight_bytes": memory.weight_bytes,
        "feature_maps": {
            fm.name: {
                "offset": memory.feature_maps[fm.name],
                "channels": fm.channels,
                "rows": fm.rows,
                "columns": fm.columns,
                "frac_bits": fm.frac_bits,
            }
            for fm in net.feature_maps.values()
        },
        "weights": memory.weights,
    }
    return json.dumps(record, indent=2) + "\n"
