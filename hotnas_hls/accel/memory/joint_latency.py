"""Several engines behind one DRAM at the same time: the cycles of each while the others run.

Engines meet in the DRAM alone: what one asks makes the others wait. Each is stepped by itself, with what the
others asked when they were stepped last; in turn, until nobody asks anything else (waveform relaxation).
What is asked in a cycle reaches the controller ``path`` later, so every turn makes at least that much more of
the run final: it ends, and with the cycles that all engines stepped together would take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.images import map_memory
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.memory.dram import NO_ASKS, new_dram
from hotnas_hls.accel.memory.dram_latency import DramLatency, beat_bytes, layer_records, step_engine, told
from hotnas_hls.accel.memory.dram_timing import PHASES, DramNumbers, DramTiming
from hotnas_hls.accel.memory.pricing import worst_phase
from hotnas_hls.accel.plan import Tile

ROOM = 1 << 12  # asks of an engine that are noted at first; more where it asks more


@dataclass(frozen=True)
class EngineWork:
    """What one engine does: a network on an accelerator, for some images one after another."""

    net: IntegerNetwork
    accel: Accelerator
    tiles: Mapping[str, Tile]
    images: int = 1


def joint_latency(works: Sequence[EngineWork], numbers: DramNumbers) -> tuple[tuple[DramLatency, ...], ...]:
    """Cycles of every image of every engine; all engines start in the same cycle behind one idle DRAM.

    Weights kept on chip are there already. An engine that has done its images is idle from then on. The
    order of ``works`` is that of the ports at the DRAM's arbiter.
    """
    ports = tuple(width for work in works for width in beat_bytes(work.accel))
    layers = [_records(work, numbers, engine) for engine, work in enumerate(works)]
    asked = [NO_ASKS] * len(works)
    counted = [(NO_ASKS, NO_ASKS)] * len(works)
    last_changed, turn = 0, 0
    while turn - last_changed < len(works):
        engine = turn % len(works)
        others = np.concatenate([NO_ASKS, *asked[:engine], *asked[engine + 1 :]])
        others = others[np.argsort(others["cycle"], kind="stable")]
        room = max(ROOM, len(asked[engine]))
        while True:
            dram = new_dram(numbers, ports, others, room)
            counted[engine] = step_engine(layers[engine], works[engine].accel.wgt_masters, dram, engine)
            asks = int(dram.bus["own"][0])
            if asks <= room:
                break
            room = asks
        if not np.array_equal(asked[engine], dram.own[:asks]):
            asked[engine], last_changed = dram.own[:asks], turn
        turn += 1
    return tuple(
        tuple(
            told(work.net, *image)
            for image in zip(*(np.split(each, work.images) for each in found), strict=True)
        )
        for work, found in zip(works, counted, strict=True)
    )


@dataclass(frozen=True)
class SharedLatency:
    """An engine's image behind a DRAM, alone and while other engines run, in cycles."""

    alone_cycles: int  # the others idle; at the worst phase of the refresh
    images: int  # run one after another, so that no engine is idle while the slowest runs one
    phases: tuple[tuple[int, ...], ...]  # of every image, by phase of the refresh

    @property
    def cycles(self) -> int:
        """The image that takes longest while the others run, over all phases."""
        return max(max(images) for images in self.phases)

    @property
    def worst_phase(self) -> int:
        """The phase at which it does."""
        return max(range(len(self.phases)), key=lambda phase: max(self.phases[phase]))

    @property
    def mean_cycles(self) -> float:
        """Of all images at that phase: what its throughput follows from."""
        return sum(self.phases[self.worst_phase]) / self.images


def shared_latencies(
    works: Sequence[EngineWork], dram: DramTiming, clock_mhz: float
) -> tuple[SharedLatency, ...]:
    """Every engine alone and while the others run; ``images`` of the works are not looked at."""
    alone = [worst_phase(work.net, work.accel, work.tiles, dram, clock_mhz).cycles for work in works]
    repeated = [
        replace(work, images=-(-max(alone) // cycles)) for work, cycles in zip(works, alone, strict=True)
    ]
    phases = [joint_latency(repeated, dram.numbers(clock_mhz, phase)) for phase in range(PHASES)]
    return tuple(
        SharedLatency(
            cycles, work.images, tuple(tuple(image.cycles for image in found[at]) for found in phases)
        )
        for at, (work, cycles) in enumerate(zip(repeated, alone, strict=True))
    )


def _records(work: EngineWork, numbers: DramNumbers, engine: int) -> np.ndarray:
    layers = layer_records(work.net, work.accel, work.tiles, numbers, engine)
    layers["fill_beats"] = 0
    stride = map_memory(work.net, work.accel, dict(work.tiles)).feature_map_bytes
    images = np.tile(layers, (work.images, 1))
    for name in ("ifm_addr", "ofm_addr", "res_addr"):
        images[name] += stride * np.arange(work.images)[:, np.newaxis]
    return images.reshape(-1)
