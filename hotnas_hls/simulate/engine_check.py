"""What was found of one engine that ran while others did: predicted, counted, and whether it is right."""

from __future__ import annotations

from dataclasses import dataclass

from hotnas_hls.simulate.behind_dram import TOLERANCE


@dataclass(frozen=True)
class EngineCheck:
    """One engine while the others run, at one phase of the refresh, in cycles of all its images."""

    engine: str
    phase: int
    images: int
    predicted: int
    simulated: int
    outputs_match: bool  # every layer of every image, bit for bit

    @property
    def difference(self) -> float:
        """Predicted - simulated, as a share of simulated."""
        return self.predicted / self.simulated - 1

    def reasons(self) -> list[str]:
        """What is not as it should be."""
        at = f"{self.engine}, phase {self.phase}"
        found = [] if self.outputs_match else [f"{at}: an output differs from the integer reference"]
        if abs(self.difference) > TOLERANCE:
            found.append(f"{at}: {self.simulated} cycles simulated, {self.predicted} predicted")
        return found
