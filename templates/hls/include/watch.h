// C simulation looks at the maps kept on chip when a layer has ended.

#ifndef HOTNAS_WATCH_H_
#define HOTNAS_WATCH_H_

#include <cstdint>

#include "types.h"

#if defined(__SYNTHESIS__)

#define HOTNAS_WATCH(step, kept)

#else

using Watch = void (*)(std::uint32_t step, const ActWord* kept);

inline Watch& watch() {
  static Watch function = nullptr;
  return function;
}

#define HOTNAS_WATCH(step, kept) \
  if (watch() != nullptr) watch()(step, kept);

#endif  // __SYNTHESIS__

#endif  // HOTNAS_WATCH_H_
