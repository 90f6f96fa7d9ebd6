// The schedule build, as the sources see it: their FIFOs, ports and pipelined loops tell what
// happens in the order it happens, stage by stage. schedule_play.h makes cycles of that.

#ifndef HOTNAS_SCHEDULE_H_
#define HOTNAS_SCHEDULE_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "params.h"
#include "plain_bursts.h"

namespace schedule {

enum Kind {
  kStart,
  kCycles,
  kEntry,
  kRead,
  kWrite,
  kLoad,
  kStore,
  kAsk,
  kTake,
  kBegin,
  kGive,
  kAnswer,
  kLook,
  kKeep,
  kEnd
};

struct Event {
  Kind kind;
  int value;  // cycles; stages of the loop's pipeline; number of FIFO, port or word; 1: a burst
              // begins
  int beats;  // of a run; how often the word had been written
};

// A word of a memory that stages share: when it was written, and when read that often written.
struct Word {
  struct Look {
    std::size_t version;
    long cycle;
  };
  int writes;  // so far in C simulation
  std::vector<long> written;
  std::vector<Look> looks;
};

// A port whose runs are asked for. It has room for kPortBeats beats that nobody took yet.
struct Master {
  std::deque<long> comes, leaves;  // cycle the memory hears of a run, or answers one
  std::deque<int> reads, writes;   // beats left of each run
  std::deque<long> came, rooms;    // when each beat that waits did; when each room was free
  int used;                        // rooms that held a beat before
  std::size_t bus;                 // that its beats come over
};

struct Channel {
  const char* name;
  int depth;
  int used;                       // rooms that held a word before
  std::deque<long> words, rooms;  // when each word that waits was there; when each room was free
};

// Where a stage spent its cycles.
struct Spent {
  long looping, filling, memory, empty, full;
};

// A layer's end.
struct Ended {
  long now;
  Spent spent;
};

struct Stage {
  const char* name;
  std::vector<Event> events;
  std::size_t next;
  long now, beat;  // beat: when the last one came
  int depth;       // of the loop it is in
  bool stored;     // in that loop
  Spent spent;     // with this layer
  std::vector<Ended> ended;
};

// What has happened in a run.
struct Trace {
  std::vector<Stage> stages;
  std::vector<Channel> channels;
  std::vector<Master> masters;
  std::vector<long> buses;  // when the last beat came over each
  std::vector<Word> words;  // of all shared memories
  std::size_t stage;        // that works
  std::size_t back;         // FIFOs that lead from a layer to the next: declared before the first
  std::size_t declared;     // those of this layer and these
  bool entered;             // a loop was, and no beat moved since
  std::uint32_t last_beat;  // its number
};

inline Trace& trace() {
  static Trace all = {};
  return all;
}

// The FIFO whose turn it is: every layer declares the same.
inline std::size_t add_fifo(int depth) {
  Trace& all = trace();
  if (all.declared == all.channels.size()) {
    Channel channel = {};
    channel.depth = depth;
    all.channels.push_back(channel);
  }
  return all.declared++;
}

// Names the FIFOs declared since the last call, and says how deep they are.
inline void declare_fifos(const char* name, int depth) {
  std::vector<Channel>& channels = trace().channels;
  for (std::size_t at = channels.size(); at > 0 && channels[at - 1].name == nullptr; --at) {
    channels[at - 1].name = name;
    channels[at - 1].depth = depth;
  }
}

inline void happens(Kind kind, int value, int beats = 0) {
  const Event event = {kind, value, beats};
  trace().stages[trace().stage].events.push_back(event);
}

inline void begin_stage(const char* name) {
  std::vector<Stage>& stages = trace().stages;
  std::size_t at = 0;
  while (at < stages.size() && std::strcmp(stages[at].name, name) != 0) ++at;
  if (at == stages.size()) {
    Stage stage = {};
    stage.name = name;
    stages.push_back(stage);
  }
  trace().stage = at;
  happens(kStart, 0);
}

inline void iterate(bool first, int depth) {
  if (first) {
    happens(kEntry, depth);
    trace().entered = true;
  }
  Event& last = trace().stages[trace().stage].events.back();
  if (last.kind == kCycles) {
    ++last.value;
  } else {
    happens(kCycles, 1);
  }
}

// A beat of a port, or its place.
template <typename T>
class Beat {
 public:
  Beat(T* memory, std::uint32_t number) : memory_(memory), number_(number) {}

  operator T() const {
    happens(kLoad, begins_burst());
    return memory_[number_];
  }

  void operator=(const T& beat) {
    happens(kStore, begins_burst());
    memory_[number_] = beat;
  }

 private:
  int begins_burst() const {
    Trace& all = trace();
    const bool begins = all.entered || number_ != all.last_beat + 1;
    all.entered = false;
    all.last_beat = number_;
    return begins;
  }

  T* memory_;
  std::uint32_t number_;
};

// A memory on chip. What is read of it must have been written before, in hardware, too.
template <typename T, int kSize>
class Memory {
 public:
  Memory() : words_(new T[kSize](), std::default_delete<T[]>()), first_(trace().words.size()) {
    trace().words.resize(first_ + kSize);
  }

  class Place {
   public:
    Place(T& word, std::size_t number) : word_(word), number_(static_cast<int>(number)) {}

    operator T() const {
      happens(kLook, number_, trace().words[number_].writes);
      return word_;
    }

    void operator=(const T& word) {
      happens(kKeep, number_);
      ++trace().words[number_].writes;
      word_ = word;
    }

   private:
    T& word_;
    int number_;
  };

  Place operator[](std::uint32_t at) const { return Place(words_.get()[at], first_ + at); }
  operator const T*() const { return words_.get(); }

 private:
  std::shared_ptr<T> words_;
  std::size_t first_;
};

template <typename T>
class Port {
 public:
  Port(T* memory) : memory_(memory) {}
  Beat<T> operator[](std::uint32_t number) const { return Beat<T>(memory_, number); }

 private:
  T* memory_;
};

// hls::burst_maxi.
template <typename T>
class burst_maxi : public plain::burst_maxi<T> {
 public:
  burst_maxi(T* memory)
      : plain::burst_maxi<T>(memory), number_(static_cast<int>(masters().size())) {
    masters().push_back(Master());
  }

  void read_request(std::size_t offset, std::size_t beats) {
    happens(kAsk, number_, static_cast<int>(beats));
    plain::burst_maxi<T>::read_request(offset, beats);
  }

  T read() {
    happens(kTake, number_);
    return plain::burst_maxi<T>::read();
  }

  void write_request(std::size_t offset, std::size_t beats) {
    happens(kBegin, number_, static_cast<int>(beats));
    plain::burst_maxi<T>::write_request(offset, beats);
  }

  void write(const T& beat) {
    happens(kGive, number_);
    plain::burst_maxi<T>::write(beat);
  }

  void write_response() {
    happens(kAnswer, number_);
    plain::burst_maxi<T>::write_response();
  }

 private:
  static std::vector<Master>& masters() { return trace().masters; }

  int number_;
};

template <typename T, int kDepth>
class Fifo {
 public:
  Fifo() : number_(static_cast<int>(add_fifo(kDepth))) {}

  void write(const T& word) {
    happens(kWrite, number_);
    words_.push_back(word);
  }

  T read() {
    happens(kRead, number_);
    const T word = words_.front();
    words_.pop_front();
    return word;
  }

 private:
  int number_;
  std::deque<T> words_;
};

}  // namespace schedule

#include "schedule_play.h"

#endif  // HOTNAS_SCHEDULE_H_
