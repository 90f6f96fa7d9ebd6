// C simulation and co-simulation: every layer's output against the golden arena, bit for bit.
//
//   testbench [--per-layer] [--images N] [folder]
//
// By default each transaction runs the whole network in one start, on one arena, as on a board. The
// last one is a batch: the first two images again (or the only one), in one start, so that state
// left by an image would show.
// --per-layer runs one layer per transaction, its input taken from the golden arena. Co-simulation
// needs this: it gives ifm and ofm separate copies of memory, so that a layer could not read what
// the layer before has written. `folder` is the package; without it, the testbench looks for it
// from its working directory upwards.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "accelerator.h"
#include "network.h"

namespace {

using Bytes = std::vector<std::uint32_t>;  // aligned for every port

std::FILE* open_file(const std::string& path) { return std::fopen(path.c_str(), "rb"); }

// HLS tools run a testbench some levels below the project.
std::string find_package() {
  std::string folder = ".";
  for (int level = 0; level < 10; ++level) {
    if (std::FILE* file = open_file(folder + "/weights/weights.bin")) {
      std::fclose(file);
      return folder;
    }
    folder += "/..";
  }
  std::fprintf(stderr, "weights/weights.bin not found here or above; pass the package's folder\n");
  std::exit(2);
}

void load(const std::string& path, Bytes& bytes, std::size_t offset, std::size_t count) {
  std::FILE* file = open_file(path);
  if (file == nullptr) {
    std::fprintf(stderr, "%s: cannot be opened\n", path.c_str());
    std::exit(2);
  }
  char* to = reinterpret_cast<char*>(bytes.data()) + offset;
  const std::size_t got = std::fread(to, 1, count, file);
  const bool longer = std::fgetc(file) != EOF;
  std::fclose(file);
  if ((got != count && count != kArenaBytes - offset) || longer) {
    std::fprintf(stderr, "%s: not the size this testbench was generated for\n", path.c_str());
    std::exit(2);
  }
}

std::string indexed(const std::string& folder, const char* what, int index) {
  return folder + "/tb_data/" + what + "_" + std::to_string(index) + ".bin";
}

Act activation_at(const Bytes& arena, const LayerOutput& fm, int channel, int row, int column) {
  const std::size_t block = channel / kChannelBlock;
  const std::size_t word = (block * fm.rows + row) * fm.columns + column;
  Act value;
  std::memcpy(&value,
              reinterpret_cast<const char*>(arena.data()) + fm.offset + word * kWordBytes +
                  channel % kChannelBlock * sizeof(Act),
              sizeof(Act));
  return value;
}

// Number of activations that differ; the first one is printed.
long compare(const Bytes& arena, const Bytes& golden, const LayerOutput& fm, int image) {
  long different = 0;
  for (int channel = 0; channel < fm.channels; ++channel) {
    for (int row = 0; row < fm.rows; ++row) {
      for (int column = 0; column < fm.columns; ++column) {
        const int got = activation_at(arena, fm, channel, row, column);
        const int expected = activation_at(golden, fm, channel, row, column);
        if (got != expected && different++ == 0) {
          std::printf("MISMATCH image %d layer %s channel %d row %d column %d: %d, expected %d\n",
                      image, fm.name, channel, row, column, got, expected);
        }
      }
    }
  }
  if (different > 0) std::printf("  layer %s: %ld values differ\n", fm.name, different);
  return different;
}

std::uint32_t identity[kIdentityWords];
std::uint32_t profile[kProfileSlots][kProfileWords];

bool run(Bytes& ifm, Bytes& wgt, Bytes& ofm, int layers, int images = 1) {
  const int status = hotnas_accel(
      reinterpret_cast<const IfmBeat*>(ifm.data()), reinterpret_cast<const WgtBeat*>(wgt.data()),
      reinterpret_cast<OfmBeat*>(ofm.data()), layers, images, kArenaBytes, identity, profile);
  if (status != kStatusOk) std::printf("MISMATCH status %d, expected %d\n", status, kStatusOk);
  const bool known = std::memcmp(identity, kIdentity, sizeof identity) == 0;
  if (!known) std::printf("MISMATCH identity, expected that of params.h\n");
  return status == kStatusOk && known;
}

Bytes image_arena(const std::string& folder, int index) {
  Bytes arena(kArenaBytes / 4);
  load(indexed(folder, "image", index), arena, kImageOffset, kArenaBytes - kImageOffset);
  return arena;
}

Bytes golden_arena(const std::string& folder, int index) {
  Bytes arena(kArenaBytes / 4);
  load(indexed(folder, "golden", index), arena, 0, kArenaBytes);
  return arena;
}

long run_batch(const std::string& folder, Bytes& wgt, const std::vector<int>& images) {
  Bytes arenas;
  for (const int index : images) {
    const Bytes arena = image_arena(folder, index);
    arenas.insert(arenas.end(), arena.begin(), arena.end());
  }
  if (!run(arenas, wgt, arenas, kLayerCount, static_cast<int>(images.size()))) return 1;
  long different = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto first = arenas.begin() + i * (kArenaBytes / 4);
    const Bytes arena(first, first + kArenaBytes / 4);
    const Bytes golden = golden_arena(folder, images[i]);
    for (const LayerOutput& fm : kLayers) different += compare(arena, golden, fm, images[i]);
  }
  return different;
}

long run_per_layer(const Bytes& wgt, const Bytes& golden, int index) {
  long different = 0;
  for (int layer = 0; layer < kLayerCount; ++layer) {
    Bytes one(wgt);  // the layer's descriptor becomes the first
    std::memcpy(one.data(), wgt.data() + layer * (kDescriptorBytes / 4), kDescriptorBytes);
    Bytes ifm(golden), ofm(golden);
    // Outputs must be written, not found: spoil them first.
    const LayerOutput& fm = kLayers[layer];
    const int blocks = (fm.channels + kChannelBlock - 1) / kChannelBlock;
    std::memset(reinterpret_cast<char*>(ofm.data()) + fm.offset, 0x55,
                static_cast<std::size_t>(blocks) * fm.rows * fm.columns * kWordBytes);
    different += run(ifm, one, ofm, 1) ? compare(ofm, golden, fm, index) : 1;
  }
  return different;
}

}  // namespace

int main(int argc, char** argv) {
  bool per_layer = false;
  int images = kImages;
  std::string folder;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--per-layer") {
      per_layer = true;
    } else if (argument == "--images" && i + 1 < argc) {
      images = std::atoi(argv[++i]);
    } else {
      folder = argument;
    }
  }
  if (images < 1 || images > kImages) {
    std::fprintf(stderr, "--images: 1 to %d\n", kImages);
    return 2;
  }
  if (folder.empty()) folder = find_package();

  Bytes wgt(kWeightBytes / 4);
  load(folder + "/weights/weights.bin", wgt, 0, kWeightBytes);
  long different = 0;
  int transactions = 0;
  for (; transactions <= images; ++transactions) {
    std::vector<int> batch(1, transactions % images);
    if (!per_layer && transactions == images && images > 1) batch.push_back(1);
    const long wrong = per_layer ? run_per_layer(wgt, golden_arena(folder, batch[0]), batch[0])
                                 : run_batch(folder, wgt, batch);
    std::printf("transaction %d image %d%s: %s\n", transactions, batch[0],
                batch.size() > 1 ? " and 1" : "", wrong == 0 ? "equal" : "DIFFERENT");
    different += wrong;
  }
  std::printf("%s: %d transactions, %d layers, %ld values differ\n",
              different == 0 ? "PASS" : "FAIL", transactions, kLayerCount, different);
  return different == 0 ? 0 : 1;
}
