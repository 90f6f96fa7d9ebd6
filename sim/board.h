/* A simulated board: the Verilated accelerator, its registers, one physical memory and a write-back cache
 * between that memory and the processor.
 *
 * A driver sees what it would see on a real board: 32-bit registers and memory by physical address.
 * Time passes (in clock cycles) only while a register is accessed or board_run is called. */
#ifndef HOTNAS_BOARD_H_
#define HOTNAS_BOARD_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Physical address of the memory: above 4 GiB, so that a driver must set both words of a pointer. */
#define BOARD_MEMORY_BASE UINT64_C(0x800000000)

/* Powers up with `memory_bytes` of memory holding 0xA5, and resets the accelerator. Read and write
 * latency are those of the memory, in cycles, at least 2. */
void board_open(uint64_t memory_bytes, int read_latency, int write_latency);
void board_close(void);

uint32_t board_read(uint32_t offset);
void board_write(uint32_t offset, uint32_t value);
void board_run(uint64_t cycles);
uint64_t board_cycles(void); /* since board_open */
int board_interrupt(void);   /* level of the interrupt wire */

/* The processor sees `bytes` of memory at `address` as the buffer `cpu` from now on. Through the cache: now and
 * then a line that the processor has written goes to memory, and one that it has not is fetched again. Without
 * it: each side sees what the other has written after a barrier. Returns 0 when the range is not in memory. */
int board_map(void* cpu, uint64_t address, uint64_t bytes, int cached);

/* Lines of a mapped buffer: what was written goes to memory; what is in memory is seen. */
void board_flush(void* cpu, uint64_t bytes);
void board_invalidate(void* cpu, uint64_t bytes);
void board_barrier(void);

/* The 4 KiB page at `address` answers port 1 ifm, 2 wgt, 3 ofm with SLVERR; port 0 ends that. */
void board_fail_page(int port, uint64_t address);

/* AXI rules broken and writes outside the memory since board_open. */
int board_violations(void);

#ifdef __cplusplus
}
#endif

#endif
