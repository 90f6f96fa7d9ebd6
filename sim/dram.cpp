// Byte storage behind the simulated AXI memories: two regions an engine (0 feature maps, 1 weights, 2 and 3 those
// of the second engine), loaded from and dumped to files of raw bytes. Reads beyond a region give zero; writes
// beyond it are counted.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "svdpi.h"

namespace {
std::vector<std::vector<std::uint8_t>> g_regions;
int g_stray_writes = 0;

std::vector<std::uint8_t>& region_of(int number) {
  if (static_cast<int>(g_regions.size()) <= number) g_regions.resize(number + 1);
  return g_regions[number];
}
}  // namespace

extern "C" {

// Loads `path` at byte `offset`; the region grows to hold it. Returns 0 when the file cannot be read.
int dram_load(int region, long long offset, const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return 0;
  std::fseek(file, 0, SEEK_END);
  const long size = std::ftell(file);
  std::rewind(file);
  std::vector<std::uint8_t>& memory = region_of(region);
  if (memory.size() < static_cast<std::size_t>(offset + size)) memory.resize(offset + size);
  const std::size_t got = std::fread(memory.data() + offset, 1, size, file);
  std::fclose(file);
  return got == static_cast<std::size_t>(size);
}

int dram_dump(int region, const char* path) {
  std::FILE* file = std::fopen(path, "wb");
  if (file == nullptr) return 0;
  const std::vector<std::uint8_t>& memory = region_of(region);
  const std::size_t put = std::fwrite(memory.data(), 1, memory.size(), file);
  return std::fclose(file) == 0 && put == memory.size();
}

void dram_read(int region, long long address, int bytes, svBitVecVal* beat) {
  const std::vector<std::uint8_t>& memory = region_of(region);
  std::memset(beat, 0, bytes);
  if (address >= 0 && static_cast<std::size_t>(address + bytes) <= memory.size())
    std::memcpy(beat, memory.data() + address, bytes);
}

void dram_write(int region, long long address, int bytes, const svBitVecVal* beat) {
  std::vector<std::uint8_t>& memory = region_of(region);
  if (address >= 0 && static_cast<std::size_t>(address + bytes) <= memory.size())
    std::memcpy(memory.data() + address, beat, bytes);
  else
    ++g_stray_writes;
}

int dram_stray_writes() { return g_stray_writes; }

}  // extern "C"
