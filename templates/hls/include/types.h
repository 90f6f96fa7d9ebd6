// What moves through the accelerator. Arrays hold native integers; ap_int is for arithmetic only.

#ifndef HOTNAS_TYPES_H_
#define HOTNAS_TYPES_H_

#include <cstdint>

#include "params.h"

// One beat of each AXI port, least significant 32 bits first.
struct IfmBeat {
  std::uint32_t word[kIfmBits / 32];
};
struct WgtBeat {
  std::uint32_t word[kWgtWords];
};
struct OfmBeat {
  std::uint32_t word[kOfmBits / 32];
};

// One bit of many weights, or their biases, in one beat of the weight port or several.
struct WgtPlane {
  std::uint32_t word[kPlaneWords];
};

// One pixel of one channel block: in DRAM, in the IFM buffer and in the residual buffer.
struct ActWord {
  Act lane[kChannelBlock];
};

// One pixel of one channel block of finished accumulators, on its way to store_ofm.
struct AccWord {
  Acc lane[kChannelBlock];
};

// Lines of a layer's activation, base below and rise above; every lane has a copy of its own.
constexpr int kLineRows = kLineWords > 0 ? kLineWords : 1;
using Lines = std::uint32_t[kChannelBlock][kLineRows];

// The IFM buffer holds one tile with all its input slices. Bank b has channel block b of every
// slice; each read port has a copy of its own, because each pattern or tap reads another pixel.
using IfmTile = Act[kIfmPorts][kIfmBanks][kIfmDepth][kChannelBlock];

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int larger(int a, int b) { return a > b ? a : b; }

// Activation `lane` of the 32-bit words of a beat.
inline Act activation(const std::uint32_t* word, int lane) {
  const int bit = lane * kActBits;
  return static_cast<Act>(word[bit / 32] >> (bit % 32));
}

#endif  // HOTNAS_TYPES_H_
