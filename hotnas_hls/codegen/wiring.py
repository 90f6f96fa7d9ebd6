"""The port plan as the block design wires it."""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.port_plan import STREAMS, PortPlan
from hotnas_hls.codegen.ports import Bus
from hotnas_hls.codegen.processors import Processor
from hotnas_hls.errors import ConfigError, raise_all


@dataclass(frozen=True)
class Wire:
    """A port of the processor, and the masters behind the interconnect in front of it."""

    port: str
    masters: tuple[str, ...]


@dataclass(frozen=True)
class EngineCell:
    """An accelerator in a block design."""

    top: str  # its IP
    wires: tuple[Wire, ...]
    buses: tuple[Bus, ...]
    base: int  # address of its registers
    prefix: str = ""  # of the cells that are its own; empty where it is the only one

    @property
    def cell(self) -> str:
        """Its own cell."""
        return f"{self.top}_0"

    @property
    def ports(self) -> list[str]:
        """Ports of the processor that it has."""
        return [wire.port for wire in self.wires]


def wires(point: DesignPoint, processor: Processor | None) -> list[Wire]:
    """Every port of the plan; none on a board without a processor that we know.

    On a shared bus the idle masters lead to its port too: HLS C++ keeps using them. Raises ConfigError for
    ports that the processor does not have.
    """
    plan = point.port_plan or PortPlan()
    if processor is None:
        return []
    found = [
        (stream if at == 0 else f"{stream}_{at}", port)
        for stream in STREAMS
        for at, port in enumerate(plan.of(stream))
    ]
    raise_all(
        ConfigError,
        f"{point.board.name}: the block design cannot wire these ports:",
        [
            f"{port}: the {processor.name} has {', '.join(processor.ports)}; rename it in the board's record"
            for _, port in found
            if port not in processor.ports
        ],
    )
    shared = point.accelerator.shared_bus
    return [Wire(port, STREAMS if shared else (master,)) for master, port in found]
