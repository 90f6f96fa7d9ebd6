/* The C driver on the simulated board, through the back end for bare metal: images from a file.
 *
 *   harness WEIGHTS IMAGES COUNT TIMEOUT [fail | batch | nosync | forgotten | uncached | watched | abort | foreign]
 *
 * prints one line of logits a run and its class, then the profile. IMAGES holds COUNT images as float32,
 * TIMEOUT is in microseconds. With `fail` the memory answers the first weight page with an error; with `batch`
 * all images run in batches, and only their logits are printed; `nosync` gives no sync, `forgotten` one that
 * does nothing though there is a cache, `uncached` the same without a cache; with `watched` somebody else always
 * takes the done bit first; `abort` first ends a run early; `foreign` is a bitstream of another design, of which
 * the writes it saw are printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "hotnas_baremetal.h"

#define MEMORY_BYTES (16u << 20)
#define MAPS_ADDRESS (BOARD_MEMORY_BASE + 0x10000)
#define WEIGHTS_ADDRESS (MAPS_ADDRESS + 0x400000)

#define BATCH 4
#define MOST_IMAGES 16

static uint64_t g_maps[BATCH * HOTNAS_MAPS_BYTES / 8];
static uint64_t g_weights[HOTNAS_WEIGHTS_BYTES / 8];
static uint8_t g_file[HOTNAS_WEIGHTS_BYTES + 1];

static int g_watched, g_foreign;
static long g_writes;

static uint32_t read_register(void *context, uint32_t offset) {
  (void)context;
  uint32_t value = board_read(offset);
  if (g_foreign && offset == HOTNAS_REG_IDENTITY + 8) return ~value;
  if (g_watched && offset == HOTNAS_REG_CTRL && (value & 2u)) value = board_read(offset);
  return value;
}

static void write_register(void *context, uint32_t offset, uint32_t value) {
  (void)context;
  ++g_writes;
  board_write(offset, value);
}

static int failed(const hotnas_accel *accel, hotnas_status status) {
  printf("failed: %s", hotnas_status_text(status));
  if (status == HOTNAS_FAULT) printf(" in %s: %s", hotnas_last_fault_layer(accel), hotnas_last_fault(accel));
  printf("\n");
  return 1;
}

/* `count` images of a file, as many in a start as fit the memory. */
static int run_batches(hotnas_accel *accel, FILE *file, size_t count, uint64_t timeout) {
  static float image[HOTNAS_IMAGE_SIZE];
  static hotnas_act integers[MOST_IMAGES * HOTNAS_IMAGE_SIZE];
  static int32_t logits[MOST_IMAGES * HOTNAS_LOGITS_SIZE];
  hotnas_status status;
  if (count > MOST_IMAGES || hotnas_batch(accel) != BATCH) return 2;
  for (size_t index = 0; index < count; ++index) {
    if (fread(image, sizeof *image, HOTNAS_IMAGE_SIZE, file) != HOTNAS_IMAGE_SIZE) return 2;
    hotnas_quantise(image, integers + index * HOTNAS_IMAGE_SIZE);
  }
  status = hotnas_classify_batch(accel, integers, count, logits, timeout);
  if (status != HOTNAS_OK) return failed(accel, status);
  for (size_t i = 0; i < count * HOTNAS_LOGITS_SIZE; ++i)
    printf("%ld%s", (long)logits[i], (i + 1) % HOTNAS_LOGITS_SIZE ? " " : "\n");
  return 0;
}

/* Ends nothing, then a run. */
static void try_abort(hotnas_accel *accel) {
  printf("%s\n", hotnas_status_text(hotnas_abort(accel, 1000)));
  if (hotnas_start(accel, 1) != HOTNAS_OK) return;
  board_run(3000);
  printf("%s\n", hotnas_status_text(hotnas_abort(accel, 1000)));
  printf("%s\n", hotnas_last_fault(accel));
}

int main(int argc, char **argv) {
  static hotnas_accel accel;
  static float image[HOTNAS_IMAGE_SIZE];
  static hotnas_act integers[HOTNAS_IMAGE_SIZE];
  int32_t logits[HOTNAS_LOGITS_SIZE];
  const char *mode = argc > 5 ? argv[5] : "";
  const int uncached = strcmp(mode, "uncached") == 0;
  hotnas_io io = hotnas_baremetal_io(0);
  const hotnas_buffer maps = {g_maps, MAPS_ADDRESS, sizeof g_maps};
  const hotnas_buffer weights = {g_weights, WEIGHTS_ADDRESS, sizeof g_weights};
  hotnas_status status;
  FILE *file;
  size_t bytes;
  if (argc < 5) return 2;
  io.read = read_register;
  io.write = write_register;
  if (uncached || strcmp(mode, "forgotten") == 0) io.sync = hotnas_uncached;
  if (strcmp(mode, "nosync") == 0) io.sync = NULL;
  g_watched = strcmp(mode, "watched") == 0;
  g_foreign = strcmp(mode, "foreign") == 0;
  board_open(MEMORY_BYTES, 40, 20);
  if (!board_map(g_maps, MAPS_ADDRESS, sizeof g_maps, !uncached)) return 2;
  if (!board_map(g_weights, WEIGHTS_ADDRESS, sizeof g_weights, !uncached)) return 2;
  status = hotnas_init(&accel, &io, maps, weights);
  if (status != HOTNAS_OK) {
    failed(&accel, status);
    if (g_foreign) printf("writes %ld\n", g_writes);
    return 1;
  }
  file = fopen(argv[1], "rb");
  if (file == NULL) return 2;
  bytes = fread(g_file, 1, sizeof g_file, file);
  fclose(file);
  status = hotnas_load_weights(&accel, g_file, bytes);
  if (status != HOTNAS_OK) return failed(&accel, status);
  if (strcmp(mode, "fail") == 0) board_fail_page(2, WEIGHTS_ADDRESS);
  if (strcmp(mode, "abort") == 0) try_abort(&accel);
  file = fopen(argv[2], "rb");
  if (file == NULL) return 2;
  if (strcmp(mode, "batch") == 0)
    return run_batches(&accel, file, strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
  for (long index = 0; index < strtol(argv[3], NULL, 10); ++index) {
    size_t found = 0;
    if (fread(image, sizeof *image, HOTNAS_IMAGE_SIZE, file) != HOTNAS_IMAGE_SIZE) return 2;
    hotnas_quantise(image, integers);
    status = hotnas_classify(&accel, integers, logits, strtoull(argv[4], NULL, 10), &found);
    if (status != HOTNAS_OK) return failed(&accel, status);
    for (size_t i = 0; i < HOTNAS_LOGITS_SIZE; ++i) printf("%ld ", (long)logits[i]);
    printf("-> %lu %.6f\n", (unsigned long)found, (double)hotnas_logit(hotnas_outputs, logits[found]));
#ifdef HOTNAS_VIEWS
    for (const hotnas_view *view = hotnas_views; view < hotnas_views + HOTNAS_VIEWS; ++view) {
      float values[HOTNAS_LOGITS_SIZE];
      const size_t count = hotnas_view_of(view, logits, values);
      for (size_t i = 0; i < count; ++i) printf("%.9g ", (double)values[i]);
      printf("\n");
    }
#endif
  }
  fclose(file);
  for (size_t layer = 0; layer < HOTNAS_LAYERS; ++layer) {
    hotnas_profile profile;
    status = hotnas_read_profile(&accel, layer, &profile);
    if (status != HOTNAS_OK) return failed(&accel, status);
    printf("%s %lu %lu\n", hotnas_layer_name(layer), (unsigned long)profile.cycles,
           (unsigned long)profile.compute);
  }
  for (size_t port = 0; port < HOTNAS_PORTS; ++port) {
    static const char *const kNames[] = HOTNAS_PORT_NAMES;
    hotnas_port counts;
    status = hotnas_read_port(&accel, port, &counts);
    if (status != HOTNAS_OK) return failed(&accel, status);
    printf("port %s %lu %lu\n", kNames[port], (unsigned long)counts.beats, (unsigned long)counts.stalls);
  }
  printf("cycles %lu violations %d\n", (unsigned long)hotnas_run_cycles(&accel), board_violations());
  board_close();
  return 0;
}
