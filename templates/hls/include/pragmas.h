// Pragmas only Vitis HLS and Vivado HLS understand, behind macros, so that g++, clang++ and other
// HLS compilers read the same source without a warning.
//
// HLS_VITIS(pipeline II = 1)   one vendor pragma; array_partition and array_reshape are complete
//                              where no type is said: its spelling is another since 2021
// HLS_AGGREGATE(variable)      a struct as one wide word (the pragma's name changed in 2020)
// HLS_FIFO(variable, depth)    FIFOs whose words are structs
// HLS_LUTRAM_FIFO(variable)    a FIFO in distributed RAM (likewise)
// HLS_PORT(variable)           a master whose beats are structs
// HLS_FABRIC(variable)         the multiplication it is assigned is LUTs, no DSP slice (likewise)
// HLS_SHARED(variable)         a memory that one stage writes and another reads, when FIFOs say so
// HLS_PIPELINE(i, stages)      an iteration of loop i a cycle; stages: for tb/schedule.h alone
// HLS_STAGE()                  a function of its own: a stage
// HLS_DATAFLOW()               overlap of the stages, unless HOTNAS_DATAFLOW is 0
// HLS_RUN()                    a run of layers begins: for tb/schedule.h alone
// HOTNAS_LARGE_LOCAL           a large local array: static in C simulation, to keep the stack small

#ifndef HOTNAS_PRAGMAS_H_
#define HOTNAS_PRAGMAS_H_

// 1: load, compute and store overlap (dataflow). 0: the same functions one after the other, for
// compilers without dataflow and hls::stream; results are equal.
#ifndef HOTNAS_DATAFLOW
#define HOTNAS_DATAFLOW 1
#endif

// 1: a stage asks for bursts ahead (ports.h). 0: it reads or writes one after the other.
#ifndef HOTNAS_BURSTS
#if !HOTNAS_DATAFLOW
#define HOTNAS_BURSTS 0
#elif !defined(__VITIS_HLS__) && !defined(__SYNTHESIS__)
#define HOTNAS_BURSTS 1
#elif defined(__has_include)
#if __has_include(<hls_burst_maxi.h>)
#define HOTNAS_BURSTS 1
#else
#define HOTNAS_BURSTS 0
#endif
#else
#define HOTNAS_BURSTS 0
#endif
#endif

// 1: hardware counts its cycles (count_cycles.h), by a stage beside all others.
#ifndef HOTNAS_COUNTS
#if HOTNAS_DATAFLOW && defined(__SYNTHESIS__)
#define HOTNAS_COUNTS 1
#else
#define HOTNAS_COUNTS 0
#endif
#endif

#define HOTNAS_PRAGMA(...) _Pragma(#__VA_ARGS__)

#if defined(__VITIS_HLS__) || defined(__SYNTHESIS__)
#define HLS_VITIS(...) HOTNAS_PRAGMA(HLS __VA_ARGS__)
#else
#define HLS_VITIS(...)
#endif

#if defined(__VITIS_HLS__)
#define HLS_AGGREGATE(name) HLS_VITIS(aggregate variable = name)
#define HLS_LUTRAM_FIFO(name) HLS_VITIS(bind_storage variable = name type = fifo impl = lutram)
#define HLS_FABRIC(name) HLS_VITIS(bind_op variable = name op = mul impl = fabric)
#else  // Vivado HLS 2019.2 to 2020.1, or no vendor tool at all
#define HLS_AGGREGATE(name) HLS_VITIS(data_pack variable = name)
#define HLS_LUTRAM_FIFO(name) HLS_VITIS(resource variable = name core = FIFO_LUTRAM)
#define HLS_FABRIC(name) HLS_VITIS(resource variable = name core = Mul_LUT)
#endif

// Since 2021.1; only the build with bursts has such a memory.
#define HLS_SHARED(name) HLS_VITIS(stream variable = name type = unsync)

// A port of structs is as wide as they are; hls::burst_maxi says so itself.
#if HOTNAS_BURSTS
#define HLS_PORT(name)
#else
#define HLS_PORT(name) HLS_AGGREGATE(name)
#endif

#if defined(HOTNAS_SCHEDULE)
#include "schedule.h"
#define HLS_PIPELINE(variable, stages) schedule::iterate(variable == 0, stages);
#define HLS_STAGE() schedule::begin_stage(__func__);
#define HLS_RUN() const schedule::Run run;
#define HLS_DATAFLOW() const schedule::Region region;
#define HLS_FIFO(name, depth) schedule::declare_fifos(#name, depth);
#else
#define HLS_PIPELINE(variable, stages) HLS_VITIS(pipeline II = 1)
#define HLS_STAGE() HLS_VITIS(inline off)
#define HLS_RUN()
#define HLS_FIFO(name, size) HLS_VITIS(stream variable = name depth = size) HLS_AGGREGATE(name)
#if HOTNAS_DATAFLOW
#define HLS_DATAFLOW() HLS_VITIS(dataflow)
#else
#define HLS_DATAFLOW()
#endif
#endif

#if defined(__SYNTHESIS__)
#define HOTNAS_LARGE_LOCAL
#else
#define HOTNAS_LARGE_LOCAL static
#endif

// Loop labels exist for the HLS reports; no goto uses them.
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-label"
#endif

#endif  // HOTNAS_PRAGMAS_H_
