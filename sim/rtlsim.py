"""The golden images of a package on its own RTL, without hotnas.

    python3 sim/rtlsim.py PROGRAM FOLDER      make rtlsim: cocotb drives the Verilated bench
    python3 sim/rtlsim.py --write FOLDER      make xsim: what tb_plain.sv reads, for any simulator,
    python3 sim/rtlsim.py --compare FOLDER    and what it left behind

FOLDER takes the files of the job. Runs tb_data/image_N.bin, the first one again at the end, behind the ideal
memory, and compares every layer with tb_data/golden_N.bin and its cycles with the prediction. Ends with 0
when all is equal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
POISON = 0xA5  # of memory that nobody wrote
REGISTERS = (
    *("ctrl", "gier", "ier", "isr", "status", "ifm", "ifm_high", "wgt", "wgt_high", "ofm", "ofm_high"),
    *("layers", "images", "image_stride"),
)


def job(design: dict[str, Any], order: list[int], folder: Path) -> dict[str, Any]:
    """The job of tb_network.py: memory images as numbered files, and a start for each image of ``order``."""
    size, first = design["feature_map_bytes"], design["image"]["offset"]
    (folder / "0.bin").write_bytes((PACKAGE / "weights" / "weights.bin").read_bytes())
    (folder / "1.bin").write_bytes(b"")  # no DRAM: the memory answers in fixed time
    runs = []
    for number, image in enumerate(order):
        arena = bytearray([POISON]) * size
        packed = (PACKAGE / "tb_data" / f"image_{image}.bin").read_bytes()
        arena[first : first + len(packed)] = packed
        (folder / f"{2 * number + 2}.bin").write_bytes(arena)
        run: dict[str, Any] = dict.fromkeys(("stall", "error_port", "error_page", "error_decode"), 0)
        run.update(layers=len(design["layers"]), rows=len(design["layers"]), images=1, image_stride=size)
        run.update(feature_maps=2 * number + 2, weights=None if number else 0, dump=2 * number + 3, memory=1)
        run.update(reset=not number, reset_after=None, abort_after=None, **design["memory"])
        run.update(timeout_cycles=100_000 + 20 * sum(output["predicted"] for output in design["outputs"]))
        runs.append([run])
    return {"engines": [{"name": "", "registers": design["bench"]}], "runs": runs}


def plain(job: dict[str, Any]) -> str:
    """The job as tb_plain.sv reads it: addresses of registers, the number of runs, a line for each."""
    (engine,) = job["engines"]
    known = engine["registers"]
    addresses = [known["offsets"][name] for name in REGISTERS]
    addresses += [known["profile"], known["row_bytes"], 4 * known["terms"].index("cycles")]
    keys = ("layers", "image_stride", "feature_maps", "weights", "dump", "memory")
    keys += ("read_latency", "write_latency", "timeout_cycles")
    lines = [[-1 if run[key] is None else run[key] for key in keys] for (run,) in job["runs"]]
    return "\n".join(" ".join(map(str, line)) for line in [addresses, [len(lines)], *lines]) + "\n"


def environment(folder: Path) -> dict[str, str]:
    """What the simulator needs to find Python, cocotb and the bench."""
    import find_libpython
    from cocotb_tools import config

    return {
        **os.environ,
        "GPI_USERS": f"{find_libpython.find_libpython()};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(PACKAGE / "sim"), *sys.path]),
        "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
        "HOTNAS_SIM_JOB": str(folder),
    }


def compare(design: dict[str, Any], image: int, memory: bytes, done: dict[str, Any], first: bool) -> int:
    """How many layers are not as they should be; each is printed."""
    golden = (PACKAGE / "tb_data" / f"golden_{image}.bin").read_bytes()
    if done["status"]:
        print(f"image {image}: ended with status 0x{done['status']:08x}")
        return 1
    wrong = 0
    for name, output, counted in zip(design["layers"], design["outputs"], done["layers"], strict=True):
        equal = values(design, output, memory) == values(design, output, golden)
        # The first run may load what stays on chip.
        as_predicted = first or counted["cycles"] == output["predicted"]
        if not equal:
            print(f"image {image}, layer {name}: the output differs")
        if not as_predicted:
            print(f"image {image}, layer {name}: {counted['cycles']} cycles, {output['predicted']} predicted")
        wrong += not (equal and as_predicted)
    return wrong


def values(design: dict[str, Any], fm: dict[str, Any], arena: bytes) -> list[bytes]:
    """The activations of a feature map, without those that fill up its last channel block."""
    size, block = design["act_bits"] // 8, design["channel_block"]
    pixels = fm["rows"] * fm["columns"]
    stored = arena[fm["offset"] : fm["offset"] + fm["bytes"]]
    return [
        stored[at : at + size]
        for at in range(0, len(stored), size)
        if at // size // (block * pixels) * block + at // size % block < fm["channels"]
    ]


def main() -> int:
    """The command."""
    what, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    design = json.loads((PACKAGE / "driver" / "hotnas_design.json").read_text())
    order = [*range(len(list((PACKAGE / "tb_data").glob("image_*.bin")))), 0]
    if what == "--write":
        (folder / "results.json").unlink(missing_ok=True)
        (folder / "job.txt").write_text(plain(job(design, order, folder)))
        return 0
    if what != "--compare":
        (folder / "job.json").write_text(json.dumps(job(design, order, folder)))
        log = folder / "simulation.log"
        with open(log, "w") as out:
            command = [str(Path(what).resolve()), *os.environ["HOTNAS_AT_POWER_UP"].split()]
            ran = subprocess.run(command, cwd=folder, env=environment(folder), stdout=out, stderr=out)
        if ran.returncode or "FAIL=0" not in log.read_text():
            print(f"FAIL: the simulation ended early; see {log}")
            return 1
    try:
        results = json.loads((folder / "results.json").read_text())
    except (OSError, ValueError):
        print(f"FAIL: the simulation ended early; {folder} holds no whole results.json")
        return 1
    wrong = 0
    for number, (done,) in enumerate(results):
        memory = (folder / f"{2 * number + 3}.bin").read_bytes()
        wrong += compare(design, order[number], memory, done, first=number == 0)
    wrong += len(order) - len(results)
    print(f"{'FAIL' if wrong else 'PASS'}: {len(order)} runs, {len(design['layers'])} layers, {wrong} differ")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
