// compute: takes in weight jobs, multiplies and accumulates, hands finished sums to store_ofm.

#ifndef HOTNAS_COMPUTE_H_
#define HOTNAS_COMPUTE_H_

#include "descriptor.h"
#include "integers.h"
#include "load_wgt.h"
#include "mac.h"
#include "pragmas.h"
#include "tile.h"
#include "types.h"
#include "weights.h"

#if HOTNAS_DATAFLOW
#include <hls_stream.h>

// A software pipeline of three stages in one loop. In step s,
//   job s is taken in from `planes` to slot s % 2,
//   job s - 1 is computed from the other slot,
//   the output tile completed last is drained to `sums` from the other half of the accumulators,
// all in the same cycles, so that a step takes as long as the longest of the three. Planes are
// taken when they are there and sums are sent when there is room, so that a slow memory does not
// stop the MAC array. Only the first intake and the last drain of a spatial tile stand alone; the
// RTL twin, whose stages run across tiles, hides these too.
inline void compute(const Descriptor layer, int tile_index,
                    const std::uint32_t entry_table[kMaxEntries], IfmTile ifm_tile,
                    hls::stream<WgtPlane>& planes, hls::stream<AccWord>& sums) {
  HLS_VITIS(inline off)
  HOTNAS_LARGE_LOCAL WeightRows weights;
  HLS_VITIS(array_partition variable = weights complete dim = 2)
  HLS_VITIS(array_partition variable = weights complete dim = 3)
  HLS_LUTRAM(weights)
  HOTNAS_LARGE_LOCAL PatternRows patterns;
  HLS_VITIS(array_partition variable = patterns complete dim = 0)
  HOTNAS_LARGE_LOCAL BiasRows bias;
  HLS_VITIS(array_partition variable = bias complete dim = 0)
  HOTNAS_LARGE_LOCAL AccHalf even;
  HLS_VITIS(array_partition variable = even complete dim = 1)
  HOTNAS_LARGE_LOCAL AccHalf odd;
  HLS_VITIS(array_partition variable = odd complete dim = 1)
  ap_int<kWeightBits> lanes[kPlaneBits];
  HLS_VITIS(array_partition variable = lanes complete dim = 1)

  const Tile tile = tile_at(layer, tile_index);
  const int jobs = job_count(layer);
  Job incoming = first_job();
  Job current = first_job();
  Drain drain = nothing_to_drain();
COMPUTE_STEP:
  for (int step = 0; step < jobs + 2; ++step) {
    HLS_VITIS(loop_tripcount min = 3 max = kTripSteps)
    const bool taking_in = step < jobs;
    const bool computing = step >= 1 && step <= jobs;
    const int slot = step % 2;
    const int plane_count = taking_in ? job_planes(layer, incoming) : 0;
    const int mac_cycles = computing ? job_entries(layer, current) * sweep_cycles(tile) : 0;
    // The next output tile is summed into the half being drained, so this step must empty it.
    const bool must_drain = !computing || completes_sums(layer, current);
    Intake intake = intake_start(layer, incoming);
    Sweep sweep = sweep_start();
    int taken = 0;  // planes of the incoming job
  COMPUTE_CYCLE:
    for (int cycle = 0;
         cycle < mac_cycles || taken < plane_count || (must_drain && !drained(drain)); ++cycle) {
      HLS_VITIS(pipeline II = 1)
      HLS_VITIS(loop_tripcount min = 1 max = kTripStepCycles)
      // A pixel is summed into at most once in kMinSweep (at least 4) cycles: see Sweep. What is
      // read while the array idles is not used.
      HLS_VITIS(dependence variable = even inter RAW distance = 4 true)
      HLS_VITIS(dependence variable = odd inter RAW distance = 4 true)
      // Intake and MAC array work on different slots.
      HLS_VITIS(dependence variable = weights inter false)
      HLS_VITIS(dependence variable = patterns inter false)
      HLS_VITIS(dependence variable = bias inter false)
      if (taken < plane_count && !planes.empty()) {
        take_in(layer, incoming, planes.read(), slot, intake, lanes, bias, patterns, weights);
        ++taken;
      }
      const int summed = current.m % 2;  // this half is summed into, the other one drained
      const bool summing = cycle < mac_cycles && works(tile, sweep);
      const int even_pixel = summing && summed == 0 ? sweep.pixel : drain.pixel;
      const int odd_pixel = summing && summed == 1 ? sweep.pixel : drain.pixel;
      AccRead held;
      HLS_VITIS(array_partition variable = held complete dim = 0)
      read_halves(even, odd, even_pixel, odd_pixel, held);
      if (cycle < mac_cycles) {
        mac(layer, tile, current, sweep, 1 - slot, entry_table, ifm_tile, bias, patterns, weights,
            held[summed], even, odd);
        advance(tile, sweep);
      }
      if (!drained(drain) && !sums.full()) {
        AccWord word;
        drain_word(tile, held, drain, word);
        sums.write(word);
      }
    }
    if (computing && completes_sums(layer, current)) drain = drain_of(layer, current.m);
    current = incoming;
    if (taking_in) incoming = next_job(layer, incoming);
  }
}

#else  // HOTNAS_DATAFLOW

// The same three stages, one after the other.
inline void load_wgt_job(const Descriptor& layer, const Job& job, const WgtBeat* wgt,
                         std::uint32_t first_beat, std::uint32_t& sum, BiasRows bias,
                         PatternRows patterns, WeightRows weights) {
  HLS_VITIS(inline off)
  ap_int<kWeightBits> lanes[kPlaneBits];
  HLS_VITIS(array_partition variable = lanes complete dim = 1)
  Intake intake = intake_start(layer, job);
  WgtPlane plane;
  HLS_VITIS(array_partition variable = plane.word complete dim = 1)
  int part = 0;  // beat within the plane
LOAD_WGT_BEAT:
  for (int beat = 0; beat < job_planes(layer, job) * kWgtBeatsPerPlane; ++beat) {
    HLS_VITIS(pipeline II = 1)
    HLS_VITIS(loop_tripcount min = 1 max = kTripJobBeats)
    const WgtBeat data = wgt[first_beat + beat];
    sum = checksum(sum, data);
    join_beat(data, part, plane);
    if (++part < kWgtBeatsPerPlane) continue;
    part = 0;
    take_in(layer, job, plane, 0, intake, lanes, bias, patterns, weights);
  }
}

inline void compute_job(const Descriptor& layer, const Tile& tile, const Job& job,
                        const std::uint32_t entry_table[kMaxEntries], IfmTile ifm_tile,
                        BiasRows bias, PatternRows patterns, WeightRows weights, AccHalf even,
                        AccHalf odd) {
  HLS_VITIS(inline off)
  Sweep sweep = sweep_start();
COMPUTE_CYCLE:
  for (int cycle = 0; cycle < job_entries(layer, job) * sweep_cycles(tile); ++cycle) {
    HLS_VITIS(pipeline II = 1)
    HLS_VITIS(loop_tripcount min = 1 max = kTripStepCycles)
    HLS_VITIS(dependence variable = even inter RAW distance = 4 true)
    HLS_VITIS(dependence variable = odd inter RAW distance = 4 true)
    const int pixel = works(tile, sweep) ? sweep.pixel : 0;
    AccRead held;
    HLS_VITIS(array_partition variable = held complete dim = 0)
    read_halves(even, odd, pixel, pixel, held);
    mac(layer, tile, job, sweep, 0, entry_table, ifm_tile, bias, patterns, weights, held[job.m % 2],
        even, odd);
    advance(tile, sweep);
  }
}

inline void drain_block(const Tile& tile, const AccHalf even, const AccHalf odd, Drain& drain,
                        AccWord sums[kOfmDepth]) {
  HLS_VITIS(inline off)
COMPUTE_DRAIN:
  for (int pixel = 0; pixel < tile.rows * tile.columns; ++pixel) {
    HLS_VITIS(pipeline II = 1)
    HLS_VITIS(loop_tripcount min = 1 max = kOfmDepth)
    AccRead held;
    HLS_VITIS(array_partition variable = held complete dim = 0)
    read_halves(even, odd, pixel, pixel, held);
    drain_word(tile, held, drain, sums[pixel]);
  }
}

#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_COMPUTE_H_
