"""cocotb test: runs the inferences of a job file and records what the accelerator did.

The job (``job.json`` in the folder named by ``HOTNAS_SIM_JOB``) lists runs; the outputs in memory and
the cycle counts are compared with the reference and the latency model by ``hotnas_hls.simulate``,
protocol and handshake rules here.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import cocotb
from bench import Bench, Inference, Registers
from cocotb.handle import HierarchyObject

JOB = 2  # version of job.json
FEATURE_MAPS, WEIGHTS = 0, 1
REGION_BIT = 40  # the address bit by which axi_memory.sv tells the regions apart


@cocotb.test()
async def run_job(dut: HierarchyObject) -> None:
    """Every run of the job, back to back on one accelerator."""
    directory = Path(os.environ["HOTNAS_SIM_JOB"])
    job = json.loads((directory / "job.json").read_text())
    bench = Bench(dut, directory, Registers(**job["registers"]))
    results = []
    try:
        for run in job["runs"]:
            dut.read_latency_i.value = run["read_latency"]
            dut.write_latency_i.value = run["write_latency"]
            dut.stall_i.value = run["stall"]
            dut.error_port_i.value = run["error_port"]
            dut.error_page_i.value = run["error_page"]
            dut.error_decode_i.value = run["error_decode"]
            await bench.choose_memory(run["memory"])
            if run["reset"]:
                await bench.reset()
            for region, file in ((FEATURE_MAPS, run["feature_maps"]), (WEIGHTS, run["weights"])):
                if file is not None:
                    await bench.load(region, file)
            await bench.start(run["layers"], run["images"], run["image_stride"], wgt=WEIGHTS << REGION_BIT)
            if run["reset_after"] is not None:
                await bench.cycles(run["reset_after"])
                await bench.reset()
                done = Inference(None, 0, [], {})
            else:
                if run["abort_after"] is not None:
                    await bench.cycles(run["abort_after"])
                    await bench.set("abort", 1)
                done = await bench.finish(run["rows"], run["timeout_cycles"])
            await bench.dump(FEATURE_MAPS, run["dump"])
            results.append(asdict(done))
            assert int(dut.violations_o.value) == 0, "AXI rules were broken, see the log"
    finally:
        (directory / "results.json").write_text(json.dumps(results))
