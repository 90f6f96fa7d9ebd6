// The AXI masters, as the stages see them. A run is beats that lie one behind the other.
//
// With HOTNAS_BURSTS they are hls::burst_maxi (Vitis HLS 2021.2 and newer): a stage asks for
// kRunsAhead runs before it takes the first beat, so that the memory's latency passes once a layer,
// and writes on while the memory answers what it wrote before. Without, for older versions and
// other compilers, they are pointers: a loop moves a single run, from which the tool makes a burst,
// and waits for it.

#ifndef HOTNAS_PORTS_H_
#define HOTNAS_PORTS_H_

#include <cstdint>

#include "fifo.h"
#include "integers.h"
#include "params.h"
#include "pragmas.h"

struct Run {
  std::uint32_t first, beats;
};

#if HOTNAS_BURSTS

#if defined(HOTNAS_SCHEDULE)
namespace bursts = schedule;
#elif defined(__VITIS_HLS__)
#include <hls_burst_maxi.h>
namespace bursts = hls;
#else
#include "plain_bursts.h"
namespace bursts = plain;
#endif

template <typename Beat>
using Bits = ap_uint<8 * sizeof(Beat)>;
template <typename Beat>
using Port = bursts::burst_maxi<Bits<Beat>>;
// What a port is made of, for the testbench.
template <typename Beat>
using Memory = Bits<Beat>*;

// Runs that a stage will read, in order; behind them others that are none, since it asks for
// kRunsAhead before it takes one.
using Runs = Fifo<Run, kRunFifoDepth>;

template <typename AnyPort>
inline void ask(AnyPort port, const Run& run) {
  HLS_VITIS(inline)
  if (run.beats > 0) port.read_request(run.first, run.beats);
}

inline void end_runs(Runs& runs, int count) {
  HLS_VITIS(inline)
END_RUNS:
  for (int run = 0; run < count; ++run) {
    HLS_PIPELINE(run, 1)
    HLS_VITIS(loop_tripcount min = 0 max = kRunsAhead)
    const Run none = {0, 0};
    runs.write(none);
  }
}

template <typename Beat>
inline Beat take_beat(Port<Beat> port) {
  HLS_VITIS(inline)
  const Bits<Beat> bits = port.read();
  Beat beat;
TAKE_WORD:
  for (int w = 0; w < static_cast<int>(sizeof(Beat) / 4); ++w) {
    HLS_VITIS(unroll)
    beat.word[w] = Bits<Beat>(bits >> (32 * w)).to_uint();
  }
  return beat;
}

template <typename Beat>
inline void give_beat(Port<Beat> port, const Beat& beat) {
  HLS_VITIS(inline)
  Bits<Beat> bits = 0;
GIVE_WORD:
  for (int w = 0; w < static_cast<int>(sizeof(Beat) / 4); ++w) {
    HLS_VITIS(unroll)
    bits |= Bits<Beat>(beat.word[w]) << (32 * w);
  }
  port.write(bits);
}

// Begins to write a run. `unanswered` runs have no answer yet: at most kRunsUnanswered,
// which the port can keep.
template <typename AnyPort>
inline void begin_run(AnyPort port, const Run& run, int& unanswered) {
  HLS_VITIS(inline)
  if (unanswered == kRunsUnanswered) {
    port.write_response();
  } else {
    ++unanswered;
  }
  port.write_request(run.first, run.beats);
}

#else  // HOTNAS_BURSTS

#if defined(HOTNAS_SCHEDULE)
template <typename Beat>
using Port = schedule::Port<Beat>;
#else
template <typename Beat>
using Port = Beat*;
#endif
template <typename Beat>
using Memory = Beat*;

#endif  // HOTNAS_BURSTS

#endif  // HOTNAS_PORTS_H_
