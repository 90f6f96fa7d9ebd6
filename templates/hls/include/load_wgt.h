// load_wgt: the weight jobs of one tile lie in DRAM in the order of their use, so that loading them
// is one burst. Compute unpacks them (weights.h).

#ifndef HOTNAS_LOAD_WGT_H_
#define HOTNAS_LOAD_WGT_H_

#include "pragmas.h"
#include "types.h"
#include "weights.h"

// Puts beat `part` of a plane in its place.
inline void join_beat(const WgtBeat& beat, int part, WgtPlane& plane) {
  HLS_VITIS(inline)
JOIN_WORD:
  for (int word = 0; word < kPlaneWords; ++word) {
    HLS_VITIS(unroll)
    if (word / kWgtWords == part) plane.word[word] = beat.word[word % kWgtWords];
  }
}

// Checksum of words and then of a beat: the remainder of a division by a polynomial, in which each
// word counts x times what the word behind it does.
inline std::uint32_t checksum(std::uint32_t sum, const WgtBeat& beat) {
  HLS_VITIS(inline)
CHECKSUM_WORD:
  for (int w = 0; w < kWgtWords; ++w) {
    HLS_VITIS(unroll)
    sum = sum << 1 ^ beat.word[w];
  CHECKSUM_BIT:
    for (int bit = 31; bit >= kSealBits; --bit) {
      HLS_VITIS(unroll)
      if (sum >> bit & 1) sum ^= kSealPolynomial << (bit - kSealBits);
    }
  }
  return sum;
}

#if HOTNAS_DATAFLOW
#include <hls_stream.h>

inline void load_wgt(const Descriptor layer, const WgtBeat* wgt, hls::stream<WgtPlane>& planes,
                     bool& damaged) {
  HLS_VITIS(inline off)
  const int groups = layer.groups * (layer.tiles_m - 1) + layer.groups_last;  // of all output tiles
  const int patterns = layer.pruned ? kPatternBits : 0;
  const std::uint32_t bits = patterns + layer.total_entries * layer.weight_bits;  // of one kernel
  const std::uint32_t count = kBiasPlanes * layer.tiles_m + layer.tiles_n * groups * bits;
  const std::uint32_t first = layer.wgt_addr / kWgtBeatBytes;
  WgtPlane plane;
  HLS_VITIS(array_partition variable = plane.word complete dim = 1)
  int part = 0;  // beat within the plane
  std::uint32_t sum = 0;
LOAD_WGT_BEAT:
  for (std::uint32_t beat = 0; beat < count * kWgtBeatsPerPlane; ++beat) {
    HLS_VITIS(pipeline II = 1)
    HLS_VITIS(loop_tripcount min = 1 max = kTripWgtBeats)
    const WgtBeat data = wgt[first + beat];
    sum = checksum(sum, data);
    join_beat(data, part, plane);
    if (++part < kWgtBeatsPerPlane) continue;
    part = 0;
    planes.write(plane);
  }
  if (sum != layer.wgt_sum) damaged = true;
}
#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_LOAD_WGT_H_
