/* The self-test in C on the simulated board.
 *
 *   harness WEIGHTS PACKAGE JSON [hls | uncounted | fail]
 *
 * With `hls` the counters hold what HLS builds leave there, with `uncounted` those without dataflow; with `fail` the
 * memory answers the first weight page with an error. Ends as the self-test does, with 4 when AXI rules were broken. */
#include <stdio.h>
#include <string.h>

#include "board.h"
#include "hotnas_baremetal.h"
#include "hotnas_selftest.h"

#define MEMORY_BYTES (16u << 20)
#define MAPS_ADDRESS (BOARD_MEMORY_BASE + 0x10000)
#define WEIGHTS_ADDRESS (MAPS_ADDRESS + 0x400000)

static uint64_t g_maps[HOTNAS_MAPS_BYTES / 8];
static uint64_t g_weights[HOTNAS_WEIGHTS_BYTES / 8];
static uint8_t g_file[HOTNAS_WEIGHTS_BYTES + 1];
static int g_hls, g_uncounted;

static uint32_t read_register(void *context, uint32_t offset) {
  (void)context;
  const uint32_t run = HOTNAS_REG_PROFILE + (HOTNAS_PROFILE_ROWS - 1) * HOTNAS_PROFILE_ROW_BYTES;
  const int counted = !g_uncounted && (offset % HOTNAS_PROFILE_ROW_BYTES == 0 || offset >= run);
  if (g_hls && offset == HOTNAS_REG_IDENTITY + 4) return 0;
  return g_hls && offset >= HOTNAS_REG_PROFILE && !counted ? HOTNAS_UNKNOWN_CYCLES : board_read(offset);
}

static void write_register(void *context, uint32_t offset, uint32_t value) {
  (void)context;
  board_write(offset, value);
}

int main(int argc, char **argv) {
  static hotnas_accel accel;
  hotnas_io io = hotnas_baremetal_io(0);
  const hotnas_buffer maps = {g_maps, MAPS_ADDRESS, sizeof g_maps};
  const hotnas_buffer weights = {g_weights, WEIGHTS_ADDRESS, sizeof g_weights};
  const char *mode = argc > 4 ? argv[4] : "";
  FILE *file;
  size_t bytes;
  int verdict;
  if (argc < 4) return 3;
  g_uncounted = strcmp(mode, "uncounted") == 0;
  g_hls = g_uncounted || strcmp(mode, "hls") == 0;
  io.read = read_register;
  io.write = write_register;
  board_open(MEMORY_BYTES, 40, 20);
  if (!board_map(g_maps, MAPS_ADDRESS, sizeof g_maps, 1)) return 3;
  if (!board_map(g_weights, WEIGHTS_ADDRESS, sizeof g_weights, 1)) return 3;
  file = fopen(argv[1], "rb");
  if (file == NULL) return 3;
  bytes = fread(g_file, 1, sizeof g_file, file);
  fclose(file);
  if (hotnas_init(&accel, &io, maps, weights) != HOTNAS_OK) return 3;
  if (hotnas_load_weights(&accel, g_file, bytes) != HOTNAS_OK) return 3;
  if (strcmp(mode, "fail") == 0) board_fail_page(2, WEIGHTS_ADDRESS);
  verdict = (int)hotnas_selftest(&accel, argv[2], 1000000, argv[3]);
  if (board_violations() != 0) return 4;
  board_close();
  return verdict;
}
