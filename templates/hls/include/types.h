// What moves through the accelerator. Arrays hold native integers; ap_int is for arithmetic only.

#ifndef HOTNAS_TYPES_H_
#define HOTNAS_TYPES_H_

#include <cstdint>
#include <type_traits>

#include "fifo.h"
#include "integers.h"
#include "params.h"
#include "ports.h"

// One beat of each AXI port, least significant 32 bits first.
struct IfmBeat {
  std::uint32_t word[kIfmBits / 32];
};
struct WgtBeat {  // a part of each master
  std::uint32_t word[kWgtWords];
};
struct WgtPart {
  std::uint32_t word[kWgtPartWords];
};
struct OfmBeat {
  std::uint32_t word[kOfmBits / 32];
};

// One bit of many weights, or their biases, in one beat of the weight port or several.
struct WgtPlane {
  std::uint32_t word[kPlaneWords];
};

using IfmPort = Port<const IfmBeat>;
using WgtPort = Port<const WgtPart>;
using OfmPort = Port<OfmBeat>;

// A row of the array is the weights of one output channel. It comes whole, or in parts of as many
// weights as a plane has bits.
constexpr int kPartWeights = kTn < kPlaneBits ? kTn : kPlaneBits;
constexpr int kRowParts = kTm * kPartsPerRow;
struct WeightPart {
  Weight weight[kPartWeights];
};
struct PatternPart {
  std::uint8_t pattern[kPartWeights];
};

// One pixel of one channel block: in DRAM, on its way to the IFM buffer and in the residual buffer.
struct ActWord {
  Act lane[kChannelBlock];
};

// One pixel of one channel block of finished accumulators, on its way to store_ofm.
struct AccWord {
  Acc lane[kChannelBlock];
};

// Lanes that are requantised in a cycle: of a beat, or of a word where that goes on chip whole.
constexpr int kLanesAtOnce = kMapWords > 0 ? kChannelBlock : kOfmLanes;

// Lines of a layer's activation, base below and rise above; each of these lanes has a copy.
constexpr int kLineRows = kLineWords > 0 ? kLineWords : 1;
using Lines = std::uint32_t[kLanesAtOnce][kLineRows];

// Maps and weights that stay on chip. Residuals read the first words of the maps, from a memory of
// their own.
constexpr int kKeptWords = kMapWords > 0 ? kMapWords : 1;
constexpr int kKeptResidualWords = kResidualWords > 0 ? kResidualWords : 1;
#if defined(HOTNAS_SCHEDULE)
using Kept = schedule::Memory<ActWord, kKeptWords>;
using KeptResiduals = schedule::Memory<ActWord, kKeptResidualWords>;
#else
using Kept = ActWord[kKeptWords];
using KeptResiduals = ActWord[kKeptResidualWords];
#endif
using KeptPlanes = WgtPlane[kWeightPlanes > 0 ? kWeightPlanes : 1];

// Half of the IFM buffer: one tile with all its input slices. Bank b has channel block b of every
// slice; each read port has a copy of its own, because each pattern or tap reads another pixel.
using IfmTile = Act[kIfmPorts][kIfmBanks][kIfmDepth][kChannelBlock];

// Accumulators: the sums of a tile of Tm channels.
using Accumulators = Acc[kTm][kOfmDepth];

// From load_ifm to compute, from load_wgt to compute, from compute to store_ofm. The rows of two
// weight jobs have room, as have the sums of a tile: store_ofm takes them block by block, while
// compute finishes all blocks of a pixel at once.
#if HOTNAS_DATAFLOW
constexpr int kIfmWordsDepth = kIfmFifoDepth;
#else
constexpr int kIfmWordsDepth = kIfmBanks * kIfmDepth;  // a tile
#endif
using IfmWords = Fifo<ActWord, kIfmWordsDepth>;
// A row of the entry table: a byte a read port.
using Entry = std::conditional<kEntryWords == 1, std::uint32_t, std::uint64_t>::type;
using Entries = Fifo<Entry, kMaxEntries>;
using Biases = Fifo<WgtPlane, kBiasFifoDepth>[kBiasPlanes];
using Patterns = Fifo<PatternPart, kPatternFifoDepth>[kRowParts];
using Rows = Fifo<WeightPart, kRowFifoDepth>[kRowParts];
using Sums = Fifo<AccWord, kOfmDepth>[kOfmBanks];

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int larger(int a, int b) { return a > b ? a : b; }

// Counters have the bits of what they count, as in the RTL twin: those of descriptor fields bound
// most, the depths of buffers the pixels of a tile and addresses. A pixel of the IFM may lie in the
// padding, which is in front of the map, too.
using Count = std::uint16_t;
using Pixel = ap_uint<kPixelBits>;
using IfmAddress = ap_uint<kIfmAddressBits>;
using IfmPlace = ap_int<17>;

// Activation `lane` of the 32-bit words of a beat.
inline Act activation(const std::uint32_t* word, int lane) {
  const int bit = lane * kActBits;
  return static_cast<Act>(word[bit / 32] >> (bit % 32));
}

#endif  // HOTNAS_TYPES_H_
