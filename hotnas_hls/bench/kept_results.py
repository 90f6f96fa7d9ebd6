"""Networks simulated whole, image to logits in one start; figures kept one by one in a JSON file.

What is there and speaks of the same design and the same RTL is not simulated again, so that an interrupt
loses nothing but the network it came in.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.resources import accelerator_resources
from hotnas_hls.accel.timing.efficiency import efficiency, multipliers
from hotnas_hls.base.atomic import replace_files
from hotnas_hls.base.records import load_json
from hotnas_hls.errors import ConfigError
from hotnas_hls.simulate.certify import Rtl, certify, twin
from hotnas_hls.simulate.verilated import build_once, sources_digest
from hotnas_hls.version import __version__

FORMAT = "hotnas-simulated-networks"
Figures = dict[str, Any]


class KeptResults:
    """Figures by name in the file ``path``; ConfigError for a file that holds something else.

    builds: where simulations are built, those of equal RTL once. most_layers: of the networks to come; every
    accelerator gets a profile for as many, so that they share its build.
    """

    def __init__(self, path: Path, builds: Path, most_layers: int = 0) -> None:
        self.path, self.builds, self.most_layers = path, builds, most_layers
        self.figures = read_results(path)

    def simulate(self, name: str, point: DesignPoint, about: Figures) -> Figures:
        """Figures of ``point`` under ``name``: the kept ones where they speak of it, else of a simulation.

        about: what else to keep of it.
        """
        rtl = twin(point, self.most_layers)
        sources = sources_digest(rtl.files)
        known = {"design_digest": point.digest(), "sources_digest": sources, **about}
        if not known.items() <= self.figures.get(name, {}).items():
            self.keep(name, known | simulated(point, rtl, self.builds / sources))
        return self.figures[name]

    def keep(self, name: str, figures: Figures) -> None:
        """``figures`` under ``name``, in the file at once."""
        self.figures[name] = figures
        text = json.dumps({"format": FORMAT, "networks": self.figures}, indent=2) + "\n"
        replace_files(self.path.resolve().parent, {self.path.name: text.encode()})


def simulated(point: DesignPoint, rtl: Rtl, folder: Path) -> Figures:
    """One start of ``point`` on ``rtl``, built in ``folder`` unless it lies there."""
    accel, macs = point.accelerator, sum(point.needed_macs().values())
    build = build_once(rtl.files, folder / "rtl").build_seconds
    started = time.perf_counter()
    certificate = certify(point, folder, images=1, stalls=(), rtl=rtl)
    return {
        "tool_version": __version__,
        "board": point.board.name,
        "clock_mhz": point.clock_mhz,
        "stem": point.stem,
        "packed_resolutions": point.packed_resolutions,
        "packed_across": point.packed_across,
        "accelerator": dataclasses.asdict(accel),
        "dsp": accelerator_resources(accel, len(point.layers)).dsp,
        "layers": len(point.layers),
        "predicted_cycles": certificate.predicted_cycles,
        "simulated_cycles": certificate.simulated_cycles,
        "certified_cycles": certificate.certified_cycles,
        "ms": certificate.ms(certificate.certified_cycles),
        "range_ms": certificate.range_ms and list(certificate.range_ms),
        "dsp_efficiency": efficiency(macs, certificate.certified_cycles, multipliers(accel)),
        "every_layer_exact": certificate.exact,
        "every_output_equal": certificate.outputs_match,
        "certificate_holds": certificate.holds,
        "reasons": list(certificate.reasons),
        "build_seconds": build,
        "seconds": time.perf_counter() - started,
        "cpus": os.cpu_count(),
    }


def read_results(path: Path) -> dict[str, Figures]:
    """Figures of earlier runs by name, none where the file is not there yet."""
    if not path.exists():
        return {}
    record = load_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: holds no results of simulated networks; give another file, or move it away"
        )
    return dict(record["networks"])
