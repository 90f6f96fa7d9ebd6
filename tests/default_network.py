"""The embedded default as the accelerator runs it: the shipped digits network in integers."""

from __future__ import annotations

from collections.abc import Mapping

from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.data import digits
from hotnas_hls.models.train import pretrained
from hotnas_hls.models.zoo import zoo_entry
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.lower import lower
from hotnas_hls.network.quantise import Patterns, quantise

CALIBRATION_IMAGES = 256


def digits_integer_network(
    act_bits: int = 16,
    weight_bits: Mapping[str, int] | None = None,
    patterns: Patterns | None = None,
    stem: Stem | str = Stem.PLAIN,
) -> IntegerNetwork:
    """``digits_resnet`` with its shipped weights, calibrated on training images.

    Layers not named in ``weight_bits`` have weights of ``act_bits``; see ``hotnas_hls.network.quantise``.
    """
    name = "digits_resnet"
    graph = fold_batchnorm(trace(pretrained(name), zoo_entry(name).input_shape, name))
    lowered = lower(graph, stem, weight_bits=act_bits)
    images = digits().train.images[:CALIBRATION_IMAGES]
    return quantise(graph, lowered, images, act_bits, weight_bits, patterns)
