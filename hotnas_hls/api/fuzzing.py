"""Random networks on random designs in RTL simulation, with verdicts that are kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.base.arguments import checked
from hotnas_hls.base.terminal import progress
from hotnas_hls.errors import ConfigError
from hotnas_hls.fuzzing import network_fuzz
from hotnas_hls.fuzzing.network_fuzz import Record
from hotnas_hls.fuzzing.network_fuzz import Verdict as CaseVerdict

TOLD_EVERY = 20  # cases


@dataclass(frozen=True)
class Fuzzed:
    """What a run of random networks found."""

    cases: int  # checked in this run
    passed_before: int  # left out: they passed with the same code
    failed: Mapping[int, tuple[str, ...]]  # by the number of the case: what is wrong with it
    seconds: float

    @property
    def line(self) -> str:
        """The result in words."""
        rate = self.cases / self.seconds if self.seconds else 0.0
        return f"{self.cases} cases, {len(self.failed)} failed, {rate:.2f} cases/s"


@checked
def fuzz_networks(
    seed: int = 0,
    count: int = 1000,
    *,
    cases: Sequence[int] | None = None,
    csim: bool = False,
    jobs: int | None = None,
    output: str | Path = "runs/fuzz",
    report: Callable[[CaseVerdict], None] = lambda verdict: None,
) -> Fuzzed:
    """Check random networks on random designs: outputs bit-exact, cycles as predicted.

    seed, count: cases 0 to count - 1 of a seed; cases: these alone, whether they passed before or not. csim:
    C simulation of the HLS C++ of each, too. jobs: designs at a time, None for one a CPU. output: the folder
    of verdicts, from which an interrupted run goes on. report: is called with every verdict (number,
    problems).
    Raises ConfigError for numbers that cannot be, ToolNotFound with what to install.
    """
    at_a_time = (os.cpu_count() or 1) if jobs is None else jobs
    if min(seed, count - 1, at_a_time - 1, *(cases or [0])) < 0:
        raise ConfigError("seed and cases are at least 0, count and jobs at least 1")
    record = Record(Path(output) / f"seed{seed}{'_csim' if csim else ''}.jsonl")
    passed = set() if cases else record.passed()
    numbers = list(cases or (number for number in range(count) if number not in passed))
    before = 0 if cases else count - len(numbers)
    if before:
        progress(f"{before} cases passed before, see {record.file}")
    failed: dict[int, tuple[str, ...]] = {}
    started, done = time.monotonic(), 0

    def heard(verdict: CaseVerdict) -> None:
        nonlocal done
        record.add(verdict)
        done += 1
        if verdict.problems:
            failed[verdict.number] = verdict.problems
        report(verdict)
        if done % TOLD_EVERY == 0:
            progress(f"{done} of {len(numbers)} cases, {len(failed)} failed")

    network_fuzz.fuzz(seed, numbers, heard, csim=csim, jobs=at_a_time)
    return Fuzzed(done, before, failed, time.monotonic() - started)
