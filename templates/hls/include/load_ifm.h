// load_ifm: every input slice of a tile's footprint, once per tile, from m_axi_ifm to compute.

#ifndef HOTNAS_LOAD_IFM_H_
#define HOTNAS_LOAD_IFM_H_

#include "descriptor.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"

// One burst: `pixels` words of one channel block, whole rows of the window or a part of one.
inline void load_ifm_run(const IfmWindow& window, IfmPort ifm, std::uint32_t first_beat, int pixels,
                         IfmWords& words) {
  HLS_VITIS(inline)
  ActWord word;
  HLS_VITIS(array_partition variable = word.lane complete dim = 1)
  int part = 0;    // beat within the word
  int column = 0;  // pixel within the row
LOAD_IFM_BEAT:
  for (int beat = 0; beat < pixels * kIfmBeatsPerWord; ++beat) {
    HLS_PIPELINE(beat, kLoadStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRun)
    const IfmBeat data = ifm[first_beat + beat];
  LOAD_IFM_LANE:
    for (int lane = 0; lane < kChannelBlock; ++lane) {
      HLS_VITIS(unroll)
      if (lane / kIfmLanes == part) word.lane[lane] = activation(data.word, lane % kIfmLanes);
    }
    if (++part < kIfmBeatsPerWord) continue;
    part = 0;
    if (column < window.kept) words.write(word);
    if (++column == window.columns) column = 0;
  }
}

inline void load_ifm_tile(const Descriptor& layer, const Tile& tile, IfmPort ifm, IfmWords& words) {
  HLS_VITIS(inline)
  const IfmWindow window = ifm_window(layer, tile);
  const int runs = layer.ifm_merged ? 1 : window.rows;
  const int pixels = layer.ifm_merged ? window.rows * window.columns : window.columns;
  std::uint32_t block_address =
      layer.ifm_addr + window.first_row * layer.ifm_row_stride + window.first_column * kWordBytes;
LOAD_IFM_BLOCK:
  for (int block = 0; block < layer.ifm_blocks; ++block) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripIfmBlocks)
    std::uint32_t address = block_address;
  LOAD_IFM_RUN:
    for (int run = 0; run < runs; ++run) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRows)
      load_ifm_run(window, ifm, address / kIfmBeatBytes, pixels, words);
      address += layer.ifm_row_stride;
    }
    block_address += layer.ifm_block_stride;
  }
}

#if HOTNAS_DATAFLOW
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
#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_LOAD_IFM_H_
