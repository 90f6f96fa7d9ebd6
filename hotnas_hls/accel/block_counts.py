"""What each block of the accelerator takes, from widths and depths; compiled: a search counts millions.

DSP slices, block RAM, LUT RAM and the data-path registers follow from widths and depths. The logic around
them cannot be derived; its constants were measured with Yosys 0.23 (``synth_xilinx -family xcup``; measure
again by ``hotnas synth DESIGN``).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from hotnas_hls.accel.accelerator import STRIPE_QUEUE
from hotnas_hls.accel.fpga_memories import (
    DEEP_MUX_BANKS,
    LUT_RAM_DEPTH,
    bit_length,
    block_ram,
    deep_mux,
    lut_ram,
)
from hotnas_hls.accel.plan import BIAS_BITS, PATTERN_BITS
from hotnas_hls.base.compiled_code import compiled

# ---------------------------------------------------------------- logic measured with Yosys
# mac_array
WEIGHT_ROW_LUT = 47  # addresses of both slots, bias select
WEIGHT_ROW_FF = 96  # bias: two slots and the one in use
PATTERN_LUT = 3  # write enables of the pattern indices of a row
TREE_SINGLE = 6  # of an adder tree's 2^levels nodes; the others keep their sign bit twice
PAIR_FF_PER_4 = 7  # of four input channels: borrows on their way up, sign bits kept beside them
JOIN_LUT_PER_3_BITS = 8  # two taps of a channel lane: add, compare, select maximum or sum
SRL_STAGES = 3  # least registers in a row that become a shift register in LUT RAM
ACC_LUT_PER_BIT_X16 = 41  # select start value, add, compare, select maximum: 2.6 LUTs a bit
ACC_LUT = 6
ACC_FF = 7  # controls travelling with the term
# compute_ctrl
DSP_LEAST_BITS = 9  # Yosys builds shorter products from LUTs: addresses of a shallow IFM buffer
COMPUTE_LUT = 555
COMPUTE_LUT_PER_PORT = 57  # address, bounds check and mask of one IFM read port
COMPUTE_FF = 294  # loop counters, coordinates, tokens
COMPUTE_DSP = 2  # tile steps by the stride; with wide addresses also the row pitch, and one a read port
# loaders
IFM_LOADER_LUT = 1275
IFM_LOADER_FF = 748
IFM_LOADER_DSP = 2  # tile steps by the stride; with wide addresses also run length and skipped words
IFM_BUFFER_LUT = 7  # write enables of the banks
WGT_LOADER_LUT = 561
WGT_LOADER_FF = 382
# ofm_store: without requantize and the block multiplexer
OFM_STORE_LUT = 1370  # two run walkers, two FIFOs
OFM_STORE_FF = 1032
OFM_BLOCKS_DSP = 2  # bytes of an output tile, where it has several channel blocks
BLOCK_COUNTER_FF = 32  # which channel block is drained, when there are several
REQUANTIZE_LUT_16 = 870  # three barrel shifters over a 48-bit accumulator
REQUANTIZE_LUT_8 = 503  # over 32 bits
# activation_lines: of a channel, without its memory
LINE_LUT = 42  # a line's value, rounded and saturated
LINE_FF = 77  # line, product
LINE_LUT_16, LINE_FF_16 = 34, 101
# product: of a channel, without the factor on its way beside the sums
PRODUCT_LUT, PRODUCT_FF = 45, 41
PRODUCT_LUT_16, PRODUCT_FF_16 = 125, 81
# the rest
SPLITTER_LUT = 129  # burst_splitter: where a run ends, the next address
READ_MASTER_LUT = 51
READ_MASTER_FF = 124
HOLDING_LUT, HOLDING_FF = 23, 24  # striped_reads, of each master, beside its beats and a multiplexer
WRITE_MASTER_LUT = 96  # beside a LUT a bit: what fills up a burst
WRITE_MASTER_FF = 153
CONTROL_LUT = 885
CONTROL_FF = 405
SEQUENCER_LUT = 387
SEQUENCER_FF = 542
FETCH_LUT = 111  # descriptor_fetch, without the checksum
FETCH_FF = 109  # beside two descriptors
LOAD_FIELDS_FF = 530  # fields that load_ifm has a copy of where tiles come ahead
TILE_AHEAD_LUT = 22  # tile_ahead, beside two a bit of an address on chip
TILE_AHEAD_FF = 8  # beside one
CHECK_LUT = 38  # checksum of a descriptor, or of weights, of a narrow port
CHECK_LUT_PER_BIT = 0.6  # of a wide one
TOP_LUT = 229  # m_axi_wgt: sequencer or loader; counters of the ports; the end of a run that is aborted
TOP_FF = 284  # the same, and the checksum of weights
OWNER_BITS = 34  # read_order: whose run, and its beats
READ_ORDER_LUT = 459
READ_ORDER_FF = 174
CHIP_READER_LUT = 135  # counters of a run, two stages that can wait
CHIP_READER_FF = 34  # the same, without addresses and words
CHIP_WRITER_LUT = 103
CHIP_WRITER_FF = 32
CHIP_MUX_LUT = 7  # a stream comes from a port or from memory on chip, beside a LUT a bit
WEIGHT_MEMORY_LUT = 275  # what is loaded, and the loading of the rest
WEIGHT_MEMORY_FF = 98
PROFILE_BITS = 256  # of a layer in the window of cycle counts
FIFO_DEPTH = 16

BLOCKS = (
    "hotnas_accel", "control_regs", "layer_sequencer", "descriptor_fetch", "axi_read_master",
    "axi_write_master", "map_memory", "weight_memory", "entry_table", "ifm_loader", "ifm_buffer",
    "wgt_loader", "compute_ctrl", "weight_row",
    "mac_row", "mac_pair", "fabric_product", "channel_lane", "mac_array", "acc_bank", "ofm_store",
    "requantize", "activation_lines", "product",
)  # fmt: skip


Counts: TypeAlias = tuple[int, int, int, int, int]  # DSP, BRAM18, LUT, FF, LUTs as memory


@compiled
def total(
    tm: int, tn: int, act: int, wgt: int, acc: int, word: int, plane: int, ifm_bits: int, wgt_bits: int,
    ofm_bits: int, ifm_depth: int, ofm_depth: int, entries: int, table_bits: int, patterns: int, taps: int,
    slots: int, shared: int, rows_per_dsp: int, map_words: int, weight_planes: int, header_bits: int,
    ultra: int, lines: int, wgt_masters: int, products: int, fabric_rows: int,
    residual_words: int,
) -> Counts:  # fmt: skip
    dsp, bram, lut, ff, lutram = 0, 0, 0, 0, 0
    for counts in blocks(
        tm, tn, act, wgt, acc, word, plane, ifm_bits, wgt_bits, ofm_bits, ifm_depth, ofm_depth, entries,
        table_bits, patterns, taps, slots, shared, rows_per_dsp, map_words, weight_planes, header_bits,
        ultra, lines, wgt_masters, products, fabric_rows, residual_words,
    ):  # fmt: skip
        dsp += counts[0]
        bram += counts[1]
        lut += counts[2]
        ff += counts[3]
        lutram += counts[4]
    return dsp, bram, lut, ff, lutram


@compiled
def totals(
    tm: int, tn: int, act: int, wgt: int, acc: int, word: int, plane: int, ifm_bits: int, wgt_bits: int,
    ofm_bits: int, ifm_depths: np.ndarray, ofm_depths: np.ndarray, entries: int, table_bits: int,
    patterns: int, taps: int, slots: int, shared: int, rows_per_dsp: int, map_words: int, weight_planes: int,
    header_bits: int, ultra: int, lines: int, wgt_masters: int, products: int, fabric_rows: int,
    residual_words: int,
) -> np.ndarray:  # fmt: skip
    """:func:`total` of every pair of depths, (OFM depths, IFM depths, counts).

    The two buffers are different blocks of the design, so that their resources add up: each depth is counted
    once with the other at its first.
    """
    found = np.empty((len(ofm_depths), len(ifm_depths), 5), dtype=np.int64)
    for o in range(len(ofm_depths)):
        for i in range(len(ifm_depths)):
            if o == 0 or i == 0:
                found[o, i] = total(
                    tm, tn, act, wgt, acc, word, plane, ifm_bits, wgt_bits, ofm_bits, ifm_depths[i],
                    ofm_depths[o], entries, table_bits, patterns, taps, slots, shared, rows_per_dsp,
                    map_words, weight_planes, header_bits, ultra, lines, wgt_masters, products,
                    fabric_rows, residual_words,
                )  # fmt: skip
            else:
                found[o, i] = found[o, 0] + found[0, i] - found[0, 0]
    return found


@compiled
def blocks(
    tm: int, tn: int, act: int, wgt: int, acc: int, word: int, plane: int, ifm_bits: int, wgt_bits: int,
    ofm_bits: int, ifm_depth: int, ofm_depth: int, entries: int, table_bits: int, patterns: int, taps: int,
    slots: int, shared: int, rows_per_dsp: int, map_words: int, weight_planes: int, header_bits: int,
    ultra: int, lines: int, wgt_masters: int, products: int, fabric_rows: int,
    residual_words: int,
) -> tuple[Counts, ...]:  # fmt: skip
    """Counts in the order of BLOCKS."""
    td, block, product = min(tm, tn), word // act, act + wgt
    levels, ifm_addr = bit_length(tn - 1), bit_length(2 * ifm_depth - 1)
    acc_addr = max(1, bit_length(ofm_depth - 1))
    ports = max(patterns, taps)
    pairs, fabric_pairs = (tm // 2, fabric_rows // 2) if rows_per_dsp == 2 else (0, 0)
    requantize_lut = REQUANTIZE_LUT_16 if act == 16 else REQUANTIZE_LUT_8
    return (
        _top(shared, plane, map_words, wgt_bits // wgt_masters, wgt_masters),
        _control_regs(slots),
        (0, 0, SEQUENCER_LUT, SEQUENCER_FF, 0),
        _descriptor_fetch(wgt_bits, header_bits, map_words),
        _read_masters(shared, wgt_masters),
        _write_master(ofm_bits),
        _map_memory(word, ifm_bits, ofm_bits, map_words, residual_words, ultra),
        _weight_memory(plane, wgt_bits, weight_planes, ultra),
        _table(wgt_bits, 32 * -(-ports // 4), table_bits, shared),
        _ifm_loader(word, ifm_addr),
        _rams(ports * (tn // block), word, 2 * ifm_depth, IFM_BUFFER_LUT, 0),
        _wgt_loader(tm, tn, plane, wgt, entries),
        _compute_ctrl(ports, tn * act, ifm_addr, acc_addr, levels),
        _weight_rows(tm, tm // rows_per_dsp, tn, wgt, -(-tn // plane), 2 * entries, patterns),
        _mac_rows(tm - 2 * pairs, fabric_rows - 2 * fabric_pairs, tn, act, product, levels, patterns),
        _mac_pairs(pairs, fabric_pairs, tn, act, wgt, levels, patterns),
        _fabric_products(fabric_rows * tn, act, wgt),
        _channel_lanes(td, product, levels, taps),
        (0, 0, td * (product + levels), 0, 0),
        _acc_banks(tm, acc, ofm_depth, acc_addr),
        _ofm_store(word, block * acc, tm // block, acc_addr),
        (0, 0, block * requantize_lut, block * (3 * (acc + 1) + act), 0),
        _activation_lines(block, act, wgt_bits, lines, shared),
        _products(block, act, products),
    )  # fmt: skip


@compiled
def _top(shared: int, plane: int, map_words: int, wgt_bits: int, wgt_masters: int) -> Counts:
    """wgt_bits: of each master of the weights; where there are several, each holds beats for the others."""
    lut, ff, memory = TOP_LUT + _check(plane), TOP_FF + plane, 0
    if wgt_masters > 1:
        memory = wgt_masters * lut_ram(wgt_bits + 1, STRIPE_QUEUE)
        lut += wgt_masters * (wgt_bits + 1 + HOLDING_LUT) + memory
        ff += wgt_masters * (wgt_bits + 1 + HOLDING_FF)
    if map_words:
        addr = max(1, bit_length(map_words - 1))
        lut, ff = lut + 2 * addr + TILE_AHEAD_LUT, ff + addr + TILE_AHEAD_FF
    if not shared:
        return 0, 0, lut, ff, memory
    owners = lut_ram(OWNER_BITS, 64)
    return 0, 0, lut + READ_ORDER_LUT + owners, ff + READ_ORDER_FF, owners


@compiled
def _check(port: int) -> int:
    """LUTs of the checksum of a stream."""
    return max(CHECK_LUT, int(CHECK_LUT_PER_BIT * port))


@compiled
def _descriptor_fetch(port: int, header_bits: int, map_words: int) -> Counts:
    ff = FETCH_FF + 2 * header_bits + (LOAD_FIELDS_FF if map_words else 0)
    return 0, 0, FETCH_LUT + _check(port), ff, 0


@compiled
def _weight_rows(
    rows: int, patterned: int, tn: int, wgt: int, parts: int, depth: int, patterns: int
) -> Counts:
    memory = parts * lut_ram(tn * wgt // parts, depth)
    lut = memory + deep_mux(tn * wgt, depth) + WEIGHT_ROW_LUT
    ff = tn * wgt + WEIGHT_ROW_FF
    lut, ff = rows * lut, rows * ff
    if patterns > 1:  # two slots and the indices in use, 2 bits a lane each
        lut += patterned * (2 * tn + PATTERN_LUT)
        ff += patterned * 6 * tn
    return 0, 0, lut, ff, rows * memory


@compiled
def _mac_rows(rows: int, fabric: int, tn: int, act: int, product: int, levels: int, patterns: int) -> Counts:
    lut, ff = _tree(tn, product, levels)
    if patterns > 1:
        lut += act * tn  # one of four ports: a LUT6 a bit
    return (rows - fabric) * tn, 0, rows * lut, rows * ff - fabric * tn * product, 0


@compiled
def _tree(tn: int, product: int, levels: int) -> tuple[int, int]:
    """LUTs and flip-flops of Tn products' registers and their adder tree."""
    lut, ff = 0, product * tn
    nodes, width = tn, product
    for _ in range(levels):
        lut += nodes // 2 * width
        nodes, width = (nodes + 1) // 2, width + 1
        ff += nodes * width
    twice = max(0, (1 << levels) - TREE_SINGLE)
    return lut + twice // 2, ff + twice


@compiled
def _mac_pairs(pairs: int, fabric: int, tn: int, act: int, wgt: int, levels: int, patterns: int) -> Counts:
    """Two MAC rows behind one row of multipliers, or two in the fabric, and one choice of the IFM port."""
    lut, ff = _tree(tn, act + wgt, levels)
    lut, ff = 2 * lut, 2 * ff
    if patterns > 1:
        lut += act * tn
    slices, memory = pairs - fabric, _late_borrows(tn, levels)
    joined = wgt * tn + tn // 2 + memory  # the factor of two weights; carries
    if tn == 1 << levels:  # the root gives two borrows back; else a leaf is empty and has none
        joined += act + wgt + levels
    ff = pairs * ff + slices * (PAIR_FF_PER_4 * tn // 4) - 2 * fabric * tn * (act + wgt)
    return slices * tn, 0, pairs * lut + slices * joined, ff, slices * memory


@compiled
def _fabric_products(count: int, act: int, wgt: int) -> Counts:
    """Products in the fabric: a row of one more than an activation's bits for two of a weight's.

    Registers amid the rows, in place of the adder tree's: the sum so far, and the factors of the rest.
    """
    rows = (wgt + 1) // 2
    early = (rows + 1) // 2
    ff = act + wgt if rows == early else 2 * act + wgt + 1
    return 0, 0, count * rows * (act + 1), count * ff, 0


@compiled
def _late_borrows(tn: int, levels: int) -> int:
    """Borrows a pair's adder tree hands on through SRL_STAGES registers or more: an SRL each.

    A borrow starts at the last product below the adder that gives it back: a right input there, unless below
    the root.
    """
    count = 0
    for depth in range(1, levels - SRL_STAGES + 1):
        products = 1 << (levels - depth)
        for node in range(1 << depth):
            if (node % 2 == 0 or depth == 1) and (node + 1) * products <= tn:
                count += 1
    return count


@compiled
def _channel_lanes(lanes: int, product: int, levels: int, taps: int) -> Counts:
    """Products, the heap that joins those of the taps, and the delay that hides it in the adder tree's."""
    nodes, width, joined, held = taps, product, 0, 0
    while nodes > 1:  # a node without a neighbour is handed on
        width, levels = width + 1, levels - 1
        joined += nodes // 2 * width
        nodes = nodes - nodes // 2
        held += nodes * width
    lut, ff, memory = taps * product + JOIN_LUT_PER_3_BITS * joined // 3, taps * product + held, 0
    if levels + 1 >= SRL_STAGES:  # the root and its delay: one SRL a bit
        memory = width
        ff -= width
    else:
        ff += levels * width
    return lanes * taps, 0, lanes * (lut + memory), lanes * ff, lanes * memory


@compiled
def _compute_ctrl(ports: int, lane_bits: int, ifm_addr: int, acc_addr: int, levels: int) -> Counts:
    reads = ports * (lane_bits + ifm_addr + 2)  # masked words, their address, inside or not
    pipeline = (3 + levels) * (acc_addr + 5) + 3 * (6 + levels)  # address and tokens down to the accumulator
    ff = reads + pipeline + 3 * ifm_addr + acc_addr + COMPUTE_FF
    dsp = COMPUTE_DSP + (1 + ports if ifm_addr >= DSP_LEAST_BITS else 0)
    return dsp, 0, COMPUTE_LUT + COMPUTE_LUT_PER_PORT * ports, ff, 0


@compiled
def _map_memory(
    word: int, ifm_bits: int, ofm_bits: int, words: int, residual_words: int, ultra: int
) -> Counts:
    """Words from and to several beats, and the maps on chip: those that residuals read once more."""
    lut, ff = 0, _joiner(word, ifm_bits) + _joiner(word, ofm_bits)
    if ofm_bits < word:
        lut += ofm_bits
        ff += bit_length(word // ofm_bits - 1)
    if words == 0:
        return 0, 0, lut, ff, 0
    lut, ff = lut + CHIP_WRITER_LUT, ff + max(1, bit_length(words - 1)) + CHIP_WRITER_FF
    bram, memory = 0, 0
    for depth in (words, residual_words):
        if depth:
            addr = max(1, bit_length(depth - 1))
            lut += word + CHIP_MUX_LUT + CHIP_READER_LUT
            ff += word + 2 * addr + CHIP_READER_FF
            if not ultra:
                ram = _rams(1, word, depth, 0, 0)
                bram, lut, ff, memory = bram + ram[1], lut + ram[2], ff + ram[3], memory + ram[4]
    return 0, bram, lut, ff, memory


@compiled
def _weight_memory(plane: int, port: int, planes: int, ultra: int) -> Counts:
    """Planes from several beats, and the weights on chip."""
    if planes == 0:
        return 0, 0, 0, _joiner(plane, port), 0
    addr = max(1, bit_length(planes - 1))
    lut = plane + CHIP_MUX_LUT + CHIP_READER_LUT + WEIGHT_MEMORY_LUT
    ff = _joiner(plane, port) + plane + 3 * addr + CHIP_READER_FF + WEIGHT_MEMORY_FF
    return (0, 0, lut, ff, 0) if ultra else _rams(1, plane, planes, lut, ff)


@compiled
def _joiner(word: int, port: int) -> int:
    """Flip-flops that hold the beats before a word's last, and count them."""
    return word - port + bit_length(word // port - 1)


@compiled
def _ifm_loader(word: int, ifm_addr: int) -> Counts:
    fifo = lut_ram(2 + 3 * ifm_addr, 2)
    ff = IFM_LOADER_FF + 5 * ifm_addr + word
    dsp = IFM_LOADER_DSP + (2 if ifm_addr >= DSP_LEAST_BITS else 0)
    return dsp, 0, IFM_LOADER_LUT + fifo, ff, fifo


@compiled
def _wgt_loader(tm: int, tn: int, plane: int, wgt: int, entries: int) -> Counts:
    """A plane, a shift register for each lane; planes of a group and of a job, as wide as a slot needs."""
    groups = -(-tm // max(1, plane // tn)) * -(-tn // plane)
    group = entries * wgt + PATTERN_BITS
    job = -(-tm * BIAS_BITS // plane) + groups * group
    dsp = 1 if bit_length(group) >= DSP_LEAST_BITS else 0
    dsp += 1 if groups > 1 and bit_length(job) >= DSP_LEAST_BITS else 0
    return dsp, 0, plane * wgt + WGT_LOADER_LUT, plane * (wgt + 2) + WGT_LOADER_FF, 0


@compiled
def _acc_banks(tm: int, acc: int, depth: int, addr: int) -> Counts:
    """Sums on their way, and two halves of complete ones: each in LUT RAM, or both in one block RAM."""
    lut, ff = tm * (ACC_LUT_PER_BIT_X16 * acc // 16 + ACC_LUT), tm * (acc + 2 * addr + ACC_FF)
    if depth <= LUT_RAM_DEPTH:
        return _rams(3 * tm, acc, depth, lut + tm * acc, ff + 2 * tm)
    sums, complete = _rams(tm, acc, depth, lut, ff), _rams(tm, acc, 2 << addr, 0, 0)
    return 0, sums[1] + complete[1], sums[2] + complete[2], sums[3] + complete[3], 0


@compiled
def _ofm_store(word: int, drained: int, blocks: int, acc_addr: int) -> Counts:
    fifos = 2 * lut_ram(word, FIFO_DEPTH)
    lut = OFM_STORE_LUT + fifos + _block_mux(blocks) * drained
    ff = OFM_STORE_FF + acc_addr + drained + word
    if blocks > 1:
        ff += BLOCK_COUNTER_FF
    dsp = 1 if acc_addr + 1 >= DSP_LEAST_BITS else 0  # pixels of an output tile
    if blocks > 1:
        dsp += OFM_BLOCKS_DSP + (1 if acc_addr + 1 + bit_length(blocks) >= DSP_LEAST_BITS else 0)  # its words
    return dsp, 0, lut, ff, fifos


@compiled
def _activation_lines(channels: int, act: int, port: int, words: int, shared: int) -> Counts:
    """A copy of the lines for each channel of a word, and the multiplication that finds a place on one."""
    if words == 0:
        return 0, 0, 0, 0, 0
    table = _table(port, 32, 32 * words, shared)
    lut, ff = (LINE_LUT_16, LINE_FF_16) if act == 16 else (LINE_LUT, LINE_FF)
    return channels, 0, channels * (table[2] + lut), channels * ff, channels * table[4]


@compiled
def _products(channels: int, act: int, products: int) -> Counts:
    """A multiplication for each channel of a word; its factor, or a one, comes through a shift register."""
    if products == 0:
        return 0, 0, 0, 0, 0
    lut, ff = (PRODUCT_LUT_16, PRODUCT_FF_16) if act == 16 else (PRODUCT_LUT, PRODUCT_FF)
    return channels, 0, channels * (lut + act), channels * (ff + act), channels * act


@compiled
def _block_mux(blocks: int) -> int:
    """LUTs a bit that pick one of Tm's channel blocks."""
    if blocks <= 2:
        return blocks - 1
    return 8


@compiled
def _table(port: int, entry: int, table_bits: int, shared: int) -> Counts:
    """An entry at a time of what the descriptor brings, of two layers where one comes ahead."""
    select = entry * -(-port // (entry * DEEP_MUX_BANKS)) if port > entry else 0
    rows = 1 << max(1, bit_length(table_bits // port - 1)) + (0 if shared else 1)
    memory = lut_ram(port, rows)
    return 0, 0, memory + select + deep_mux(port, rows), 0, memory


@compiled
def _control_regs(slots: int) -> Counts:
    memory = lut_ram(PROFILE_BITS, slots)
    return 0, 0, CONTROL_LUT + memory + deep_mux(PROFILE_BITS, slots), CONTROL_FF, memory


@compiled
def _read_masters(shared: int, wgt_masters: int) -> Counts:
    masters = 1 if shared else 2 + wgt_masters
    return 0, 0, masters * (READ_MASTER_LUT + SPLITTER_LUT), masters * READ_MASTER_FF, 0


@compiled
def _write_master(port: int) -> Counts:
    fifo = lut_ram(8, 64)
    return 0, 0, WRITE_MASTER_LUT + port + fifo + SPLITTER_LUT, WRITE_MASTER_FF, fifo


@compiled
def _rams(count: int, width: int, depth: int, lut: int, ff: int) -> Counts:
    """``count`` sdp_ram, and the logic around them."""
    if depth <= LUT_RAM_DEPTH:
        memory = count * lut_ram(width, depth)
        return 0, 0, lut + memory, ff + count * width, memory
    halves, banks = block_ram(width, depth)
    if banks > 1:
        lut += count * width * -(-banks // DEEP_MUX_BANKS)
        ff += count * bit_length(banks - 1)
    return 0, count * halves, lut, ff, 0
