"""Which of the board's memory ports carries which stream, and whether they can.

Every AXI master is wired to one port that takes its width at a beat a cycle, so that no interconnect narrows
it; no port serves two masters. Behind the ports lies one DRAM: what the masters ask for together must
pass its pins.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer
from hotnas_hls.boards.board import Board


class Masters(NamedTuple):
    """The AXI masters of one stream."""

    bits: int
    number: int = 1


@dataclass(frozen=True)
class PortPlan:
    """The ports of each stream's masters, by their names on the board; none for a stream without masters.

    ``ofm`` carries the writes, and the reads of residuals; on a shared bus every read.
    """

    ifm: tuple[str, ...] = ()
    wgt: tuple[str, ...] = ()
    ofm: tuple[str, ...] = ()

    def of(self, stream: str) -> tuple[str, ...]:
        """The ports of a stream."""
        return tuple(getattr(self, stream))


STREAMS = ("ifm", "wgt", "ofm")


def masters(accel: Accelerator) -> dict[str, Masters]:
    """The masters of every stream that has some of its own."""
    if accel.shared_bus:
        return {"ofm": Masters(accel.ofm_bits)}
    number = {"wgt": accel.wgt_masters}
    return {stream: Masters(getattr(accel, f"{stream}_bits"), number.get(stream, 1)) for stream in STREAMS}


def plan_ports(accel: Accelerator, board: Board, taken: Container[str] = ()) -> PortPlan:
    """For each master the first free port that takes its width, of those the narrowest.

    taken: ports of the board that others have. A master for which there is no port is left without one;
    :func:`port_violations` says why.
    """
    free = [
        (max(kind.bits), at, name)
        for at, kind in enumerate(board.ports)
        for name in kind.names
        if name not in taken
    ]
    plan: dict[str, tuple[str, ...]] = {}
    for stream, (bits, count) in masters(accel).items():
        able = [port for port in free if bits in board.ports[port[1]].bits]
        chosen = sorted(able, key=lambda port: port[:2])[:count]
        free = [port for port in free if port not in chosen]
        plan[stream] = tuple(name for _, _, name in chosen)
    return PortPlan(**plan)


def demanded_bits(accel: Accelerator, residual: bool) -> int:
    """Bits that all masters move in one cycle at most.

    A shared bus reads and writes at once; so do the masters of the results where a layer has a residual.
    """
    found = sum(bits * count for bits, count in masters(accel).values())
    both_ways = masters(accel)["ofm"] if accel.shared_bus or residual else Masters(0)
    return found + both_ways.bits * both_ways.number


def has_residual(layers: Sequence[Layer]) -> bool:
    """Whether any layer reads a residual through a port; one that lies on chip needs none."""
    return any(layer.residual is not None and not layer.residual_on_chip for layer in layers)


def port_violations(
    accel: Accelerator, board: Board, clock_mhz: float, residual: bool, plan: PortPlan | None = None
) -> list[str]:
    """Why the streams cannot pass the board's ports as ``plan`` says (None: as they are best planned).

    residual: whether a layer reads one. Each sentence has its cure; empty when the plan can be wired.
    """
    found = []
    if plan is None:
        plan = plan_ports(accel, board)
    else:
        found += _misnamed(plan, board)
    wanted = masters(accel)
    widths = sorted({width for kind in board.ports for width in kind.bits})
    for stream in STREAMS:
        bits, count = wanted.get(stream, Masters(0, 0))
        names = plan.of(stream)
        kinds = {name: kind for name in names if (kind := board.port(name)) is not None}
        if count and bits not in widths:
            found.append(
                f"{stream}: no port of {board.name} is {bits} bits wide, and no stream is narrowed; "
                f"use {' or '.join(map(str, widths))}"
            )
            continue
        if len(names) < count:
            found.append(
                f"{stream}: {_counted(count, 'master')} of {bits} bits, {_counted(len(names), 'port')} of "
                f"{board.name} left for it; use fewer masters (a shared bus has one) or other widths"
            )
        elif len(names) > count:
            found.append(
                f"port_plan.{stream}: {_counted(len(names), 'port')} for {_counted(count, 'master')}; "
                "name one port a master"
            )
        for name, kind in kinds.items():
            if count and bits not in kind.bits:
                found.append(
                    f"port_plan.{stream}: {name} takes no master of {bits} bits, only of "
                    f"{' or '.join(map(str, kind.bits))}; wire the stream to another port"
                )
            if kind.clock_mhz is not None and clock_mhz > kind.clock_mhz:
                found.append(
                    f"{stream}: port {name} of {board.name} takes clocks up to {kind.clock_mhz:g} MHz, the "
                    f"design runs at {clock_mhz:g}; lower its clock"
                )
    demanded = demanded_bits(accel, residual) / 8 * clock_mhz
    if demanded > board.dram_mb_per_s:
        found.append(
            f"the ports ask for {demanded:,.0f} MB/s while all are busy, the pins of {board.name} give "
            f"{board.dram_mb_per_s:,.0f}; use narrower ports or a lower clock"
        )
    return found


def _misnamed(plan: PortPlan, board: Board) -> list[str]:
    """Ports of a plan that the board does not have, or that are named twice."""
    places: dict[str, list[str]] = {}
    for stream in STREAMS:
        for name in plan.of(stream):
            places.setdefault(name, []).append(stream)
    known = ", ".join(name for kind in board.ports for name in kind.names)
    found = [
        f"port_plan.{' and '.join(streams)}: {board.name} has no port {name}; it has {known}"
        for name, streams in places.items()
        if board.port(name) is None
    ]
    found += [
        f"port_plan: {name} is named {len(streams)} times ({', '.join(streams)}); a port serves one master"
        for name, streams in places.items()
        if len(streams) > 1
    ]
    return found


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
