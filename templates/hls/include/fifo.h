// FIFOs between the stages. A stage only reads and writes them, and waits where it must: none asks
// whether there is data or room, so that what happens does not depend on when.

#ifndef HOTNAS_FIFO_H_
#define HOTNAS_FIFO_H_

#include "params.h"
#include "pragmas.h"

#if defined(HOTNAS_SCHEDULE)

template <typename T, int kDepth>
using Fifo = schedule::Fifo<T, kDepth>;

#elif HOTNAS_DATAFLOW
#include <hls_stream.h>

template <typename T, int kDepth>
using Fifo = hls::stream<T>;

#else

// Without dataflow a stage ends before the next begins: what it sends waits in a ring.
template <typename T, int kDepth>
class Fifo {
 public:
  void clear() { next_read_ = next_write_ = 0; }

  void write(const T& word) {
    words_[next_write_] = word;
    next_write_ = next_write_ == kDepth - 1 ? 0 : next_write_ + 1;
  }

  T read() {
    const int at = next_read_;
    next_read_ = at == kDepth - 1 ? 0 : at + 1;
    return words_[at];
  }

 private:
  // In this order: of a struct of nothing but 32-bit numbers Bambu 2024.10 makes as many elements
  // of its first member as go into it whole, and what lies behind them has no memory.
  int next_read_, next_write_;
  T words_[kDepth];
};

template <typename T, int kDepth, int kCount>
inline void clear(Fifo<T, kDepth> (&fifos)[kCount]) {
  HLS_VITIS(inline)
CLEAR_FIFO:
  for (int index = 0; index < kCount; ++index) {
    HLS_VITIS(unroll)
    fifos[index].clear();
  }
}

#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_FIFO_H_
