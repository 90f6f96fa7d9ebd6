// The schedule build: the same sources, whose FIFOs, ports and pipelined loops tell what happens in
// the order it happens. C simulation runs the stages one after the other; when the last has ended,
// their events are played again, all at once, each stage with a clock of its own. What that gives
// are the cycles of a layer if every loop keeps its II of 1.
//
// - A loop takes a cycle an iteration and, once, as many as its pipeline has stages.
// - A word is in a FIFO a cycle after it left the writer's pipeline; its room is free a cycle after
//   it was read. Who waits stands still.
// - A run's first beat comes HOTNAS_READ_LATENCY cycles after it is at the memory, a cycle after it
//   was asked for; its others, and then those of the next run, a cycle apart. A port holds
//   kPortBeats of them. A run is answered HOTNAS_WRITE_LATENCY cycles after its last beat.
// - Without HOTNAS_BURSTS a run is the beats a loop reads, or writes, one behind the other: it is
//   asked for with its first beat, and a loop that wrote ends with the answer.

#ifndef HOTNAS_SCHEDULE_H_
#define HOTNAS_SCHEDULE_H_

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "params.h"
#include "plain_bursts.h"

namespace schedule {

enum Kind { kCycles, kEntry, kRead, kWrite, kLoad, kStore, kAsk, kTake, kBegin, kGive, kAnswer };

struct Event {
  Kind kind;
  int value;  // cycles; stages of the loop's pipeline; number of FIFO or port; 1: a burst begins
  int beats;  // of a run
};

// A port whose runs are asked for.
struct Master {
  std::deque<long> comes, leaves;  // cycle the memory hears of a run, or answers one
  std::deque<int> reads, writes;   // beats left of each run
  std::deque<long> taken;          // when the last kPortBeats were
  long last;                       // when the last beat came
};

struct Channel {
  const char* name;
  int depth;
  std::vector<long> written, read;  // when each word was there, and its room free
};

// Where a stage spent its cycles.
struct Spent {
  long looping, filling, memory, empty, full;
};

struct Stage {
  const char* name;
  std::vector<Event> events;
  std::size_t next;
  long now, beat;  // beat: when the last one came
  int depth;       // of the loop it is in
  bool stored;     // in that loop
  Spent spent;
};

// What has happened since the last region ended.
struct Trace {
  std::vector<Stage> stages;
  std::vector<Channel> channels;
  std::vector<Master> masters;
  bool overlaps;            // in a region: its stages work at once
  bool entered;             // a loop was, and no beat moved since
  std::uint32_t last_beat;  // its number
};

inline Trace& trace() {
  static Trace all = {};
  return all;
}

// Names the FIFOs declared since the last call, and says how deep they are.
inline void declare_fifos(const char* name, int depth) {
  std::vector<Channel>& channels = trace().channels;
  for (std::size_t at = channels.size(); at > 0 && channels[at - 1].name == nullptr; --at) {
    channels[at - 1].name = name;
    channels[at - 1].depth = depth;
  }
}

// Outside a region, functions run in turn: they are one stage.
inline void begin_stage(const char* name) {
  if (!trace().stages.empty() && !trace().overlaps) return;
  Stage stage = {};
  stage.name = name;
  trace().stages.push_back(stage);
}

inline void happens(Kind kind, int value, int beats = 0) {
  const Event event = {kind, value, beats};
  trace().stages.back().events.push_back(event);
}

inline void iterate(bool first, int depth) {
  if (first) {
    happens(kEntry, depth);
    trace().entered = true;
  }
  Event& last = trace().stages.back().events.back();
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
  Fifo() : number_(static_cast<int>(trace().channels.size())) {
    Channel channel = {};
    channel.depth = kDepth;
    trace().channels.push_back(channel);
  }

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

// The cycle `stage` may go on in where its next event is at a FIFO; -1: not yet known.
inline long allowed(const Stage& stage, const Event& event, const Channel& channel) {
  if (event.kind == kRead) {
    const std::size_t word = channel.read.size();
    return word < channel.written.size() ? channel.written[word] : -1;
  }
  const std::size_t word = channel.written.size();
  const std::size_t depth = static_cast<std::size_t>(channel.depth);
  if (word < depth) return 0;
  return word - depth < channel.read.size() ? channel.read[word - depth] - stage.depth : -1;
}

inline void wait_until(Stage& stage, long cycle, long& waited) {
  waited += std::max(0L, cycle - stage.now);
  stage.now = std::max(stage.now, cycle);
}

// The loop's pipeline runs empty, and the memory answers its writes.
inline void leave_loop(Stage& stage) {
  stage.now += stage.depth;
  stage.spent.filling += stage.depth;
  if (stage.stored) wait_until(stage, stage.now + HOTNAS_WRITE_LATENCY, stage.spent.memory);
  stage.stored = false;
  stage.depth = 0;
}

// The cycle the next beat of a port comes in.
inline long next_beat(Master& master) {
  long cycle = std::max(master.comes.front() + HOTNAS_READ_LATENCY, master.last + 1);
  if (master.taken.size() == static_cast<std::size_t>(kPortBeats)) {
    cycle = std::max(cycle, master.taken.front() + 1);
    master.taken.pop_front();
  }
  if (--master.reads.front() == 0) {
    master.reads.pop_front();
    master.comes.pop_front();
  }
  return master.last = cycle;
}

// Plays a stage on as far as is known; false: not a single event.
inline bool play(Stage& stage, std::vector<Channel>& channels, std::vector<Master>& masters) {
  const std::size_t before = stage.next;
  for (; stage.next < stage.events.size(); ++stage.next) {
    const Event& event = stage.events[stage.next];
    switch (event.kind) {
      case kEntry:
        leave_loop(stage);
        stage.depth = event.value;
        break;
      case kCycles:
        stage.now += event.value;
        stage.spent.looping += event.value;
        break;
      case kLoad:
        stage.beat = event.value ? stage.now + HOTNAS_READ_LATENCY : stage.beat + 1;
        wait_until(stage, stage.beat, stage.spent.memory);
        break;
      case kStore:
        stage.stored = true;
        break;
      case kAsk:
        masters[event.value].comes.push_back(stage.now + 1);
        masters[event.value].reads.push_back(event.beats);
        break;
      case kTake: {
        Master& master = masters[event.value];
        wait_until(stage, next_beat(master), stage.spent.memory);
        master.taken.push_back(stage.now);
        break;
      }
      case kBegin:
        masters[event.value].writes.push_back(event.beats);
        break;
      case kGive: {
        Master& master = masters[event.value];
        if (--master.writes.front() > 0) break;
        master.writes.pop_front();
        master.leaves.push_back(stage.now + stage.depth + HOTNAS_WRITE_LATENCY);
        break;
      }
      case kAnswer: {
        Master& master = masters[event.value];
        wait_until(stage, master.leaves.front(), stage.spent.memory);
        master.leaves.pop_front();
        break;
      }
      case kRead:
      case kWrite: {
        Channel& channel = channels[event.value];
        const long cycle = allowed(stage, event, channel);
        if (cycle < 0) return stage.next > before;
        const bool reads = event.kind == kRead;
        wait_until(stage, cycle, reads ? stage.spent.empty : stage.spent.full);
        if (reads) {
          channel.read.push_back(stage.now + 1);
        } else {
          channel.written.push_back(stage.now + stage.depth + 1);
        }
        break;
      }
    }
  }
  return stage.next > before;
}

inline void print(const Stage& stage) {
  const Spent& spent = stage.spent;
  std::printf("SCHEDULE %s %ld %ld %ld %ld %ld %ld\n", stage.name, stage.now, spent.looping,
              spent.filling, spent.memory, spent.empty, spent.full);
}

// Plays all stages from cycle `start` on; the cycle in which the last has ended.
inline long play_all(Trace& all, long start) {
  for (Stage& stage : all.stages) stage.now = start;
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (Stage& stage : all.stages) goes_on |= play(stage, all.channels, all.masters);
  }
  long end = start;
  for (Stage& stage : all.stages) {
    if (stage.next < stage.events.size()) {
      const Channel& fifo = all.channels[stage.events[stage.next].value];
      std::printf("DEADLOCK %s waits at FIFO %s\n", stage.name, fifo.name);
      std::exit(1);
    }
    leave_loop(stage);
    end = std::max(end, stage.now);
    print(stage);
  }
  all.stages.clear();
  all.channels.clear();
  all.overlaps = false;
  return end;
}

// Whether all stages end, however long anything takes: FIFOs decide that by their depths alone.
inline bool ends(const Trace& all) {
  std::vector<std::size_t> next(all.stages.size(), 0);
  std::vector<int> held(all.channels.size(), 0);
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (std::size_t at = 0; at < all.stages.size(); ++at) {
      const std::vector<Event>& events = all.stages[at].events;
      for (; next[at] < events.size(); ++next[at]) {
        const Event& event = events[next[at]];
        if (event.kind != kRead && event.kind != kWrite) continue;
        const bool reads = event.kind == kRead;
        if (held[event.value] == (reads ? 0 : all.channels[event.value].depth)) break;
        held[event.value] += reads ? -1 : 1;
        goes_on = true;
      }
    }
  }
  for (std::size_t at = 0; at < all.stages.size(); ++at) {
    if (next[at] < all.stages[at].events.size()) return false;
  }
  return true;
}

inline void set_depth(Trace& all, const char* name, int depth) {
  for (Channel& channel : all.channels) {
    if (channel.name == name) channel.depth = depth;
  }
}

// Makes FIFOs smaller, those of a name together and one name after the other, as far as the stages
// still end. All may be as small at once.
inline void print_depths(Trace all) {
  for (std::size_t at = 0; at < all.channels.size(); ++at) {
    const char* const name = all.channels[at].name;
    if (at > 0 && name == all.channels[at - 1].name) continue;
    const int stated = all.channels[at].depth;
    int low = 1, high = stated;
    while (low < high) {
      const int middle = (low + high) / 2;
      set_depth(all, name, middle);
      if (ends(all)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    set_depth(all, name, high);
    std::printf("DEPTH %s %d %d\n", name, stated, high);
  }
}

// A dataflow region: what came before it is played first, and its stages when it ends.
class Region {
 public:
  Region() : start_(play_all(trace(), 0)) { trace().overlaps = true; }
  ~Region() {
#if defined(HOTNAS_DEPTHS)
    print_depths(trace());
#endif
    std::printf("SCHEDULE layer %ld\n", play_all(trace(), start_));
    for (Master& master : trace().masters) master = Master();  // the next layer counts from 0
  }

 private:
  long start_;
};

}  // namespace schedule

#endif  // HOTNAS_SCHEDULE_H_
