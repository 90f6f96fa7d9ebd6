// The MAC array: Tm x Tn multipliers, one pixel of one kernel position per cycle, and the Td lanes
// of the channel-wise layers, which take kTaps positions of a pixel at a time.

#ifndef HOTNAS_MAC_H_
#define HOTNAS_MAC_H_

#include "descriptor.h"
#include "integers.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"
#include "weights.h"

// Accumulators of a tile, in two halves: one is summed into while the other is drained. They are
// arrays of their own, so that a tool sees that a cycle reads and writes each of them once.
using AccHalf = Acc[kTm][kOfmDepth];

// What both halves hold at one pixel each.
using AccRead = Acc[2][kTm];

// The sweep of a job: entries (kernel positions) outside, pixels inside, so that an entry's weights
// serve a whole sweep. Two sums into one pixel are at least kMinSweep cycles apart: tiles of fewer
// pixels idle at the end of each sweep.
struct Sweep {
  int entry;  // within the job
  int pixel, row, column;
};

inline Sweep sweep_start() {
  HLS_VITIS(inline)
  const Sweep sweep = {0, 0, 0, 0};
  return sweep;
}

inline int sweep_cycles(const Tile& tile) {
  HLS_VITIS(inline)
  return larger(tile.rows * tile.columns, kMinSweep);
}

inline void advance(const Tile& tile, Sweep& sweep) {
  HLS_VITIS(inline)
  if (++sweep.pixel == sweep_cycles(tile)) {
    sweep.pixel = sweep.row = sweep.column = 0;
    ++sweep.entry;
  } else if (++sweep.column == tile.columns) {
    sweep.column = 0;
    ++sweep.row;
  }
}

// Reads the input channels of one slice at the pixel that each port's kernel position meets: byte q
// of `entry` has that of pattern q, or of tap q. Dense layers have the same position in all four.
inline void read_ifm(const Descriptor& layer, const Tile& tile, const Sweep& sweep,
                     std::uint32_t entry, int slice, IfmTile ifm_tile, Act x[kIfmPorts][kTn]) {
  HLS_VITIS(inline)
  // Outside the map: 0 adds nothing, the smallest value never wins a maximum.
  const Act outside = layer.reduce_max ? kActLowest : 0;
COMPUTE_PORT:
  for (int port = 0; port < kIfmPorts; ++port) {
    HLS_VITIS(unroll)
    const int row = sweep.row * layer.stride_rows + static_cast<int>(entry >> (8 * port + 4) & 15);
    const int column =
        sweep.column * layer.stride_columns + static_cast<int>(entry >> (8 * port) & 15);
    const int ifm_row = tile.first_row + row;
    const int ifm_column = tile.first_column + column;
    const bool inside =
        ifm_row >= 0 && ifm_row < layer.in_rows && ifm_column >= 0 && ifm_column < layer.in_columns;
    const int address = slice * layer.slice_px + row * tile.in_columns + column;
  COMPUTE_READ:
    for (int n = 0; n < kTn; ++n) {
      HLS_VITIS(unroll)
      const Act held = ifm_tile[port][n / kChannelBlock][address][n % kChannelBlock];
      x[port][n] = inside ? held : outside;
    }
  }
}

// Row m of the array: sum over the Tn channels, each with the pixel of its kernel's pattern.
inline void dot_product(const Weight w[kTn], const std::uint8_t pattern[kTn],
                        const Act x[kIfmPorts][kTn], ap_int<kSumBits>& sum) {
  HLS_VITIS(inline)
  sum = 0;
COMPUTE_COLUMN:
  for (int n = 0; n < kTn; ++n) {
    HLS_VITIS(unroll)
    // Native factors: tools infer the narrow multiplier, and C simulation runs four times as fast.
    const int weight = w[n];
    const int activation = x[kPatterns == 1 ? 0 : pattern[n]][n];
    sum += weight * activation;
  }
}

// Two rows of the array, whose kernels follow the same patterns, with one multiplication for both:
// (high * 2^16 + low) * x is low * x in its lower 16 bits and, above them, high * x less one where
// low * x is negative and borrows. Its factors of 25 and 8 bits fit one DSP48.
inline void packed_dot_products(const Weight low[kTn], const Weight high[kTn],
                                const std::uint8_t pattern[kTn], const Act x[kIfmPorts][kTn],
                                ap_int<kSumBits>& low_sum, ap_int<kSumBits>& high_sum) {
  HLS_VITIS(inline)
  low_sum = 0;
  high_sum = 0;
COMPUTE_COLUMN:
  for (int n = 0; n < kTn; ++n) {
    HLS_VITIS(unroll)
    const int weights = high[n] * (1 << kPackedShift) + low[n];
    const int activation = x[kPatterns == 1 ? 0 : pattern[n]][n];
    const int products = weights * activation;
    const int borrow = products >> (kPackedShift - 1) & 1;
    low_sum += static_cast<std::int16_t>(products);
    high_sum += (products >> kPackedShift) + borrow;
  }
}

// Lane n of a channel-wise layer: the sum over the taps, each with its weight row and its port.
inline void channel_sum(const Weight w[kTm][kTn], const Act x[kIfmPorts][kTn], int n,
                        ap_int<kSumBits>& sum) {
  HLS_VITIS(inline)
  sum = 0;
COMPUTE_TAP:
  for (int tap = 0; tap < kTaps; ++tap) {
    HLS_VITIS(unroll)
    const int weight = w[tap][n];
    const int activation = x[tap][n];
    sum += weight * activation;
  }
}

inline Act channel_maximum(const Act x[kIfmPorts][kTn], int n) {
  HLS_VITIS(inline)
  Act largest = x[0][n];
COMPUTE_TAP:
  for (int tap = 1; tap < kTaps; ++tap) {
    HLS_VITIS(unroll)
    if (x[tap][n] > largest) largest = x[tap][n];
  }
  return largest;
}

// The sums of all rows.
inline void dot_products(const Weight w[kTm][kTn], const std::uint8_t pattern[kTm][kTn],
                         const Act x[kIfmPorts][kTn], ap_int<kSumBits> sums[kTm]) {
  HLS_VITIS(inline)
COMPUTE_ROWS:
  for (int m = 0; m < kTm; m += kRowsPerDsp) {
    HLS_VITIS(unroll)
    if (kDspPacking) {
      const int next = m + kRowsPerDsp - 1;
      packed_dot_products(w[m], w[next], pattern[m], x, sums[m], sums[next]);
    } else {
      dot_product(w[m], pattern[m], x, sums[m]);
    }
  }
}

// The one read of each half in a cycle.
inline void read_halves(const AccHalf even, const AccHalf odd, int even_pixel, int odd_pixel,
                        AccRead held) {
  HLS_VITIS(inline)
READ_HALVES:
  for (int m = 0; m < kTm; ++m) {
    HLS_VITIS(unroll)
    held[0][m] = even[m][even_pixel];
    held[1][m] = odd[m][odd_pixel];
  }
}

// The array works in this cycle: it idles at the end of a short sweep.
inline bool works(const Tile& tile, const Sweep& sweep) {
  return sweep.pixel < tile.rows * tile.columns;
}

// One cycle of the array. `held` is what the accumulators hold at the sweep's pixel.
inline void mac(const Descriptor& layer, const Tile& tile, const Job& job, const Sweep& sweep,
                int slot, const std::uint32_t entry_table[kMaxEntries], IfmTile ifm_tile,
                BiasRows bias, PatternRows patterns, WeightRows weights, const Acc held[kTm],
                AccHalf even, AccHalf odd) {
  HLS_VITIS(inline)
  if (!works(tile, sweep)) return;
  Act x[kIfmPorts][kTn];
  HLS_VITIS(array_partition variable = x complete dim = 0)
  const std::uint32_t entry = entry_table[job.k * layer.entries + sweep.entry];
  const int slice = layer.channelwise ? job.m : job.n;
  read_ifm(layer, tile, sweep, entry, slice, ifm_tile, x);
  // A maximum has no weights, and as many entries as the kernel needs.
  const int row = layer.reduce_max ? 0 : slot * kWgtEntries + sweep.entry;
  const int half = job.m % 2;
  // The row is read once, whichever way it is used.
  Weight weight[kTm][kTn];
  HLS_VITIS(array_partition variable = weight complete dim = 0)
READ_ROW:
  for (int m = 0; m < kTm; ++m) {
    HLS_VITIS(unroll)
  READ_COLUMN:
    for (int n = 0; n < kTn; ++n) {
      HLS_VITIS(unroll)
      weight[m][n] = weights[row][m][n];
    }
  }
  const bool first = starts_sums(job) && sweep.entry == 0;
  ap_int<kSumBits> sums[kTm];
  HLS_VITIS(array_partition variable = sums complete dim = 1)
  if (!layer.channelwise) dot_products(weight, patterns[slot], x, sums);
COMPUTE_ROW:
  for (int m = 0; m < kTm; ++m) {
    HLS_VITIS(unroll)
    const Acc before = first ? bias[half][m] : held[m];
    Acc after = before;
    if (!layer.channelwise) {
      after = before + static_cast<Acc>(sums[m]);
    } else if (m < kTd) {
      const int n = m % kTd;  // m < kTd; spelt so that no index leaves the array
      if (layer.reduce_max) {
        const Act largest = channel_maximum(x, n);
        after = first || largest > before ? largest : before;
      } else {
        ap_int<kSumBits> sum;
        channel_sum(weight, x, n, sum);
        after = before + static_cast<Acc>(sum);
      }
    }
    if (half == 0) {
      even[m][sweep.pixel] = after;
    } else {
      odd[m][sweep.pixel] = after;
    }
  }
}

// Where the draining of a finished half stands: pixels inside, channel blocks outside.
struct Drain {
  int half;
  int block, blocks;
  int pixel;
};

inline Drain nothing_to_drain() {
  HLS_VITIS(inline)
  const Drain drain = {0, 0, 0, 0};
  return drain;
}

inline Drain drain_of(const Descriptor& layer, int m) {
  HLS_VITIS(inline)
  const int blocks = m == layer.tiles_m - 1 ? layer.m_blocks_last : layer.m_blocks;
  const Drain drain = {m % 2, 0, blocks, 0};
  return drain;
}

inline bool drained(const Drain& drain) { return drain.block == drain.blocks; }

// Takes one word out of what the accumulators hold at the drain's pixel and advances.
inline void drain_word(const Tile& tile, const AccRead held, Drain& drain, AccWord& word) {
  HLS_VITIS(inline)
DRAIN_LANE:
  for (int lane = 0; lane < kChannelBlock; ++lane) {
    HLS_VITIS(unroll)
    word.lane[lane] = held[drain.half][drain.block * kChannelBlock + lane];
  }
  if (++drain.pixel == tile.rows * tile.columns) {
    drain.pixel = 0;
    ++drain.block;
  }
}

#endif  // HOTNAS_MAC_H_
