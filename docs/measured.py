"""Results that take hours, kept in ``results/``, and where they come from.

``take`` copies from a folder ``runs`` what these commands left there::

    hotnas bench networks boards mlperf-tiny dense-outputs levers ablation schedules
    hotnas bench coverage timm --output runs/coverage.json
    hotnas bench pruning --output runs/pruning.json
    hotnas search CONFIGURATION                    for each of SEARCHES
    hotnas compare digits --seeds 3 --cold --early-stopping --output runs/compare
    hotnas detect NETWORK --config CONFIGURATION --reductions --json > runs/NETWORK.json
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
NETWORK_RESULTS, LEVER_RESULTS, ABLATION_RESULTS = "whole_networks.json", "levers.json", "ablation.json"
BOARD_RESULTS, TINY_RESULTS = "boards.json", "mlperf_tiny.json"
DENSE_RESULTS, SCHEDULE_RESULTS = "dense_outputs.json", "schedules.json"
COVERAGE_RESULTS, TIMM_RESULTS, PRUNING_RESULTS = "coverage.json", "timm.json", "pruning.json"
SEARCH_RESULTS, SAMPLER_RESULTS, STRONGEST_RESULTS = "searches.json", "samplers.json", "strongest.json"
SEARCHES = (
    *("digits", "resnet20-zcu102", "resnet20-pynq-z2", "resnet56-zcu102", "resnet56-pynq-z2"),
    *("resnet32-zcu102", "resnet44-zcu102", "resnet18_cifar-zcu102", "mobilenet_v2_cifar-zcu102"),
    "densenet121_cifar-zcu102",
)
CASES = (
    ("coverage", COVERAGE_RESULTS, COVERAGE_RESULTS),
    ("timm", COVERAGE_RESULTS, TIMM_RESULTS),
    ("pruning", PRUNING_RESULTS, PRUNING_RESULTS),
)  # of ``hotnas bench --output``: the case, the file below ``runs``, and where it is kept
STRONGEST = ("resnet20", "resnet56", "densenet121_cifar", "mobilenet_v2_cifar")
KEPT = (  # of search.json; trials and their decisions stay with the run
    *("tool_version", "network", "board", "seed", "latency_ms", "cycles", "reduction"),
    "uncompressed_ms",
    *("validation_accuracy", "test_accuracy", "test_images", "trials", "trained", "refused"),
    *("hardware", "format", "edits", "reductions", "cost"),
)


def results(name: str) -> dict[str, Any]:
    """Kept results; none where none were taken."""
    path = RESULTS / name
    return dict(json.loads(path.read_text())) if path.exists() else {}


def take(runs: Path) -> None:
    """Whatever ``runs`` holds, instead of what is kept."""
    on_boards = (BOARD_RESULTS, TINY_RESULTS, DENSE_RESULTS, SCHEDULE_RESULTS)
    for name in (NETWORK_RESULTS, LEVER_RESULTS, *on_boards, ABLATION_RESULTS):
        if (runs / name).exists():
            shutil.copy(runs / name, RESULTS / name)
    for case, given, name in CASES:
        if (runs / given).exists():
            cases = json.loads((runs / given).read_text())["cases"]
            if case in cases:
                _keep(name, cases[case])
    _keep(SEARCH_RESULTS, results(SEARCH_RESULTS) | _searches(runs))
    compared = runs / "compare" / "compare.json"
    if compared.exists():
        _keep(SAMPLER_RESULTS, {k: v for k, v in json.loads(compared.read_text()).items() if k != "runs"})
    _keep(STRONGEST_RESULTS, results(STRONGEST_RESULTS) | _strongest(runs))


def _searches(runs: Path) -> dict[str, Any]:
    found = {}
    for name in SEARCHES:
        path = runs / name / "search.json"
        if path.exists():
            summary = json.loads(path.read_text())
            found[name] = {key: summary[key] for key in KEPT} | {
                "pruned_layers": len(summary["edits"]["patterns"]),
                "weight_bits": [made["after"] for made in summary["decisions"] if made["kind"] == "bits"],
            }
    return found


def _strongest(runs: Path) -> dict[str, Any]:
    found = {}
    for name in STRONGEST:
        if (runs / f"{name}.json").exists():
            detected = json.loads((runs / f"{name}.json").read_text())
            about = {key: detected[key] for key in ("network", "board", "clock_mhz")}
            found[name] = about | detected["strongest"]
    return found


def _keep(name: str, found: dict[str, Any]) -> None:
    (RESULTS / name).write_text(json.dumps(found, indent=1) + "\n")
