/* AMD's clock, as hotnas_baremetal.h reads it, on the simulated board: 200 MHz. */
#ifndef XTIME_L_H
#define XTIME_L_H

#include <stdint.h>

#include "board.h"

typedef uint64_t XTime;
#define COUNTS_PER_SECOND 200000000u

static inline void XTime_GetTime(XTime *now) { *now = board_cycles(); }

#endif
