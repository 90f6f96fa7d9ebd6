// load_ifm: every input slice of a tile's footprint, once per tile, from m_axi_ifm to the IFM
// buffer.

#ifndef HOTNAS_LOAD_IFM_H_
#define HOTNAS_LOAD_IFM_H_

#include "descriptor.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"

// The part of the footprint that exists in DRAM. Padding is never loaded: compute recognises it by
// its coordinates.
struct IfmWindow {
  int first_row, rows;
  int first_column, columns;
};

inline IfmWindow ifm_window(const Descriptor& layer, const Tile& tile) {
  HLS_VITIS(inline)
  const int end_row = smaller(tile.first_row + tile.in_rows, layer.in_rows);
  const int end_column = smaller(tile.first_column + tile.in_columns, layer.in_columns);
  IfmWindow window;
  window.first_row = larger(tile.first_row, 0);
  window.rows = larger(end_row - window.first_row, 0);
  // Tiles as wide as the map load whole rows: rows follow each other in DRAM, so that a channel
  // block is one long burst; pixels right of the footprint are dropped on arrival.
  window.first_column = layer.ifm_merged ? 0 : larger(tile.first_column, 0);
  window.columns = layer.ifm_merged ? static_cast<int>(layer.in_columns)
                                    : larger(end_column - window.first_column, 0);
  return window;
}

// One burst: `pixels` words of one channel block, stored from buffer row `row` on.
inline void load_ifm_run(const Descriptor& layer, const Tile& tile, const IfmWindow& window,
                         const IfmBeat* ifm, std::uint32_t first_beat, int pixels, int slice,
                         int bank, int row, IfmTile ifm_tile) {
  HLS_VITIS(inline)
  const int left = window.first_column - tile.first_column;  // buffer column of the first pixel
  const int right = smaller(tile.in_columns - left, window.columns);  // end of what is kept
  const int slice_base = slice * layer.slice_px;
  ActWord word;
  HLS_VITIS(array_partition variable = word.lane complete dim = 1)
  int part = 0;    // beat within the word
  int column = 0;  // pixel within the row
LOAD_IFM_BEAT:
  for (int beat = 0; beat < pixels * kIfmBeatsPerWord; ++beat) {
    HLS_VITIS(pipeline II = 1)
    HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRun)
    // One word is written per kIfmBeatsPerWord cycles, each to an address of its own.
    HLS_VITIS(dependence variable = ifm_tile inter false)
    const IfmBeat data = ifm[first_beat + beat];
  LOAD_IFM_LANE:
    for (int lane = 0; lane < kChannelBlock; ++lane) {
      HLS_VITIS(unroll)
      if (lane / kIfmLanes == part) word.lane[lane] = activation(data.word, lane % kIfmLanes);
    }
    if (++part < kIfmBeatsPerWord) continue;
    part = 0;
    if (column < right) {
      const int address = slice_base + row * tile.in_columns + left + column;
    LOAD_IFM_PORT:
      for (int port = 0; port < kIfmPorts; ++port) {
        HLS_VITIS(unroll)
      LOAD_IFM_WORD:
        for (int lane = 0; lane < kChannelBlock; ++lane) {
          HLS_VITIS(unroll)
          ifm_tile[port][bank][address][lane] = word.lane[lane];
        }
      }
    }
    if (++column == window.columns) {
      column = 0;
      ++row;
    }
  }
}

inline void load_ifm(const Descriptor layer, int tile_index, const IfmBeat* ifm, IfmTile ifm_tile) {
  HLS_VITIS(inline off)
  const Tile tile = tile_at(layer, tile_index);
  const IfmWindow window = ifm_window(layer, tile);
  const int runs = layer.ifm_merged ? 1 : window.rows;
  const int pixels = layer.ifm_merged ? window.rows * window.columns : window.columns;
  const std::uint32_t corner =
      layer.ifm_addr + window.first_row * layer.ifm_row_stride + window.first_column * kWordBytes;
  std::uint32_t block_address = corner;
LOAD_IFM_SLICE:
  for (int slice = 0; slice < layer.slices; ++slice) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripSlices)
    const int blocks = slice == layer.slices - 1 ? layer.slice_blocks_last : layer.slice_blocks;
  LOAD_IFM_BLOCK:
    for (int block = 0; block < blocks; ++block) {
      HLS_VITIS(loop_tripcount min = 1 max = kIfmBanks)
    LOAD_IFM_RUN:
      for (int run = 0; run < runs; ++run) {
        HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRows)
        const std::uint32_t address = block_address + run * layer.ifm_row_stride;
        const int row = window.first_row - tile.first_row + run;
        load_ifm_run(layer, tile, window, ifm, address / kIfmBeatBytes, pixels, slice, block, row,
                     ifm_tile);
      }
      block_address += layer.ifm_block_stride;
    }
  }
}

#endif  // HOTNAS_LOAD_IFM_H_
