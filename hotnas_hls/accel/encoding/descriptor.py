"""The layer descriptor in DRAM: one field list that Python, C++ and SystemVerilog share.

A descriptor is 32 header words (32 bits, little endian), 48 in a design that keeps data on chip. In a design
with activations of lines 64 words of these follow, base in bits 15:0 and rise in bits 31:16; layers without
hand every activation on. Then comes the entry table: one word per entry (two where more than four pixels are
read at a time), byte q holding (kernel row << 4 | kernel column) of the position read through port q. That is
position e of pattern q; dense layers repeat one position in all bytes, channelwise layers have ``taps``
different ones. Descriptors lie ``Accelerator.descriptor_bytes`` apart at the start of the weight image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hotnas_hls.accel.accelerator import DESCRIPTOR_HEADER_WORDS, Accelerator
from hotnas_hls.accel.encoding.seal import SEAL_BITS, SEAL_LSB, sealed
from hotnas_hls.accel.integers.activation import identity_lines, words_of
from hotnas_hls.accel.layer import Layer, LayerKind, LayerNumbers
from hotnas_hls.accel.plan import LayerPlan, entry_count, ifm_word_beats, layer_beats


@dataclass(frozen=True)
class Field:
    """Bits [lsb + width - 1 : lsb] of header word ``word``."""

    name: str
    word: int
    lsb: int
    width: int
    meaning: str
    signed: bool = False


FIELDS = (
    Field("channelwise", 0, 0, 1, "every channel for itself (depthwise, pooling)"),
    Field("reduce_max", 0, 1, 1, "maximum instead of multiply-accumulate"),
    Field("has_residual", 0, 2, 1, "the residual map is added before rounding, or multiplies"),
    Field("pruned", 0, 3, 1, "pattern pruned: a pattern section precedes the weights"),
    Field("ifm_merged", 0, 4, 1, "tiles span whole rows: one run per channel block"),
    Field("ofm_merged", 0, 5, 1, "as ifm_merged, for the OFM and the residual"),
    Field("res_multiplies", 0, 6, 1, "the residual multiplies the activation instead"),
    Field("res_vector", 0, 7, 1, "the residual has one pixel, which all of the OFM take"),
    Field("seal", 0, SEAL_LSB, SEAL_BITS, "gives the descriptor the signature of its design"),
    Field("ifm_addr", 1, 0, 32, "byte offset of the IFM from ifm"),
    Field("ofm_addr", 2, 0, 32, "byte offset of the OFM from ofm"),
    Field("res_addr", 3, 0, 32, "byte offset of the residual map from ofm"),
    Field("wgt_addr", 4, 0, 32, "byte offset of the layer's weights from wgt"),
    Field("tiles_r", 5, 0, 16, "output tiles down"),
    Field("tiles_c", 5, 16, 16, "output tiles across"),
    Field("tiles_m", 6, 0, 16, "output tiles of Tm (channelwise: Td) channels"),
    Field("tiles_n", 6, 16, 16, "input slices summed over (channelwise: 1)"),
    Field("slices", 7, 0, 16, "input slices loaded per tile"),
    Field("chunks", 7, 16, 16, "weight jobs per (m, n)"),
    Field("tr", 8, 0, 16, "output rows per tile"),
    Field("tr_last", 8, 16, 16, "output rows of the last tile"),
    Field("tc", 9, 0, 16, "output columns per tile"),
    Field("tc_last", 9, 16, 16, "output columns of the last tile"),
    Field("th", 10, 0, 16, "footprint rows per tile"),
    Field("th_last", 10, 16, 16, "footprint rows of the last tile"),
    Field("tw", 11, 0, 16, "footprint columns per tile"),
    Field("tw_last", 11, 16, 16, "footprint columns of the last tile"),
    Field("in_rows", 12, 0, 16, "IFM rows that are read"),
    Field("in_columns", 12, 16, 16, "IFM columns"),
    Field("slice_px", 13, 0, 16, "words one slice occupies in an IFM bank"),
    Field("stride_columns", 13, 16, 8, "stride across"),
    Field("weight_bits", 13, 24, 8, "bits per weight"),
    Field("slice_blocks", 14, 0, 16, "channel blocks per input slice"),
    Field("slice_blocks_last", 14, 16, 16, "channel blocks of the last slice"),
    Field("m_blocks", 15, 0, 16, "channel blocks per output tile"),
    Field("m_blocks_last", 15, 16, 16, "channel blocks of the last output tile"),
    Field("entries", 16, 0, 9, "entries per weight job"),
    Field("entries_last", 16, 9, 9, "entries of the last chunk"),
    Field("pad_top", 16, 18, 7, "rows of padding above"),
    Field("pad_left", 16, 25, 7, "columns of padding on the left"),
    Field("groups", 17, 0, 16, "bit-plane groups per entry"),
    Field("groups_last", 17, 16, 16, "bit-plane groups of the last output tile"),
    Field("output_shift", 18, 0, 8, "right shift from accumulator to OFM"),
    Field("residual_shift", 18, 8, 8, "left shift of an addend to sum scale, right of a product"),
    Field("total_entries", 18, 16, 16, "valid rows of the entry table"),
    Field("clamp_low", 19, 0, 16, "smallest OFM value", signed=True),
    Field("clamp_high", 19, 16, 16, "largest OFM value", signed=True),
    Field("wgt_sum", 20, 0, SEAL_BITS, "checksum of the layer's weights, that of the seal"),
    Field("ifm_row_stride", 21, 0, 32, "bytes between IFM rows that are read"),
    Field("ifm_block_stride", 22, 0, 32, "bytes between IFM channel blocks"),
    Field("ifm_tile_row_step", 23, 0, 32, "IFM bytes from a tile to the one below"),
    Field("ifm_tile_column_step", 24, 0, 32, "IFM bytes from a tile to the one at its right"),
    Field("ifm_pad_top_bytes", 25, 0, 32, "pad_top IFM rows in bytes"),
    Field("ifm_pad_left_bytes", 26, 0, 32, "pad_left IFM columns in bytes"),
    Field("ofm_row_stride", 27, 0, 32, "bytes between OFM rows"),
    Field("ofm_block_stride", 28, 0, 32, "bytes between OFM channel blocks"),
    Field("ofm_tile_row_step", 29, 0, 32, "OFM bytes from a tile to the one below"),
    Field("ofm_tile_column_step", 30, 0, 32, "OFM bytes from a tile to the one at its right"),
    Field("ifm_blocks", 31, 0, 16, "channel blocks of the IFM: all slices together"),
    Field("stride_rows", 31, 16, 8, "stride down, in rows that are read"),
    Field("ifm_word_beats", 31, 24, 8, "beats of the IFM port in a word of the IFM in DRAM"),
)
# Of a design that keeps data on chip.
CHIP_FIELDS = (
    Field("ifm_on_chip", 32, 0, 1, "the IFM is read on chip"),
    Field("res_on_chip", 32, 1, 1, "the residual map is read on chip"),
    Field("ofm_on_chip", 32, 2, 1, "the OFM is written on chip"),
    Field("wgt_on_chip", 32, 3, 1, "the weights are kept on chip"),
    Field("ifm_chip", 33, 0, 32, "byte address of the IFM on chip"),
    Field("res_chip", 34, 0, 32, "byte address of the residual map on chip"),
    Field("ofm_chip", 35, 0, 32, "byte address of the OFM on chip"),
    Field("wgt_chip", 36, 0, 32, "byte address of the weights on chip"),
    Field("wgt_planes", 37, 0, 32, "planes of the weights"),
    Field("wgt_id", 38, 0, 32, "CRC-32 of all weights kept on chip: others are loaded anew"),
    Field("ifm_after", 39, 0, 32, "words written before the first tile is read ahead; 0: no"),
)


def fields_of(accel: Accelerator) -> tuple[Field, ...]:
    """The fields of a design's descriptors."""
    return FIELDS + (CHIP_FIELDS if accel.header_words > DESCRIPTOR_HEADER_WORDS else ())


@dataclass(frozen=True)
class Addresses:
    """Byte offsets of a layer's regions in DRAM, of those on chip, and what tells its weights from others.

    ``ifm_after`` says when those on chip may be read.

    See the fields of the same names.
    """

    ifm_addr: int
    ofm_addr: int
    res_addr: int
    wgt_addr: int
    ifm_chip: int = 0
    ofm_chip: int = 0
    res_chip: int = 0
    wgt_chip: int = 0
    wgt_id: int = 0
    wgt_sum: int = 0
    ifm_after: int = 0


def field_values(
    layer: Layer, plan: LayerPlan, accel: Accelerator, numbers: LayerNumbers, addresses: Addresses
) -> dict[str, int]:
    """Value of every descriptor field of a layer; the seal, which :func:`encode` sets, is zero."""
    word_beats, word = ifm_word_beats(layer, accel), accel.word_bytes
    ifm_word = word_beats * accel.ifm_bits // 8
    map_row, out_row = layer.in_columns * ifm_word, layer.out_columns * word
    ofm_row = layer.target_rows * out_row  # to the next that it writes
    ifm_row = layer.row_step * map_row
    (top, left), (first_row, first_column) = layer.padding, layer.first_pixel
    first = first_row * map_row + first_column * ifm_word  # bytes of the map in front of what is read
    derived = {
        "seal": 0,
        "channelwise": layer.kind is not LayerKind.CONV,
        "reduce_max": layer.kind is LayerKind.MAXPOOL,
        "has_residual": layer.residual is not None,
        "res_multiplies": layer.residual_multiplies,
        "res_vector": layer.residual_vector,
        "pruned": layer.pattern_ones is not None,
        "ifm_addr": addresses.ifm_addr + first,
        "ifm_chip": addresses.ifm_chip + first,
        "ofm_addr": addresses.ofm_addr + layer.target_row * out_row,
        "ifm_blocks": (plan.slices - 1) * plan.slice_blocks + plan.slice_blocks_last,
        "in_rows": layer.read_rows,
        "in_columns": layer.read_columns,
        "stride_rows": layer.stride_rows,
        "stride_columns": layer.stride,
        "weight_bits": layer.weight_bits,
        "pad_top": top,
        "pad_left": left,
        "output_shift": numbers.output_shift,
        "residual_shift": numbers.residual_shift,
        "total_entries": entry_count(layer, accel.taps),
        "clamp_low": numbers.clamp_low,
        "clamp_high": numbers.clamp_high,
        "ifm_row_stride": ifm_row,
        "ifm_block_stride": layer.in_rows * map_row,
        "ifm_tile_row_step": plan.tr * layer.stride_rows * ifm_row,
        "ifm_tile_column_step": plan.tc * layer.stride * ifm_word,
        "ifm_pad_top_bytes": top * ifm_row,
        "ifm_pad_left_bytes": left * ifm_word,
        "ifm_word_beats": word_beats,
        "ofm_row_stride": ofm_row,
        "ofm_block_stride": layer.out_rows * ofm_row,
        "ofm_tile_row_step": plan.tr * ofm_row,
        "ofm_tile_column_step": plan.tc * word,
        "ifm_on_chip": layer.ifm_on_chip,
        "res_on_chip": layer.residual_on_chip,
        "ofm_on_chip": layer.ofm_on_chip,
        "wgt_on_chip": layer.weights_on_chip,
        "wgt_planes": layer_beats(plan, layer),
    }
    values = {**vars(plan), **vars(addresses), **derived}
    return {field.name: int(values[field.name]) for field in FIELDS + CHIP_FIELDS}


def entry_table(layer: Layer, numbers: LayerNumbers, accel: Accelerator) -> np.ndarray:
    """Entry table words (entries * entry_words,) uint32: which kernel position each read port meets.

    The last entry of a channelwise layer repeats the last position through ports that have none left: it
    changes no maximum, and its weight is zero.
    """
    places = 4 * accel.entry_words
    if layer.pattern_ones is not None and numbers.patterns is not None:
        ones = [np.argwhere(pattern) for pattern in numbers.patterns]
        positions = [[tuple(ones[q % 4][e]) for q in range(places)] for e in range(layer.positions)]
    else:
        taps = 1 if layer.kind is LayerKind.CONV else accel.taps
        numbered = [[e * taps + q % taps for q in range(places)] for e in range(entry_count(layer, taps))]
        positions = [
            [divmod(min(p, layer.positions - 1), layer.kernel_columns) for p in entry] for entry in numbered
        ]
    return (
        np.array([[row << 4 | column for row, column in entry] for entry in positions], "<u1")
        .view("<u4")
        .ravel()
    )


def field_violations(values: Mapping[str, int]) -> list[str]:
    """Values that do not fit their field of the descriptor, those among ``values`` that have one."""
    found = []
    for field in FIELDS + CHIP_FIELDS:
        value = values.get(field.name, 0)
        low, high = (-(1 << field.width - 1), 1 << field.width - 1) if field.signed else (0, 1 << field.width)
        if not low <= value < high:
            found.append(f"{field.meaning}: {value}; its descriptor has {field.width} bits for it")
    return found


def encode(
    values: dict[str, int], table: np.ndarray, accel: Accelerator, lines: np.ndarray | None = None
) -> bytes:
    """Descriptor bytes, sealed. Raises ValueError when a value does not fit its field.

    table: words of the entry table; lines: of the activation, None for a layer without.
    """
    if misfits := field_violations(values):
        raise ValueError("; ".join(misfits))
    words = np.zeros(accel.descriptor_bytes // 4, dtype=np.uint64)
    for field in fields_of(accel):
        words[field.word] |= np.uint64((values[field.name] & (1 << field.width) - 1) << field.lsb)
    first = accel.header_words
    if accel.activation_lines:
        words[first : first + accel.line_words] = words_of(identity_lines() if lines is None else lines)
        first += accel.line_words
    words[first : first + len(table)] = table
    return sealed(words.astype("<u4"), accel).tobytes()
