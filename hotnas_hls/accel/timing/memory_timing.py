"""Fixed-latency memory: what the latency model assumes and the simulated memory obeys."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_LATENCY = 2  # cycles: an answer is registered on its way in and on its way out
LARGEST_LATENCY = 1_000_000  # cycles: 5 ms at 200 MHz


@dataclass(frozen=True)
class MemoryTiming:
    """Cycles between accelerator and memory, at the accelerator's clock."""

    read_latency: int = 40  # from a read address handshake to its first data beat
    write_latency: int = 20  # from the last write data beat to the write response

    def violations(self) -> list[str]:
        """What is not possible, each with its cure."""
        found = []
        for name, cycles in (("read_latency", self.read_latency), ("write_latency", self.write_latency)):
            if cycles < LEAST_LATENCY:
                found.append(
                    f"{name}: must be at least {LEAST_LATENCY} cycles, not {cycles}; no memory answers sooner"
                )
            if cycles > LARGEST_LATENCY:
                found.append(f"{name}: must be at most {LARGEST_LATENCY} cycles, not {cycles}")
        return found
