"""Processors beside the logic: Vivado's names of their ports and settings, for block designs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Processor:
    """A processor; ``{}`` stands for the number of a memory port, or its name in Vivado's settings."""

    name: str
    parts: tuple[str, ...]  # what the names of its devices begin with
    ip: str
    hp_bits: int  # native width of a high-performance port
    control: str  # its AXI master for registers, and that one's clock
    control_clock: str
    memory: str  # its high-performance port, and that one's clock
    memory_clock: str
    clock: str
    reset: str
    interrupt: str
    settings: tuple[tuple[str, object], ...]
    memory_settings: tuple[tuple[str, object], ...]  # of each port in use
    clock_setting: str
    first_memory: int = 0  # number of the first port in the settings
    external: str = ""  # interfaces that leave the chip

    def all_settings(self, clock_mhz: float, masters: Sequence[str]) -> list[tuple[str, object]]:
        """Vivado's settings for a clock and one memory port for each of ``masters``, native width."""
        found: list[tuple[str, object]] = [(self.clock_setting, clock_mhz), *self.settings]
        for number in range(self.first_memory, self.first_memory + len(masters)):
            found += [(setting.format(number), value) for setting, value in self.memory_settings]
        return found


PROCESSORS = (
    Processor(
        name="Zynq UltraScale+",
        parts=("xczu", "xck26", "xck24"),
        ip="zynq_ultra_ps_e",
        hp_bits=128,
        control="M_AXI_HPM0_FPD",
        control_clock="maxihpm0_fpd_aclk",
        memory="S_AXI_HP{}_FPD",
        memory_clock="saxihp{}_fpd_aclk",
        clock="pl_clk0",
        reset="pl_resetn0",
        interrupt="pl_ps_irq0",
        clock_setting="PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ",
        settings=(
            ("PSU__FPGA_PL0_ENABLE", 1),
            ("PSU__USE__M_AXI_GP0", 1),
            ("PSU__USE__M_AXI_GP1", 0),
            ("PSU__USE__M_AXI_GP2", 0),
            ("PSU__USE__IRQ0", 1),
        ),
        memory_settings=(("PSU__USE__S_AXI_GP{}", 1), ("PSU__SAXIGP{}__DATA_WIDTH", 128)),
        first_memory=2,  # S_AXI_GP2 is HP0
    ),
    Processor(
        name="Zynq-7000",
        parts=("xc7z",),
        ip="processing_system7",
        hp_bits=64,
        control="M_AXI_GP0",
        control_clock="M_AXI_GP0_ACLK",
        memory="S_AXI_HP{}",
        memory_clock="S_AXI_HP{}_ACLK",
        clock="FCLK_CLK0",
        reset="FCLK_RESET0_N",
        interrupt="IRQ_F2P",
        clock_setting="PCW_FPGA0_PERIPHERAL_FREQMHZ",
        settings=(("PCW_USE_M_AXI_GP0", 1), ("PCW_USE_FABRIC_INTERRUPT", 1), ("PCW_IRQ_F2P_INTR", 1)),
        memory_settings=(("PCW_USE_S_AXI_HP{}", 1), ("PCW_S_AXI_HP{}_DATA_WIDTH", 64)),
        external="FIXED_IO, DDR",
    ),
)


def processor_of(part: str) -> Processor | None:
    """The processor of a device, ``None`` where there is none that we know."""
    return next((processor for processor in PROCESSORS if part.startswith(processor.parts)), None)
