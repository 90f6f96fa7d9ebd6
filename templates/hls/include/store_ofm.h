// store_ofm: finished sums, their residual, and their way to m_axi_ofm or to the maps kept on chip.

#ifndef HOTNAS_STORE_OFM_H_
#define HOTNAS_STORE_OFM_H_

#include "descriptor.h"
#include "pragmas.h"
#include "requantise.h"
#include "stored.h"
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

// The runs of an output tile: of each channel block of it whole rows, or, where the tile is as wide
// as the map, all of them.
struct OfmRuns {
  Count blocks;         // channel blocks
  Count runs;           // of a channel block
  std::uint32_t words;  // of a run
  std::uint32_t all;    // words of the tile
  bool residual;        // a run of the residual belongs to each
  bool vector;          // a word of it to each channel block
};

inline OfmRuns ofm_runs(const Descriptor& layer, const Tile& tile, int m) {
  HLS_VITIS(inline)
  OfmRuns found;
  found.blocks = m_blocks(layer, m);
  found.runs = layer.ofm_merged ? 1 : tile.rows;
  found.words = layer.ofm_merged ? tile.pixels : tile.columns;
  found.all = found.blocks * Pixel(tile.pixels);
  found.vector = kProducts && layer.res_vector;
  found.residual = layer.has_residual && !found.vector;
  return found;
}

// Where the next run of an output tile lies, in bytes from the map's first word.
struct OfmWalk {
  Count run;  // of the channel block
  std::uint32_t block_offset, offset;
};

inline OfmWalk ofm_walk_start(const Descriptor& layer, const Tile& tile, int m) {
  HLS_VITIS(inline)
  const Count block = m * layer.m_blocks;
  const std::uint32_t first = block * layer.ofm_block_stride + tile.row * layer.ofm_tile_row_step +
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

// A run from byte address `address` on: in beats, or in words on chip.
inline Run ofm_run(std::uint32_t address, std::uint32_t words, bool on_chip) {
  HLS_VITIS(inline)
  const Run in_beats = {address / kOfmBeatBytes, words * kOfmBeatsPerWord};
  const Run in_words = {address / kWordBytes, words};
  return on_chip ? in_words : in_beats;
}

// The layer has a residual that comes through the port.
inline bool reads_ahead(const Descriptor& layer) {
  return layer.has_residual && !layer.res_on_chip;
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
      const int copy = (part * kOfmLanes + lane) % kLanesAtOnce;
      const Act act = requantise(layer, acc, activation(residual.word, lane), lines[copy]);
      bits |= (static_cast<std::uint32_t>(act) & kActMask) << (i * kActBits);
    }
    data.word[w] = bits;
  }
  return data;
}

#if HOTNAS_BURSTS

// What store_ofm writes, and what it reads of a residual: in beats, or in words on chip.
inline void ask_ofm(Descriptors& layers, Descriptors& asked, Runs& residuals, Runs& outputs) {
  HLS_STAGE()
  const Descriptor layer = layers.read();
  asked.write(layer);
  const std::uint32_t map = layer.ofm_on_chip ? layer.ofm_chip : layer.ofm_addr;
  const std::uint32_t residual = layer.res_on_chip ? layer.res_chip : layer.res_addr;
  Tile tile = first_tile(layer);
ASK_OFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
  ASK_OFM_CHANNELS:
    for (int m = 0; m < layer.tiles_m; ++m) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripOutputTiles)
      const OfmRuns of = ofm_runs(layer, tile, m);
      OfmWalk walk = ofm_walk_start(layer, tile, m);
      std::uint32_t of_block = m * layer.m_blocks * kWordBytes;
    ASK_OFM_RUN:
      for (int run = 0; run < of.blocks * of.runs; ++run) {
        HLS_PIPELINE(run, kAskStages)
        HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRuns)
        const bool begins_block = walk.run == 0;
        const std::uint32_t offset = next_offset(layer, of, walk);
        outputs.write(ofm_run(map + offset, of.words, layer.ofm_on_chip));
        if (of.residual || (of.vector && begins_block)) {
          residuals.write(of.vector ? ofm_run(residual + of_block, 1, layer.res_on_chip)
                                    : ofm_run(residual + offset, of.words, layer.res_on_chip));
        }
        if (walk.run == 0) of_block += kWordBytes;
      }
    }
    tile = next_tile(layer, tile);
  }
  end_runs(residuals, reads_ahead(layer) ? kRunsAhead : 0);
}

// On its way out. A word goes through the port in beats, and a residual comes through it so.
struct Output {
  AccWord sum;
  OfmBeat residual[kOfmBeatsPerWord];
  OfmBeat beat[kOfmBeatsPerWord];
  std::uint32_t residual_at, at;  // on chip
  int unanswered;                 // runs written
};

// Beat `part` of a word, or all of them where it takes one cycle.
inline void finish(const Descriptor& layer, const Lines lines, int part, bool whole,
                   Output& output) {
  HLS_VITIS(inline)
FINISH_PART:
  for (int group = 0; group < kLanesAtOnce / kOfmLanes; ++group) {
    HLS_VITIS(unroll)
    const int at = kLanesAtOnce == kOfmLanes ? part : group;
    if (at == part || whole) {
      output.beat[at] = finished(layer, lines, output.sum, at, output.residual[at]);
    }
  }
}

inline ActWord joined(const OfmBeat beat[kOfmBeatsPerWord]) {
  HLS_VITIS(inline)
  ActWord word;
JOIN_LANE:
  for (int lane = 0; lane < kChannelBlock; ++lane) {
    HLS_VITIS(unroll)
    word.lane[lane] = activation(beat[lane / kOfmLanes].word, lane % kOfmLanes);
  }
  return word;
}

inline void part_word(const ActWord& word, OfmBeat beat[kOfmBeatsPerWord]) {
  HLS_VITIS(inline)
PART_WORD:
  for (int w = 0; w < kWordBytes / 4; ++w) {
    HLS_VITIS(unroll)
    std::uint32_t bits = 0;
  PART_WORD_LANE:
    for (int i = 0; i < 32 / kActBits; ++i) {
      HLS_VITIS(unroll)
      const Act act = word.lane[w * (32 / kActBits) + i];
      bits |= (static_cast<std::uint32_t>(act) & kActMask) << (i * kActBits);
    }
    beat[w / (kOfmBits / 32)].word[w % (kOfmBits / 32)] = bits;
  }
}

// Output tile `m` of a tile: Tm channels of its pixels, one channel block after the other. A
// residual comes word by word with what it belongs to. Words on chip that a residual may read are
// written twice: load_ifm and the residual each have a memory of their own. `tells`: load_ifm hears
// of each.
inline void store_ofm_tile(const Descriptor& layer, const Lines lines, const Tile& tile, int m,
                           bool tells, Sums sums, OfmPort ofm, Kept kept,
                           KeptResiduals kept_residuals, Runs& residuals, Runs& outputs,
                           StoredWords& stored, Output& output) {
  HLS_VITIS(inline)
  const OfmRuns of = ofm_runs(layer, tile, m);
  const bool whole = layer.ofm_on_chip && !reads_ahead(layer);
  const int parts = whole ? 1 : kOfmBeatsPerWord;
  const std::uint32_t beats = whole ? of.all : of.all * kOfmBeatsPerWord;
  Count part = 0, block = 0;
  Pixel pixel = 0;
  std::uint32_t left = 0;  // words of the run
STORE_OFM_BEAT:
  for (std::uint32_t beat = 0; beat < beats; ++beat) {
    HLS_PIPELINE(beat, kStoreStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripOfmBeats)
    // Layers write no word that they read.
    HLS_VITIS(dependence variable = kept_residuals inter false)
    const bool reads = of.residual || (of.vector && pixel == 0);
    if (part == 0) {
      if (left == 0) {
        const Run run = outputs.read();
        output.at = run.first;
        if (!layer.ofm_on_chip) begin_run(ofm, run, output.unanswered);
      }
      if (left == 0 && reads) {
        const Run run = residuals.read();
        output.residual_at = run.first;
        if (!layer.res_on_chip) ask(ofm, run);
      }
      left = (left == 0 ? of.words : left) - 1;
      output.sum = next_sum(block, sums);
      if (reads && layer.res_on_chip) {
        part_word(kept_residuals[output.residual_at++], output.residual);
      }
    }
    if (reads && !layer.res_on_chip) output.residual[part] = take_beat<OfmBeat>(ofm);
    finish(layer, lines, part, whole, output);
    if (!layer.ofm_on_chip) give_beat(ofm, output.beat[part]);
    if (++part < parts) continue;
    part = 0;
    if (layer.ofm_on_chip) {
      const ActWord word = joined(output.beat);
      kept[output.at] = word;
      if (output.at < kKeptResidualWords) kept_residuals[output.at] = word;
      ++output.at;
      const StoredWord message = {1, word.lane[0]};
      if (tells) stored.write(message);
    }
    if (++pixel < tile.pixels) continue;
    pixel = 0;
    ++block;
  }
}

inline void store_ofm(Descriptors& layers, const Lines lines, Runs& residuals, Runs& outputs,
                      Sums sums, OfmPort ofm, Kept kept, StoredWords& stored, LayerEnds& ended) {
  HLS_STAGE()
  static KeptResiduals kept_residuals;
  HLS_AGGREGATE(kept_residuals)
  const Descriptor layer = layers.read();
  Output output = {};
  HLS_VITIS(array_partition variable = output.sum.lane dim = 1)
  HLS_VITIS(array_partition variable = output.residual dim = 1)
  HLS_VITIS(array_partition variable = output.beat dim = 1)
ASK_OFM_AHEAD:
  for (int run = 0; run < (reads_ahead(layer) ? kRunsAhead : 0); ++run) {
    HLS_PIPELINE(run, 1)
    HLS_VITIS(loop_tripcount min = 0 max = kRunsAhead)
    ask(ofm, residuals.read());
  }
  const StoredWord message = {1, 0};
  Tile tile = first_tile(layer);
STORE_OFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
  STORE_OFM_CHANNELS:
    for (int m = 0; m < layer.tiles_m; ++m) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripOutputTiles)
      const bool tells = layer.ofm_on_chip && !layer.last && index == tile_count(layer) - 1 &&
                         m == layer.tiles_m - 1;
      if (tells) stored.write(message);
      store_ofm_tile(layer, lines, tile, m, tells, sums, ofm, kept, kept_residuals, residuals,
                     outputs, stored, output);
    }
    tile = next_tile(layer, tile);
  }
AWAIT_OFM:
  for (int run = 0; run < output.unanswered; ++run) {
    HLS_PIPELINE(run, 1)
    HLS_VITIS(loop_tripcount min = 0 max = kRunsUnanswered)
    ofm.write_response();
  }
  if (!layer.last) stored.write(message);
  ended.write(true);
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
      const std::uint32_t address = layer.res_addr + (m * layer.m_blocks + block) * kWordBytes;
      load_residual_run(ofm, ofm_run(address, 1, false), 0, residual);
    } else if (of.residual) {
    LOAD_RESIDUAL_RUN:
      for (int run = 0; run < of.runs; ++run) {
        HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRows)
        const Run of_map = ofm_run(layer.res_addr + next_offset(layer, of, from), of.words, false);
        load_residual_run(ofm, of_map, run * of_map.beats, residual);
      }
    }
  STORE_OFM_RUN:
    for (int run = 0; run < of.runs; ++run) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRows)
      const Run output = ofm_run(layer.ofm_addr + next_offset(layer, of, to), of.words, false);
      AccWord sum = {};
      HLS_VITIS(array_partition variable = sum.lane dim = 1)
      int part = 0;
    STORE_OFM_BEAT:
      for (std::uint32_t beat = 0; beat < output.beats; ++beat) {
        HLS_PIPELINE(beat, kStoreStages)
        HLS_VITIS(loop_tripcount min = 1 max = kTripOfmRun)
        if (part == 0) sum = next_sum(block, sums);
        const OfmBeat other = residual[of.vector ? part : run * output.beats + beat];
        ofm[output.first + beat] = finished(layer, lines, sum, part, other);
        if (++part == kOfmBeatsPerWord) part = 0;
      }
    }
  }
}

#if HOTNAS_DATAFLOW
inline void store_ofm(Descriptors& layers, const Lines lines, Sums sums, OfmPort ofm,
                      StoredWords& stored, LayerEnds& ended) {
  HLS_STAGE()
  const Descriptor layer = layers.read();
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
  const StoredWord message = {1, 0};
  if (!layer.last) stored.write(message);
  ended.write(true);
}
#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_BURSTS

#endif  // HOTNAS_STORE_OFM_H_
