"""cocotb test: runs the inferences of a job file and records what the accelerators did.

The job (``job.json`` in the folder named by ``HOTNAS_SIM_JOB``) lists the engines of the bench, one or some
that share its DRAM, and runs: one of every engine, all at the same time. The outputs in memory and the
cycle counts are compared with the reference and the latency model by ``hotnas_hls.simulate``, protocol and
handshake rules here.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cocotb
from bench import Bench, Inference, Registers
from cocotb.handle import HierarchyObject
from cocotb.triggers import gather

JOB = 3  # version of job.json
FEATURE_MAPS, WEIGHTS = 0, 1  # regions of an engine
REGION_BIT = 40  # the address bit from which axi_memory.sv reads the number of a region


@cocotb.test()
async def run_job(dut: HierarchyObject) -> None:
    """Every run of the job, back to back on the same hardware."""
    directory = Path(os.environ["HOTNAS_SIM_JOB"])
    job = json.loads((directory / "job.json").read_text())
    benches = [
        Bench(
            getattr(dut, engine["name"]) if engine["name"] else dut,
            directory,
            Registers(**engine["registers"]),
            2 * at,
        )
        for at, engine in enumerate(job["engines"])
    ]
    results = []
    try:
        for runs in job["runs"]:
            done = await run_together(benches, runs)
            results.append([asdict(each) for each in done])
            for bench in benches:
                assert int(bench.dut.violations_o.value) == 0, "AXI rules were broken, see the log"
    finally:
        (directory / "results.json").write_text(json.dumps(results))


async def run_together(benches: list[Bench], runs: list[dict[str, Any]]) -> tuple[Inference, ...]:
    """A run of every engine; all of them start in the same cycle."""
    pairs = list(zip(benches, runs, strict=True))
    for bench, run in pairs:
        bench.dut.read_latency_i.value = run["read_latency"]
        bench.dut.write_latency_i.value = run["write_latency"]
        bench.dut.stall_i.value = run["stall"]
        bench.dut.error_port_i.value = run["error_port"]
        bench.dut.error_page_i.value = run["error_page"]
        bench.dut.error_decode_i.value = run["error_decode"]
        bench.dut.wave_layer_i.value = run.get("wave_layer", -1)
        await bench.choose_memory(run["memory"])  # the same one for all
    await gather(*(bench.reset() for bench, run in pairs if run["reset"]))
    for bench, run in pairs:
        for region, file in ((FEATURE_MAPS, run["feature_maps"]), (WEIGHTS, run["weights"])):
            if file is not None:
                await bench.load(bench.first_region + region, file)
    # As many register writes for each engine as for the others.
    await gather(*(start(bench, run) for bench, run in pairs))
    done = await gather(*(finish(bench, run) for bench, run in pairs))
    for bench, run in pairs:
        await bench.dump(bench.first_region + FEATURE_MAPS, run["dump"])
    return tuple(done)


async def start(bench: Bench, run: dict[str, Any]) -> None:
    """Start an engine on its own regions."""
    maps = bench.first_region + FEATURE_MAPS << REGION_BIT
    weights = bench.first_region + WEIGHTS << REGION_BIT
    await bench.start(run["layers"], run["images"], run["image_stride"], ifm=maps, wgt=weights, ofm=maps)


async def finish(bench: Bench, run: dict[str, Any]) -> Inference:
    """Let an engine's run end, as the job says."""
    if run["reset_after"] is not None:
        await bench.cycles(run["reset_after"])
        await bench.reset()
        return Inference(None, 0, [], {})
    if run["abort_after"] is not None:
        await bench.cycles(run["abort_after"])
        await bench.set("abort", 1)
    return await bench.finish(run["rows"], run["timeout_cycles"])
