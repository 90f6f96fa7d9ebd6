/* UIO and u-dma-buf as hotnas_linux.h sees them, on the simulated board: calls into the kernel go through here
 * (ld --wrap). Files under HOTNAS_LINUX_ROOT stand for those of /dev and /sys. BOARD_MODE says what is wrong:
 *
 *   lost     no interrupt arrives       unwired  the node has no interrupt
 *   denied   /dev/uio0 is another's     stale    caches are never brought in step
 *
 * Prints to stderr, at the end, what it was asked for. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "board.h"

#define MEMORY_BYTES (16u << 20)
#define MAPS_ADDRESS (BOARD_MEMORY_BASE + 0x10000)
#define WEIGHTS_ADDRESS (MAPS_ADDRESS + 0x400000)
#define PATIENCE 200000 /* cycles for which poll waits */

int __real_open(const char *path, int flags, ...);
void *__real_mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset);
ssize_t __real_read(int file, void *to, size_t bytes);
ssize_t __real_write(int file, const void *from, size_t bytes);

static char *g_maps, *g_weights;
static int g_interrupts, g_timeouts, g_syncs, g_enabled;

static int in_mode(const char *name) {
  const char *mode = getenv("BOARD_MODE");
  return mode != NULL && strcmp(mode, name) == 0;
}

static int ends_with(const char *text, const char *end) {
  const size_t size = strlen(text), tail = strlen(end);
  return size >= tail && strcmp(text + size - tail, end) == 0;
}

static const char *path_of(int file) {
  static char path[512];
  char link[64];
  ssize_t size;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  size = readlink(link, path, sizeof path - 1);
  path[size > 0 ? size : 0] = '\0';
  return path;
}

__attribute__((destructor)) static void report(void) {
  if (g_maps != NULL)
    fprintf(stderr, "kernel: %d interrupts, %d time-outs, %d violations\n", g_interrupts, g_timeouts,
            board_violations());
}

int __wrap_open(const char *path, int flags, ...) {
  if (in_mode("denied") && ends_with(path, "/dev/uio0")) {
    errno = EACCES;
    return -1;
  }
  return __real_open(path, flags);
}

void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset) {
  char *made = __real_mmap(address, bytes, protection, flags, file, offset);
  const char *path = file < 0 ? "" : path_of(file);
  if (ends_with(path, "/dev/uio0")) board_open(MEMORY_BYTES, 40, 20);
  if (ends_with(path, "/dev/hotnas-maps")) board_map(g_maps = made, MAPS_ADDRESS, bytes, 1);
  if (ends_with(path, "/dev/hotnas-weights")) board_map(g_weights = made, WEIGHTS_ADDRESS, bytes, 1);
  return made;
}

int __wrap_poll(struct pollfd *files, nfds_t count, int timeout) {
  (void)timeout;
  if (count != 1 || !ends_with(path_of(files->fd), "/dev/uio0")) abort();
  for (int waited = 0; waited < PATIENCE; waited += 100) {
    board_run(100);
    if (g_enabled && board_interrupt() && !in_mode("lost")) {
      files->revents = POLLIN;
      return 1;
    }
  }
  ++g_timeouts;
  return 0;
}

ssize_t __wrap_read(int file, void *to, size_t bytes) {
  if (!ends_with(path_of(file), "/dev/uio0")) return __real_read(file, to, bytes);
  if (bytes != 4 || !board_interrupt()) abort();
  g_enabled = 0; /* the kernel masks an interrupt until the program allows the next one */
  ++g_interrupts;
  memcpy(to, &g_interrupts, 4);
  return 4;
}

ssize_t __wrap_write(int file, const void *from, size_t bytes) {
  const char *path = path_of(file);
  const int for_device = ends_with(path, "/sync_for_device"), for_cpu = ends_with(path, "/sync_for_cpu");
  if (ends_with(path, "/dev/uio0")) {
    if (in_mode("unwired")) {
      errno = EIO;
      return -1;
    }
    g_enabled = 1;
    return (ssize_t)bytes;
  }
  if (!for_device && !for_cpu) return __real_write(file, from, bytes);
  const unsigned long long told = strtoull(from, NULL, 16);
  const unsigned long offset = (unsigned long)(told >> 32), size = (unsigned long)(told & 0xfffffff0u);
  char *buffer = strstr(path, "/hotnas-maps/") != NULL ? g_maps : g_weights;
  if ((told & 15) != (for_device ? 5 : 9)) { /* direction 1 or 2, and an order */
    errno = EINVAL;
    return -1;
  }
  ++g_syncs;
  if (in_mode("stale")) return (ssize_t)bytes;
  if (for_device)
    board_flush(buffer + offset, size);
  else
    board_invalidate(buffer + offset, size);
  return (ssize_t)bytes;
}
