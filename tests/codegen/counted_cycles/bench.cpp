// Runs count_cycles: LAYERS CYCLE...; the cycles in which a layer ended, image after image.

#include "count_cycles.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const int layers = std::atoi(argv[1]);
  LayerEnds ended;
  for (int i = 2; i < argc; ++i) ended.comes.push_back(std::strtoull(argv[i], nullptr, 10));
  Profile profile = {};
  count_cycles(argc - 2, layers, ended, profile);
  for (const auto& row : profile) {
    for (const std::uint32_t word : row) std::printf("%u ", word);
    std::printf("\n");
  }
  return ended.taken == ended.comes.size() ? 0 : 1;
}
