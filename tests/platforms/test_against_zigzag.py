"""Cycles of the dataflows of ``nasaic`` beside those of ZigZag, a public cost model.

ZigZag gets the loops that a dataflow shares out over its PEs and a buffer that nothing waits for, and finds
the order of the other loops itself. What is compared is how long the array computes. What it waits for is
not: that follows from registers and ports, which the two models do not have in common.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from math import isqrt
from pathlib import Path
from typing import Any

import pytest
import yaml

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.nasaic.constants import load_constants
from hotnas_hls.platforms.nasaic.model import SubAccelerator, layer_run

CHIP = load_constants()
ENGINES = (SubAccelerator("dla", 1024, 64), SubAccelerator("shi", 256, 64), SubAccelerator("rs", 256, 64))


def conv(name: str, n: int, m: int, side: int, kernel: int, stride: int = 1) -> Operation:
    shape = (n, m, side * stride, side * stride, side, side, kernel, kernel, stride, stride)
    return Operation(name, OpKind.CONV, ("image",), *shape, act_bits=8, weight_bits=8)


LAYERS = (
    conv("stem", 3, 16, 32, 3),
    conv("middle", 64, 64, 16, 3),
    conv("strided", 64, 128, 8, 3, 2),
    conv("dense", 512, 10, 1, 1),
)


def spatial(layer: Operation, engine: SubAccelerator) -> dict[str, list[str]]:
    """Loops over the PEs of a dataflow, and how far each is unrolled."""
    if engine.dataflow == "dla":
        loops = [("K", engine.pes // CHIP.cluster), ("C", CHIP.cluster)]
    elif engine.dataflow == "shi":
        loops = [("OY", isqrt(engine.pes)), ("OX", isqrt(engine.pes))]
    else:
        rows = min(layer.out_rows, engine.pes // layer.kernel_rows)
        loops = [("FY", layer.kernel_rows), ("OY", rows), ("K", engine.pes // (layer.kernel_rows * rows))]
    return {f"D{place}": [f"{loop}, {count}"] for place, (loop, count) in enumerate(loops, 1)}


def workload(layer: Operation) -> Mapping[str, Any]:
    loops = {"B": 1, "K": layer.m, "C": layer.n, "OY": layer.out_rows, "OX": layer.out_columns}
    loops |= {"FY": layer.kernel_rows, "FX": layer.kernel_columns}
    return {
        "id": 0,
        "name": layer.name,
        "operator_type": "Conv",
        "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
        "dimension_relations": [f"ix={layer.stride_columns}*ox+1*fx", f"iy={layer.stride_rows}*oy+1*fy"],
        "loop_dims": list(loops),
        "loop_sizes": list(loops.values()),
        "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8},
        "operand_source": {"I": 0, "W": 0},
    }


def array(unrolled: Mapping[str, list[str]]) -> Mapping[str, Any]:
    """PEs, and one buffer that holds everything, with two ports to read and two to write."""
    moves = {
        ("r_port_1", "read"): ["I1, tl", "I2, tl", "O, tl"],
        ("r_port_2", "read"): ["O, th"],
        ("w_port_1", "write"): ["I1, fh", "I2, fh", "O, fh"],
        ("w_port_2", "write"): ["O, fl"],
    }
    ports = [
        {"name": name, "type": kind, "bandwidth_min": 8, "bandwidth_max": 1 << 20, "allocation": allocation}
        for (name, kind), allocation in moves.items()
    ]
    free = {"r_cost": 0, "w_cost": 0, "area": 0, "latency": 1, "auto_cost_extraction": False}
    buffer = {"size": 1 << 34, **free, "operands": ["I1", "I2", "O"], "ports": ports}
    return {
        "name": "array",
        "memories": {"buffer": buffer | {"served_dimensions": list(unrolled)}},
        "operational_array": {
            "input_precision": [8, 8],
            "unit_energy": 0,
            "unit_area": 0,
            "dimensions": list(unrolled),
            "sizes": [int(loops[0].split(", ")[1]) for loops in unrolled.values()],
        },
    }


@pytest.fixture
def quiet() -> Iterator[None]:
    """ZigZag logs every layer."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.long("a minute of ZigZag's search for orders of loops")
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.dataflow)
def test_arrays_compute_as_long_as_zigzag_says(engine: SubAccelerator, tmp_path: Path) -> None:
    pytest.importorskip("zigzag", reason="pip install zigzag-dse six")
    from zigzag.api import get_hardware_performance_zigzag

    for layer in LAYERS:
        unrolled = spatial(layer, engine)
        links = {"O": "O", "W": "I2", "I": "I1"}
        files = {
            "workload": [workload(layer)],
            "accelerator": array(unrolled),
            "mapping": [{"name": "default", "spatial_mapping": unrolled, "memory_operand_links": links}],
        }
        for name, record in files.items():
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(record))
        *_, costs = get_hardware_performance_zigzag(
            **{name: str(tmp_path / f"{name}.yaml") for name in files},
            opt="latency",
            lpf_limit=4,
            dump_folder=str(tmp_path / "out"),
            loma_show_progress_bar=False,
        )
        found = costs[0][1][0][0].ideal_temporal_cycle
        run = layer_run(layer, engine, CHIP)
        own = run.filled + run.idle
        print(engine.dataflow, layer.name, "ZigZag", found, "here", own)
        assert found == own
