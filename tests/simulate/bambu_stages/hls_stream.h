// hls::stream over a FIFO interface of Bambu's. Those carry numbers, not structs: a word goes
// through in pieces of 32 bits. Bambu 2024.10 swaps two reads of a FIFO in places where no loop
// parts them: a variable counts the pieces, so that their loop stays one.

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
    const int count = piece_count();
    for (int piece = 0; piece < count; ++piece) pieces[piece] = channel_->read();
    T word;
    std::memcpy(&word, pieces, sizeof word);
    return word;
  }

  void write(const T& word) {
    std::uint32_t pieces[kPieces] = {};
    std::memcpy(pieces, &word, sizeof word);
    const int count = piece_count();
    for (int piece = 0; piece < count; ++piece) channel_->write(pieces[piece]);
  }

 private:
  static constexpr int kPieces = (sizeof(T) + 3) / 4;

  static int piece_count() {
    static volatile int count = kPieces;
    return count;
  }

  Channel* channel_;
};

}  // namespace hls

#endif  // HLS_STREAM_H_
