// hls::burst_maxi that Bambu makes hardware of: a master of 32 bits, which keeps what it is asked
// for.

#ifndef HOTNAS_PLAIN_BURSTS_H_
#define HOTNAS_PLAIN_BURSTS_H_

#include <cstdint>

namespace plain {

constexpr int kPlaces = 32;  // runs asked for before their last beat

struct Asked {
  int first, last;                             // in front, as in Fifo
  std::uint32_t next[kPlaces], left[kPlaces];  // beats

  void push(std::uint32_t offset, std::uint32_t beats) {
    next[last] = offset;
    left[last] = beats;
    last = (last + 1) % kPlaces;
  }

  // The place of the next beat.
  std::uint32_t advance() {
    const std::uint32_t at = next[first]++;
    if (--left[first] == 0) first = (first + 1) % kPlaces;
    return at;
  }
};

struct Requests {  // stay from one layer to the next
  Asked reads, writes;
};

template <typename T>
class burst_maxi {
 public:
  burst_maxi(std::uint32_t* words, Requests& requests) : words_(words), requests_(&requests) {}

  void read_request(std::uint32_t offset, std::uint32_t beats) {
    requests_->reads.push(offset, beats);
  }

  T read() {
    const std::uint32_t* words = words_ + kWords * requests_->reads.advance();
    T beat = 0;
    for (int word = 0; word < kWords; ++word) beat |= T(words[word]) << (32 * word);
    return beat;
  }

  void write_request(std::uint32_t offset, std::uint32_t beats) {
    requests_->writes.push(offset, beats);
  }

  void write(const T& beat) {
    std::uint32_t* words = words_ + kWords * requests_->writes.advance();
    for (int word = 0; word < kWords; ++word) words[word] = T(beat >> (32 * word)).to_uint();
  }

  void write_response() {}

 private:
  static constexpr int kWords = T::width / 32;
  std::uint32_t* words_;
  Requests* requests_;
};

}  // namespace plain

#endif  // HOTNAS_PLAIN_BURSTS_H_
