"""A layer on a sub-accelerator as a cost: cycles and energy; and the area of a sub-accelerator.

Each sub-accelerator has a buffer of its own that holds what its largest layer reads and makes; what lies
beyond the buffers is not modelled. Layers with weights cost; all else (activation functions, pooling,
additions) is done on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hotnas_hls.network.graph import OpKind
from hotnas_hls.network.operations import WEIGHTED, Operation
from hotnas_hls.platforms.nasaic.constants import ChipConstants
from hotnas_hls.platforms.nasaic.dataflow import DATAFLOWS


@dataclass(frozen=True)
class SubAccelerator:
    """PEs of one dataflow, and the bytes a cycle of their network on chip."""

    dataflow: str
    pes: int
    noc_bytes: int


@dataclass(frozen=True)
class LayerRun:
    """A layer on a sub-accelerator: cycles, and microjoules."""

    filled: float  # if every PE worked all the time
    idle: float  # more, because some do not
    noc: float  # of the network, at the same time
    macs: float  # microjoules from here on
    registers: float
    moved: float

    @property
    def cycles(self) -> float:
        """Whole cycles, computing or sending, whichever takes longer."""
        return float(-(-max(self.filled + self.idle, self.noc) // 1))

    @property
    def energy(self) -> float:
        """Microjoules."""
        return self.macs + self.registers + self.moved


def layer_run(layer: Operation, engine: SubAccelerator, chip: ChipConstants) -> LayerRun:
    """Of an operation with weights. Partial sums in registers are as wide as a product."""
    done = DATAFLOWS[engine.dataflow](layer, engine.pes, chip.cluster)
    act, weight = layer.act_bits, layer.weight_bits
    moved = (done.inputs + done.outputs) * act + done.weights * weight  # bits
    touched = (layer.macs + 2 * done.sums) * (act + weight)  # operands read; sums read and written
    microjoule = chip.mac_pj * 1e-6
    return LayerRun(
        filled=layer.macs / engine.pes,
        idle=done.steps - layer.macs / engine.pes,
        noc=moved / 8 / engine.noc_bytes,
        macs=layer.macs * act * weight / 256 * microjoule,
        registers=touched / 16 * chip.register_factor * microjoule,
        moved=moved / 16 * chip.buffer_factor * microjoule,
    )


def square_millimetres(engine: SubAccelerator, layers: Iterable[Operation], chip: ChipConstants) -> float:
    """PEs, network and the buffer for the layers that run there; control is left out."""
    buffer = max((_bytes(layer) for layer in layers), default=0.0) * chip.buffer_um2_per_byte
    return (engine.pes * (chip.pe_um2 + engine.noc_bytes * chip.noc_um2) + buffer) * 1e-6


def _bytes(layer: Operation) -> float:
    """What a layer reads and makes."""
    return ((layer.inputs + layer.outputs) * layer.act_bits + layer.weights * layer.weight_bits) / 8


def layer_violations(layer: Operation, chip: ChipConstants) -> list[str]:
    """What of an operation the model is not made for, with its cure."""
    if layer.kind is OpKind.BATCHNORM:
        return [f"{layer.name}: a batch norm that is not folded into weights is not modelled; move it"]
    if layer.kind not in WEIGHTED:
        return []
    found = [
        f"{layer.name}: {what} of {bits} bits, the model is made for {chip.widest_bits}; use fewer"
        for what, bits in (("weights", layer.weight_bits), ("activations", layer.act_bits))
        if bits > chip.widest_bits
    ]
    if layer.kernel_rows > chip.cluster:
        found.append(
            f"{layer.name}: {layer.kernel_rows} rows of kernel, the least row-stationary sub-accelerator has "
            f"{chip.cluster} PEs; use a smaller kernel"
        )
    return found
