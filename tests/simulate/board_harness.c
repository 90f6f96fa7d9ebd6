/* The C driver on the simulated board: a cache between processor and memory, images from a file.
 *
 *   harness WEIGHTS IMAGES COUNT TIMEOUT [fail | batch]
 *
 * prints one line of logits a run and its class, then the profile. IMAGES holds COUNT images as float32,
 * TIMEOUT is in microseconds; with `fail` the memory answers the first weight page with an error, with
 * `batch` all images run in batches, and only their logits are printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "hotnas_accel.h"

#define MEMORY_BYTES (16u << 20)
#define MAPS_ADDRESS (BOARD_MEMORY_BASE + 0x10000)
#define WEIGHTS_ADDRESS (MAPS_ADDRESS + 0x400000)

#define BATCH 4
#define MOST_IMAGES 16

static uint64_t g_maps[BATCH * HOTNAS_MAPS_BYTES / 8];
static uint64_t g_weights[HOTNAS_WEIGHTS_BYTES / 8];
static uint8_t g_file[HOTNAS_WEIGHTS_BYTES + 1];

static uint32_t read_register(void *context, uint32_t offset) {
  (void)context;
  return board_read(offset);
}

static void write_register(void *context, uint32_t offset, uint32_t value) {
  (void)context;
  board_write(offset, value);
}

static void sync_cache(void *context, void *address, size_t bytes, hotnas_direction direction) {
  uint8_t *cpu = address;
  const size_t offset = (size_t)(cpu - (uint8_t *)g_maps);
  const uint64_t device = cpu >= (uint8_t *)g_maps && offset < sizeof g_maps
                              ? MAPS_ADDRESS + offset
                              : WEIGHTS_ADDRESS + (size_t)(cpu - (uint8_t *)g_weights);
  (void)context;
  if (direction == HOTNAS_TO_DEVICE)
    board_copy_in(device, cpu, bytes);
  else
    board_copy_out(device, cpu, bytes);
}

static uint64_t now_us(void *context) {
  (void)context;
  return board_cycles() / 200; /* at 200 MHz */
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

int main(int argc, char **argv) {
  static hotnas_accel accel;
  static float image[HOTNAS_IMAGE_SIZE];
  static hotnas_act integers[HOTNAS_IMAGE_SIZE];
  int32_t logits[HOTNAS_LOGITS_SIZE];
  const hotnas_io io = {read_register, write_register, sync_cache, now_us, NULL};
  const hotnas_buffer maps = {g_maps, MAPS_ADDRESS, sizeof g_maps};
  const hotnas_buffer weights = {g_weights, WEIGHTS_ADDRESS, sizeof g_weights};
  hotnas_status status;
  FILE *file;
  size_t bytes;
  if (argc < 5) return 2;
  board_open(MEMORY_BYTES, 40, 20);
  status = hotnas_init(&accel, &io, maps, weights);
  if (status != HOTNAS_OK) return failed(&accel, status);
  file = fopen(argv[1], "rb");
  if (file == NULL) return 2;
  bytes = fread(g_file, 1, sizeof g_file, file);
  fclose(file);
  status = hotnas_load_weights(&accel, g_file, bytes);
  if (status != HOTNAS_OK) return failed(&accel, status);
  if (argc > 5 && strcmp(argv[5], "fail") == 0) board_fail_page(2, WEIGHTS_ADDRESS);
  file = fopen(argv[2], "rb");
  if (file == NULL) return 2;
  if (argc > 5 && strcmp(argv[5], "batch") == 0)
    return run_batches(&accel, file, strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
  for (long index = 0; index < strtol(argv[3], NULL, 10); ++index) {
    size_t found = 0;
    if (fread(image, sizeof *image, HOTNAS_IMAGE_SIZE, file) != HOTNAS_IMAGE_SIZE) return 2;
    hotnas_quantise(image, integers);
    status = hotnas_classify(&accel, integers, logits, strtoull(argv[4], NULL, 10), &found);
    if (status != HOTNAS_OK) return failed(&accel, status);
    for (size_t i = 0; i < HOTNAS_LOGITS_SIZE; ++i) printf("%ld ", (long)logits[i]);
    printf("-> %lu %.6f\n", (unsigned long)found, (double)hotnas_logit(logits[found]));
  }
  fclose(file);
  for (size_t layer = 0; layer < HOTNAS_LAYERS; ++layer) {
    hotnas_profile profile;
    status = hotnas_read_profile(&accel, layer, &profile);
    if (status != HOTNAS_OK) return failed(&accel, status);
    printf("%s %lu %lu\n", hotnas_layer_name(layer), (unsigned long)profile.cycles,
           (unsigned long)profile.compute);
  }
  printf("cycles %lu violations %d\n", (unsigned long)hotnas_run_cycles(&accel), board_violations());
  board_close();
  return 0;
}
