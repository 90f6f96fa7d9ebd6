// Stands in for Vitis's hls::burst_maxi where there is none: the same calls (UG1399, Using Manual
// Burst) on plain memory. A port and its copies share what is asked for.

#ifndef HOTNAS_PLAIN_BURSTS_H_
#define HOTNAS_PLAIN_BURSTS_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>

namespace plain {

struct Asked {
  std::size_t next, left;  // beats
};

struct Requests {
  std::deque<Asked> reads, writes;
  int complete;  // writes that have not been answered
};

inline void refuse(const char* what) {
  std::printf("MISMATCH burst_maxi: %s\n", what);
  std::exit(1);
}

// The place of the next beat.
inline std::size_t advance(std::deque<Asked>& asked, const char* otherwise) {
  if (asked.empty()) refuse(otherwise);
  const std::size_t at = asked.front().next++;
  if (--asked.front().left == 0) asked.pop_front();
  return at;
}

template <typename T>
class burst_maxi {
 public:
  burst_maxi(T* memory) : memory_(memory), requests_(&of(memory)) {
    if (!requests_->reads.empty()) refuse("a beat was asked for and not read");
    if (!requests_->writes.empty()) refuse("a beat was announced and not written");
    if (requests_->complete > 0) refuse("nobody waited for the answer to a write");
  }

  void read_request(std::size_t offset, std::size_t beats) {
    const Asked asked = {offset, beats};
    requests_->reads.push_back(asked);
  }

  T read() { return memory_[advance(requests_->reads, "a beat is read that nobody asked for")]; }

  void write_request(std::size_t offset, std::size_t beats) {
    const Asked asked = {offset, beats};
    requests_->writes.push_back(asked);
  }

  void write(const T& beat) {
    const std::size_t runs = requests_->writes.size();
    memory_[advance(requests_->writes, "a beat is written that nobody announced")] = beat;
    requests_->complete += static_cast<int>(runs - requests_->writes.size());
  }

  void write_response() {
    if (requests_->complete-- == 0) refuse("an answer is awaited before the last beat");
  }

 private:
  static Requests& of(T* memory) {
    static std::map<T*, Requests> all;
    return all[memory];
  }

  T* memory_;
  Requests* requests_;
};

}  // namespace plain

#endif  // HOTNAS_PLAIN_BURSTS_H_
