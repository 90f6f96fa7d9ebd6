// One layer: its descriptor, then tile by tile load_ifm, load_wgt, compute, store_ofm.

#ifndef HOTNAS_RUN_LAYER_H_
#define HOTNAS_RUN_LAYER_H_

#include "compute.h"
#include "descriptor.h"
#include "load_ifm.h"
#include "load_wgt.h"
#include "pragmas.h"
#include "store_ofm.h"
#include "types.h"

// Returns false when the descriptor was not made for this design; it must not be run then.
inline bool load_descriptor(const WgtBeat* wgt, int index, Descriptor& layer, Lines lines,
                            std::uint32_t entry_table[kMaxEntries]) {
  HLS_VITIS(inline off)
  std::uint32_t words[kDescriptorBytes / 4];
  HLS_VITIS(array_partition variable = words cyclic factor = kWgtWords dim = 1)
  const std::uint32_t first = index * (kDescriptorBytes / kWgtBeatBytes);
  std::uint32_t sum = 0;
LOAD_DESCRIPTOR_BEAT:
  for (int beat = 0; beat < kDescriptorBytes / kWgtBeatBytes; ++beat) {
    HLS_VITIS(pipeline II = 1)
    const WgtBeat data = wgt[first + beat];
    sum = checksum(sum, data);
  LOAD_DESCRIPTOR_WORD:
    for (int w = 0; w < kWgtWords; ++w) {
      HLS_VITIS(unroll)
      words[beat * kWgtWords + w] = data.word[w];
    }
  }
  decode(words, layer);
LOAD_DESCRIPTOR_LINE:
  for (int line = 0; line < kLineWords; ++line) {
    HLS_VITIS(pipeline II = 1)
  LOAD_DESCRIPTOR_LANE:
    for (int lane = 0; lane < kChannelBlock; ++lane) {
      HLS_VITIS(unroll)
      lines[lane][line] = words[kDescriptorHeaderWords + line];
    }
  }
LOAD_DESCRIPTOR_ENTRY:
  for (int entry = 0; entry < kMaxEntries; ++entry) {
    HLS_VITIS(pipeline II = 1)
    entry_table[entry] = words[kDescriptorHeaderWords + kLineWords + entry];
  }
  return sum == kSignature;
}

#if HOTNAS_DATAFLOW

// The four stages work on up to three tiles at once: the IFM buffer is a ping-pong buffer between
// load_ifm and compute; weights and sums flow through FIFOs. Data only moves forward, so that no
// FIFO can be too short to be safe: their depth decides speed alone. Stages take the descriptor by
// value, since concurrent stages must not share a reference. `damaged` is load_wgt's alone: the
// weights were not those of the descriptor.
inline void run_tiles(const Descriptor layer, int tiles, const Lines lines,
                      const std::uint32_t entry_table[kMaxEntries], const IfmBeat* ifm,
                      const WgtBeat* wgt, OfmBeat* ofm, bool& damaged) {
  HLS_VITIS(inline off)
RUN_TILE:
  for (int tile = 0; tile < tiles; ++tile) {
    HLS_DATAFLOW()
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
    HOTNAS_LARGE_LOCAL IfmTile ifm_tile;
    HLS_VITIS(array_partition variable = ifm_tile complete dim = 1)
    HLS_VITIS(array_partition variable = ifm_tile complete dim = 2)
    HLS_VITIS(array_reshape variable = ifm_tile complete dim = 4)
    hls::stream<WgtPlane> planes("planes");
    HLS_VITIS(stream variable = planes depth = kWgtFifoDepth)
    HLS_AGGREGATE(planes)
    hls::stream<AccWord> sums("sums");
    HLS_VITIS(stream variable = sums depth = kOfmFifoDepth)
    HLS_AGGREGATE(sums)
    load_ifm(layer, tile, ifm, ifm_tile);
    load_wgt(layer, wgt, planes, damaged);
    compute(layer, tile, entry_table, ifm_tile, planes, sums);
    store_ofm(layer, tile, lines, sums, ofm);
  }
}

#else  // HOTNAS_DATAFLOW

// Load, compute and store in turn: the buffers are plain local arrays with one user at a time.
inline void run_tiles(const Descriptor& layer, int tiles, const Lines lines,
                      const std::uint32_t entry_table[kMaxEntries], const IfmBeat* ifm,
                      const WgtBeat* wgt, OfmBeat* ofm, bool& damaged) {
  HLS_VITIS(inline off)
  HOTNAS_LARGE_LOCAL IfmTile ifm_tile;
  HLS_VITIS(array_partition variable = ifm_tile complete dim = 1)
  HLS_VITIS(array_partition variable = ifm_tile complete dim = 2)
  HLS_VITIS(array_reshape variable = ifm_tile complete dim = 4)
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
  HOTNAS_LARGE_LOCAL AccWord sums[kOfmDepth];
RUN_TILE:
  for (int index = 0; index < tiles; ++index) {
    HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)
    const Tile tile = tile_at(layer, index);
    std::uint32_t wgt_beat = layer.wgt_addr / kWgtBeatBytes;
    std::uint32_t sum = 0;
    load_ifm(layer, index, ifm, ifm_tile);
    Job job = first_job();
  RUN_JOB:
    for (int step = 0; step < job_count(layer); ++step) {
      HLS_VITIS(loop_tripcount min = 1 max = kTripJobs)
      load_wgt_job(layer, job, wgt, wgt_beat, sum, bias, patterns, weights);
      compute_job(layer, tile, job, entry_table, ifm_tile, bias, patterns, weights, even, odd);
      if (completes_sums(layer, job)) {
        std::uint32_t offset = ofm_offset(layer, tile, job.m);
        Drain drain = drain_of(layer, job.m);
      STORE_OFM_BLOCK:
        for (int block = 0; block < drain.blocks; ++block) {
          HLS_VITIS(loop_tripcount min = 1 max = kOfmBanks)
          drain_block(tile, even, odd, drain, sums);
          store_ofm_block(layer, lines, tile, offset, sums, ofm);
          offset += layer.ofm_block_stride;
        }
      }
      wgt_beat += job_planes(layer, job) * kWgtBeatsPerPlane;
      job = next_job(layer, job);
    }
    if (sum != layer.wgt_sum) damaged = true;
  }
}

#endif  // HOTNAS_DATAFLOW

#endif  // HOTNAS_RUN_LAYER_H_
