"""The package of engines that share a board: their sources under one roof, one block design, one driver.

Every engine's design point lies in it, so that all can be made and judged again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hotnas_hls.accel.design_point import DESIGN_FILE, DesignPoint
from hotnas_hls.accel.encoding.images import map_memory, weight_image
from hotnas_hls.accel.engine_set import EngineSet
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.memory.joint_latency import SharedLatency
from hotnas_hls.accel.port_plan import STREAMS
from hotnas_hls.accel.weights_file import WEIGHTS_FILE
from hotnas_hls.codegen import package, ports
from hotnas_hls.codegen.bundle import Bundle
from hotnas_hls.codegen.driver import PYNQ_DRIVER, design_record, page_sizes
from hotnas_hls.codegen.engine_sources import engine_sources
from hotnas_hls.codegen.processors import Processor, processor_of
from hotnas_hls.codegen.render import Banner, environment, render_folder
from hotnas_hls.codegen.rtl import TOP
from hotnas_hls.codegen.wiring import EngineCell, wires
from hotnas_hls.version import __version__

FOLDER = "engines"
ENGINES_FILE = "engines.json"
FORMAT, FORMAT_VERSION = "hotnas-engines", 1
DESIGNS, RTL, BENCH = "designs", "rtl", "sim"
REGISTER_BYTES = 1 << 16  # of the address map, for each engine
SYSTEM = "hotnas_engines"  # of Vivado's project


@dataclass(frozen=True, kw_only=True)
class NamedCell(EngineCell):
    """An engine in the block design of several, with what is said of it beside."""

    name: str
    point: DesignPoint
    latency: SharedLatency

    @property
    def plan(self) -> str:
        """Its ports, stream by stream."""
        known = self.point.port_plan
        return ", ".join("-" if known is None else "/".join(known.of(stream)) or "-" for stream in STREAMS)


def engine_package(
    engines: EngineSet, dram: DramTiming, latencies: Mapping[str, SharedLatency], name: str
) -> Bundle:
    """Every file of the package; the same engines give the same bytes.

    latencies: predicted behind ``dram``, by engine.
    """
    digest = engines.digest()
    bundle, banner = Bundle(name, digest), Banner(name, digest)
    processor = processor_of(engines.board.part)
    cells = _cells(engines, latencies, processor)
    sources = engine_sources(engines)
    for file, text in sources.all_rtl.items():
        bundle.add(f"{RTL}/{file}", text)
    for file, text in sources.bench.items():
        bundle.add(f"{BENCH}/{file}", text)
    for cell in cells:
        for path, contents in _engine_files(cell, processor, list(sources.rtl[cell.name])).items():
            bundle.add(path, contents)
    shared: dict[str, Any] = {
        "name": name,
        "top": SYSTEM,
        "board": engines.board,
        "clock_mhz": engines.clock_mhz,
        "dram": dram,
        "cells": cells,
        "engines": cells,
        "processor": processor,
        "point": engines,
        "version": __version__,
        **page_sizes(point.accelerator for point in engines.engines.values()),
    }
    for path, text in render_folder(FOLDER, banner, shared).items():
        bundle.add(path, text)
    if processor is not None:
        bundle.add(package.BLOCK_DESIGN, _rendered(package.FOLDER, package.BLOCK_DESIGN, banner, shared))
    bundle.add(f"driver/{PYNQ_DRIVER}", _rendered("driver", PYNQ_DRIVER, banner, shared))
    bundle.add(ENGINES_FILE, json.dumps(_record(engines, dram, cells), indent=2) + "\n")
    return bundle


def _cells(
    engines: EngineSet, latencies: Mapping[str, SharedLatency], processor: Processor | None
) -> list[NamedCell]:
    base = processor.base if processor is not None else 0
    return [
        NamedCell(
            top=f"{name}_{TOP}",
            wires=tuple(wires(point, processor)),
            buses=ports.masters(point.accelerator),
            base=base + at * REGISTER_BYTES,
            prefix=f"{name}_",
            name=name,
            point=point,
            latency=latencies[name],
        )
        for at, (name, point) in enumerate(engines.engines.items())
    ]


def _engine_files(cell: NamedCell, processor: Processor | None, rtl: list[str]) -> dict[str, str | bytes]:
    """What a package holds of one engine beside its RTL."""
    point, name = cell.point, cell.name
    banner = Banner(point.network, point.digest())
    net, accel = point.integer_network(), point.accelerator
    memory = map_memory(net, accel, point.tiles)
    known = package.context(point, name, banner, processor) | {
        "top": cell.top,
        "rtl": rtl,
        "packing": f"scripts/package_{name}.tcl",
        "ip_folder": f"ip/{name}",
    }
    design = design_record(net, accel, point.tiles, banner=banner, timing=point.memory, ip=cell.top)
    files: dict[str, str | bytes] = {
        f"{DESIGNS}/{name}/{DESIGN_FILE}": point.to_json(),
        f"weights/{name}.bin": weight_image(net, accel, point.tiles, memory),
        f"driver/{name}.json": json.dumps(design, indent=2) + "\n",
        f"{RTL}/{cell.top}_ip.v": _rendered(package.FOLDER, package.WRAPPER, banner, known),
        f"{RTL}/{cell.top}_ooc.xdc": _rendered(package.FOLDER, package.CLOCK, banner, known),
        f"scripts/package_{name}.tcl": _rendered(package.FOLDER, package.PACKING, banner, known),
    }
    if point.numbers is not None:
        files[f"{DESIGNS}/{name}/{WEIGHTS_FILE}"] = point.weights_bytes()
    return files


def _rendered(folder: str, path: str, banner: Banner, known: dict[str, Any]) -> str:
    """A file that is made of a template of single designs."""
    return environment(folder).get_template(f"{path}.j2").render(known, banner=banner)


def _record(engines: EngineSet, dram: DramTiming, cells: list[NamedCell]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "tool_version": __version__,
        "digest": engines.digest(),
        "board": engines.board.name,
        "clock_mhz": engines.clock_mhz,
        "dram": dram.name,
        "engines": {
            cell.name: {
                "design": f"{DESIGNS}/{cell.name}",
                "ip": cell.top,
                "registers": f"0x{cell.base:08X}",
                "ports": cell.plan,
                "predicted_alone_cycles": cell.latency.alone_cycles,
                "predicted_cycles": cell.latency.cycles,
            }
            for cell in cells
        },
    }
