"""The bench around the accelerator: a register bus, the memory's files, one inference at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cocotb.handle import HierarchyObject
from cocotb.triggers import First, ReadOnly, RisingEdge, Timer

AP_CTRL, GIER, IER, ISR = 0x00, 0x04, 0x08, 0x0C
STATUS, IFM, WGT, OFM, LAYERS, IMAGES, IMAGE_STRIDE = 0x10, 0x18, 0x24, 0x30, 0x3C, 0x44, 0x4C
START, DONE = 1 << 0, 1 << 1
TERMS = ("cycles", "load_ifm", "load_wgt", "compute", "store_ofm", "stall")
CLOCK_NS = 2


@dataclass(frozen=True)
class Inference:
    """What one start of the accelerator did."""

    status: int | None  # ap_return; None: a reset ended the run
    cycles: int  # of the run
    layers: list[dict[str, int]]  # per layer, by term


class Timeout(Exception):
    """The accelerator did not finish in the cycles it was given."""


class Bench:
    """Drives ``tb_top``: registers over AXI4-Lite, memory regions from and to files."""

    def __init__(self, dut: HierarchyObject, directory: Path) -> None:
        self.dut = dut
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
        for register, value in ((IFM, ifm), (WGT, wgt), (OFM, ofm)):
            await self.write(register, value & 0xFFFFFFFF)
            await self.write(register + 4, value >> 32)
        await self.write(LAYERS, layers)
        await self.write(IMAGES, images)
        await self.write(IMAGE_STRIDE, image_stride)
        await self.write(GIER, 1)
        await self.write(IER, 1)
        await self.write(AP_CTRL, START)

    async def finish(self, layers: int, profile_base: int, timeout_cycles: int) -> Inference:
        """Wait for the interrupt, acknowledge it, and read status and cycle counts."""
        if not self.dut.interrupt.value:
            timeout = Timer(timeout_cycles * CLOCK_NS, unit="ns")
            if await First(RisingEdge(self.dut.interrupt), timeout) is timeout:
                raise Timeout(f"the accelerator did not finish within {timeout_cycles} cycles")
        await RisingEdge(self.dut.clk)
        assert await self.read(AP_CTRL) & DONE, "the interrupt came, but ap_done is not set"
        assert not await self.read(AP_CTRL) & DONE, "ap_done must clear when it is read"
        await self.write(ISR, 1)
        counts = []
        for layer in range(layers):
            base = profile_base + 32 * layer
            counts.append({term: await self.read(base + 4 * word) for word, term in enumerate(TERMS)})
        run = profile_base + profile_base - 32
        cycles = await self.read(run) | await self.read(run + 4) << 32
        return Inference(await self.read(STATUS), cycles, counts)
