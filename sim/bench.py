"""The bench around the accelerator: a register bus, the memory's files, one inference at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cocotb.handle import HierarchyObject
from cocotb.triggers import First, ReadOnly, RisingEdge, Timer

START, DONE = 1 << 0, 1 << 1
CLOCK_NS = 2


@dataclass(frozen=True)
class Registers:
    """The register map of the accelerator, as the job has it."""

    offsets: dict[str, int]  # by name
    terms: list[str]  # cycle counts of a layer, as they lie in its row
    profile: int  # offset of the first layer's row
    row_bytes: int
    ports: int  # offset of the counters of the ports
    counts: list[str]  # their names, as they lie


@dataclass(frozen=True)
class Inference:
    """What one start of the accelerator did."""

    status: int | None  # ap_return; None: a reset ended the run
    cycles: int  # of the run
    layers: list[dict[str, int]]  # per layer, by term
    ports: dict[str, int]  # beats and stalls


class Timeout(Exception):
    """The accelerator did not finish in the cycles it was given."""


class Bench:
    """Drives a ``tb_top``: registers over AXI4-Lite, memory regions from and to files."""

    def __init__(
        self, dut: HierarchyObject, directory: Path, registers: Registers, first_region: int = 0
    ) -> None:
        self.dut = dut
        self.first_region = first_region  # of memory that this engine has
        self.registers = registers
        self.directory = directory
        for name in (
            "AWVALID",
            "AWADDR",
            "WVALID",
            "WDATA",
            "WSTRB",
            "BREADY",
            "ARVALID",
            "ARADDR",
            "RREADY",
        ):
            self._bus(name).value = 0
        for name in (
            "command_i",
            "region_i",
            "file_i",
            "offset_i",
            "stall_i",
            "error_port_i",
            "error_page_i",
            "error_decode_i",
        ):
            getattr(dut, name).value = 0
        dut.wave_layer_i.value = -1
        dut.rst_n.value = 0

    def _bus(self, name: str) -> HierarchyObject:
        return getattr(self.dut, f"s_axi_control_{name}")

    async def reset(self, cycles: int = 4) -> None:
        """Hold reset for ``cycles`` clock cycles."""
        self.dut.rst_n.value = 0
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)
        self.dut.rst_n.value = 1
        await RisingEdge(self.dut.clk)

    async def cycles(self, count: int) -> None:
        """Let ``count`` clock cycles pass."""
        if count:
            await Timer(count * CLOCK_NS, unit="ns")
        await RisingEdge(self.dut.clk)

    async def _handshake(self, valid: str, ready: str) -> None:
        """Offer ``valid`` until a clock edge at which ``ready`` stands too."""
        self._bus(valid).value = 1
        while True:
            await ReadOnly()
            taken = bool(self._bus(ready).value)
            await RisingEdge(self.dut.clk)
            if taken:
                break
        self._bus(valid).value = 0

    async def write(self, address: int, data: int) -> None:
        """Write one 32-bit register."""
        self._bus("AWADDR").value = address
        await self._handshake("AWVALID", "AWREADY")
        self._bus("WDATA").value = data
        self._bus("WSTRB").value = 0xF
        await self._handshake("WVALID", "WREADY")
        await self._handshake("BREADY", "BVALID")

    async def set(self, register: str, value: int) -> None:
        """Write a register by its name."""
        await self.write(self.registers.offsets[register], value)

    async def get(self, register: str) -> int:
        """Read a register by its name."""
        return await self.read(self.registers.offsets[register])

    async def read(self, address: int) -> int:
        """Read one 32-bit register."""
        self._bus("ARADDR").value = address
        await self._handshake("ARVALID", "ARREADY")
        self._bus("RREADY").value = 1
        while True:
            await ReadOnly()
            if self._bus("RVALID").value:
                data = int(self._bus("RDATA").value)
                break
            await RisingEdge(self.dut.clk)
        await RisingEdge(self.dut.clk)
        self._bus("RREADY").value = 0
        return data

    async def _command(self, command: int, region: int, file: int, offset: int) -> None:
        self.dut.region_i.value = region
        self.dut.file_i.value = file
        self.dut.offset_i.value = offset
        self.dut.command_i.value = 0
        await Timer(1, unit="ps")
        self.dut.command_i.value = command
        await Timer(1, unit="ps")
        assert int(self.dut.command_ok_o.value) == 1, f"cannot access {self.directory / f'{file}.bin'}"
        await RisingEdge(self.dut.clk)

    async def load(self, region: int, file: int, offset: int = 0) -> None:
        """Load ``<directory>/<file>.bin`` at byte ``offset`` of a memory region."""
        await self._command(1, region, file, offset)

    async def dump(self, region: int, file: int) -> None:
        """Dump a memory region into ``<directory>/<file>.bin``."""
        await self._command(2, region, file, 0)

    async def choose_memory(self, file: int) -> None:
        """Answer from now on as the DRAM of ``<directory>/<file>.bin``, in fixed time if it is empty."""
        await self._command(3, 0, file, 0)

    async def start(
        self, layers: int, images: int, image_stride: int, *, ifm: int = 0, wgt: int = 0, ofm: int = 0
    ) -> None:
        """Set the arguments and start; the interrupt is enabled on ap_done."""
        for register, value in (("ifm", ifm), ("wgt", wgt), ("ofm", ofm)):
            await self.set(register, value & 0xFFFFFFFF)
            await self.set(f"{register}_high", value >> 32)
        await self.set("layers", layers)
        await self.set("images", images)
        await self.set("image_stride", image_stride)
        await self.set("gier", 1)
        await self.set("ier", 1)
        await self.set("ctrl", START)

    async def finish(self, layers: int, timeout_cycles: int) -> Inference:
        """Wait for the interrupt, acknowledge it, and read status and cycle counts."""
        if not self.dut.interrupt.value:
            timeout = Timer(timeout_cycles * CLOCK_NS, unit="ns")
            if await First(RisingEdge(self.dut.interrupt), timeout) is timeout:
                raise Timeout(f"the accelerator did not finish within {timeout_cycles} cycles")
        await RisingEdge(self.dut.clk)
        assert await self.get("ctrl") & DONE, "the interrupt came, but ap_done is not set"
        assert not await self.get("ctrl") & DONE, "ap_done must clear when it is read"
        await self.set("isr", 1)
        at = self.registers
        counts = [await self._row(at.profile + at.row_bytes * layer, at.terms) for layer in range(layers)]
        run = 2 * at.profile - at.row_bytes
        cycles = await self.read(run) | await self.read(run + 4) << 32
        return Inference(await self.get("status"), cycles, counts, await self._row(at.ports, at.counts))

    async def _row(self, base: int, names: list[str]) -> dict[str, int]:
        """Registers that lie one behind another, by name."""
        return {name: await self.read(base + 4 * word) for word, name in enumerate(names)}
