"""Engines that share a board: whole designs, each with its network, that run there at the same time.

Each keeps its array, its memory on chip, its registers. They share the board's resources and memory ports,
which are handed out here, one clock, and the DRAM behind the ports.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.memory.joint_latency import EngineWork
from hotnas_hls.accel.port_plan import demanded_bits, has_residual, plan_ports, port_violations
from hotnas_hls.accel.resources import Resources, accelerator_resources, violations
from hotnas_hls.boards.board import Board
from hotnas_hls.errors import ConfigError, raise_all

# Modules, ports and C names of an engine begin with its name.
ENGINE_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 32
SHARED = ("board", "clock_mhz", "dram")  # of a design point: alike in all of them
LEAST_ENGINES = 2


@dataclass(frozen=True)
class EngineSet:
    """Designs by the names of their engines, each with ports of its own; made by :func:`share_board`."""

    engines: Mapping[str, DesignPoint]

    @property
    def board(self) -> Board:
        """That all of them are on."""
        return self._any.board

    @property
    def clock_mhz(self) -> float:
        """Of all of them."""
        return self._any.clock_mhz

    @property
    def dram(self) -> DramTiming | None:
        """Behind all their ports; None: not known."""
        return self._any.dram

    @property
    def _any(self) -> DesignPoint:
        return next(iter(self.engines.values()))

    def digest(self) -> str:
        """SHA-256 of all designs and their names, in order."""
        whole = hashlib.sha256()
        for name, point in self.engines.items():
            whole.update(f"{name}\0{point.digest()}\0".encode())
        return whole.hexdigest()

    def resources(self) -> dict[str, Resources]:
        """What each engine takes."""
        return {name: resources_of(point) for name, point in self.engines.items()}

    def demanded_mb_per_s(self) -> float:
        """What the masters of all engines ask for while all are busy."""
        bits = sum(
            demanded_bits(point.accelerator, has_residual([entry.layer for entry in point.layers]))
            for point in self.engines.values()
        )
        return bits / 8 * self.clock_mhz

    def works(self, images: Mapping[str, int] | None = None) -> tuple[EngineWork, ...]:
        """What each engine runs, for the latency model; images: of each, 1 where none are given."""
        return tuple(
            EngineWork(point.integer_network(), point.accelerator, point.tiles, (images or {}).get(name, 1))
            for name, point in self.engines.items()
        )


def resources_of(point: DesignPoint) -> Resources:
    """What the engine of a design takes of its board."""
    return accelerator_resources(point.accelerator, len(point.layers))


def share_board(designs: Mapping[str, DesignPoint]) -> EngineSet:
    """The designs as engines of one board, their ports handed out in the order they are given.

    Raises ConfigError, with all that stands against it.
    """
    points = list(designs.values())
    found = [problem for name in designs for problem in _name_violations(name)]
    if len(designs) < LEAST_ENGINES:
        found.append(f"{len(designs)} of the {LEAST_ENGINES} engines that share a board at least; name more")
    for key in SHARED:
        unlike = {name: getattr(point, key) for name, point in designs.items()}
        if any(value != getattr(points[0], key) for value in unlike.values()):
            told = ", ".join(f"{name} {_told(value)}" for name, value in unlike.items())
            cure = "name the one they are put on (--board)" if key != "clock_mhz" else "make them for one"
            found.append(f"{key}: must be the same of all engines ({told}); {cure}")
    if not points or any(point.board != points[0].board for point in points):
        raise_all(ConfigError, "these engines cannot share a board:", found)
    board = points[0].board
    parts = {name: resources_of(point) for name, point in designs.items()}
    found += violations(sum(parts.values(), Resources()), board, parts)
    taken: list[str] = []
    engines = {}
    for name, point in designs.items():
        plan = plan_ports(point.accelerator, board, taken)
        taken += plan.ifm + plan.wgt + plan.ofm
        residual = has_residual([entry.layer for entry in point.layers])
        problems = port_violations(point.accelerator, board, point.clock_mhz, residual, plan)
        found += [f"{name}: {problem}" for problem in problems]
        engines[name] = dataclasses.replace(point, port_plan=plan)
    raise_all(ConfigError, f"these engines cannot share a {board.name}:", found)
    return EngineSet(engines)


def _name_violations(name: str) -> list[str]:
    if len(name) <= LONGEST_NAME and ENGINE_NAME.fullmatch(name):
        return []
    return [
        f"engine {name!r}: use a small letter, then small letters, digits and single '_', {LONGEST_NAME} at "
        "most"
    ]


def _told(value: object) -> str:
    """A board or a DRAM by its name."""
    return f"{value:g} MHz" if isinstance(value, float) else str(getattr(value, "name", value))
