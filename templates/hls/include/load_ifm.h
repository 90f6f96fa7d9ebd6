// load_ifm: every input slice of a tile's footprint, once per tile, from m_axi_ifm to compute.

#ifndef HOTNAS_LOAD_IFM_H_
#define HOTNAS_LOAD_IFM_H_

#include "descriptor.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"

// The runs of a tile: of each channel block whole rows of the window, or parts of rows.
struct IfmRuns {
  int blocks;           // channel blocks
  int runs;             // of a channel block
  std::uint32_t beats;  // of a run
};

inline IfmRuns ifm_runs(const Descriptor& layer, const IfmWindow& window) {
  HLS_VITIS(inline)
  const int pixels = layer.ifm_merged ? window.rows * window.columns : window.columns;
  IfmRuns found;
  found.blocks = layer.ifm_blocks;
  found.runs = pixels == 0 ? 0 : layer.ifm_merged ? 1 : window.rows;
  found.beats = pixels * kIfmBeatsPerWord;
  return found;
}

// Where the next run of a tile lies.
struct IfmWalk {
  int run;  // of the channel block
  std::uint32_t block_address, address;
};

inline IfmWalk ifm_walk_start(const Descriptor& layer, const IfmWindow& window) {
  HLS_VITIS(inline)
  const std::uint32_t first =
      layer.ifm_addr + window.first_row * layer.ifm_row_stride + window.first_column * kWordBytes;
  const IfmWalk walk = {0, first, first};
  return walk;
}

inline Run next_ifm_run(const Descriptor& layer, const IfmRuns& of, IfmWalk& walk) {
  HLS_VITIS(inline)
  const Run run = {walk.address / kIfmBeatBytes, of.beats};
  walk.address += layer.ifm_row_stride;
  if (++walk.run == of.runs) {
    walk.run = 0;
    walk.block_address += layer.ifm_block_stride;
    walk.address = walk.block_address;
  }
  return run;
}

// A word on its way, and where its next beat belongs.
struct IfmUnpacking {
  ActWord word;
  int part;    // beat within the word
  int column;  // pixel within the row
};

inline void unpack_ifm(const IfmWindow& window, const IfmBeat& data, IfmUnpacking& at,
                       IfmWords& words) {
  HLS_VITIS(inline)
LOAD_IFM_LANE:
  for (int lane = 0; lane < kChannelBlock; ++lane) {
    HLS_VITIS(unroll)
    if (lane / kIfmLanes == at.part) at.word.lane[lane] = activation(data.word, lane % kIfmLanes);
  }
  if (++at.part < kIfmBeatsPerWord) return;
  at.part = 0;
  if (at.column < window.kept) words.write(at.word);
  if (++at.column == window.columns) at.column = 0;
}

#if HOTNAS_BURSTS

inline void ask_ifm(const Descriptor layer, Runs& runs) {
  HLS_STAGE()
  Tile tile = first_tile(layer);
ASK_IFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
    const IfmWindow window = ifm_window(layer, tile);
    const IfmRuns of = ifm_runs(layer, window);
    IfmWalk walk = ifm_walk_start(layer, window);
  ASK_IFM_RUN:
    for (int run = 0; run < of.blocks * of.runs; ++run) {
      HLS_PIPELINE(run, kAskStages)
      HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRuns)
      runs.write(next_ifm_run(layer, of, walk));
    }
    tile = next_tile(layer, tile);
  }
  end_runs(runs, kRunsAhead);
}

inline void load_ifm(const Descriptor layer, IfmPort ifm, Runs& runs, IfmWords& words) {
  HLS_STAGE()
ASK_IFM_AHEAD:
  for (int run = 0; run < kRunsAhead; ++run) {
    HLS_PIPELINE(run, 1)
    ask(ifm, runs);
  }
  Tile tile = first_tile(layer);
LOAD_IFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
    const IfmWindow window = ifm_window(layer, tile);
    const IfmRuns of = ifm_runs(layer, window);
    IfmUnpacking at = {};
    HLS_VITIS(array_partition variable = at.word.lane complete dim = 1)
    std::uint32_t left = 0;  // beats of the run
  LOAD_IFM_BEAT:
    for (std::uint32_t beat = 0; beat < of.blocks * of.runs * of.beats; ++beat) {
      HLS_PIPELINE(beat, kLoadStages)
      HLS_VITIS(loop_tripcount min = 1 max = kTripIfmBeats)
      if (left == 0) ask(ifm, runs);
      left = (left == 0 ? of.beats : left) - 1;
      unpack_ifm(window, take_beat<IfmBeat>(ifm), at, words);
    }
    tile = next_tile(layer, tile);
  }
}

#else  // HOTNAS_BURSTS

inline void load_ifm_tile(const Descriptor& layer, const Tile& tile, IfmPort ifm, IfmWords& words) {
  HLS_VITIS(inline)
  const IfmWindow window = ifm_window(layer, tile);
  const IfmRuns of = ifm_runs(layer, window);
  IfmWalk walk = ifm_walk_start(layer, window);
  IfmUnpacking at = {};
  HLS_VITIS(array_partition variable = at.word.lane complete dim = 1)
LOAD_IFM_RUN:
  for (int run = 0; run < of.blocks * of.runs; ++run) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRuns)
    const Run of_block = next_ifm_run(layer, of, walk);
  LOAD_IFM_BEAT:
    for (std::uint32_t beat = 0; beat < of_block.beats; ++beat) {
      HLS_PIPELINE(beat, kLoadStages)
      HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRun)
      const IfmBeat data = ifm[of_block.first + beat];
      unpack_ifm(window, data, at, words);
    }
  }
}

inline void load_ifm(const Descriptor layer, IfmPort ifm, IfmWords& words) {
  HLS_STAGE()
  Tile tile = first_tile(layer);
LOAD_IFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
    load_ifm_tile(layer, tile, ifm, words);
    tile = next_tile(layer, tile);
  }
}

#endif  // HOTNAS_BURSTS

#endif  // HOTNAS_LOAD_IFM_H_
