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

// On-chip weights: two slots, one being taken in while the other is used. One row holds the
// weights of one entry, all read in one cycle.
using WeightRows = Weight[2 * kWgtEntries][kTm][kTn];
using PatternRows = std::uint8_t[2][kTm][kTn];
using BiasRows = std::int32_t[2][kTm];

struct Job {
  int m, n, k;
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

inline int job_planes(const Descriptor& layer, const Job& job) {
  HLS_VITIS(inline)
  const int groups = job_groups(layer, job);
  const int bias = starts_sums(job) ? kBiasPlanes : 0;
  const int patterns = layer.pruned ? kPatternBits * groups : 0;
  return bias + patterns + job_entries(layer, job) * groups * layer.weight_bits;
}

// What the next plane of a job is.
enum Section { kBiasSection, kPatternSection, kWeightSection };

struct Intake {
  Section section;
  int plane_of_bias;
  int entry;  // within the job
  int group;
  int plane;  // 0 is the most significant bit
};

inline Intake intake_start(const Descriptor& layer, const Job& job) {
  HLS_VITIS(inline)
  const Section planes = layer.pruned ? kPatternSection : kWeightSection;
  const Intake intake = {starts_sums(job) ? kBiasSection : planes, 0, 0, 0, 0};
  return intake;
}

inline void take_in_bias(const WgtPlane& plane, int index, std::int32_t bias[kTm]) {
  HLS_VITIS(inline)
TAKE_IN_BIAS:
  for (int m = 0; m < kTm; ++m) {
    HLS_VITIS(unroll)
    if (m / kBiasPerPlane == index) {
      bias[m] = static_cast<std::int32_t>(plane.word[m % kBiasPerPlane]);
    }
  }
}

// Takes one plane of `job` into slot `slot` and advances `intake`. `lanes` keeps the bits of the
// group being collected. Every destination has one lane that can write it, so the fan-out is
// wiring.
inline void take_in(const Descriptor& layer, const Job& job, const WgtPlane& plane, int slot,
                    Intake& intake, ap_int<kWeightBits> lanes[kPlaneBits], BiasRows bias,
                    PatternRows patterns, WeightRows weights) {
  HLS_VITIS(inline)
  if (intake.section == kBiasSection) {
    take_in_bias(plane, intake.plane_of_bias, bias[job.m % 2]);
    if (++intake.plane_of_bias == kBiasPlanes) {
      intake.section = layer.pruned ? kPatternSection : kWeightSection;
    }
    return;
  }
TAKE_IN_LANE:
  for (int lane = 0; lane < kPlaneBits; ++lane) {
    HLS_VITIS(unroll)
    const int bit = plane.word[lane / 32] >> (lane % 32) & 1;
    // The first plane is the sign: it fills the whole lane.
    lanes[lane] = intake.plane == 0 ? -bit : static_cast<int>(lanes[lane]) * 2 + bit;
  }
  const bool is_pattern = intake.section == kPatternSection;
  if (++intake.plane < (is_pattern ? kPatternBits : static_cast<int>(layer.weight_bits))) return;
  intake.plane = 0;
  const int row = slot * kWgtEntries + intake.entry;
TAKE_IN_ROW:
  for (int m = 0; m < kTm; ++m) {
    HLS_VITIS(unroll)
  TAKE_IN_COLUMN:
    for (int n = 0; n < kTn; ++n) {
      HLS_VITIS(unroll)
      const int group = m / kRowsPerGroup * kPartsPerRow + n / kPlaneBits;
      const int lane = m % kRowsPerGroup * kTn + n % kPlaneBits;
      if (group != intake.group) continue;
      if (is_pattern) {
        patterns[slot][m][n] = static_cast<std::uint8_t>(lanes[lane] & (kPatterns - 1));
      } else {
        weights[row][m][n] = static_cast<Weight>(lanes[lane]);
      }
    }
  }
  if (++intake.group < job_groups(layer, job)) return;
  intake.group = 0;
  if (is_pattern) {
    intake.section = kWeightSection;
  } else {
    ++intake.entry;
  }
}

#endif  // HOTNAS_WEIGHTS_H_
