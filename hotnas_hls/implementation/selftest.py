"""What a package's self-test found on a board: the JSON that its drivers in C and Python write alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.base.records import load_versioned, read_record
from hotnas_hls.errors import ConfigError, raise_all

FORMAT = "hotnas-selftest"
FORMAT_VERSION = 1
SELFTEST_FILE = "selftest.json"


@dataclass(frozen=True)
class BoardCycles:
    """What a board counted of a layer, in the terms of the profile; HLS builds count ``cycles`` alone."""

    cycles: int
    load_ifm: int | None
    load_wgt: int | None
    compute: int | None
    store_ofm: int | None
    stall: int | None


@dataclass(frozen=True)
class SelftestLayer:
    """One layer on the board; cycles of the slowest run but the first, ``None`` is unknown."""

    name: str
    compared: int  # feature maps, over all runs; 0: kept on chip, or no run ended
    different: int  # activations
    measured: BoardCycles | None  # as its counters say
    predicted: int
    simulated: int | None = None  # by the certificate that lay in the package
    behind: int | None = None  # the same, behind the DRAM


@dataclass(frozen=True)
class SelftestPort:
    """One port on the board: beats, and cycles it waited, in the run of ``cycles``; ``None`` is unknown."""

    name: str
    beats: int | None
    stalls: int | None
    predicted_beats: int
    simulated_beats: int | None = None  # by the certificate that lay in the package
    simulated_stalls: int | None = None


@dataclass(frozen=True)
class Selftest:
    """One self-test on a board."""

    design: str
    design_digest: str
    driver: str  # which one ran it: C, Python
    failures: tuple[str, ...]  # the first activation that differs, and why a run ended early; empty: passed
    images: int
    runs: int
    cycles: int | None  # of an image: the slowest run but the first
    ms: float | None  # the same, by the processor's clock
    layers: tuple[SelftestLayer, ...]
    ports: tuple[SelftestPort, ...] = ()
    clock_mhz: float | None = None  # that the bitstream was built for, as it says
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    def layer_cycles(self) -> dict[str, int]:
        """Cycles of every layer that was counted."""
        return {layer.name: layer.measured.cycles for layer in self.layers if layer.measured is not None}

    def line(self) -> str:
        """The verdict in one sentence."""
        verdict = "FAILED" if self.failures else "passed"
        cycles = "cycles unknown" if self.cycles is None else f"{self.cycles:,} cycles an image"
        tested = f"self-test {verdict}: {self.images} images, {self.runs} runs, {cycles}"
        return "; ".join([tested, *self.failures])


def read_selftest(path: Path) -> Selftest:
    """The record in a file; ConfigError, with every problem, for anything else."""
    foreign = f'not of a self-test (it has no "format": "{FORMAT}")'
    record = load_versioned(path, FORMAT, FORMAT_VERSION, foreign, "run the package's self-test again")
    problems: list[str] = []
    found = read_record(Selftest, record, "", problems)
    raise_all(ConfigError, f"{path}: not of a self-test:", problems)
    return found
