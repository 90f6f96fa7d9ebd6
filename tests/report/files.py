"""Files a report is made of, as the other commands would have left them."""

import dataclasses
import json
import sqlite3

from hotnas_hls.accel.memory.dram_timing import load_dram
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.traffic import PORTS
from hotnas_hls.simulate.behind_dram import BehindDram, DramLayer, forecast
from hotnas_hls.simulate.certificate import TWIN, Certificate, LayerCheck
from hotnas_hls.simulate.flow import read_rtl
from hotnas_hls.simulate.verilated import sources_digest

REDUCTIONS = [("pattern", 0.046), ("channel", 0.041), ("quantisation", 0.0335), ("hardware", 0.03)]


def behind_of(predicted):
    """As if every layer took an eighth longer behind the DRAM of the ZCU102."""
    layers = [(name, latency.cycles * 9 // 8) for name, latency in predicted.layers.items()]
    total = sum(cycles for _, cycles in layers)
    return BehindDram(
        dram=load_dram("ZCU102"),
        layers=tuple(DramLayer(name, cycles, cycles, 0) for name, cycles in layers),
        phases=(total,) * 16,
        predicted_cycles=total,
        simulated_cycles=total,
        fast_cycles=total - 50,
        slow_cycles=total + 100,
        outputs_match=True,
    )


def certificate_of(point, off=0):
    """As if the twin had been simulated, ``off`` cycles slower in the first layer."""
    predicted = network_latency([e.layer for e in point.layers], point.accelerator, point.tiles, point.memory)
    bound = point.latency_bound_cycles
    checks = []
    for index, (name, latency) in enumerate(predicted.layers.items()):
        counted = latency.terms()
        counted["cycles"] += off if index == 0 else 0
        checks.append(LayerCheck(name, latency, counted, counted == latency.terms(), True))
    return Certificate(
        design=point.network,
        design_digest=point.digest(),
        board=point.board.name,
        clock_mhz=point.clock_mhz,
        memory=point.memory,
        simulated_rtl=TWIN,
        sources_digest="0" * 64,
        tool_versions={"hotnas": "0"},
        layers=tuple(checks),
        predicted_cycles=predicted.cycles,
        simulated_cycles=predicted.cycles + off,
        behind=behind_of(predicted),
        bound_cycles=bound,
        images=2,
        stalled_runs=1,
        outputs_compared=4 * len(checks),
        ports={f"{port}_{count}": at for at, port in enumerate(PORTS) for count in ("beats", "stalls")},
        holds=not off,
        reasons=(f"{checks[0].name}: simulated cycles differ",) if off else (),
    )


def honest_certificate(point, folder):
    """The certificate that simulation of a package in ``folder`` gives."""
    digest = sources_digest(read_rtl(folder).files)
    assert point.dram is not None
    ahead = forecast(point, point.integer_network(), point.dram)
    layers = tuple(DramLayer(name, cycles, cycles, 0) for name, cycles in ahead.worst.layers.items())
    counted = ahead.worst.cycles, ahead.worst.cycles
    behind = BehindDram(
        point.dram, layers, ahead.phases, *counted, ahead.fast_cycles, ahead.slow_cycles, outputs_match=True
    )
    return dataclasses.replace(certificate_of(point), sources_digest=digest, behind=behind)


def write_run(folder, point, reductions=True):
    """A run folder as ``hotnas search`` leaves it: summary and study."""
    point.save(folder)
    summary = {
        "latency_ms": {"before": 0.05, "after": 0.03},
        "uncompressed_ms": {"int16": 0.05, "int8": 0.04},
        "validation_accuracy": {"before": 0.98, "after": 0.985},
        "space_size": 3.5e17, "trials": 4, "trained": 3, "refused": 1, "repeated": 0,
        "hardware": {"before": {"tm": 4, "tn": 4}, "after": {"tm": 8, "tn": 4}},
        "edits": {
            "channels": {"stem": 6}, "patterns": {}, "expanded": [], "weight_bits": {"residual": 6},
            "skips_cut": ["residual"],
        },
        "decisions": [{"layer": "stem", "kind": "channels", "before": 8, "after": 6, "options": [8, 6]}],
        "remedies": [
            {"layer": "pool", "bottleneck": "I", "remedy": "hardware", "change": "width 64", "saved": 120}
        ],
    }  # fmt: skip
    if reductions:
        summary["reductions"] = [{"name": name, "latency_ms": ms} for name, ms in REDUCTIONS]
    (folder / "search.json").write_text(json.dumps(summary))
    trials = [(0, 0.05, 0.98, []), (1, 0.035, 0.97, []), (2, 0.04, 0.96, []), (3, 0.09, None, ["too slow"])]
    with sqlite3.connect(folder / "study.db") as study:
        study.execute("CREATE TABLE trials (trial_id INTEGER, number INTEGER)")
        study.execute("CREATE TABLE trial_user_attributes (trial_id INTEGER, key TEXT, value_json TEXT)")
        for number, latency, accuracy, refusals in trials:
            outcome = {"latency_ms": latency, "accuracy": accuracy, "refusals": refusals}
            study.execute("INSERT INTO trials VALUES (?, ?)", (number, number))
            row = (number, "outcome", json.dumps(outcome))
            study.execute("INSERT INTO trial_user_attributes VALUES (?, ?, ?)", row)
    return folder
