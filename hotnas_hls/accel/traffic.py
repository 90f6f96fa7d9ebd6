"""What a network moves over the accelerator's ports, to the beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.plan import Tile, ceil_div, ifm_word_beats, layer_beats, plan_layer
from hotnas_hls.accel.timing.timeline import tile_sizes

PORTS = ("ifm_read", "wgt_read", "ofm_read", "ofm_write")  # a master and a direction


def layer_bytes(layer: Layer, accel: Accelerator, tile: Tile) -> dict[str, int]:
    """Bytes of a layer by port: halo, reloaded weights and padded channels included.

    What lies on chip moves over none, its first loading left out; residuals are read through m_axi_ofm.
    """
    plan = plan_layer(layer, accel, tile)
    blocks = (plan.slices - 1) * plan.slice_blocks + plan.slice_blocks_last
    read = sum(size.read for size in tile_sizes(layer, plan)) * blocks
    written = layer.out_rows * layer.out_columns * ceil_div(layer.m, accel.channel_block)
    planes = plan.tiles * layer_beats(plan, layer)
    added = plan.tiles * ceil_div(layer.m, accel.channel_block) if layer.residual_vector else written
    return {
        "ifm_read": 0 if layer.ifm_on_chip else read * ifm_word_beats(layer, accel) * accel.ifm_bits // 8,
        "wgt_read": 0 if layer.weights_on_chip else planes * accel.plane_width // 8,
        "ofm_read": added * accel.word_bytes if layer.residual and not layer.residual_on_chip else 0,
        "ofm_write": 0 if layer.ofm_on_chip else written * accel.word_bytes,
    }


def network_beats(layers: Sequence[Layer], accel: Accelerator, tiles: Mapping[str, Tile]) -> dict[str, int]:
    """Beats of an image by port, descriptors included; on a shared bus m_axi_ofm reads everything."""
    found = dict.fromkeys(PORTS, 0)
    found["wgt_read"] = len(layers) * accel.descriptor_bytes
    for layer in layers:
        for port, moved in layer_bytes(layer, accel, tiles[layer.name]).items():
            found[port] += moved
    if accel.shared_bus:
        found["ofm_read"] += found["ifm_read"] + found["wgt_read"]
        found["ifm_read"] = found["wgt_read"] = 0
    widths = (accel.ifm_bits, accel.wgt_stream_bits, accel.ofm_bits, accel.ofm_bits)
    return {port: 8 * found[port] // bits for port, bits in zip(PORTS, widths, strict=True)}
