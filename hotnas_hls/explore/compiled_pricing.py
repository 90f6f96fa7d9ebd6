"""Prices of layers in tiles, compiled: ``timing.latency`` and its lower bound on tables of numbers.

Every different (layer, base, tile) is priced at most once; a design is left as soon as what is known of it
shows that it cannot be among the results. numba compiles; nothing here knows of classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import BIAS_BITS, MIN_SWEEP, PATTERN_BITS, ceil_div
from hotnas_hls.accel.timing.latency import ALONE, Place, drain_beat, striped_read
from hotnas_hls.accel.timing.pipeline import AHEAD, ARRAY_STAGES, CHIP_READ, JOBS_AHEAD, WGT_ADDRESS
from hotnas_hls.accel.timing.recurrence import recurrence
from hotnas_hls.base.compiled_code import compiled

KINDS = (LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.MAXPOOL)
CANDIDATES_PER_SPLIT, CANDIDATES = 3, 9  # as tile_choice.candidate_tiles
IFM, WGT, OFM, WORD, PLANE = 2, 3, 4, 10, 11  # widths in a row of an accelerator
DRAIN, JOIN = 12, 13  # drain_beat and striped_read in it
RESIDUALS = (None, False, True)  # none, a map, a vector
COUNT = -1  # last in a row: how often such a layer occurs
UNFIT, PRUNED = -1, -2  # in place of cycles: a layer fits no tile; cannot be among the results


def layer_row(layer: Layer, place: Place = ALONE) -> tuple[int, ...]:
    """A layer and its place as numbers, in the order ``layer_cycles`` takes them."""
    then = place.then
    return (
        KINDS.index(layer.kind), layer.n, layer.m, layer.read_rows, layer.read_columns, layer.out_rows,
        layer.out_columns, layer.kernel_rows, layer.kernel_columns, layer.stride,
        *layer.padding, RESIDUALS.index(layer.residual and layer.residual_vector), layer.weight_bits,
        layer.positions,
        layer.pattern_ones is not None, layer.stride_rows,
        place.ahead, then is not None, *((0,) * 5 if then is None else _job_row(then)),
        layer.ifm_on_chip, layer.residual_on_chip, layer.ofm_on_chip, layer.weights_on_chip,
        then is not None and then.weights_on_chip, layer.reads_in_line, layer.writes_in_line,
        layer.ifm_trimmed,
    )  # fmt: skip


def _job_row(layer: Layer) -> tuple[int, ...]:
    """What the weight jobs of a layer depend on, in the order ``_first_job`` takes it."""
    pruned = layer.pattern_ones is not None
    return KINDS.index(layer.kind), layer.m, layer.weight_bits, layer.positions, pruned


def base_row(base: Accelerator) -> tuple[int, ...]:
    """An accelerator as numbers, in the order ``layer_cycles`` takes them."""
    return (
        base.tm, base.tn, base.ifm_bits, base.wgt_stream_bits, base.ofm_bits, base.act_bits, base.wgt_entries,
        base.descriptor_bytes, base.shared_bus, base.taps, base.word_width, base.plane_width,
        drain_beat(base), striped_read(base),
    )  # fmt: skip


def splits(extents: Sequence[int]) -> np.ndarray:
    """Tile sides of every even split of each extent, the largest first; rows filled up with 0."""
    lists = []
    for extent in extents:
        sides = [ceil_div(extent, parts) for parts in range(1, extent + 1)]
        lists.append([s for parts, s in enumerate(sides, 1) if ceil_div(extent, s) == parts])
    table = np.zeros((len(lists), max(map(len, lists))), dtype=np.int64)
    for row, sides in zip(table, lists, strict=True):
        row[: len(sides)] = sides
    return table


@compiled
def _ceil(dividend: int, divisor: int) -> int:
    return (dividend + divisor - 1) // divisor


@compiled
def _groups(rows: int, tn: int, plane_bits: int) -> int:
    """Accelerator.groups"""
    return _ceil(rows, max(1, plane_bits // tn)) * _ceil(tn, plane_bits)


@compiled
def _beats(base: np.ndarray, port: int, width: int, on_chip: int) -> int:
    """Cycles of a word or plane of base[width] bits: one on chip, else its beats on a port of base[port]."""
    return 1 if on_chip else base[width] // base[port]


@compiled
def _ifm_beats(layer: np.ndarray, base: np.ndarray) -> int:
    """Cycles of a word of a layer's input: plan.ifm_word_beats on numbers, or one on chip."""
    beats = _beats(base, IFM, WORD, layer[24])
    return min(beats, _ceil(layer[1] * base[5], base[IFM])) if layer[31] else beats


@compiled
def _latency(memory: int, on_chip: int) -> int:
    """Cycles from an address to what is read there."""
    return CHIP_READ if on_chip else memory


@compiled
def layer_cycles(
    layer: np.ndarray, base: np.ndarray, tr: int, tc: int, read_latency: int, write_latency: int
) -> int:
    """Cycles of a layer in tiles of tr x tc (within it): plan_layer and plan_latency on numbers."""
    kind, n, m, in_rows, in_columns = layer[0], layer[1], layer[2], layer[3], layer[4]
    out_rows, out_columns, kernel_rows, kernel_columns = layer[5], layer[6], layer[7], layer[8]
    stride, pad_top, pad_left, residual = layer[9], layer[10], layer[11], layer[12]
    weight_bits, positions, pruned, stride_rows = layer[13], layer[14], layer[15], layer[16]
    tm, tn, wgt_bits = base[0], base[1], base[WGT]
    wgt_entries, descriptor_bytes, shared_bus, taps, plane_bits = base[6], base[7], base[8], base[9], base[11]
    conv = kind == 0
    block = base[WORD] // base[5]
    tiles_r, tiles_c = _ceil(out_rows, tr), _ceil(out_columns, tc)
    tr_last, tc_last = out_rows - (tiles_r - 1) * tr, out_columns - (tiles_c - 1) * tc
    slice_blocks = (tn if conv else min(tm, tn)) // block
    m_blocks = (tm if conv else min(tm, tn)) // block
    n_total, m_total = _ceil(n, block), _ceil(m, block)
    slices, tiles_m = _ceil(n_total, slice_blocks), _ceil(m_total, m_blocks)
    m_blocks_last = m_total - (tiles_m - 1) * m_blocks
    total_entries = positions if conv else _ceil(positions, taps)
    chunks = 1 if kind == 2 else _ceil(total_entries, wgt_entries)
    entries = _ceil(total_entries, chunks)
    groups = groups_last = 0
    if kind == 0:
        groups, groups_last = _groups(tm, tn, plane_bits), _groups(m_blocks_last * block, tn, plane_bits)
    elif kind == 1:
        groups = groups_last = _groups(taps, tn, plane_bits)
    ahead = layer[17] != 0 and not shared_bus
    wgt_latency = read_latency + base[JOIN]
    fetched, next_job = wgt_latency + descriptor_bytes * 8 // wgt_bits + 1, 0
    if layer[18] and not shared_bus:
        planes = _first_job(layer[19], layer[20], layer[21], layer[22], layer[23], base)
        next_latency = _latency(wgt_latency, layer[28])
        next_job = WGT_ADDRESS + next_latency + planes * _beats(base, WGT, PLANE, layer[28]) - 1
    levels = 0
    while (1 << levels) < tn:
        levels += 1
    tiles_n = slices if conv else 1
    pattern_bits = PATTERN_BITS if pruned else 0
    jobs_ahead = 0 if shared_bus or layer[27] else JOBS_AHEAD
    answered = 0 if layer[26] else write_latency
    tile_ahead = ahead and layer[24] != 0
    whole_rows = tiles_c == 1 and (tc - 1) * stride + kernel_columns - pad_left >= in_columns
    ifm_merged, ofm_merged = layer[29] != 0 and whole_rows, layer[30] != 0 and tiles_c == 1
    nothing = int(np.int64(0))  # a literal would be a type of its own, for which all is compiled again
    return recurrence(
        tiles_r, tiles_c, tiles_m, tiles_n, chunks, not conv,
        tr, tr_last, tc, tc_last,
        (tr - 1) * stride_rows + kernel_rows, (tr_last - 1) * stride_rows + kernel_rows,
        (tc - 1) * stride + kernel_columns, (tc_last - 1) * stride + kernel_columns,
        stride_rows, stride, pad_top, pad_left, in_rows, in_columns,
        slices, slice_blocks, n_total - (slices - 1) * slice_blocks, m_blocks, m_blocks_last,
        entries, total_entries - (chunks - 1) * entries, groups, groups_last,
        _ceil(tm * BIAS_BITS, plane_bits), weight_bits, pattern_bits,
        _beats(base, WGT, PLANE, layer[27]), _latency(wgt_latency, layer[27]),
        jobs_ahead,
        _ifm_beats(layer, base), _beats(base, OFM, WORD, layer[25]),
        _beats(base, OFM, WORD, layer[26]), residual != 0, residual == 2, ARRAY_STAGES + levels, base[DRAIN],
        _latency(read_latency, layer[24]), _latency(read_latency, layer[25]),
        answered, shared_bus != 0,
        ahead, fetched, fetched, next_job, tile_ahead, fetched, nothing, nothing,
        ifm_merged, ofm_merged,
    )[0]  # fmt: skip


@compiled
def _first_job(kind: int, m: int, weight_bits: int, positions: int, pruned: int, base: np.ndarray) -> int:
    """Planes of a layer's first weight job: plan.job_beats on numbers."""
    tm, tn, taps, plane_bits = base[0], base[1], base[9], base[PLANE]
    block = base[WORD] // base[5]
    groups = entries = 0
    if kind == 0:
        groups, entries = _groups(min(tm, _ceil(m, block) * block), tn, plane_bits), positions
    elif kind == 1:
        groups, entries = _groups(taps, tn, plane_bits), _ceil(positions, taps)
    if groups:
        entries = _ceil(entries, _ceil(entries, base[6]))
    pattern_bits = PATTERN_BITS if pruned else 0
    return _ceil(tm * BIAS_BITS, plane_bits) + groups * (pattern_bits + entries * weight_bits)


@compiled
def _read(out: int, tile: int, kernel: int, stride: int, pad: int, extent: int) -> int:
    """Input rows (or columns) loaded for all tiles of one direction, halos included."""
    total = 0
    for start in range(0, out, tile):
        first = start * stride - pad
        last = (min(start + tile, out) - 1) * stride + kernel - pad
        total += max(0, min(last, extent) - max(first, 0))
    return total


@compiled
def floor(
    layer: np.ndarray, base: np.ndarray, tr: int, tc: int, read_latency: int, write_latency: int
) -> int:
    """Cycles below which a layer cannot stay, in closed form: in tiles of tr x tc, or in any (tr = 0).

    Each process in turn is taken to work without a pause; compute begins after its first slice, unless that
    came ahead, and the last output tile is stored behind its last sweep.
    """
    any_tile = tr == 0
    if any_tile:  # one tile reads no halo; a stride beyond the kernel skips most in tiles of one pixel
        tr = layer[5] if layer[16] <= layer[7] else 1
        tc = layer[6] if layer[9] <= layer[8] else 1
    tm, tn, plane_bits = base[0], base[1], base[PLANE]
    out_rows, out_columns, stride, stride_rows = layer[5], layer[6], layer[9], layer[16]
    block = base[WORD] // base[5]
    lanes = tn if layer[0] == 0 else min(tm, tn)
    rows = tm if layer[0] == 0 else min(tm, tn)
    tiles_r, tiles_c = _ceil(out_rows, tr), _ceil(out_columns, tc)
    tiles = 1 if any_tile else tiles_r * tiles_c
    tiles_m, m_total, n_total = _ceil(layer[2], rows), _ceil(layer[2], block), _ceil(layer[1], block)
    tiles_n = _ceil(layer[1], lanes) if layer[0] == 0 else 1
    jobs = tiles_m * tiles_n
    entries = layer[14] if layer[0] == 0 else _ceil(layer[14], base[9])
    steps = jobs * (1 if layer[0] == 2 else _ceil(entries, base[6]))
    beats_in, beats_out = _ifm_beats(layer, base), _beats(base, OFM, WORD, layer[26])
    wgt_beats = _beats(base, WGT, PLANE, layer[27])
    tile_ahead = layer[17] and layer[24] and not base[8]
    first = 0
    compute = jobs * entries * out_rows * out_columns + tiles * steps
    last_blocks = m_total - (tiles_m - 1) * (rows // block)
    if not any_tile:
        first = min(tr * stride_rows - stride_rows + layer[7] - layer[10], layer[3])
        first *= min(tc * stride - stride + layer[8] - layer[11], layer[4])
        first *= beats_in
        last = (out_rows - (tiles_r - 1) * tr) * (out_columns - (tiles_c - 1) * tc)
        if not tile_ahead:
            compute += first * min(lanes // block, n_total) + _latency(read_latency, layer[24])
        compute += max(0, last_blocks * last * beats_out - max(last, MIN_SWEEP))
    loaded = _read(out_rows, tr, layer[7], stride_rows, layer[10], layer[3])
    loaded *= _read(out_columns, tc, layer[8], stride, layer[11], layer[4])
    loaded *= n_total * beats_in
    if tile_ahead:
        loaded -= loaded if any_tile else first * n_total
    groups = 0
    if layer[0] == 0:
        groups = (tiles_m - 1) * _groups(tm, tn, plane_bits) + _groups(last_blocks * block, tn, plane_bits)
    elif layer[0] == 1:
        groups = tiles_m * _groups(base[9], tn, plane_bits)
    weights = tiles * (groups * tiles_n * entries * layer[13] + tiles_m * _ceil(tm * BIAS_BITS, plane_bits))
    weights *= wgt_beats
    stored = m_total * out_rows * out_columns * beats_out
    wgt_latency = read_latency + base[JOIN]
    fetched = wgt_latency + base[7] * 8 // base[WGT] + 1
    before, behind = fetched, 0  # of the first transfer, of the last weights
    if not base[8]:
        if layer[17]:
            before = 0
            weights -= wgt_beats * _first_job(layer[0], layer[2], layer[13], layer[14], layer[15], base)
        if layer[18]:
            behind = AHEAD + fetched + WGT_ADDRESS + _latency(wgt_latency, layer[28])
            planes = _first_job(layer[19], layer[20], layer[21], layer[22], layer[23], base)
            behind += planes * _beats(base, WGT, PLANE, layer[28])
    answered = 0 if layer[26] else write_latency
    return max(max(compute, loaded, weights, stored) + answered, weights + behind) + before + 3


@compiled
def floors_of(layers: np.ndarray, bases: np.ndarray, read_latency: int, write_latency: int) -> np.ndarray:
    """Least cycles of every base and layer, all equal layers together, whatever the tile."""
    floors = np.empty((len(bases), len(layers)), dtype=np.int64)
    for b in range(len(bases)):
        for at in range(len(layers)):
            least = floor(layers[at], bases[b], 0, 0, read_latency, write_latency)
            floors[b, at] = layers[at, COUNT] * least
    return floors


@compiled
def _beaten(
    cycles: int, share: float, front_cycles: np.ndarray, front_shares: np.ndarray, known: int
) -> bool:
    """True when a known design is at least as good in both."""
    for at in range(known):
        if front_cycles[at] <= cycles and front_shares[at] <= share:
            return True
    return False


@compiled
def _best_in(
    layer: np.ndarray, base: np.ndarray, heights: np.ndarray, widths: np.ndarray, ofm_depth: int,
    ifm_depth: int, read_latency: int, write_latency: int, prices: np.ndarray, least: np.ndarray,
) -> tuple[int, int, int]:  # fmt: skip
    """A layer's cycles in its fastest tile that buffers hold, how many tiles they hold, how many were priced.

    prices, least: what is known of every tile (heights, widths), UNFIT where nothing is; filled here.
    """
    block = base[WORD] // base[5]
    lanes = base[1] if layer[0] == 0 else min(base[0], base[1])
    slices = _ceil(_ceil(layer[1], block), lanes // block)
    best = found = priced = 0
    for c in range(len(widths)):
        tc = widths[c]
        if tc == 0 or found >= CANDIDATES:
            break
        columns = (tc - 1) * layer[9] + layer[8]
        fitting = 0
        for r in range(len(heights)):
            tr = heights[r]
            if tr == 0 or fitting == CANDIDATES_PER_SPLIT:
                break
            if tr * tc > ofm_depth:
                continue
            if slices * ((tr - 1) * layer[16] + layer[7]) * columns > ifm_depth:
                continue
            found += 1
            fitting += 1
            if least[r, c] == UNFIT:
                least[r, c] = floor(layer, base, tr, tc, read_latency, write_latency)
            if best and least[r, c] >= best:
                continue
            if prices[r, c] == UNFIT:
                prices[r, c] = layer_cycles(layer, base, tr, tc, read_latency, write_latency)
                priced += 1
            if best == 0 or prices[r, c] < best:
                best = prices[r, c]
    return best, found, priced


@compiled
def by_layer(
    layers: np.ndarray, base: np.ndarray, heights: np.ndarray, widths: np.ndarray, ofm_depths: np.ndarray,
    ifm_depths: np.ndarray, read_latency: int, write_latency: int,
) -> np.ndarray:  # fmt: skip
    """Cycles of each layer in its fastest tile, (layers, ofm, ifm); UNFIT where it fits none."""
    found = np.empty((len(layers), len(ofm_depths), len(ifm_depths)), dtype=np.int64)
    prices = np.empty((heights.shape[1], widths.shape[1]), dtype=np.int64)
    least = np.empty_like(prices)
    for at in range(len(layers)):
        prices[:] = UNFIT
        least[:] = UNFIT
        for o in range(len(ofm_depths)):
            for i in range(len(ifm_depths)):
                best, tiles, _ = _best_in(
                    layers[at], base, heights[at], widths[at], ofm_depths[o], ifm_depths[i], read_latency,
                    write_latency, prices, least,
                )  # fmt: skip
                found[at, o, i] = best if tiles else UNFIT
    return found


@compiled
def price(
    layers: np.ndarray, bases: np.ndarray, order: np.ndarray, floors: np.ndarray, heights: np.ndarray,
    widths: np.ndarray, ofm_depths: np.ndarray, ifm_depths: np.ndarray, read_latency: int,
    write_latency: int, shares: np.ndarray, best_cycles: np.ndarray, limit: int, cycles: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Price designs into ``cycles`` (bases, ofm, ifm), the bases in ``order``, the layers in theirs.

    A design is left (PRUNED) as soon as what is known of it shows that it is neither on the front of cycles
    and ``shares`` nor among the best; UNFIT where a layer fits no tile. best_cycles: one place for each
    different number of cycles wanted, filled here; none: all designs of at most ``limit`` cycles are priced.
    """
    priced = asked = known = 0
    front_cycles, front_shares = np.empty(4096, dtype=np.int64), np.empty(4096)
    prices = np.empty((heights.shape[1], widths.shape[1]), dtype=np.int64)
    least = np.empty_like(prices)
    for b in order:
        base = bases[b]
        whole = floors[b].sum()
        for o in range(len(ofm_depths)):
            for i in range(len(ifm_depths)):
                if cycles[b, o, i] != UNFIT:
                    cycles[b, o, i] = whole
        for at in range(len(layers)):
            layer = layers[at]
            prices[:] = UNFIT
            least[:] = UNFIT
            for o in range(len(ofm_depths)):
                for i in range(len(ifm_depths)):
                    so_far = cycles[b, o, i]
                    if so_far < 0:
                        continue
                    if len(best_cycles) == 0:
                        lost = so_far > limit
                    else:
                        lost = so_far > best_cycles[-1] and _beaten(
                            so_far, shares[b, o, i], front_cycles, front_shares, known
                        )
                    if lost:
                        cycles[b, o, i] = PRUNED
                        continue
                    best, looked, new = _best_in(
                        layer, base, heights[at], widths[at], ofm_depths[o], ifm_depths[i], read_latency,
                        write_latency, prices, least,
                    )  # fmt: skip
                    asked += looked
                    priced += new
                    if looked:
                        cycles[b, o, i] += layer[COUNT] * best - floors[b, at]
                    else:
                        cycles[b, o, i] = UNFIT
        for o in range(len(ofm_depths)):
            for i in range(len(ifm_depths)):
                total, share = cycles[b, o, i], shares[b, o, i]
                if total < 0 or len(best_cycles) == 0:
                    continue
                if total < best_cycles[-1] and not (best_cycles == total).any():
                    best_cycles[-1] = total
                    best_cycles.sort()
                if not _beaten(total, share, front_cycles, front_shares, known):
                    kept = 0
                    for at in range(known):
                        if front_cycles[at] < total or front_shares[at] < share:
                            front_cycles[kept], front_shares[kept] = front_cycles[at], front_shares[at]
                            kept += 1
                    known = kept
                    if known < len(front_cycles):
                        front_cycles[known], front_shares[known] = total, share
                        known += 1
    return np.array([priced, asked])
