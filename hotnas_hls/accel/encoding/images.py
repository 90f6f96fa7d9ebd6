"""Memory images: where everything lies in DRAM, and the bytes of weights and feature maps."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.descriptor import (
    Addresses,
    encode,
    entry_table,
    field_values,
    field_violations,
)
from hotnas_hls.accel.encoding.seal import checksum
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.accel.plan import (
    PATTERN_BITS,
    LayerPlan,
    Tile,
    ceil_div,
    entry_count,
    layer_beats,
    plan_layer,
    trimmed_beats,
)
from hotnas_hls.accel.residency import chip_planes, chip_words
from hotnas_hls.accel.timing.first_tile import first_tiles

ADDRESSED = 1 << 32  # bytes that an address of the descriptor reaches
ALIGNMENT = 4096  # of every region, so that no burst of a region's first page is split


def buffer_alignment(accel: Accelerator) -> int:
    """Bytes on whose multiples the two buffers of an accelerator begin: a page of each striped master."""
    return ALIGNMENT * accel.wgt_masters


def _align(address: int, to: int = ALIGNMENT) -> int:
    return ceil_div(address, to) * to


def map_block(fm: FeatureMap, accel: Accelerator) -> int:
    """Channels that a word of a feature map has room for in DRAM."""
    if not fm.trimmed:
        return accel.channel_block
    return trimmed_beats(fm.channels, accel) * accel.ifm_bits // accel.act_bits


def feature_map_bytes(fm: FeatureMap, accel: Accelerator) -> int:
    """Bytes of a feature map in DRAM, its last word of a pixel filled up with zeros."""
    block = map_block(fm, accel)
    return ceil_div(fm.channels, block) * fm.rows * fm.columns * block * accel.act_bits // 8


@dataclass(frozen=True)
class MemoryMap:
    """Byte offsets: feature maps from ``ifm``/``ofm``, weights from ``wgt``."""

    feature_maps: dict[str, int]
    feature_map_bytes: int  # of the whole arena
    weights: dict[str, int]  # by layer
    weight_bytes: int  # of the whole weight image, descriptors included
    on_chip: dict[str, int]  # byte addresses of the feature maps kept on chip, which DRAM has room for too
    weights_on_chip: dict[str, int]  # the same of weights, by layer
    read_after: dict[str, int]  # the descriptor's ifm_after, by layer


def map_memory(net: IntegerNetwork, accel: Accelerator, tiles: dict[str, Tile]) -> MemoryMap:
    """Place every feature map (none shares its bytes with another) and every layer's weights."""
    offsets: dict[str, int] = {}
    end = 0
    for fm in net.feature_maps.values():
        if fm.concat_of is None:
            offsets[fm.name], end = end, _align(end + feature_map_bytes(fm, accel))
    for fm in net.feature_maps.values():
        if fm.concat_of is not None:
            block, rest = divmod(fm.concat_offset, accel.channel_block)
            if rest:
                raise ValueError(f"{fm.name}: offset {fm.concat_offset} is not a whole channel block")
            offsets[fm.name] = offsets[fm.concat_of] + block * fm.rows * fm.columns * accel.word_bytes
    weights: dict[str, int] = {}
    address = _align(len(net.layers) * accel.descriptor_bytes, buffer_alignment(accel))
    for layer in net.layers:
        weights[layer.name] = address
        plan = plan_layer(layer, accel, tiles[layer.name])
        end_of_layer = address + layer_beats(plan, layer) * accel.plane_width // 8
        address = _align(end_of_layer, buffer_alignment(accel))
    words = chip_words(net.layers, net.feature_maps.values(), accel)
    planes = chip_planes(net.layers, accel)
    ahead = zip(net.layers, first_tiles(net.layers, accel, tiles), strict=True)
    return MemoryMap(
        offsets, end, weights, address,
        {name: word * accel.word_bytes for name, word in words.items()},
        {name: plane * accel.plane_width // 8 for name, plane in planes.items()},
        {layer.name: tile.after for layer, tile in ahead if tile is not None},
    )  # fmt: skip


def encoding_violations(net: IntegerNetwork, accel: Accelerator, tiles: dict[str, Tile]) -> list[str]:
    """What of a network no descriptor can say: counts beyond their fields, bytes beyond 32-bit addresses.

    Layers without numbers are checked as far as their shapes go.
    """
    maps = sum(feature_map_bytes(fm, accel) for fm in net.feature_maps.values() if fm.concat_of is None)
    weights = sum(
        layer.m * (layer.n if layer.kind is LayerKind.CONV else 1) * layer.positions * layer.weight_bits // 8
        for layer in net.layers
    )
    found = [
        f"{what} take {size:,} bytes; addresses have 32 bits, which is {ADDRESSED:,}"
        for what, size in (("feature maps", maps), ("weights", weights))
        if size > ADDRESSED
    ]
    if found:
        return found
    memory = map_memory(net, accel, tiles)
    blank = LayerNumbers(np.zeros(0, np.int32), np.zeros(0, np.int64), 0, 0, 0)
    for layer in net.layers:
        plan = plan_layer(layer, accel, tiles[layer.name])
        numbers = net.numbers.get(layer.name, blank)
        values = field_values(layer, plan, accel, numbers, addresses_of(layer, memory))
        found += [f"{layer.name}: {problem}" for problem in field_violations(values)]
    return found


def addresses_of(layer: Layer, memory: MemoryMap) -> Addresses:
    """Where a layer's regions lie."""
    return Addresses(
        ifm_addr=memory.feature_maps[layer.source],
        ofm_addr=memory.feature_maps[layer.target],
        res_addr=memory.feature_maps[layer.residual] if layer.residual else 0,
        wgt_addr=memory.weights[layer.name],
        ifm_chip=memory.on_chip[layer.source] if layer.ifm_on_chip else 0,
        ofm_chip=memory.on_chip[layer.target] if layer.ofm_on_chip else 0,
        res_chip=memory.on_chip[layer.residual] if layer.residual and layer.residual_on_chip else 0,
        wgt_chip=memory.weights_on_chip.get(layer.name, 0),
        ifm_after=memory.read_after.get(layer.name, 0),
    )


def _bit_planes(rows: np.ndarray, groups: int, bits: int, accel: Accelerator) -> bytes:
    """groups * bits beats of weight rows (rows, Tn): their bit planes, most significant first.

    Lane l of a group holds weight (l // Tn, l % Tn) of its ``rows_per_group`` rows; when
    Tn > plane_width, a row is cut into ``parts_per_row`` groups.
    """
    lanes = np.zeros((groups, accel.plane_width), dtype=np.int64)
    if accel.parts_per_row > 1:
        lanes[: len(rows) * accel.parts_per_row] = rows.reshape(-1, accel.plane_width)
    else:
        held = np.zeros((groups * accel.rows_per_group, accel.tn), dtype=np.int64)
        held[: len(rows)] = rows
        lanes[:, : accel.rows_per_group * accel.tn] = held.reshape(groups, -1)
    shifts = np.arange(bits - 1, -1, -1)
    planes = (lanes[:, None, :] >> shifts[None, :, None]) & 1
    return np.packbits(planes.astype(np.uint8), axis=2, bitorder="little").tobytes()


def _compressed(layer: Layer, numbers: LayerNumbers) -> np.ndarray:
    """Weights (M, N or 1, entries): all kernel positions, or only each kernel's pattern's ones."""
    weights = numbers.weights.reshape(*numbers.weights.shape[:2], -1)
    if numbers.patterns is None or numbers.pattern_index is None:
        return weights
    positions = np.stack([np.flatnonzero(pattern) for pattern in numbers.patterns])
    return np.take_along_axis(weights, positions[numbers.pattern_index].astype(np.int64), axis=2)


def _by_tap(weights: np.ndarray, taps: int) -> np.ndarray:
    """Depthwise weights (C, 1, kh, kw) -> (C, taps, entries): position e * taps + q at [q, e], else 0."""
    flat = weights.reshape(len(weights), -1)
    missing = -flat.shape[1] % taps
    return np.pad(flat, ((0, 0), (0, missing))).reshape(len(flat), -1, taps).transpose(0, 2, 1)


def pack_weights(layer: Layer, plan: LayerPlan, accel: Accelerator, numbers: LayerNumbers) -> bytes:
    """A layer's weight image: the jobs (m, n, k) of one spatial tile in the order they are read."""
    beats: list[bytes] = []
    conv = layer.kind is LayerKind.CONV
    block, m_width = accel.channel_block, accel.tm if conv else accel.td
    m_padded, n_padded = plan.tiles_m * m_width, plan.slices * accel.tn if conv else accel.taps
    bias = np.zeros(m_padded, dtype=np.int64)
    bias[: layer.m] = numbers.bias
    weights = np.zeros((m_padded, n_padded, entry_count(layer, accel.taps)), dtype=np.int64)
    patterns = np.zeros((m_padded, n_padded), dtype=np.int64)
    if layer.kind is not LayerKind.MAXPOOL:
        values = _compressed(layer, numbers) if conv else _by_tap(numbers.weights, accel.taps)
        weights[: values.shape[0], : values.shape[1]] = values
    if layer.pattern_ones is not None and numbers.pattern_index is not None:
        patterns[: layer.m, : layer.n] = numbers.pattern_index
    for m in range(plan.tiles_m):
        last_m = m == plan.tiles_m - 1
        groups = plan.groups_last if last_m else plan.groups
        rows = (plan.m_blocks_last if last_m else plan.m_blocks) * block
        first = m * m_width

        def weight_rows(values: np.ndarray, n: int, first: int = first, rows: int = rows) -> np.ndarray:
            """(M, N) values -> this job's weight rows (rows, Tn); channelwise (M, taps) -> (taps, Tn)."""
            if conv:
                return values[first : first + rows, n * accel.tn : (n + 1) * accel.tn]
            by_lane = np.zeros((accel.taps, accel.tn), dtype=np.int64)
            by_lane[:, :rows] = values[first : first + rows].T
            return by_lane

        for n in range(plan.tiles_n):
            for k in range(plan.chunks):
                if n == 0 and k == 0:
                    section = np.zeros(plan.bias_beats * accel.plane_width // 32, dtype="<i4")
                    section[:m_width] = bias[first : first + m_width]
                    beats.append(section.tobytes())
                if layer.pattern_ones is not None:
                    beats.append(_bit_planes(weight_rows(patterns, n), groups, PATTERN_BITS, accel))
                if layer.kind is LayerKind.MAXPOOL:
                    continue
                start = k * plan.entries
                count = plan.entries_last if k == plan.chunks - 1 else plan.entries
                for e in range(start, start + count):
                    beats.append(
                        _bit_planes(weight_rows(weights[:, :, e], n), groups, layer.weight_bits, accel)
                    )
    return b"".join(beats)


def weight_image(net: IntegerNetwork, accel: Accelerator, tiles: dict[str, Tile], memory: MemoryMap) -> bytes:
    """Everything behind ``wgt``, as it lies there: the descriptor table, then each layer's weights."""
    image = bytearray(memory.weight_bytes)
    packed = {
        layer.name: pack_weights(
            layer, plan_layer(layer, accel, tiles[layer.name]), accel, net.numbers[layer.name]
        )
        for layer in net.layers
    }
    kept = zlib.crc32(b"".join(packed[name] for name in memory.weights_on_chip))
    for index, layer in enumerate(net.layers):
        numbers, plan = net.numbers[layer.name], plan_layer(layer, accel, tiles[layer.name])
        own = checksum(np.frombuffer(packed[layer.name], dtype="<u4"))
        addresses = dataclasses.replace(addresses_of(layer, memory), wgt_id=kept, wgt_sum=own)
        values = field_values(layer, plan, accel, numbers, addresses)
        descriptor = encode(values, entry_table(layer, numbers, accel), accel, numbers.lines)
        image[index * accel.descriptor_bytes : (index + 1) * accel.descriptor_bytes] = descriptor
        start = addresses.wgt_addr
        image[start : start + len(packed[layer.name])] = packed[layer.name]
    return striped(bytes(image), accel)


def striped(image: bytes, accel: Accelerator) -> bytes:
    """A weight image as its masters read it: a page of each behind one another.

    A beat of weights is one of each master, the first one's lowest. Bursts cross no page, so that each master
    reads what is its own in bursts as long as if it read everything.
    """
    beats = np.frombuffer(image, np.uint8).reshape(-1, accel.wgt_masters, accel.wgt_bits // 8)
    pages = beats.reshape(-1, ALIGNMENT // beats.shape[2], *beats.shape[1:])
    return pages.transpose(0, 2, 1, 3).tobytes()


def pack_feature_map(values: np.ndarray, fm: FeatureMap, accel: Accelerator) -> bytes:
    """A map's integers (C, H, W) -> bytes in the accelerator's order [block][row][column][channel]."""
    channels, rows, columns = values.shape
    block = map_block(fm, accel)
    blocks = ceil_div(channels, block)
    padded = np.zeros((blocks * block, rows, columns), dtype=f"<i{accel.act_bits // 8}")
    padded[:channels] = values
    return padded.reshape(blocks, block, rows, columns).transpose(0, 2, 3, 1).tobytes()


def unpack_feature_map(data: bytes, fm: FeatureMap, accel: Accelerator) -> np.ndarray:
    """Inverse of :func:`pack_feature_map`: integers (C, H, W) int64."""
    channels, rows, columns = fm.channels, fm.rows, fm.columns
    block = map_block(fm, accel)
    blocks = ceil_div(channels, block)
    values = np.frombuffer(data, dtype=f"<i{accel.act_bits // 8}").reshape(blocks, rows, columns, block)
    return values.transpose(0, 3, 1, 2).reshape(blocks * block, rows, columns)[:channels].astype(np.int64)
