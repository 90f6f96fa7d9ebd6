// ap_int of the HLS tool, without the warnings its simulation model draws from g++ 11 and later:
// its default constructor masks a value it has not set yet.

#ifndef HOTNAS_INTEGERS_H_
#define HOTNAS_INTEGERS_H_

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <ap_int.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#endif  // HOTNAS_INTEGERS_H_
