"""One design behind a DRAM: what the model expects, what simulation counts, and how far both are apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.memory.dram_latency import dram_latency
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.base.records import load_json, read_record, to_record
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.simulate.certificate import Rtl, simulate_runs
from hotnas_hls.simulate.rtl_simulation import Run

FORMAT = "hotnas-dram-check"
TOLERANCE = 0.02  # of the total, that the model may be wrong by


@dataclass(frozen=True)
class DramLayer:
    """One layer behind the DRAM, in cycles."""

    name: str
    predicted: int
    simulated: int
    stall: int  # simulated: the MAC array waited
    fixed: int  # predicted with the design's memory of fixed latency


@dataclass(frozen=True)
class DramCheck:
    """One image behind one DRAM. A statement about this DRAM, not a guarantee."""

    design: str
    design_digest: str
    clock_mhz: float
    simulated_rtl: str
    dram: DramTiming
    layers: tuple[DramLayer, ...]
    predicted_cycles: int
    simulated_cycles: int
    fixed_cycles: int  # the certificate's figure: a memory of fixed latency
    outputs_match: bool

    @property
    def difference(self) -> float:
        """Predicted - simulated, as a share of simulated."""
        return self.predicted_cycles / self.simulated_cycles - 1

    @property
    def holds(self) -> bool:
        """The outputs are right and the model is within its tolerance."""
        return self.outputs_match and abs(self.difference) <= TOLERANCE

    def violations(self) -> list[str]:
        """What cannot be true of a check, each with its place."""
        found = [f"dram.{problem}" for problem in self.dram.violations()]
        for name in ("clock_mhz", "predicted_cycles", "simulated_cycles", "fixed_cycles"):
            if getattr(self, name) <= 0:
                found.append(f"{name}: must be more than 0, not {getattr(self, name):g}")
        return found

    def line(self) -> str:
        """The finding and its assumptions in words."""
        outputs = "outputs equal" if self.outputs_match else "OUTPUTS DIFFER"
        return (
            f"{self.design} behind a DRAM: predicted {self.predicted_cycles} cycles, simulated "
            f"{self.simulated_cycles} ({self.simulated_rtl}), difference {self.difference:+.2%}, "
            f"{self.simulated_cycles / (self.clock_mhz * 1000):.4g} ms at {self.clock_mhz:g} MHz, "
            f"{self.simulated_cycles / self.fixed_cycles - 1:+.1%} against the fixed-latency figure of the "
            f"certificate; {outputs}. Assumed, not guaranteed: {self.dram.line()}"
        )

    def to_json(self) -> str:
        """The text of ``dram.json``."""
        return (
            json.dumps({"format": FORMAT, "difference": self.difference} | to_record(self), indent=2) + "\n"
        )

    @classmethod
    def from_json(cls, path: Path) -> DramCheck:
        """The check in a file; ConfigError for anything that is not one."""
        record = load_json(path)
        if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
            raise ConfigError(f"{path}: not a DRAM check; run 'hotnas sim --dram' again")
        record.pop("difference", None)
        problems: list[str] = []
        check = read_record(cls, record, "", problems)
        if check is not None:
            problems += check.violations()
        raise_all(ConfigError, f"{path}: not a DRAM check:", problems)
        return check


def check_dram(point: DesignPoint, dram: DramTiming, rtl: Rtl, folder: Path) -> DramCheck:
    """Simulate one image behind ``dram`` and compare cycles with the model, outputs with the reference."""
    net = point.integer_network()
    image = point.golden_images(1)[0]
    numbers = dram.numbers(point.clock_mhz)
    predicted = dram_latency(net, point.accelerator, point.tiles, numbers, loaded=False)
    fixed = network_latency(net.layers, point.accelerator, point.tiles, point.memory)
    run = Run(image, memory=point.memory, dram=numbers)
    (result,) = simulate_runs(point, net, [run], folder, predicted.cycles, rtl)
    expected = reference(net, image)
    return DramCheck(
        design=point.network,
        design_digest=point.digest(),
        clock_mhz=point.clock_mhz,
        simulated_rtl=rtl.description,
        dram=dram,
        layers=tuple(
            DramLayer(name, cycles, counted["cycles"], counted["stall"], fixed.layers[name].cycles)
            for (name, cycles), counted in zip(predicted.layers.items(), result.layers, strict=True)
        ),
        predicted_cycles=predicted.cycles,
        simulated_cycles=result.cycles,
        fixed_cycles=fixed.cycles,
        outputs_match=result.status == 0
        and all(
            np.array_equal(result.feature_maps[layer.target], expected[layer.target]) for layer in net.layers
        ),
    )
