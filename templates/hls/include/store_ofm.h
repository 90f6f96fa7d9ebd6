// store_ofm: residual, rounding, shift and clamp of finished sums, products with a residual that
// multiplies, and their way to m_axi_ofm.

#ifndef HOTNAS_STORE_OFM_H_
#define HOTNAS_STORE_OFM_H_

#include "descriptor.h"
#include "integers.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"
#include "weights.h"

// The next finished sums of channel block `block`.
inline AccWord next_sum(int block, Sums sums) {
  HLS_VITIS(inline)
  AccWord word = {};
NEXT_SUM:
  for (int index = 0; index < kOfmBanks; ++index) {
    HLS_VITIS(unroll)
    if (index == block) word = sums[index].read();
  }
  return word;
}

// What the line of its segment makes of an activation, saturated.
inline Act activated(const std::uint32_t lines[kLineRows], Act clamped) {
  HLS_VITIS(inline)
  constexpr int kWithinBits = kActBits - kSegmentBits;  // of a place in a segment
  constexpr int kShift = kLineBits - kSegmentBits;
  const std::uint32_t line = lines[(clamped >> kWithinBits) & (kLineRows - 1)];
  const int base = static_cast<std::int16_t>(line & 0xffff);
  const int rise = static_cast<std::int16_t>(line >> kLineBits);
  const int place = clamped & ((1 << kWithinBits) - 1);
  constexpr int kHighest = (1 << (kActBits - 1)) - 1;
  const int sum = (base * (1 << kWithinBits) + rise * place + (1 << (kShift - 1))) >> kShift;
  return static_cast<Act>(smaller(larger(sum, -kHighest - 1), kHighest));
}

// clamp(round_half_up(act * factor >> shift)).
inline Act multiplied(Act act, Act factor, int shift) {
  HLS_VITIS(inline)
  ap_int<2 * kActBits + 1> product = static_cast<int>(act) * factor;
  if (shift > 0) {
    product += ap_int<2 * kActBits + 1>(1) << (shift - 1);
    product >>= shift;
  }
  constexpr int kHighest = (1 << (kActBits - 1)) - 1;
  return static_cast<Act>(smaller(larger(product.to_int(), -kHighest - 1), kHighest));
}

// clamp(round_half_up((acc + residual << residual_shift) >> output_shift)), and what the lines make
// of that in a design that has some; in one with products the residual may multiply that instead.
inline Act requantise(const Descriptor& layer, Acc acc, Act residual,
                      const std::uint32_t lines[kLineRows]) {
  HLS_VITIS(inline)
  ap_int<kRequantBits> value = acc;
  const bool multiplies = kProducts && layer.res_multiplies;
  if (layer.has_residual && !multiplies) {
    value += ap_int<kRequantBits>(residual) << layer.residual_shift;
  }
  if (layer.output_shift > 0) {
    value += ap_int<kRequantBits>(1) << (layer.output_shift - 1);
    value >>= layer.output_shift;
  }
  if (value < layer.clamp_low) value = layer.clamp_low;
  if (value > layer.clamp_high) value = layer.clamp_high;
  const Act clamped = static_cast<Act>(value);
  const Act act = kLineWords > 0 ? activated(lines, clamped) : clamped;
  return multiplies ? multiplied(act, residual, layer.residual_shift) : act;
}

// One burst of residual words. A block's residual is read in full before its first pixel is
// written, because a burst either reads or writes; the first block's arrives while compute is still
// summing.
inline void load_residual_run(OfmPort ofm, std::uint32_t first_beat, int first_pixel, int pixels,
                              ActWord residual[kOfmDepth]) {
  HLS_VITIS(inline)
  ActWord word;
  HLS_VITIS(array_partition variable = word.lane complete dim = 1)
  int part = 0;
  int pixel = first_pixel;
LOAD_RESIDUAL_BEAT:
  for (int beat = 0; beat < pixels * kOfmBeatsPerWord; ++beat) {
    HLS_PIPELINE(beat, kLoadStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRun)
    const OfmBeat data = ofm[first_beat + beat];
  LOAD_RESIDUAL_LANE:
    for (int lane = 0; lane < kChannelBlock; ++lane) {
      HLS_VITIS(unroll)
      if (lane / kOfmLanes == part) word.lane[lane] = activation(data.word, lane % kOfmLanes);
    }
    if (++part < kOfmBeatsPerWord) continue;
    part = 0;
    residual[pixel++] = word;
  }
}

// One burst of finished words: every word's sums arrive with its first beat.
inline void store_ofm_run(const Descriptor& layer, const Lines lines, int block, Sums sums,
                          const ActWord residual[kOfmDepth], int first_pixel, int pixels,
                          OfmPort ofm, std::uint32_t first_beat) {
  HLS_VITIS(inline)
  ActWord word;
  HLS_VITIS(array_partition variable = word.lane complete dim = 1)
  int part = 0;
  int pixel = first_pixel;
STORE_OFM_BEAT:
  for (int beat = 0; beat < pixels * kOfmBeatsPerWord; ++beat) {
    HLS_PIPELINE(beat, kStoreStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRun)
    if (part == 0) {
      const AccWord sum = next_sum(block, sums);
      const ActWord other = residual[kProducts && layer.res_vector ? 0 : pixel];
      ++pixel;
    STORE_OFM_LANE:
      for (int lane = 0; lane < kChannelBlock; ++lane) {
        HLS_VITIS(unroll)
        word.lane[lane] = requantise(layer, sum.lane[lane], other.lane[lane], lines[lane]);
      }
    }
    OfmBeat data;
  STORE_OFM_PACK:
    for (int w = 0; w < kOfmBits / 32; ++w) {
      HLS_VITIS(unroll)
      std::uint32_t bits = 0;
    STORE_OFM_PACK_LANE:
      for (int i = 0; i < 32 / kActBits; ++i) {
        HLS_VITIS(unroll)
        const int lane = part * kOfmLanes + w * (32 / kActBits) + i;
        bits |= (static_cast<std::uint32_t>(word.lane[lane]) & kActMask) << (i * kActBits);
      }
      data.word[w] = bits;
    }
    ofm[first_beat + beat] = data;
    if (++part == kOfmBeatsPerWord) part = 0;
  }
}

// One channel block of output tile `m`, from the word `block_offset` bytes into the map on.
inline void store_ofm_block(const Descriptor& layer, const Lines lines, const Tile& tile, int m,
                            std::uint32_t block_offset, int block, Sums sums, OfmPort ofm) {
  HLS_VITIS(inline)
  HOTNAS_LARGE_LOCAL ActWord residual[kOfmDepth];
  HLS_AGGREGATE(residual)
  // Tiles as wide as the map store a channel block in one burst, others one row each.
  const int runs = layer.ofm_merged ? 1 : tile.rows;
  const int pixels = layer.ofm_merged ? tile.rows * tile.columns : tile.columns;
  if (kProducts && layer.res_vector) {
    const std::uint32_t offset = layer.res_addr + (m * layer.m_blocks + block) * kWordBytes;
    load_residual_run(ofm, offset / kOfmBeatBytes, 0, 1, residual);
  } else if (layer.has_residual) {
  LOAD_RESIDUAL_RUN:
    for (int run = 0; run < runs; ++run) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRows)
      const std::uint32_t offset = layer.res_addr + block_offset + run * layer.ofm_row_stride;
      load_residual_run(ofm, offset / kOfmBeatBytes, run * pixels, pixels, residual);
    }
  }
STORE_OFM_RUN:
  for (int run = 0; run < runs; ++run) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRows)
    const std::uint32_t offset = layer.ofm_addr + block_offset + run * layer.ofm_row_stride;
    store_ofm_run(layer, lines, block, sums, residual, run * pixels, pixels, ofm,
                  offset / kOfmBeatBytes);
  }
}

// Output tile `m` of a tile: Tm channels of its pixels.
inline void store_ofm_tile(const Descriptor& layer, const Lines lines, const Tile& tile, int m,
                           Sums sums, OfmPort ofm) {
  HLS_VITIS(inline)
  std::uint32_t offset = m * layer.m_blocks * layer.ofm_block_stride +
                         tile.row * layer.ofm_tile_row_step +
                         tile.column * layer.ofm_tile_column_step;
STORE_OFM_BLOCK:
  for (int block = 0; block < m_blocks(layer, m); ++block) {
    HLS_VITIS(loop_tripcount min = 1 max = kOfmBanks)
    store_ofm_block(layer, lines, tile, m, offset, block, sums, ofm);
    offset += layer.ofm_block_stride;
  }
}

#if HOTNAS_DATAFLOW
inline void store_ofm(const Descriptor layer, const Lines lines, Sums sums, OfmPort ofm) {
  HLS_STAGE()
  Tile tile = first_tile(layer);
STORE_OFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
  STORE_OFM_CHANNELS:
    for (int m = 0; m < layer.tiles_m; ++m) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripOutputTiles)
      store_ofm_tile(layer, lines, tile, m, sums, ofm);
    }
    tile = next_tile(layer, tile);
  }
}
#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_STORE_OFM_H_
