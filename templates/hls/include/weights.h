// Weight jobs: what one compute step needs, and how its beats are unpacked.
//
// A job is the weights of one (output tile m, input slice n, chunk k of kernel entries). Its
// planes are, in this order: a bias section (first job of an output tile: int32), a pattern section
// (pruned layers: pattern number of each kernel, 2 bits), and the weights, entry by entry: Tm rows,
// channel-wise kTaps rows.
// Patterns and weights come as bit planes: each has one bit of kPlaneBits values (a group), most
// significant bit first, so that a layer's width costs exactly its bits in traffic.

#ifndef HOTNAS_WEIGHTS_H_
#define HOTNAS_WEIGHTS_H_

#include "descriptor.h"
#include "integers.h"
#include "pragmas.h"
#include "types.h"

struct Job {
  Count m, n, k;
};

inline Job first_job() {
  HLS_VITIS(inline)
  const Job job = {0, 0, 0};
  return job;
}

inline Job next_job(const Descriptor& layer, const Job& job) {
  HLS_VITIS(inline)
  Job next = job;
  if (++next.k == layer.chunks) {
    next.k = 0;
    if (++next.n == layer.tiles_n) {
      next.n = 0;
      ++next.m;
    }
  }
  return next;
}

inline int job_count(const Descriptor& layer) {
  HLS_VITIS(inline)
  return layer.tiles_m * layer.tiles_n * layer.chunks;
}

// The first job of an output tile starts new sums; the last one completes them.
inline bool starts_sums(const Job& job) { return job.n == 0 && job.k == 0; }
inline bool completes_sums(const Descriptor& layer, const Job& job) {
  return job.n == layer.tiles_n - 1 && job.k == layer.chunks - 1;
}

inline int job_entries(const Descriptor& layer, const Job& job) {
  HLS_VITIS(inline)
  return job.k == layer.chunks - 1 ? layer.entries_last : layer.entries;
}

inline int job_groups(const Descriptor& layer, const Job& job) {
  HLS_VITIS(inline)
  return job.m == layer.tiles_m - 1 ? layer.groups_last : layer.groups;
}

// Channel blocks of output tile `m`.
inline int m_blocks(const Descriptor& layer, int m) {
  HLS_VITIS(inline)
  return m == layer.tiles_m - 1 ? layer.m_blocks_last : layer.m_blocks;
}

inline int job_planes(const Descriptor& layer, const Job& job) {
  HLS_VITIS(inline)
  const int groups = job_groups(layer, job);
  const int bias = starts_sums(job) ? kBiasPlanes : 0;
  const int patterns = layer.pruned ? kPatternBits * groups : 0;
  return bias + patterns + job_entries(layer, job) * groups * layer.weight_bits;
}

// Planes of a tile: of all its jobs.
inline std::uint32_t tile_planes(const Descriptor& layer) {
  HLS_VITIS(inline)
  const int groups = layer.groups * (layer.tiles_m - 1) + layer.groups_last;  // of all output tiles
  const int patterns = layer.pruned ? kPatternBits : 0;
  const int bits = patterns + layer.total_entries * layer.weight_bits;  // of one kernel
  return kBiasPlanes * layer.tiles_m + layer.tiles_n * groups * bits;
}

// The group that part `part` of the array's rows comes in.
inline int group_of(int part) {
  return part / kPartsPerRow / kRowsPerGroup * kPartsPerRow + part % kPartsPerRow;
}

// Its first lane there.
inline int first_lane(int part) { return part / kPartsPerRow % kRowsPerGroup * kPartWeights; }

// What the next plane is.
enum Section { kBiasSection, kPatternSection, kWeightSection };

struct Unpacking {
  Job job;
  Section section;
  Count entry;  // within the job
  Count group;
  Count plane;  // of the biases, or of the group: 0 is the most significant bit
};

inline Section weights_start(const Descriptor& layer) {
  return layer.pruned ? kPatternSection : kWeightSection;
}

inline Unpacking unpacking_start() {
  HLS_VITIS(inline)
  const Unpacking unpacking = {first_job(), kBiasSection, 0, 0, 0};
  return unpacking;
}

inline void next_unpacked_job(const Descriptor& layer, Unpacking& unpacking) {
  HLS_VITIS(inline)
  unpacking.job = next_job(layer, unpacking.job);
  unpacking.section = starts_sums(unpacking.job) ? kBiasSection : weights_start(layer);
  unpacking.entry = 0;
}

// Sends the group in `lanes` on: every part of a row has lanes of its own, so the fan-out is
// wiring.
inline void send_group(const ap_int<kWeightBits> lanes[kPlaneBits], int group, bool is_pattern,
                       Patterns patterns, Rows rows) {
  HLS_VITIS(inline)
SEND_PART:
  for (int part = 0; part < kRowParts; ++part) {
    HLS_VITIS(unroll)
    if (group_of(part) != group) continue;
    WeightPart weights;
    PatternPart numbers;
  SEND_LANE:
    for (int n = 0; n < kPartWeights; ++n) {
      HLS_VITIS(unroll)
      const int value = lanes[first_lane(part) + n];
      weights.weight[n] = static_cast<Weight>(value);
      numbers.pattern[n] = static_cast<std::uint8_t>(value & (kPatterns - 1));
    }
    if (is_pattern) {
      patterns[part].write(numbers);
    } else {
      rows[part].write(weights);
    }
  }
}

// Takes one plane and advances `unpacking`. `lanes` keeps the bits of the group being collected.
inline void unpack(const Descriptor& layer, const WgtPlane& plane, Unpacking& unpacking,
                   ap_int<kWeightBits> lanes[kPlaneBits], Biases biases, Patterns patterns,
                   Rows rows) {
  HLS_VITIS(inline)
  const int groups = job_groups(layer, unpacking.job);
  if (unpacking.section == kBiasSection) {
  UNPACK_BIAS:
    for (int index = 0; index < kBiasPlanes; ++index) {
      HLS_VITIS(unroll)
      if (index == unpacking.plane) biases[index].write(plane);
    }
    if (++unpacking.plane < kBiasPlanes) return;
    unpacking.plane = 0;
    unpacking.section = weights_start(layer);
    if (groups == 0) next_unpacked_job(layer, unpacking);  // a maximum has no weights
    return;
  }
UNPACK_LANE:
  for (int lane = 0; lane < kPlaneBits; ++lane) {
    HLS_VITIS(unroll)
    const int bit = plane.word[lane / 32] >> (lane % 32) & 1;
    // The first plane is the sign: it fills the whole lane.
    lanes[lane] = unpacking.plane == 0 ? -bit : static_cast<int>(lanes[lane]) * 2 + bit;
  }
  const bool is_pattern = unpacking.section == kPatternSection;
  const int planes = is_pattern ? kPatternBits : static_cast<int>(layer.weight_bits);
  if (++unpacking.plane < planes) return;
  unpacking.plane = 0;
  send_group(lanes, unpacking.group, is_pattern, patterns, rows);
  if (++unpacking.group < groups) return;
  unpacking.group = 0;
  if (is_pattern) {
    unpacking.section = kWeightSection;
  } else if (++unpacking.entry == job_entries(layer, unpacking.job)) {
    next_unpacked_job(layer, unpacking);
  }
}

#endif  // HOTNAS_WEIGHTS_H_
