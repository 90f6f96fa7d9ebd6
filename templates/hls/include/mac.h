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

// Where the array stands in the jobs of a tile: entries (kernel positions) outside, pixels inside,
// so that an entry's weights serve a whole sweep. Two sums into one pixel are at least kMinSweep
// cycles apart: tiles of fewer pixels idle at the end of each sweep.
struct Work {
  Job job;
  IfmAddress slice;  // first word of the input slice
  Count entry;       // within the job
  Count table_row;   // of the entry, in the entry table
  Pixel pixel;
  Count column;
  // Where the kernel's first position meets the pixel: words behind those of the slice, for the
  // pixel and for the first one of its row, and place in the IFM.
  IfmAddress address, row_address;
  IfmPlace ifm_row, ifm_column;
};

inline void begin_sweep(const Tile& tile, Work& work) {
  HLS_VITIS(inline)
  work.pixel = 0;
  work.column = 0;
  work.address = 0;
  work.row_address = 0;
  work.ifm_row = tile.first_row;
  work.ifm_column = tile.first_column;
}

inline Work work_start(const Tile& tile) {
  HLS_VITIS(inline)
  Work work;
  work.job = first_job();
  work.slice = 0;
  work.entry = 0;
  work.table_row = 0;
  begin_sweep(tile, work);
  return work;
}

inline Pixel sweep_cycles(const Tile& tile) {
  HLS_VITIS(inline)
  return larger(tile.pixels, kMinSweep);
}

inline int job_cycles(const Descriptor& layer, const Tile& tile, const Job& job) {
  HLS_VITIS(inline)
  return job_entries(layer, job) * sweep_cycles(tile);
}

inline bool is_first_entry(const Work& work) { return starts_sums(work.job) && work.entry == 0; }
inline bool is_last_entry(const Descriptor& layer, const Work& work) {
  return completes_sums(layer, work.job) && work.entry == job_entries(layer, work.job) - 1;
}

// The array works in this cycle: it idles at the end of a short sweep.
inline bool works(const Tile& tile, const Work& work) { return work.pixel < tile.pixels; }

inline void advance(const Descriptor& layer, const Tile& tile, Work& work) {
  HLS_VITIS(inline)
  if (++work.pixel < sweep_cycles(tile)) {
    work.address += layer.stride_columns;
    work.ifm_column += layer.stride_columns;
    if (++work.column < tile.columns) return;
    work.column = 0;
    work.row_address += tile.row_step;
    work.address = work.row_address;
    work.ifm_row += layer.stride_rows;
    work.ifm_column = tile.first_column;
    return;
  }
  begin_sweep(tile, work);
  ++work.table_row;
  if (++work.entry < job_entries(layer, work.job)) return;
  work.entry = 0;
  work.job = next_job(layer, work.job);
  if (work.job.k > 0) return;
  work.table_row = 0;
  work.slice += layer.slice_px;
  if (!layer.channelwise && work.job.n == 0) work.slice = 0;
}

// What the array holds during a sweep: the weights of an entry, and of its job and output tile the
// patterns and the biases.
struct Row {
  Weight weight[kTm][kTn];
  std::uint8_t pattern[kTm][kTn];
  std::int32_t bias[kTm];
};

// Takes what is new at the beginning of a sweep.
inline void take_row(const Descriptor& layer, const Work& work, Biases biases, Patterns patterns,
                     Rows rows, Row& row) {
  HLS_VITIS(inline)
  if (is_first_entry(work)) {
  TAKE_BIAS:
    for (int index = 0; index < kBiasPlanes; ++index) {
      HLS_VITIS(unroll)
      const WgtPlane plane = biases[index].read();
    TAKE_BIAS_WORD:
      for (int word = 0; word < kBiasPerPlane; ++word) {
        HLS_VITIS(unroll)
        const int m = index * kBiasPerPlane + word;
        if (m < kTm) row.bias[m] = static_cast<std::int32_t>(plane.word[word]);
      }
    }
  }
  const int groups = job_groups(layer, work.job);
  const bool has_patterns = layer.pruned && work.entry == 0;
TAKE_PART:
  for (int part = 0; part < kRowParts; ++part) {
    HLS_VITIS(unroll)
    if (group_of(part) >= groups) continue;
    const int m = part / kPartsPerRow;
    const int first = part % kPartsPerRow * kPartWeights;
    if (has_patterns) {
      const PatternPart numbers = patterns[part].read();
    TAKE_PATTERN:
      for (int n = 0; n < kPartWeights; ++n) {
        HLS_VITIS(unroll)
        row.pattern[m][first + n] = numbers.pattern[n];
      }
    }
    const WeightPart weights = rows[part].read();
  TAKE_WEIGHT:
    for (int n = 0; n < kPartWeights; ++n) {
      HLS_VITIS(unroll)
      row.weight[m][first + n] = weights.weight[n];
    }
  }
}

// Reads the input channels of one slice at the pixel that each port's kernel position meets: byte q
// of `entry` has that of pattern q, or of tap q. Dense layers have the same position in all bytes.
inline void read_ifm(const Descriptor& layer, const Tile& tile, const Work& work, Entry entry,
                     int half, IfmTile even, IfmTile odd, Act x[kIfmPorts][kTn]) {
  HLS_VITIS(inline)
  // Outside the map: 0 adds nothing, the smallest value never wins a maximum.
  const Act outside = layer.reduce_max ? kActLowest : 0;
COMPUTE_PORT:
  for (int port = 0; port < kIfmPorts; ++port) {
    HLS_VITIS(unroll)
    const ap_uint<4> row = entry >> (8 * port + 4);
    const ap_uint<4> column = entry >> (8 * port);
    const IfmPlace ifm_row = work.ifm_row + row;
    const IfmPlace ifm_column = work.ifm_column + column;
    const bool inside =
        ifm_row >= 0 && ifm_row < layer.in_rows && ifm_column >= 0 && ifm_column < layer.in_columns;
    const IfmAddress address =
        work.slice + work.address + row * IfmAddress(tile.in_columns) + column;
  COMPUTE_READ:
    for (int n = 0; n < kTn; ++n) {
      HLS_VITIS(unroll)
      const int bank = n / kChannelBlock;
      const int lane = n % kChannelBlock;
      const Act held = half == 0 ? even[port][bank][address][lane] : odd[port][bank][address][lane];
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

// The same with products in LUTs.
inline void fabric_dot_product(const Weight w[kTn], const std::uint8_t pattern[kTn],
                               const Act x[kIfmPorts][kTn], ap_int<kSumBits>& sum) {
  HLS_VITIS(inline)
  sum = 0;
COMPUTE_COLUMN:
  for (int n = 0; n < kTn; ++n) {
    HLS_VITIS(unroll)
    const int weight = w[n];
    const int activation = x[kPatterns == 1 ? 0 : pattern[n]][n];
    const int product = weight * activation;
    HLS_FABRIC(product)
    sum += product;
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
    const int next = m + kRowsPerDsp - 1;
    if (m >= kTm - kFabricRows) {
      fabric_dot_product(w[m], pattern[m], x, sums[m]);
      if (kDspPacking) fabric_dot_product(w[next], pattern[m], x, sums[next]);
    } else if (kDspPacking) {
      packed_dot_products(w[m], w[next], pattern[m], x, sums[m], sums[next]);
    } else {
      dot_product(w[m], pattern[m], x, sums[m]);
    }
  }
}

// One cycle of the array, on the tile in half `half` of the IFM buffer. Finished sums are sent on.
inline void mac(const Descriptor& layer, const Tile& tile, const Work& work, int half,
                const Entry entry_table[kMaxEntries], IfmTile even, IfmTile odd, const Row& row,
                Accumulators acc, Sums sums) {
  HLS_VITIS(inline)
  Act x[kIfmPorts][kTn];
  HLS_VITIS(array_partition variable = x dim = 0)
  read_ifm(layer, tile, work, entry_table[work.table_row], half, even, odd, x);
  ap_int<kSumBits> products[kTm];
  HLS_VITIS(array_partition variable = products dim = 1)
  if (!layer.channelwise) dot_products(row.weight, row.pattern, x, products);
  const bool first = is_first_entry(work);
  Acc after[kTm];
  HLS_VITIS(array_partition variable = after dim = 1)
COMPUTE_ROW:
  for (int m = 0; m < kTm; ++m) {
    HLS_VITIS(unroll)
    const Acc held = acc[m][work.pixel];
    const Acc before = first ? row.bias[m] : held;
    after[m] = before;
    if (!layer.channelwise) {
      after[m] = before + static_cast<Acc>(products[m]);
    } else if (m < kTd) {
      const int n = m % kTd;  // m < kTd; spelt so that no index leaves the array
      if (layer.reduce_max) {
        const Act largest = channel_maximum(x, n);
        after[m] = first || largest > before ? largest : before;
      } else {
        ap_int<kSumBits> sum;
        channel_sum(row.weight, x, n, sum);
        after[m] = before + static_cast<Acc>(sum);
      }
    }
    acc[m][work.pixel] = after[m];
  }
  if (!is_last_entry(layer, work)) return;
  const int blocks = m_blocks(layer, work.job.m);
FINISH_BLOCK:
  for (int block = 0; block < kOfmBanks; ++block) {
    HLS_VITIS(unroll)
    if (block >= blocks) continue;
    AccWord word;
  FINISH_LANE:
    for (int lane = 0; lane < kChannelBlock; ++lane) {
      HLS_VITIS(unroll)
      word.lane[lane] = after[block * kChannelBlock + lane];
    }
    sums[block].write(word);
  }
}

#endif  // HOTNAS_MAC_H_
