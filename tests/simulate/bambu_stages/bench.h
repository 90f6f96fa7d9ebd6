// The bench of a stage: `run_stages` runs one layer in C, and in hardware the stage that is tested;
// World has whatever the stages share.

#ifndef BENCH_H_
#define BENCH_H_

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

void run_stages(World& world);

bool wrong = false;

void compare(unsigned layer, const char* what, bool equal) {
  if (!equal) std::printf("MISMATCH layer %u %s\n", layer, what);
  wrong |= !equal;
}

void compare(unsigned layer, const char* what, Channel& a, Channel& b) {
  bool equal = a.debug_size() == b.debug_size();
  for (unsigned at = 0; equal && at < a.debug_size(); ++at) equal = a[at] == b[at];
  compare(layer, what, equal);
}

void compare(unsigned layer, const char* what, Words& a, Words& b) { compare(layer, what, a == b); }

template <typename T>
void compare(unsigned layer, const char* what, T& a, T& b) {
  compare(layer, what, std::memcmp(&a, &b, sizeof a) == 0);
}

Words load(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  Words words(static_cast<std::size_t>(file.tellg()) / 4);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(words.data()), 4 * words.size());
  return words;
}

int main(int, char** argv) {
  const std::string folder = argv[1];
  World world = {};
  world.weights = load(folder + "/weights/weights.bin");
  world.arena.resize(kArenaBytes / 4);
  const Words image = load(folder + "/tb_data/image_0.bin");
  std::copy(image.begin(), image.end(), world.arena.begin() + kImageOffset / 4);
  world.steps = world.layer_count = kLayerCount;
  for (; world.step < kLayerCount; ++world.step) run_stages(world);
  const bool right = world.arena == load(folder + "/tb_data/golden_0.bin") && world.status == 0;
  std::printf("%s\n", right && !wrong ? "PASS" : "FAIL");
  return !right || wrong;
}

#endif  // BENCH_H_
