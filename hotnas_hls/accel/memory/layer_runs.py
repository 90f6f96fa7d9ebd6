"""What the processes of a layer offer their masters: runs of an input tile, a weight job, an output tile."""

from __future__ import annotations

from typing import Any

from hotnas_hls.accel.encoding.descriptor import CHIP_FIELDS, FIELDS
from hotnas_hls.accel.memory.dram import record_of
from hotnas_hls.accel.memory.masters import offer
from hotnas_hls.accel.plan import PATTERN_BITS
from hotnas_hls.base.compiled_code import compiled

LAYER = record_of(
    *(field.name for field in FIELDS + CHIP_FIELDS),
    *("bias_beats", "descriptor", "fetch_beats", "to_store", "drain_beat", "fill_beats"),
    *("ifm_beats", "residual_beats", "ofm_beats", "plane_beats"),
    *("weights_base", "shared", "word_bytes", "residual_room", "begins"),
)


@compiled
def offer_tile(cfg: Any, box: Any, tile: int) -> int:
    """Offer the part of a tile's footprint inside the map; the beats of one channel block."""
    r, c = tile // cfg.tiles_c, tile % cfg.tiles_c
    top = r * cfg.tr * cfg.stride_rows - cfg.pad_top
    left = c * cfg.tc * cfg.stride_columns - cfg.pad_left
    bottom = min(top + (cfg.th_last if r == cfg.tiles_r - 1 else cfg.th), cfg.in_rows)
    right = min(left + (cfg.tw_last if c == cfg.tiles_c - 1 else cfg.tw), cfg.in_columns)
    address = cfg.ifm_addr
    address += max(r * cfg.ifm_tile_row_step - cfg.ifm_pad_top_bytes, 0)
    address += max(c * cfg.ifm_tile_column_step - cfg.ifm_pad_left_bytes, 0)
    runs, beats = bottom - max(top, 0), (right - max(left, 0)) * cfg.ifm_beats
    if cfg.ifm_merged:
        runs, beats = 1, runs * beats
    offer(box, address, cfg.ifm_blocks, cfg.ifm_block_stride, runs, cfg.ifm_row_stride, beats)
    return runs * beats


@compiled
def job_beats(cfg: Any, job: int) -> int:
    """Beats of a weight job, counted from its tile's first."""
    m, k = job // (cfg.tiles_n * cfg.chunks), job % cfg.chunks
    planes = (cfg.entries_last if k == cfg.chunks - 1 else cfg.entries) * cfg.weight_bits
    if cfg.pruned:
        planes += PATTERN_BITS
    beats = (cfg.groups_last if m == cfg.tiles_m - 1 else cfg.groups) * planes
    beats += cfg.bias_beats if job % (cfg.tiles_n * cfg.chunks) == 0 else 0
    return beats * cfg.plane_beats


@compiled
def pixels(cfg: Any, tile: int) -> int:
    """Output pixels of a tile."""
    rows = cfg.tr_last if tile // cfg.tiles_c == cfg.tiles_r - 1 else cfg.tr
    return rows * (cfg.tc_last if (tile + 1) % cfg.tiles_c == 0 else cfg.tc)


@compiled
def offer_output(cfg: Any, box: Any, residual: Any, output: int) -> int:
    """Offer an output tile to write, and its residual to read; its words."""
    tile, m = output // cfg.tiles_m, output % cfg.tiles_m
    r, c = tile // cfg.tiles_c, tile % cfg.tiles_c
    runs = cfg.tr_last if r == cfg.tiles_r - 1 else cfg.tr
    words = cfg.tc_last if c == cfg.tiles_c - 1 else cfg.tc
    blocks = cfg.m_blocks_last if m == cfg.tiles_m - 1 else cfg.m_blocks
    offset = r * cfg.ofm_tile_row_step + c * cfg.ofm_tile_column_step
    offset += m * cfg.m_blocks * cfg.ofm_block_stride
    if cfg.ofm_merged:
        runs, words = 1, runs * words
    strides = (cfg.ofm_block_stride, cfg.ofm_row_stride)
    if not cfg.ofm_on_chip:
        offer(box, cfg.ofm_addr + offset, blocks, strides[0], runs, strides[1], words * cfg.ofm_beats)
    if cfg.res_vector:
        address = cfg.res_addr + m * cfg.m_blocks * cfg.word_bytes
        offer(residual, address, 1, 0, 1, 0, blocks * cfg.residual_beats)
    elif cfg.has_residual:
        beats = words * cfg.residual_beats
        offer(residual, cfg.res_addr + offset, blocks, strides[0], runs, strides[1], beats)
    return pixels(cfg, tile) * blocks
