// load_ifm: every input slice of a tile's footprint, once per tile, from m_axi_ifm or from the maps
// kept on chip, to compute.

#ifndef HOTNAS_LOAD_IFM_H_
#define HOTNAS_LOAD_IFM_H_

#include "descriptor.h"
#include "pragmas.h"
#include "stored.h"
#include "tile.h"
#include "types.h"

// The runs of a tile: of each channel block whole rows of the window, or parts of rows.
struct IfmRuns {
  Count blocks;         // channel blocks
  Count runs;           // of a channel block
  Count beats;          // of a word in DRAM
  std::uint32_t words;  // of a run
  std::uint32_t all;    // words of the tile
};

inline IfmRuns ifm_runs(const Descriptor& layer, const IfmWindow& window) {
  HLS_VITIS(inline)
  IfmRuns found;
  const std::uint32_t block_words = window.rows * window.columns;
  found.words = layer.ifm_merged ? block_words : window.columns;
  found.blocks = layer.ifm_blocks;
  found.beats = layer.ifm_word_beats;
  found.runs = found.words == 0 ? 0 : layer.ifm_merged ? 1 : window.rows;
  found.all = found.blocks * block_words;
  return found;
}

// Where the next run of a tile lies.
struct IfmWalk {
  Count run;  // of the channel block
  std::uint32_t block_address, address;
};

inline IfmWalk ifm_walk_start(const Descriptor& layer, const IfmWindow& window) {
  HLS_VITIS(inline)
  const std::uint32_t map = layer.ifm_on_chip ? layer.ifm_chip : layer.ifm_addr;
  const std::uint32_t first = map + window.first_row * layer.ifm_row_stride +
                              window.first_column * (layer.ifm_word_beats * kIfmBeatBytes);
  const IfmWalk walk = {0, first, first};
  return walk;
}

// In beats, or in words on chip.
inline Run next_ifm_run(const Descriptor& layer, const IfmRuns& of, IfmWalk& walk) {
  HLS_VITIS(inline)
  const Run in_beats = {walk.address / kIfmBeatBytes, of.words * of.beats};
  const Run in_words = {walk.address / kWordBytes, of.words};
  walk.address += layer.ifm_row_stride;
  if (++walk.run == of.runs) {
    walk.run = 0;
    walk.block_address += layer.ifm_block_stride;
    walk.address = walk.block_address;
  }
  return layer.ifm_on_chip ? in_words : in_beats;
}

// A word on its way, and where its next beat belongs.
struct IfmUnpacking {
  ActWord word;
  Count part;    // beat within the word
  Count column;  // pixel within the row
};

// Sends a word on unless it lies outside the footprint.
inline void send_ifm(const IfmWindow& window, const ActWord& word, Count& column, IfmWords& words) {
  HLS_VITIS(inline)
  if (column < window.kept) words.write(word);
  if (++column == window.columns) column = 0;
}

inline void unpack_ifm(const IfmWindow& window, const IfmRuns& of, const IfmBeat& data,
                       IfmUnpacking& at, IfmWords& words) {
  HLS_VITIS(inline)
LOAD_IFM_LANE:
  for (int lane = 0; lane < kChannelBlock; ++lane) {
    HLS_VITIS(unroll)
    if (lane / kIfmLanes == at.part) {
      at.word.lane[lane] = activation(data.word, lane % kIfmLanes);
    } else if (at.part == 0) {
      at.word.lane[lane] = 0;  // a beat that does not come holds no channel
    }
  }
  if (++at.part < of.beats) return;
  at.part = 0;
  send_ifm(window, at.word, at.column, words);
}

#if HOTNAS_BURSTS

inline void ask_ifm(Descriptors& layers, Descriptors& asked, Runs& runs) {
  HLS_STAGE()
  const Descriptor layer = layers.read();
  asked.write(layer);
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
  end_runs(runs, layer.ifm_on_chip ? 0 : kRunsAhead);
}

inline void load_ifm_tile(const IfmWindow& window, const IfmRuns& of, IfmPort ifm, Runs& runs,
                          IfmWords& words) {
  HLS_VITIS(inline)
  IfmUnpacking at = {};
  HLS_VITIS(array_partition variable = at.word.lane dim = 1)
  const std::uint32_t run_beats = of.words * of.beats;
  std::uint32_t left = 0;  // beats of the run
LOAD_IFM_BEAT:
  for (std::uint32_t beat = 0; beat < of.all * of.beats; ++beat) {
    HLS_PIPELINE(beat, kLoadStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripIfmBeats)
    if (left == 0) ask(ifm, runs.read());
    left = (left == 0 ? run_beats : left) - 1;
    unpack_ifm(window, of, take_beat<IfmBeat>(ifm), at, words);
  }
}

// A tile on chip. Of the first, a word is read when those are written that have to be.
inline void load_kept_tile(const IfmWindow& window, const IfmRuns& of, const Kept kept, Runs& runs,
                           Awaiting& awaiting, StoredWords& stored, IfmWords& words) {
  HLS_VITIS(inline)
  Count column = 0;
  std::uint32_t at = 0;
  std::uint32_t left = 0;  // words of the run
LOAD_KEPT_WORD:
  for (std::uint32_t word = 0; word < of.all; ++word) {
    HLS_PIPELINE(word, kLoadStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripIfmWords)
    if (left == 0) at = runs.read().first - 1;
    left = (left == 0 ? of.words : left) - 1;
    at += await_word(awaiting, stored);
    const ActWord data = kept[at];
    send_ifm(window, data, column, words);
  }
}

inline void load_ifm(Descriptors& layers, IfmPort ifm, const Kept kept, Runs& runs,
                     StoredWords& stored, IfmWords& words) {
  HLS_STAGE()
  static Awaiting awaiting = {};
  const Descriptor layer = layers.read();
  await_first(layer, awaiting, stored);
ASK_IFM_AHEAD:
  for (int run = 0; run < (layer.ifm_on_chip ? 0 : kRunsAhead); ++run) {
    HLS_PIPELINE(run, 1)
    HLS_VITIS(loop_tripcount min = 0 max = kRunsAhead)
    ask(ifm, runs.read());
  }
  Tile tile = first_tile(layer);
LOAD_IFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
    const IfmWindow window = ifm_window(layer, tile);
    const IfmRuns of = ifm_runs(layer, window);
    if (layer.ifm_on_chip) {
      load_kept_tile(window, of, kept, runs, awaiting, stored, words);
    } else {
      load_ifm_tile(window, of, ifm, runs, words);
    }
    await_rest(awaiting, stored);
    tile = next_tile(layer, tile);
  }
  await_rest(awaiting, stored);
  awaiting = awaiting_of(layer);
}

#else  // HOTNAS_BURSTS

inline void load_ifm_tile(const Descriptor& layer, const Tile& tile, IfmPort ifm, IfmWords& words) {
  HLS_VITIS(inline)
  const IfmWindow window = ifm_window(layer, tile);
  const IfmRuns of = ifm_runs(layer, window);
  IfmWalk walk = ifm_walk_start(layer, window);
  IfmUnpacking at = {};
  HLS_VITIS(array_partition variable = at.word.lane dim = 1)
LOAD_IFM_RUN:
  for (int run = 0; run < of.blocks * of.runs; ++run) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRuns)
    const Run of_block = next_ifm_run(layer, of, walk);
  LOAD_IFM_BEAT:
    for (std::uint32_t beat = 0; beat < of_block.beats; ++beat) {
      HLS_PIPELINE(beat, kLoadStages)
      HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRun)
      const IfmBeat data = ifm[of_block.first + beat];
      unpack_ifm(window, of, data, at, words);
    }
  }
}

#if HOTNAS_DATAFLOW
inline void load_ifm(Descriptors& layers, IfmPort ifm, StoredWords& stored, IfmWords& words) {
  HLS_STAGE()
  static Awaiting awaiting = {};
  const Descriptor layer = layers.read();
  await_first(layer, awaiting, stored);
  Tile tile = first_tile(layer);
LOAD_IFM_TILE:
  for (int index = 0; index < tile_count(layer); ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
    load_ifm_tile(layer, tile, ifm, words);
    tile = next_tile(layer, tile);
  }
  awaiting = awaiting_of(layer);
}
#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_BURSTS

#endif  // HOTNAS_LOAD_IFM_H_
