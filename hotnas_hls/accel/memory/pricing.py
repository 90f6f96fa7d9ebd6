"""What layers cost behind a DRAM, without their weights: a bound that is quick, and the figure it bounds.

The bound is the recurrence of ``timing.latency`` with a memory of fixed latency that answers as soon as the
DRAM ever could: there and back, the column command and one access, a row open, no bus in use, no refresh.
The engine is a system of maxima and sums (an event waits for the last of others, plus a constant; where reads
share a bus, in a fixed order), so that a later answer delays events and hastens none. Nothing behind the DRAM
takes fewer cycles than the bound, layer by layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerNumbers
from hotnas_hls.accel.memory.dram_latency import DramLatency, dram_latency
from hotnas_hls.accel.memory.dram_timing import PHASES, DramTiming
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.memory_timing import LEAST_LATENCY, MemoryTiming

NO_NUMBERS = LayerNumbers(np.zeros(0, np.int32), np.zeros(0, np.int64), 0, 0, 0, 0)


def least_memory(dram: DramTiming, clock_mhz: float) -> MemoryTiming:
    """The memory of fixed latency that answers no burst later than ``dram`` could at best."""
    numbers = dram.numbers(clock_mhz)
    cycles = -(-(2 * numbers.path + numbers.cas + numbers.access) // numbers.cycle)
    return MemoryTiming(max(cycles, LEAST_LATENCY), max(cycles, LEAST_LATENCY))


def without_numbers(
    layers: Sequence[Layer],
    act_bits: int,
    maps: Iterable[FeatureMap] = (),
    outputs: Sequence[str] = (),
) -> IntegerNetwork:
    """A network of these layers whose integers are left out: what its time needs is there.

    maps: its feature maps; those that are not given are as large as the layers say, each on its own. outputs:
    what the host reads; none given: what the last layer writes.
    """
    found: dict[str, FeatureMap] = {}
    for layer in layers:
        ofm = (layer.m, layer.out_rows * layer.target_rows, layer.out_columns)
        if layer.residual is not None:
            found.setdefault(layer.residual, FeatureMap(layer.residual, *layer.residual_shape))
        ifm = (layer.n, layer.in_rows, layer.in_columns)
        found.setdefault(layer.source, FeatureMap(layer.source, *ifm, trimmed=layer.ifm_trimmed))
        found.setdefault(layer.target, FeatureMap(layer.target, *ofm))
    found |= {fm.name: fm for fm in maps}
    numbers = {layer.name: NO_NUMBERS for layer in layers}
    host = HostWork.reading(*(outputs or (layers[-1].target,)))
    return IntegerNetwork("", found, tuple(layers), numbers, layers[0].source, host, act_bits)


def latency_behind(
    net: IntegerNetwork,
    accel: Accelerator,
    tiles: Mapping[str, Tile],
    dram: DramTiming,
    clock_mhz: float,
    phase: int = PHASES - 1,
    *,
    loaded: bool = True,
) -> DramLatency:
    """Cycles of one image of ``net`` behind ``dram`` at one phase of its refresh; ``loaded`` as there."""
    return dram_latency(net, accel, tiles, dram.numbers(clock_mhz, phase), loaded=loaded)


def worst_phase(
    net: IntegerNetwork, accel: Accelerator, tiles: Mapping[str, Tile], dram: DramTiming, clock_mhz: float
) -> DramLatency:
    """Cycles at the phase of the refresh that takes longest."""
    found = [latency_behind(net, accel, tiles, dram, clock_mhz, phase) for phase in range(PHASES)]
    return max(found, key=lambda latency: latency.cycles)
