// compute: fills one half of the IFM buffer while the array works on the tile in the other, and
// hands finished sums to store_ofm. plan_compute tells it, piece by piece, how much of which.

#ifndef HOTNAS_COMPUTE_H_
#define HOTNAS_COMPUTE_H_

#include "descriptor.h"
#include "mac.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"
#include "weights.h"

// A piece of work: what is filled in while the array is busy.
struct Piece {
  int cycles;
  int mac_cycles;   // in which the array works, from the first on
  int words;        // that come, evenly over the
  int fill_cycles;  // first cycles: the array reads none before kFillDistance more
  bool works_next;  // the array goes on to the tile that was filled last
  bool fills_next;  // the words begin a tile, this one,
  Tile tile;
  IfmWindow window;
  Count first;  // from this word of a bank on
};
using Pieces = Fifo<Piece, kPieceFifoDepth>;
using CycleCounts = Fifo<std::uint32_t, kDescriptorFifoDepth>;

// A piece of `cycles` cycles, in whose first `fill_cycles` `words` words come.
inline Piece piece_of(const Tile& tile, const IfmWindow& window, int cycles, int mac_cycles,
                      int words, int fill_cycles) {
  HLS_VITIS(inline)
  Piece piece = {};
  piece.cycles = cycles;
  piece.mac_cycles = mac_cycles;
  piece.words = words;
  piece.fill_cycles = fill_cycles;
  piece.tile = tile;
  piece.window = window;
  const IfmAddress above = window.first_row - tile.first_row;
  piece.first =
      above * IfmAddress(tile.in_columns) + IfmAddress(window.first_column - tile.first_column);
  return piece;
}

// A piece in which `words` words come evenly over its cycles, and are there when it ends.
inline Piece even_piece(const Tile& tile, const IfmWindow& window, int words, int mac_cycles) {
  HLS_VITIS(inline)
  const int cycles = larger(words > 0 ? words + kFillDistance : 1, mac_cycles);
  return piece_of(tile, window, cycles, mac_cycles, words, words > 0 ? cycles - kFillDistance : 0);
}

inline int slice_words(const Descriptor& layer, const IfmWindow& window, int slice) {
  HLS_VITIS(inline)
  const Count blocks = slice == layer.slices - 1 ? layer.slice_blocks_last : layer.slice_blocks;
  return blocks * IfmAddress(window.words);
}

inline int tile_words(const Descriptor& layer, const IfmWindow& window) {
  HLS_VITIS(inline)
  return layer.ifm_blocks * IfmAddress(window.words);
}

// How many words of a first slice of `words` come before the array begins, one a cycle, so that it
// meets each kFillDistance cycles after it came. What row r of the output reads is there with row
// r * stride + kernel - padding of the last block; the wait for it is longest in the first row, or
// in the first one that needs the last row of the slice. That is one of the last 1 + `below`.
inline int words_ahead(const Descriptor& layer, const Tile& tile, const IfmWindow& window,
                       int words) {
  HLS_VITIS(inline)
  const int above = window.first_row - tile.first_row;  // rows of padding
  const int below = tile.in_rows - above - window.rows;
  const int kernel_rows = tile.in_rows - IfmAddress(tile.rows - 1) * IfmAddress(layer.stride_rows);
  const int first_rows = smaller(larger(kernel_rows - above, 0), window.rows);
  const IfmAddress rows_behind = window.rows - first_rows;
  const int first = words - rows_behind * IfmAddress(window.kept);
  const Pixel rows_before = larger(tile.rows - 1 - below, 0);
  const int last = words - rows_before * Pixel(tile.columns);
  return smaller(larger(first, last), words) + kFillDistance - 1;
}

// The tile that is worked on and the one that is filled.
struct Plan {
  Tile tile, next;
};

inline int piece_count(const Descriptor& layer) {
  HLS_VITIS(inline)
  return layer.slices + 1 + tile_count(layer);
}

// Piece `index` of a layer. The first tile comes slice by slice. In the first piece the array
// waits, in the second it follows the rest of the first slice, then it works on each slice while
// the next one comes, and on the last one and the rest of the tile while the next tile comes, and
// so on, a tile a piece.
inline Piece next_piece(const Descriptor& layer, int index, Plan& plan) {
  HLS_VITIS(inline)
  const int slices = layer.slices;
  const IfmWindow window = ifm_window(layer, plan.next);
  const IfmWindow worked = ifm_window(layer, plan.tile);
  const std::uint32_t slice_cycles = layer.total_entries * sweep_cycles(plan.tile);
  const int first_slice = slice_words(layer, worked, 0);
  const int wait = words_ahead(layer, plan.tile, worked, first_slice);
  const int ahead = smaller(wait, first_slice);
  const int following = smaller(first_slice - ahead, slice_cycles);
  const bool is_last = index == piece_count(layer) - 1;
  Piece piece;
  if (index == 0) {
    piece = piece_of(plan.next, window, wait, 0, ahead, ahead);
    piece.fills_next = true;
  } else if (index == 1) {
    const int words = first_slice - ahead;
    piece = piece_of(plan.next, window, larger(words, 1), following, words, words);
    piece.works_next = true;
  } else if (index <= slices) {
    piece = even_piece(plan.next, window, slice_words(layer, window, index - 1),
                       slice_cycles - (index == 2 ? following : 0));
  } else {
    const bool follows = index == slices + 1;  // the tile that came slice by slice
    const std::uint32_t worked_slices = layer.tiles_m * layer.tiles_n - (follows ? slices - 1 : 0);
    piece = even_piece(plan.next, window, is_last ? 0 : tile_words(layer, window),
                       worked_slices * slice_cycles - (follows && slices == 1 ? following : 0));
    piece.works_next = !follows;
    piece.fills_next = !is_last;
  }
  if (index > slices) plan.tile = plan.next;
  if (index >= slices) plan.next = next_tile(layer, plan.next);
  return piece;
}

// Where the next word of an incoming tile goes. Words come by slices, channel blocks and rows.
struct Filling {
  int due;  // see word_is_due
  Count block;
  Count row, column;
  IfmAddress block_start, row_start;
};

inline Filling filling_start(const Piece& piece) {
  HLS_VITIS(inline)
  const Filling filling = {0, 0, 0, 0, piece.first, piece.first};
  return filling;
}

// Words are taken evenly over the cycles of a piece, so that the array waits for none while
// load_ifm keeps up with it. One sum decides, and another one is kept where none is due, so that
// they are found side by side.
inline bool word_is_due(const Piece& piece, Filling& filling) {
  HLS_VITIS(inline)
  const int past = filling.due + piece.words - piece.fill_cycles;
  const bool is_due = past >= 0;
  filling.due = is_due ? past : filling.due + piece.words;
  return is_due;
}

inline void fill(const Descriptor& layer, const Tile& tile, const IfmWindow& window,
                 const ActWord& word, int half, Filling& filling, IfmTile even, IfmTile odd) {
  HLS_VITIS(inline)
  const IfmAddress address = filling.row_start + filling.column;
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

// How far compute is in a layer.
struct Progress {
  Tile tile;  // worked on, in half `half` of the IFM buffer
  int half;
  Work work;
  Tile filled;  // the one that was filled last, or is, in half `filled_half`
  IfmWindow window;
  int filled_half;
  Filling filling;
  int entries;  // of the entry table, that came
};

inline Progress progress_start() {
  HLS_VITIS(inline)
  const Piece none = {};
  const Progress at = {none.tile,   0, work_start(none.tile), none.tile,
                       none.window, 1, filling_start(none),   0};
  return at;
}

inline void begin_piece(const Piece& piece, Progress& at) {
  HLS_VITIS(inline)
  if (piece.works_next) {
    at.tile = at.filled;
    at.half = at.filled_half;
    at.work = work_start(at.tile);
  }
  if (piece.fills_next) {
    at.filled = piece.tile;
    at.window = piece.window;
    at.filled_half = 1 - at.filled_half;
    at.filling = filling_start(piece);
  }
}

// The next pieces, of `cycles` cycles in all.
inline void compute_pieces(const Descriptor& layer, std::uint32_t cycles, Pieces& pieces,
                           Progress& at, Entries& entries, Entry entry_table[kMaxEntries],
                           IfmWords& ifm_words, Biases biases, Patterns patterns, Rows rows,
                           IfmTile even, IfmTile odd, Accumulators acc, Sums sums) {
  HLS_VITIS(inline)
  Row row = {};
  HLS_VITIS(array_partition variable = row.weight dim = 0)
  HLS_VITIS(array_partition variable = row.pattern dim = 0)
  HLS_VITIS(array_partition variable = row.bias dim = 0)
  Piece piece = {};
  int done = 0;  // cycles of the piece
COMPUTE_CYCLE:
  for (std::uint32_t cycle = 0; cycle < cycles; ++cycle) {
    HLS_PIPELINE(cycle, kComputeStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTripComputeCycles)
    // A pixel is summed into at most once in kMinSweep (at least 4) cycles: see Work. What is
    // filled in is read kFillDistance (at least 4) cycles later: see Piece. So is an entry: one
    // comes a cycle, from the first on, and each is in use for kMinSweep.
    HLS_VITIS(dependence variable = acc inter RAW distance = 4 true)
    HLS_VITIS(dependence variable = even inter RAW distance = 4 true)
    HLS_VITIS(dependence variable = odd inter RAW distance = 4 true)
    HLS_VITIS(dependence variable = entry_table inter RAW distance = 4 true)
    if (at.entries < layer.total_entries) entry_table[at.entries++] = entries.read();
    if (done == 0) {
      piece = pieces.read();
      begin_piece(piece, at);
    }
    if (done < piece.fill_cycles && word_is_due(piece, at.filling)) {
      fill(layer, at.filled, at.window, ifm_words.read(), at.filled_half, at.filling, even, odd);
    }
    if (done < piece.mac_cycles) {
      if (at.work.pixel == 0) take_row(layer, at.work, biases, patterns, rows, row);
      if (works(at.tile, at.work)) {
        mac(layer, at.tile, at.work, at.half, entry_table, even, odd, row, acc, sums);
      }
      advance(layer, at.tile, at.work);
    }
    if (++done == piece.cycles) done = 0;
  }
}

#if HOTNAS_DATAFLOW

// Cuts the layer's work into pieces, and counts its cycles before it sends the first of them.
inline void plan_compute(Descriptors& layers, Descriptors& planned, CycleCounts& counts,
                         Pieces& pieces) {
  HLS_STAGE()
  const Descriptor layer = layers.read();
  planned.write(layer);
  const int count = tile_count(layer) > 0 ? piece_count(layer) : 0;
  const Plan start = {first_tile(layer), first_tile(layer)};
  Plan plan = start;
  std::uint32_t cycles = 0;
  int index = 0;
PLAN_PIECE:
  for (int step = 0; step < 2 * count; ++step) {
    HLS_PIPELINE(step, kAskStages)
    HLS_VITIS(loop_tripcount min = 4 max = kTripPieces)
    const Piece piece = next_piece(layer, index, plan);
    cycles += piece.cycles;
    if (step == count - 1) counts.write(cycles);
    if (step >= count) pieces.write(piece);
    if (++index < count) continue;
    index = 0;
    plan = start;
  }
}

inline void compute(Descriptors& layers, Entries& entries, CycleCounts& counts, Pieces& pieces,
                    IfmWords& ifm_words, Biases biases, Patterns patterns, Rows rows, Sums sums) {
  HLS_STAGE()
  Entry entry_table[kMaxEntries];
  HOTNAS_LARGE_LOCAL IfmTile even;
  HLS_VITIS(array_partition variable = even dim = 1)
  HLS_VITIS(array_partition variable = even dim = 2)
  HLS_VITIS(array_reshape variable = even dim = 4)
  HOTNAS_LARGE_LOCAL IfmTile odd;
  HLS_VITIS(array_partition variable = odd dim = 1)
  HLS_VITIS(array_partition variable = odd dim = 2)
  HLS_VITIS(array_reshape variable = odd dim = 4)
  HOTNAS_LARGE_LOCAL Accumulators acc;
  HLS_VITIS(array_partition variable = acc dim = 1)
  const Descriptor layer = layers.read();
  if (tile_count(layer) == 0) return;
  Progress at = progress_start();
  compute_pieces(layer, counts.read(), pieces, at, entries, entry_table, ifm_words, biases,
                 patterns, rows, even, odd, acc, sums);
}

#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_COMPUTE_H_
