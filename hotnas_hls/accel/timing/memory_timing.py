"""Fixed-latency memory: what the latency model assumes and the simulated memory obeys."""

from __future__ import annotations

from dataclasses import dataclass

MOST_LATENCY = 1_000_000  # cycles
LEAST_LATENCY = 2  # cycles: an answer is registered on its way in and on its way out


@dataclass(frozen=True)
class MemoryTiming:
    """Cycles between accelerator and memory, at the accelerator's clock."""

    read_latency: int = 40  # from a read address handshake to its first data beat
    write_latency: int = 20  # from the last write data beat to the write response

    def violations(self) -> list[str]:
        """What is not possible, each with its cure."""
        latencies = {"read_latency": self.read_latency, "write_latency": self.write_latency}
        found = [
            f"{name}: must be at least {LEAST_LATENCY} cycles, not {cycles}; no memory answers sooner"
            for name, cycles in latencies.items()
            if cycles < LEAST_LATENCY
        ]
        return found + [
            f"{name}: must be at most {MOST_LATENCY:,} cycles, not {cycles:,}; no memory answers that late"
            for name, cycles in latencies.items()
            if cycles > MOST_LATENCY
        ]
