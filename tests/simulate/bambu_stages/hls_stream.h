// hls::stream over a FIFO interface of Bambu's. Those carry numbers, not structs: a word goes
// through in pieces of 32 bits.

#ifndef HLS_STREAM_H_
#define HLS_STREAM_H_

#include <ac_channel.h>

#include <cstdint>
#include <cstring>

using Channel = ac_channel<std::uint32_t>;

namespace hls {

template <typename T>
class stream {
 public:
  stream(Channel& channel) : channel_(&channel) {}

  T read() {
    std::uint32_t pieces[kPieces];
    for (int piece = 0; piece < kPieces; ++piece) pieces[piece] = channel_->read();
    T word;
    std::memcpy(&word, pieces, sizeof word);
    return word;
  }

  void write(const T& word) {
    std::uint32_t pieces[kPieces] = {};
    std::memcpy(pieces, &word, sizeof word);
    for (int piece = 0; piece < kPieces; ++piece) channel_->write(pieces[piece]);
  }

 private:
  static constexpr int kPieces = (sizeof(T) + 3) / 4;
  Channel* channel_;
};

}  // namespace hls

#endif  // HLS_STREAM_H_
