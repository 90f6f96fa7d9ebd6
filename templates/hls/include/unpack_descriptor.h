// Descriptors as they come: the header, which load_wgt takes apart, and the tables behind it, which
// unpack_descriptor hands out.

#ifndef HOTNAS_UNPACK_DESCRIPTOR_H_
#define HOTNAS_UNPACK_DESCRIPTOR_H_

#include "accelerator.h"
#include "descriptor.h"
#include "pragmas.h"
#include "types.h"

// Of a descriptor, the part that is decoded, and the beats behind it: lines and entry table.
using HeaderWords = std::uint32_t[kDescriptorHeaderWords];
constexpr int kHeaderBeats = kDescriptorHeaderWords / kWgtWords;
constexpr int kTableBeats = kDescriptorBeats - kHeaderBeats;
constexpr int kTableWords = kTableBeats * kWgtWords;
using Tables = Fifo<WgtBeat, kTableBeats>;

// Beat `beat` of a descriptor.
inline void keep_words(const WgtBeat& data, int beat, HeaderWords words, Tables& tables) {
  HLS_VITIS(inline)
  if (beat >= kHeaderBeats) {
    tables.write(data);
    return;
  }
KEEP_WORD:
  for (int w = 0; w < kWgtWords; ++w) {
    HLS_VITIS(unroll)
    words[beat * kWgtWords + w] = data.word[w];
  }
}

#if HOTNAS_DATAFLOW

// What load_wgt knows of a run.
struct RunState {
  std::uint32_t index, maps;  // of the next layer; bytes to the maps of its image
  std::uint32_t status;       // of the run; other than kStatusOk: no further layer is run
  bool comes;                 // a descriptor has been asked for
};

// The layer of step `step`, whose descriptor came with the checksum `sum`.
inline Descriptor described(const HeaderWords words, std::uint32_t sum, std::uint32_t step,
                            std::uint32_t steps, RunState& run) {
  HLS_VITIS(inline)
  if (run.comes && run.status == kStatusOk && sum != kSignature) {
    run.status = kStatusBadDescriptor | run.index << 16;
  }
  Descriptor layer = {};
  if (run.comes && run.status == kStatusOk) decode(words, layer);
  layer.first = step == 0;
  layer.last = step == steps - 1;
  layer.fetched = run.comes;
  layer.ifm_addr += run.maps;
  layer.ofm_addr += run.maps;
  layer.res_addr += run.maps;
  return layer;
}

inline void go_on(std::uint32_t layer_count, std::uint32_t image_stride, RunState& run) {
  HLS_VITIS(inline)
  ++run.index;
  if (run.index < layer_count) return;
  run.index = 0;
  run.maps += image_stride;
}

#endif  // HOTNAS_DATAFLOW

// Lines of a layer, and the `count` entries of its table; the beats behind them are read over.
inline void unpack_tables(Tables& tables, int count, Lines lines, Entries& entries) {
  HLS_VITIS(inline)
  const int words = kLineWords + count * kEntryWords;
  WgtBeat beat = {};
  Entry entry = 0;
UNPACK_WORD:
  for (int word = 0; word < words; ++word) {
    HLS_PIPELINE(word, kLoadStages)
    HLS_VITIS(loop_tripcount min = 1 max = kTableWords)
    if (word % kWgtWords == 0) beat = tables.read();
    const std::uint32_t value = beat.word[word % kWgtWords];
  UNPACK_LINE_LANE:
    for (int lane = 0; lane < kLanesAtOnce; ++lane) {
      HLS_VITIS(unroll)
      if (word < kLineRows) lines[lane][word] = value;
    }
    const int part = word % kEntryWords;  // of the entry: lines are an even number of words
    const std::uint64_t high = static_cast<std::uint64_t>(value) << 32;
    entry = part == 0 ? static_cast<Entry>(value) : static_cast<Entry>(entry | high);
    if (word >= kLineWords && part == kEntryWords - 1) entries.write(entry);
  }
READ_OVER_BEAT:
  for (int beats = 0; beats < kTableBeats - (words + kWgtWords - 1) / kWgtWords; ++beats) {
    HLS_PIPELINE(beats, 1)
    HLS_VITIS(loop_tripcount min = 0 max = kTableBeats)
    tables.read();
  }
}

#if HOTNAS_DATAFLOW
// Hands a layer's descriptor to all stages, to the one that needs its lines behind these.
inline void unpack_descriptor(Descriptors& layers, Tables& tables, Descriptors& to_ifm,
                              Descriptors& to_compute, Descriptors& to_ofm, Lines lines,
                              Entries& entries) {
  HLS_STAGE()
  const Descriptor layer = layers.read();
  to_ifm.write(layer);
  to_compute.write(layer);
  if (layer.fetched) unpack_tables(tables, layer.total_entries, lines, entries);
  to_ofm.write(layer);
}
#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_UNPACK_DESCRIPTOR_H_
