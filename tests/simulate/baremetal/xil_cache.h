/* AMD's cache functions, as hotnas_baremetal.h calls them, on the simulated board. */
#ifndef XIL_CACHE_H
#define XIL_CACHE_H

#include <stdint.h>

#include "board.h"

typedef intptr_t INTPTR;

static inline void Xil_DCacheFlushRange(INTPTR address, INTPTR bytes) {
  board_flush((void *)address, (uint64_t)bytes);
}

static inline void Xil_DCacheInvalidateRange(INTPTR address, INTPTR bytes) {
  board_invalidate((void *)address, (uint64_t)bytes);
}

#endif
