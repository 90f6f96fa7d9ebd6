// What store_ofm tells load_ifm, so that a layer reads no map before it is written: the layer in
// work may write what the next one reads, in DRAM or on chip.

#ifndef HOTNAS_STORED_H_
#define HOTNAS_STORED_H_

#include "descriptor.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"
#include "weights.h"

// A word that was written on chip. It has a part of it, so that it is not sent before that is
// known, and the 1 that the next address read grows by, so that none is read before it is received.
struct StoredWord {
  std::uint8_t words;
  Act value;
};

// Of a layer that writes on chip one comes when all its output tiles are written but the last, and
// one a word of that; of every layer but the run's last one when all is written and answered.
using StoredWords = Fifo<StoredWord, kStoredFifoDepth>;

// store_ofm tells count_cycles that a layer's last word is written and answered, if it counts.
#if HOTNAS_COUNTS
using LayerEnds = Fifo<bool, kLayerEndDepth>;
#else
struct LayerEnds {
  void write(bool) {}
};
#endif

// What is still to come of the layer before.
struct Awaiting {
  int messages;      // in all
  int words;         // of its last output tile
  int words_before;  // of the others
  bool chases;       // each word that is read waits for one of these:
  int due;           // as many have to be written for the next one,
  int heard;         // and so many are known to be
};

// What will come of a layer.
inline Awaiting awaiting_of(const Descriptor& layer) {
  HLS_VITIS(inline)
  const Count rows = (layer.tiles_r - 1) * layer.tr + layer.tr_last;
  const Count columns = (layer.tiles_c - 1) * layer.tc + layer.tc_last;
  const Count blocks = (layer.tiles_m - 1) * layer.m_blocks + layer.m_blocks_last;
  const Pixel pixels = Pixel(layer.tr_last) * Pixel(layer.tc_last);
  Awaiting found = {};
  found.words = layer.m_blocks_last * pixels;
  found.words_before = blocks * rows * columns - found.words;
  found.messages = layer.ofm_on_chip ? found.words + 2 : 1;
  return found;
}

inline void await(int messages, Awaiting& awaiting, StoredWords& stored) {
  HLS_VITIS(inline)
AWAIT_STORED:
  for (int message = 0; message < messages; ++message) {
    HLS_PIPELINE(message, 1)
    HLS_VITIS(loop_tripcount min = 0 max = kTripStored)
    stored.read();
  }
  awaiting.messages -= messages;
}

inline void await_rest(Awaiting& awaiting, StoredWords& stored) {
  HLS_VITIS(inline)
  await(awaiting.messages, awaiting, stored);
  awaiting.chases = false;
}

// Before the first word of a layer is read: all of the layer before, unless the map lies on chip.
// Then `ifm_after` words of that one have to be written, and one more for each word that is read;
// or none, where the map is older: all of a layer is awaited before the next but one begins.
inline void await_first(const Descriptor& layer, Awaiting& awaiting, StoredWords& stored) {
  HLS_VITIS(inline)
  if (layer.first) awaiting.messages = 0;
  awaiting.chases = layer.ifm_on_chip && layer.ifm_after > 0 && awaiting.messages > 0;
  awaiting.due = static_cast<int>(layer.ifm_after) - awaiting.words_before;
  awaiting.heard = larger(smaller(awaiting.due, awaiting.words), 0);
  const int first = awaiting.chases     ? 1 + awaiting.heard
                    : layer.ifm_on_chip ? 0
                                        : awaiting.messages;
  await(first, awaiting, stored);
}

// Waits for the word that the next one to be read asks for; by how much its address grows: 1.
inline std::uint32_t await_word(Awaiting& awaiting, StoredWords& stored) {
  HLS_VITIS(inline)
  const bool waits =
      awaiting.chases && awaiting.due > awaiting.heard && awaiting.heard < awaiting.words;
  ++awaiting.due;
  if (!waits) return 1;
  ++awaiting.heard;
  --awaiting.messages;
  return stored.read().words;
}

#endif  // HOTNAS_STORED_H_
