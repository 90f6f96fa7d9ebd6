"""Processors beside the logic: Vivado's names of their ports and settings, and Linux's, for block designs and
device trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LinuxNames:
    """A processor in device trees of AMD's kernels, and in bootgen."""

    arch: str  # bootgen's
    cells: int  # of an address
    controller: str  # label of the interrupt controller
    spi: int  # shared interrupt of the second wire from the logic; PYNQ has the first
    interrupt_source: str
    clock: str  # label and number of the logic's clock
    resets: str  # of the logic, released once it is loaded
    afi: bool  # port widths are set by Linux, too


@dataclass(frozen=True)
class Processor:
    """A processor; ``{}`` stands for the name of a memory port, or its number in Vivado's settings."""

    name: str
    parts: tuple[str, ...]  # what the names of its devices begin with
    ip: str
    ports: tuple[str, ...]  # its memory ports, each in the place of its number in the settings
    control: str  # its AXI master for registers, and that one's clock
    control_clock: str
    memory: str  # a memory port, and that one's clock
    memory_clock: str
    clock: str
    reset: str
    interrupt: str
    settings: tuple[tuple[str, object], ...]
    memory_settings: tuple[tuple[str, object], ...]  # of each port in use
    clock_setting: str
    base: int  # address of the accelerator's registers
    linux: LinuxNames
    external: str = ""  # interfaces that leave the chip

    def memory_pin(self, port: str) -> str:
        """The interface of a memory port."""
        return self.memory.format(port)

    def memory_clock_pin(self, port: str) -> str:
        """Its clock."""
        return self.memory_clock.format(port.lower() if self.memory_clock.islower() else port)

    def all_settings(self, clock_mhz: float, ports: Sequence[str]) -> list[tuple[str, object]]:
        """Vivado's settings for a clock and these memory ports, native width."""
        found: list[tuple[str, object]] = [(self.clock_setting, clock_mhz), *self.settings]
        for port in ports:
            number = self.ports.index(port)
            found += [(setting.format(number), value) for setting, value in self.memory_settings]
        return found


PROCESSORS = (
    Processor(
        name="Zynq UltraScale+",
        parts=("xczu", "xck26", "xck24"),
        ip="zynq_ultra_ps_e",
        ports=("HPC0", "HPC1", "HP0", "HP1", "HP2", "HP3"),  # S_AXI_GP0 to 5
        control="M_AXI_HPM0_FPD",
        control_clock="maxihpm0_fpd_aclk",
        memory="S_AXI_{}_FPD",
        memory_clock="saxi{}_fpd_aclk",
        clock="pl_clk0",
        reset="pl_resetn0",
        interrupt="pl_ps_irq0",
        clock_setting="PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ",
        base=0xA000_0000,
        linux=LinuxNames(
            arch="zynqmp",
            cells=2,
            controller="gic",
            spi=90,
            interrupt_source="pl_ps_irq0[1] is GIC 122 (UG1085, System Interrupts); SPI = GIC - 32",
            clock="zynqmp_clk 71",
            resets=", ".join(f"<&zynqmp_reset {number}>" for number in (116, 117, 118, 119)),
            afi=True,
        ),
        settings=(
            ("PSU__FPGA_PL0_ENABLE", 1),
            ("PSU__USE__M_AXI_GP0", 1),
            ("PSU__USE__M_AXI_GP1", 0),
            ("PSU__USE__M_AXI_GP2", 0),
            ("PSU__USE__IRQ0", 1),
        ),
        memory_settings=(("PSU__USE__S_AXI_GP{}", 1), ("PSU__SAXIGP{}__DATA_WIDTH", 128)),
    ),
    Processor(
        name="Zynq-7000",
        parts=("xc7z",),
        ip="processing_system7",
        ports=("HP0", "HP1", "HP2", "HP3"),
        control="M_AXI_GP0",
        control_clock="M_AXI_GP0_ACLK",
        memory="S_AXI_{}",
        memory_clock="S_AXI_{}_ACLK",
        clock="FCLK_CLK0",
        reset="FCLK_RESET0_N",
        interrupt="IRQ_F2P",
        clock_setting="PCW_FPGA0_PERIPHERAL_FREQMHZ",
        base=0x43C0_0000,
        linux=LinuxNames(
            arch="zynq",
            cells=1,
            controller="intc",
            spi=30,
            interrupt_source="IRQF2P[1] is GIC 62 (UG585, Interrupts); SPI = GIC - 32",
            clock="clkc 15",
            resets="",
            afi=False,
        ),
        settings=(("PCW_USE_M_AXI_GP0", 1), ("PCW_USE_FABRIC_INTERRUPT", 1), ("PCW_IRQ_F2P_INTR", 1)),
        memory_settings=(("PCW_USE_S_AXI_HP{}", 1), ("PCW_S_AXI_HP{}_DATA_WIDTH", 64)),
        external="FIXED_IO, DDR",
    ),
)


def processor_of(part: str) -> Processor | None:
    """The processor of a device, ``None`` where there is none that we know."""
    return next((processor for processor in PROCESSORS if part.startswith(processor.parts)), None)
