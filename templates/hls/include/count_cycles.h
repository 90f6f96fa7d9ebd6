// The cycles of each layer and of a run, as the profile has them.

#ifndef HOTNAS_COUNT_CYCLES_H_
#define HOTNAS_COUNT_CYCLES_H_

#include <cstdint>

#include "params.h"
#include "pragmas.h"
#include "stored.h"

using Profile = std::uint32_t[kProfileSlots][kProfileWords];

// Words of each layer's row from `first` on are not known, nor, if none is, the cycles of the run.
inline void leave_unknown(int first, std::uint32_t layer_count, Profile profile) {
  HLS_VITIS(inline)
PROFILE_LAYER:
  for (std::uint32_t index = 0; index < layer_count; ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripLayers)
  PROFILE_WORD:
    for (int word = 0; word < kProfileWords; ++word) {
      if (word >= first) profile[index][word] = word < kProfileCounters ? kUnknownCycles : 0;
    }
  }
  if (first > 0) return;
  profile[kProfileSlots - 1][0] = kUnknownCycles;
  profile[kProfileSlots - 1][1] = kUnknownCycles;
}

#if HOTNAS_COUNTS

// Hardware made of this C++ has a clock, the C++ itself has none. So this stage, alone of all, does
// not wait for its FIFO but asks it in every cycle; nothing else depends on what it finds. The
// cycles of a layer are those from the end of the one before to its own; a row is the last image's.
inline void count_cycles(std::uint32_t steps, std::uint32_t layer_count, LayerEnds& ended,
                         Profile profile) {
  HLS_STAGE()
  std::uint32_t index = 0, cycles = 0;
  std::uint64_t of_run = 0;
COUNT_CYCLE:
  for (std::uint32_t left = steps; left > 0;) {
    HLS_VITIS(pipeline II = 1)
    HLS_VITIS(loop_tripcount min = 1 max = kTripRun)
    ++of_run;
    if (cycles != kUnknownCycles) ++cycles;
    bool end = false;
    if (!ended.read_nb(end)) continue;
    profile[index][0] = cycles;
    cycles = 0;
    --left;
    index = index + 1 == layer_count ? 0 : index + 1;
  }
  leave_unknown(1, layer_count, profile);
  profile[kProfileSlots - 1][0] = static_cast<std::uint32_t>(of_run);
  profile[kProfileSlots - 1][1] = static_cast<std::uint32_t>(of_run >> 32);
}

#endif  // HOTNAS_COUNTS

#endif  // HOTNAS_COUNT_CYCLES_H_
