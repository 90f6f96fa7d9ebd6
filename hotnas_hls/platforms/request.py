"""What a configuration asks a platform for: the network, and every section that a platform may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.boards.board import Board
from hotnas_hls.network.graph import Graph


@dataclass(frozen=True)
class PlatformRequest:
    """A platform takes what concerns it and leaves the rest."""

    graph: Graph
    board: Board | None = None  # None: only of platforms that run on none
    clock_mhz: float | None = None  # None: the board's
    memory: MemoryTiming = MemoryTiming()  # fixed-latency memory, for boards whose DRAM is not known
    act_bits: int = 16
    accelerator: Mapping[str, Any] = field(default_factory=dict)  # the section of that name
    technology: str | None = None  # of a model: constants by name, or a YAML file; None: its first
    objective: str | None = None  # the metric to lessen; None: its first
    beside: tuple[Graph, ...] = ()  # networks that run at the same time
