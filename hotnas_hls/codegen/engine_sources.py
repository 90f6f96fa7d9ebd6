"""Sources of several engines side by side: no module, package or file of one bears a name of another's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.accel.engine_set import EngineSet
from hotnas_hls.codegen.ports import masters
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.codegen.testbench import engines_bench

MODULE = re.compile(r"^(?:module|package)\s+(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class EngineSources:
    """SystemVerilog of several engines, and the bench that runs them together; text by file name."""

    rtl: dict[str, dict[str, str]]  # by engine, its package first
    bench: dict[str, str]

    @property
    def all_rtl(self) -> dict[str, str]:
        """Of all engines."""
        return {file: text for files in self.rtl.values() for file, text in files.items()}


def engine_sources(engines: EngineSet) -> EngineSources:
    """Every engine's RTL under names of its own, and one bench around all of them."""
    points = engines.engines
    bench, own = engines_bench({name: masters(point.accelerator) for name, point in points.items()})
    rtl = {}
    for name, point in points.items():
        banner = Banner(point.network, point.digest())
        files = rtl_files(point.accelerator, len(point.layers), banner, point.clock_mhz)
        together = renamed({**files, **own[name]}, name)
        rtl[name] = {file: together.pop(file) for file in (f"{name}_{each}" for each in files)}
        bench |= together
    return EngineSources(rtl, bench)


def renamed(files: Mapping[str, str], engine: str) -> dict[str, str]:
    """SystemVerilog files by name, every module and package that they hold prefixed by ``engine``.

    A word is renamed wherever it stands, so a signal that is called like a module keeps its meaning: all
    that is joined to it lies in ``files``.
    """
    own = sorted({name for text in files.values() for name in MODULE.findall(text)})
    words = re.compile(rf"\b({'|'.join(own)})\b")
    return {f"{engine}_{Path(name).name}": words.sub(rf"{engine}_\1", text) for name, text in files.items()}
