// compute: fills one half of the IFM buffer with the next tile while the array works on the tile in
// the other, and hands finished sums to store_ofm.

#ifndef HOTNAS_COMPUTE_H_
#define HOTNAS_COMPUTE_H_

#include "descriptor.h"
#include "mac.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"
#include "weights.h"

// Where the next word of an incoming tile goes. Words come by slices, channel blocks and rows.
struct Filling {
  int due;  // see word_is_due
  int slice, block;
  int row, column;
  int block_start, row_start;  // addresses in the bank
};

inline int first_address(const Tile& tile, const IfmWindow& window) {
  HLS_VITIS(inline)
  return (window.first_row - tile.first_row) * tile.in_columns + window.first_column -
         tile.first_column;
}

inline Filling filling_start(const Tile& tile, const IfmWindow& window) {
  HLS_VITIS(inline)
  const int first = first_address(tile, window);
  const Filling filling = {0, 0, 0, 0, 0, first, first};
  return filling;
}

// Words are taken evenly over the `cycles` of a tile, `words` in all, so that the array waits for
// none while load_ifm keeps up with it.
inline bool word_is_due(int words, int cycles, Filling& filling) {
  HLS_VITIS(inline)
  const int due = filling.due + words;
  const bool is_due = due >= cycles;
  filling.due = is_due ? due - cycles : due;
  return is_due;
}

inline void fill(const Descriptor& layer, const Tile& tile, const IfmWindow& window,
                 const ActWord& word, int half, Filling& filling, IfmTile even, IfmTile odd) {
  HLS_VITIS(inline)
  const int address = filling.row_start + filling.column;
FILL_PORT:
  for (int port = 0; port < kIfmPorts; ++port) {
    HLS_VITIS(unroll)
  FILL_LANE:
    for (int lane = 0; lane < kChannelBlock; ++lane) {
      HLS_VITIS(unroll)
      if (half == 0) {
        even[port][filling.block][address][lane] = word.lane[lane];
      } else {
        odd[port][filling.block][address][lane] = word.lane[lane];
      }
    }
  }
  if (++filling.column < window.kept) return;
  filling.column = 0;
  filling.row_start += tile.in_columns;
  if (++filling.row < window.rows) return;
  filling.row = 0;
  if (++filling.block == layer.slice_blocks) {
    filling.block = 0;
    filling.block_start += layer.slice_px;
  }
  filling.row_start = filling.block_start;
}

// Works on `tile`, in half `half` of the IFM buffer, for `mac_cycles` cycles from `work` on, while
// the other half takes the `words` words of `incoming`: in a call a half is only read or only
// written.
inline void compute_cycles(const Descriptor& layer, const Tile& incoming, int words,
                           const Tile& tile, int mac_cycles, int half, Work& work,
                           const std::uint32_t entry_table[kMaxEntries], IfmWords& ifm_words,
                           Biases biases, Patterns patterns, Rows rows, IfmTile even, IfmTile odd,
                           Accumulators acc, Sums sums) {
  HLS_VITIS(inline)
  const IfmWindow window = ifm_window(layer, incoming);
  const int cycles = larger(mac_cycles, words);
  Filling filling = filling_start(incoming, window);
  Row row = {};
  HLS_VITIS(array_partition variable = row.weight complete dim = 0)
  HLS_VITIS(array_partition variable = row.pattern complete dim = 0)
  HLS_VITIS(array_partition variable = row.bias complete dim = 0)
COMPUTE_CYCLE:
  for (int cycle = 0; cycle < cycles; ++cycle) {
    HLS_PIPELINE(cycle, kComputeStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripTileCycles)
    // A pixel is summed into at most once in kMinSweep (at least 4) cycles: see Work.
    HLS_VITIS(dependence variable = acc inter RAW distance = 4 true)
    HLS_VITIS(dependence variable = even inter false)
    HLS_VITIS(dependence variable = odd inter false)
    if (word_is_due(words, cycles, filling)) {
      fill(layer, incoming, window, ifm_words.read(), 1 - half, filling, even, odd);
    }
    if (cycle < mac_cycles) {
      if (work.pixel == 0) take_row(layer, work, biases, patterns, rows, row);
      if (works(tile, work)) {
        mac(layer, tile, work, half, entry_table, even, odd, row, acc, sums);
      }
      advance(layer, tile, work);
    }
  }
}

inline int tile_words(const Descriptor& layer, const Tile& tile) {
  HLS_VITIS(inline)
  const IfmWindow window = ifm_window(layer, tile);
  return layer.ifm_blocks * window.rows * window.kept;
}

#if HOTNAS_DATAFLOW
// Step s fills in tile s and works on tile s - 1.
inline void compute(const Descriptor layer, const std::uint32_t entry_table[kMaxEntries],
                    IfmWords& ifm_words, Biases biases, Patterns patterns, Rows rows, Sums sums) {
  HLS_STAGE()
  HOTNAS_LARGE_LOCAL IfmTile even;
  HLS_VITIS(array_partition variable = even complete dim = 1)
  HLS_VITIS(array_partition variable = even complete dim = 2)
  HLS_VITIS(array_reshape variable = even complete dim = 4)
  HOTNAS_LARGE_LOCAL IfmTile odd;
  HLS_VITIS(array_partition variable = odd complete dim = 1)
  HLS_VITIS(array_partition variable = odd complete dim = 2)
  HLS_VITIS(array_reshape variable = odd complete dim = 4)
  HOTNAS_LARGE_LOCAL Accumulators acc;
  HLS_VITIS(array_partition variable = acc complete dim = 1)
  const int tiles = tile_count(layer);
  Tile incoming = first_tile(layer);
  Tile tile = incoming;
COMPUTE_TILE:
  for (int step = 0; step <= tiles; ++step) {
    HLS_VITIS(loop_tripcount min = 2 max = kTripTileSteps)
    const int words = step < tiles ? tile_words(layer, incoming) : 0;
    const int mac_cycles = step > 0 ? tile_cycles(layer, tile) : 0;
    Work work = work_start();
    compute_cycles(layer, incoming, words, tile, mac_cycles, 1 - step % 2, work, entry_table,
                   ifm_words, biases, patterns, rows, even, odd, acc, sums);
    tile = incoming;
    incoming = next_tile(layer, incoming);
  }
}
#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_COMPUTE_H_
