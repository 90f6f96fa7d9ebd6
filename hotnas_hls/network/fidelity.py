"""How far the integers of a network are from its floats: measured on images, told layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hotnas_hls.accel.integers.reference_batch import run_batch
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.base.blas import one_blas_thread
from hotnas_hls.network.execute import run
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.quantise import dequantise, quantise_image

LOST_DB = 10.0  # signal-to-noise below which a map says little of what it should: noise of a third


@dataclass(frozen=True)
class Fidelity:
    """Signal-to-noise of every layer's output against the float network, in dB, and answers that agree."""

    images: int
    agreeing: int  # images of the same largest output
    signal_to_noise: dict[str, float]  # by layer, in the order they run; infinite where no noise is
    losing: tuple[str, ...]  # layers below LOST_DB whose inputs are not

    def __str__(self) -> str:
        worst = min(self.signal_to_noise, key=lambda name: self.signal_to_noise[name])
        text = (
            f"integers against floats on {self.images} images: the largest output is the same on "
            f"{self.agreeing}; signal-to-noise {self._told(next(reversed(self.signal_to_noise)))} at the "
            f"output, least {self._told(worst)} at {worst}"
        )
        if not self.losing:
            return text
        layers = ", ".join(f"{name} ({self._told(name)})" for name in self.losing)
        return (
            f"{text}; the signal is lost in {layers}: its channels differ too much in scale for one format, "
            "balance their weights or give it more bits"
        )

    def _told(self, layer: str) -> str:
        decibels = self.signal_to_noise[layer]
        return "without noise" if math.isinf(decibels) else f"{decibels:.0f} dB"


def fidelity(graph: Graph, net: IntegerNetwork, images: np.ndarray) -> Fidelity:
    """Compare ``net``, quantised from ``graph``, with it on ``images`` float32 (B, C, H, W).

    Pixels of ``net`` are not packed.
    """
    targets = {layer.target: layer for layer in net.layers if layer.target in graph}
    outputs = net.host.maps
    names = list(dict.fromkeys((*targets, *outputs)))
    floats = run(graph, images, keep=names)
    with one_blas_thread():
        integers = run_batch(net, quantise_image(net, images), names)
    found = {
        name: _decibels(floats[name], dequantise(net, name, integers[name]).reshape(floats[name].shape))
        for name in names
    }
    answers = (
        np.stack([values[name].reshape(len(images), -1).argmax(axis=1) for name in outputs])
        for values in (floats, integers)
    )
    losing = [
        layer.name
        for name, layer in targets.items()
        if found[name] < LOST_DB
        and all(found.get(source or "", math.inf) >= LOST_DB for source in (layer.source, layer.residual))
    ]
    return Fidelity(
        len(images),
        int(np.equal(*answers).all(axis=0).sum()),
        {layer.name: found[name] for name, layer in targets.items()},
        tuple(losing),
    )


def _decibels(signal: np.ndarray, found: np.ndarray) -> float:
    """10 log10 of the signal's power over the noise's; infinite without noise."""
    noise = float(np.square(found - signal, dtype=np.float64).sum())
    power = float(np.square(signal, dtype=np.float64).sum())
    if noise == 0:
        return math.inf
    return 10 * math.log10(power / noise) if power else -math.inf
