"""One design behind a DRAM that is not its board's: what the model expects, and what simulation counts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.base.records import load_versioned, read_record, to_record
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.simulate.behind_dram import BehindDram, forecast
from hotnas_hls.simulate.certify import Rtl, loading_cycles, loading_runs, simulate_runs
from hotnas_hls.simulate.rtl_simulation import Run

FORMAT = "hotnas-dram-check"
FORMAT_VERSION = 2


@dataclass(frozen=True)
class DramCheck:
    """One image behind one DRAM. A statement about this DRAM, not about the design's board."""

    design: str
    design_digest: str
    clock_mhz: float
    simulated_rtl: str
    behind: BehindDram
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    @property
    def holds(self) -> bool:
        """The outputs are right and the model is within its tolerance."""
        return self.behind.outputs_match and self.behind.as_predicted

    def violations(self) -> list[str]:
        """What cannot be true of a check, each with its place."""
        found = [f"behind.{problem}" for problem in self.behind.violations()]
        if self.clock_mhz <= 0:
            found.append(f"clock_mhz: must be more than 0, not {self.clock_mhz:g}")
        return found

    def line(self) -> str:
        """The finding and its assumptions in words."""
        found = self.behind
        outputs = "outputs equal" if found.outputs_match else "OUTPUTS DIFFER"
        took = f"{found.simulated_cycles / (self.clock_mhz * 1000):.4g} ms at {self.clock_mhz:g} MHz"
        return (
            f"{self.design} behind another DRAM: predicted {found.predicted_cycles} cycles, "
            f"simulated {found.simulated_cycles} ({self.simulated_rtl}), difference {found.difference:+.2%}, "
            f"{took}; {outputs}. Assumed, not guaranteed: {found.dram.line()}"
        )

    def to_json(self) -> str:
        """The text of ``dram.json``."""
        record = to_record(self)
        heading = {name: record.pop(name) for name in ("format", "format_version")}
        return json.dumps(heading | {"difference": self.behind.difference} | record, indent=2) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> DramCheck:
        """The check in a file; ConfigError for anything that is not one."""
        again = "run 'hotnas sim --dram' again"
        record = load_versioned(path, FORMAT, FORMAT_VERSION, f"not a DRAM check; {again}", again)
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
    expected = forecast(point, net, dram)
    runs = [*loading_runs(point, net, image), Run(image, memory=point.memory, dram=expected.numbers)]
    loads = loading_cycles(point, net)
    *_, result = simulate_runs(point, net, runs, folder, max(loads, expected.worst.cycles), rtl)
    return DramCheck(
        design=point.network,
        design_digest=point.digest(),
        clock_mhz=point.clock_mhz,
        simulated_rtl=rtl.description,
        behind=expected.judged(net, result, reference(net, image)),
    )
