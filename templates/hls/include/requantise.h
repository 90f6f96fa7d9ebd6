// Residual, rounding, shift and clamp of finished sums, the lines of an activation, and products
// with a residual that multiplies.

#ifndef HOTNAS_REQUANTISE_H_
#define HOTNAS_REQUANTISE_H_

#include "descriptor.h"
#include "integers.h"
#include "pragmas.h"
#include "types.h"

// What the line of its segment makes of an activation, saturated.
inline Act activated(const std::uint32_t lines[kLineRows], Act clamped) {
  HLS_VITIS(inline)
  constexpr int kWithinBits = kActBits - kSegmentBits;  // of a place in a segment
  constexpr int kShift = kLineBits - kSegmentBits;
  const std::uint32_t line = lines[(clamped >> kWithinBits) & (kLineRows - 1)];
  const int base = static_cast<std::int16_t>(line & 0xffff);
  const int rise = static_cast<std::int16_t>(line >> kLineBits);
  const int place = clamped & ((1 << kWithinBits) - 1);
  constexpr int kHighest = (1 << (kActBits - 1)) - 1;
  const int sum = (base * (1 << kWithinBits) + rise * place + (1 << (kShift - 1))) >> kShift;
  return static_cast<Act>(smaller(larger(sum, -kHighest - 1), kHighest));
}

// clamp(round_half_up(act * factor >> shift)).
inline Act multiplied(Act act, Act factor, int shift) {
  HLS_VITIS(inline)
  ap_int<2 * kActBits + 1> product = static_cast<int>(act) * factor;
  if (shift > 0) {
    product += ap_int<2 * kActBits + 1>(1) << (shift - 1);
    product >>= shift;
  }
  constexpr int kHighest = (1 << (kActBits - 1)) - 1;
  return static_cast<Act>(smaller(larger(product.to_int(), -kHighest - 1), kHighest));
}

// clamp(round_half_up((acc + residual << residual_shift) >> output_shift)), and what the lines make
// of that in a design that has some; in one with products the residual may multiply that instead.
inline Act requantise(const Descriptor& layer, Acc acc, Act residual,
                      const std::uint32_t lines[kLineRows]) {
  HLS_VITIS(inline)
  ap_int<kRequantBits> value = acc;
  const bool multiplies = kProducts && layer.res_multiplies;
  if (layer.has_residual && !multiplies) {
    value += ap_int<kRequantBits>(residual) << layer.residual_shift;
  }
  if (layer.output_shift > 0) {
    value += ap_int<kRequantBits>(1) << (layer.output_shift - 1);
    value >>= layer.output_shift;
  }
  if (value < layer.clamp_low) value = layer.clamp_low;
  if (value > layer.clamp_high) value = layer.clamp_high;
  const Act clamped = static_cast<Act>(value);
  const Act act = kLineWords > 0 ? activated(lines, clamped) : clamped;
  return multiplies ? multiplied(act, residual, layer.residual_shift) : act;
}

#endif  // HOTNAS_REQUANTISE_H_
