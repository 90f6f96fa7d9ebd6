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

// The runs of an output tile: of each channel block of it whole rows, or, where the tile is as wide
// as the map, all of them.
struct OfmRuns {
  int blocks;           // channel blocks
  int runs;             // of a channel block
  std::uint32_t beats;  // of a run
  bool residual;        // a run of the residual belongs to each
  bool vector;          // a word of it to each channel block
};

inline OfmRuns ofm_runs(const Descriptor& layer, const Tile& tile, int m) {
  HLS_VITIS(inline)
  OfmRuns found;
  found.blocks = m_blocks(layer, m);
  found.runs = layer.ofm_merged ? 1 : tile.rows;
  found.beats = (layer.ofm_merged ? tile.rows : 1) * tile.columns * kOfmBeatsPerWord;
  found.vector = kProducts && layer.res_vector;
  found.residual = layer.has_residual && !found.vector;
  return found;
}

// Where the next run of an output tile lies, in bytes from the map's first word.
struct OfmWalk {
  int run;  // of the channel block
  std::uint32_t block_offset, offset;
};

inline OfmWalk ofm_walk_start(const Descriptor& layer, const Tile& tile, int m) {
  HLS_VITIS(inline)
  const std::uint32_t first = m * layer.m_blocks * layer.ofm_block_stride +
                              tile.row * layer.ofm_tile_row_step +
                              tile.column * layer.ofm_tile_column_step;
  const OfmWalk walk = {0, first, first};
  return walk;
}

inline std::uint32_t next_offset(const Descriptor& layer, const OfmRuns& of, OfmWalk& walk) {
  HLS_VITIS(inline)
  const std::uint32_t offset = walk.offset;
  walk.offset += layer.ofm_row_stride;
  if (++walk.run == of.runs) {
    walk.run = 0;
    walk.block_offset += layer.ofm_block_stride;
    walk.offset = walk.block_offset;
  }
  return offset;
}

// The word that a residual vector has for channel block `block` of output tile `m`.
inline Run vector_run(const Descriptor& layer, int m, int block) {
  HLS_VITIS(inline)
  const std::uint32_t address = layer.res_addr + (m * layer.m_blocks + block) * kWordBytes;
  const Run run = {address / kOfmBeatBytes, kOfmBeatsPerWord};
  return run;
}

// Beat `part` of a word whose sums are `sum`.
inline OfmBeat finished(const Descriptor& layer, const Lines lines, const AccWord& sum, int part,
                        const OfmBeat& residual) {
  HLS_VITIS(inline)
  OfmBeat data;
STORE_OFM_PACK:
  for (int w = 0; w < kOfmBits / 32; ++w) {
    HLS_VITIS(unroll)
    std::uint32_t bits = 0;
  STORE_OFM_PACK_LANE:
    for (int i = 0; i < 32 / kActBits; ++i) {
      HLS_VITIS(unroll)
      const int lane = w * (32 / kActBits) + i;
      const Acc acc = sum.lane[part * kOfmLanes + lane];
      const Act act = requantise(layer, acc, activation(residual.word, lane), lines[lane]);
      bits |= (static_cast<std::uint32_t>(act) & kActMask) << (i * kActBits);
    }
    data.word[w] = bits;
  }
  return data;
}

#if HOTNAS_BURSTS

// What store_ofm writes, and what it reads of a residual.
inline void ask_ofm(const Descriptor layer, Runs& residuals, Runs& outputs) {
  HLS_STAGE()
  Tile tile = first_tile(layer);
ASK_OFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
  ASK_OFM_CHANNELS:
    for (int m = 0; m < layer.tiles_m; ++m) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripOutputTiles)
      const OfmRuns of = ofm_runs(layer, tile, m);
      OfmWalk walk = ofm_walk_start(layer, tile, m);
      int block = 0;
    ASK_OFM_RUN:
      for (int run = 0; run < of.blocks * of.runs; ++run) {
        HLS_PIPELINE(run, kAskStages)
        HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRuns)
        const bool begins_block = walk.run == 0;
        const std::uint32_t offset = next_offset(layer, of, walk);
        const Run output = {(layer.ofm_addr + offset) / kOfmBeatBytes, of.beats};
        outputs.write(output);
        const Run of_map = {(layer.res_addr + offset) / kOfmBeatBytes, of.beats};
        const bool reads = of.residual || (of.vector && begins_block);
        if (reads) residuals.write(of.vector ? vector_run(layer, m, block) : of_map);
        if (walk.run == 0) ++block;
      }
    }
    tile = next_tile(layer, tile);
  }
  end_runs(residuals, kRunsAhead);
}

// Output tile `m` of a tile: Tm channels of its pixels, one channel block after the other. A
// residual comes beat by beat with what it belongs to.
inline void store_ofm_tile(const Descriptor& layer, const Lines lines, const Tile& tile, int m,
                           Sums sums, OfmPort ofm, Runs& residuals, Runs& outputs,
                           int& unanswered) {
  HLS_VITIS(inline)
  const OfmRuns of = ofm_runs(layer, tile, m);
  const int pixels = tile.rows * tile.columns;
  AccWord sum = {};
  HLS_VITIS(array_partition variable = sum.lane complete dim = 1)
  OfmBeat residual[kOfmBeatsPerWord] = {};
  HLS_VITIS(array_partition variable = residual complete dim = 1)
  int part = 0, pixel = 0, block = 0;
  std::uint32_t left = 0;  // beats of the run
STORE_OFM_BEAT:
  for (std::uint32_t beat = 0; beat < of.blocks * of.runs * of.beats; ++beat) {
    HLS_PIPELINE(beat, kStoreStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripOfmBeats)
    const bool reads = of.residual || (of.vector && pixel == 0);
    if (left == 0) {
      begin_run(ofm, outputs, unanswered);
      if (reads) ask(ofm, residuals);
    }
    left = (left == 0 ? of.beats : left) - 1;
    if (part == 0) sum = next_sum(block, sums);
    if (reads) residual[part] = take_beat<OfmBeat>(ofm);
    give_beat(ofm, finished(layer, lines, sum, part, residual[part]));
    if (++part < kOfmBeatsPerWord) continue;
    part = 0;
    if (++pixel < pixels) continue;
    pixel = 0;
    ++block;
  }
}

inline void store_ofm(const Descriptor layer, const Lines lines, Runs& residuals, Runs& outputs,
                      Sums sums, OfmPort ofm) {
  HLS_STAGE()
ASK_OFM_AHEAD:
  for (int run = 0; run < kRunsAhead; ++run) {
    HLS_PIPELINE(run, 1)
    ask(ofm, residuals);
  }
  int unanswered = 0;
  Tile tile = first_tile(layer);
STORE_OFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
  STORE_OFM_CHANNELS:
    for (int m = 0; m < layer.tiles_m; ++m) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripOutputTiles)
      store_ofm_tile(layer, lines, tile, m, sums, ofm, residuals, outputs, unanswered);
    }
    tile = next_tile(layer, tile);
  }
AWAIT_OFM:
  for (int run = 0; run < unanswered; ++run) {
    HLS_PIPELINE(run, 1)
    HLS_VITIS(loop_tripcount min = 1 max = kRunsUnanswered)
    ofm.write_response();
  }
}

#else  // HOTNAS_BURSTS

// One run of a residual. A block's residual is read in full before its first pixel is written,
// because a burst either reads or writes; the first block's arrives while compute is still summing.
inline void load_residual_run(OfmPort ofm, const Run& run, std::uint32_t at,
                              OfmBeat residual[kOfmDepth * kOfmBeatsPerWord]) {
  HLS_VITIS(inline)
LOAD_RESIDUAL_BEAT:
  for (std::uint32_t beat = 0; beat < run.beats; ++beat) {
    HLS_PIPELINE(beat, kLoadStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRun)
    const OfmBeat data = ofm[run.first + beat];
    residual[at + beat] = data;
  }
}

// Output tile `m` of a tile: Tm channels of its pixels.
inline void store_ofm_tile(const Descriptor& layer, const Lines lines, const Tile& tile, int m,
                           Sums sums, OfmPort ofm) {
  HLS_VITIS(inline)
  HOTNAS_LARGE_LOCAL OfmBeat residual[kOfmDepth * kOfmBeatsPerWord];
  HLS_AGGREGATE(residual)
  const OfmRuns of = ofm_runs(layer, tile, m);
  OfmWalk to = ofm_walk_start(layer, tile, m);
  OfmWalk from = to;
STORE_OFM_BLOCK:
  for (int block = 0; block < of.blocks; ++block) {
    HLS_VITIS(loop_tripcount min = 1 max = kOfmBanks)
    if (of.vector) {
      load_residual_run(ofm, vector_run(layer, m, block), 0, residual);
    } else if (of.residual) {
    LOAD_RESIDUAL_RUN:
      for (int run = 0; run < of.runs; ++run) {
        HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRows)
        const std::uint32_t address = layer.res_addr + next_offset(layer, of, from);
        const Run of_map = {address / kOfmBeatBytes, of.beats};
        load_residual_run(ofm, of_map, run * of.beats, residual);
      }
    }
  STORE_OFM_RUN:
    for (int run = 0; run < of.runs; ++run) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRows)
      const std::uint32_t first = (layer.ofm_addr + next_offset(layer, of, to)) / kOfmBeatBytes;
      AccWord sum = {};
      HLS_VITIS(array_partition variable = sum.lane complete dim = 1)
      int part = 0;
    STORE_OFM_BEAT:
      for (std::uint32_t beat = 0; beat < of.beats; ++beat) {
        HLS_PIPELINE(beat, kStoreStages)
        HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRun)
        if (part == 0) sum = next_sum(block, sums);
        const OfmBeat other = residual[of.vector ? part : run * of.beats + beat];
        ofm[first + beat] = finished(layer, lines, sum, part, other);
        if (++part == kOfmBeatsPerWord) part = 0;
      }
    }
  }
}

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

#endif  // HOTNAS_BURSTS

#endif  // HOTNAS_STORE_OFM_H_
