"""DSP efficiency: the multiplications a network needs, of those the array could do in the cycles it takes."""

from __future__ import annotations

from collections.abc import Iterable

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.image_layout import ImageLayout
from hotnas_hls.accel.layer import Layer, LayerKind


def needed_macs(
    layers: Iterable[Layer], image: str | None = None, layout: ImageLayout | None = None
) -> dict[str, int]:
    """Multiply-accumulates that remain of each layer after pruning, by its name; 0 for a maximum.

    ``layout`` is that of the feature map ``image``: zeros that a re-laid stem multiplies do not count.
    """
    found = {}
    for layer in layers:
        macs = 0 if layer.kind is LayerKind.MAXPOOL else layer.macs
        if layer.needed_macs is not None:
            macs = layer.needed_macs
        elif layout is not None and layer.source == image:
            macs = layer.m * layout.filter_weights * layer.out_rows * layer.out_columns
        found[layer.name] = macs
    return found


def multipliers(accel: Accelerator) -> int:
    """Multiplications a design can do in a cycle: in its array, and in its lanes of one channel each."""
    return accel.tm * accel.tn + accel.td * accel.taps


def efficiency(macs: int, cycles: float, at_once: int) -> float:
    """Share of ``at_once`` multipliers that ``macs`` keep busy over ``cycles``."""
    return macs / (cycles * at_once)
