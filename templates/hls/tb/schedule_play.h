// What happened, played again. C simulation runs the stages of a layer one after the other; when
// the last has ended, their events are played again, all at once, each stage with a clock of its
// own, which goes on with the next layer where it stood. What that gives are the cycles of a run if
// every loop keeps its II of 1. A layer's are those from the end of the one before to its own.
//
// - A stage takes a cycle to begin with a layer, and begins when all behind it have ended the one
//   kStartFifoDepth layers before: what starts a stage is a FIFO of that depth, which it reads when
//   it ends, and an array between two stages has two halves.
// - A loop takes a cycle an iteration and, once, as many as its pipeline has stages.
// - A word is in a FIFO a cycle after it left the writer's pipeline; its room is free a cycle after
//   it was read. Who waits stands still.
// - A run's first beat comes HOTNAS_READ_LATENCY cycles after it is at the memory, a cycle after it
//   was asked for; its others, and then those of the next run, a cycle apart. A port holds
//   kPortBeats of them. Over a shared bus one beat a cycle comes for all ports, of the run that was
//   asked for first. A run is answered HOTNAS_WRITE_LATENCY cycles after its last beat.
// - Without HOTNAS_BURSTS a run is the beats a loop reads, or writes, one behind the other: it is
//   asked for with its first beat, and a loop that wrote ends with the answer.
// - A word on chip is written when it leaves the writer's pipeline; who reads it before is found.

#ifndef HOTNAS_SCHEDULE_PLAY_H_
#define HOTNAS_SCHEDULE_PLAY_H_

#include <algorithm>

#include "schedule.h"

namespace schedule {

// The cycle `stage` may go on in where its next event is at a FIFO; -1: not yet known.
inline long allowed(const Stage& stage, const Event& event, const Channel& channel) {
  if (event.kind == kRead) return channel.words.empty() ? -1 : channel.words.front();
  if (channel.used < channel.depth) return 0;
  return channel.rooms.empty() ? -1 : std::max(channel.rooms.front() - stage.depth, 0L);
}

// The cycle in which `stage` may begin with its next layer; -1: not yet known.
inline long may_begin(const Stage& stage, const Trace& all) {
  const std::size_t layer = stage.ended.size();
  long cycle = 0;
  if (layer < kStartFifoDepth) return cycle;
  for (const Stage* behind = &all.stages.back(); behind != &stage; --behind) {
    if (behind->ended.size() <= layer - kStartFifoDepth) return -1;
    cycle = std::max(cycle, behind->ended[layer - kStartFifoDepth].now);
  }
  return cycle;
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

// The cycle the next beat of `master` may come in; -1: none is asked for, or has room yet.
inline long next_beat(const Master& master, const Trace& all) {
  if (master.comes.empty()) return -1;
  long room = 0;
  if (master.used == kPortBeats) {
    if (master.rooms.empty()) return -1;
    room = master.rooms.front();
  }
  const long after = all.buses[master.bus] + 1;
  return std::max(std::max(master.comes.front() + HOTNAS_READ_LATENCY, after), room);
}

// Brings the beat that may come first, of several that of the run which was asked for first; false:
// there is none.
inline bool bring_beat(Trace& all) {
  Master* first = nullptr;
  long cycle = -1;
  for (Master& master : all.masters) {
    const long next = next_beat(master, all);
    if (next < 0) continue;
    if (first != nullptr && next > cycle) continue;
    if (first != nullptr && next == cycle && master.comes.front() >= first->comes.front()) continue;
    first = &master;
    cycle = next;
  }
  if (first == nullptr) return false;
  all.buses[first->bus] = cycle;
  first->came.push_back(cycle);
  if (first->used < kPortBeats) {
    ++first->used;
  } else {
    first->rooms.pop_front();
  }
  if (--first->reads.front() == 0) {
    first->reads.pop_front();
    first->comes.pop_front();
  }
  return true;
}

// Plays a stage on as far as is known; false: not a single event.
inline bool play(Stage& stage, Trace& all) {
  std::vector<Channel>& channels = all.channels;
  std::vector<Master>& masters = all.masters;
  const std::size_t before = stage.next;
  for (; stage.next < stage.events.size(); ++stage.next) {
    const Event& event = stage.events[stage.next];
    switch (event.kind) {
      case kStart: {
        const long cycle = may_begin(stage, all);
        if (cycle < 0) return stage.next > before;
        wait_until(stage, cycle, stage.spent.full);
        ++stage.now;
        ++stage.spent.looping;
        break;
      }
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
        if (master.came.empty()) return stage.next > before;
        wait_until(stage, master.came.front(), stage.spent.memory);
        master.came.pop_front();
        master.rooms.push_back(stage.now + 1);
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
      case kLook: {
        const Word::Look look = {static_cast<std::size_t>(event.beats), stage.now};
        all.words[event.value].looks.push_back(look);
        break;
      }
      case kKeep:
        all.words[event.value].written.push_back(stage.now + stage.depth);
        break;
      case kEnd: {
        leave_loop(stage);
        const Ended ended = {stage.now, stage.spent};
        const Spent none = {};
        stage.ended.push_back(ended);
        stage.spent = none;
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
          channel.words.pop_front();
          channel.rooms.push_back(stage.now + 1);
        } else {
          if (channel.used < channel.depth) {
            ++channel.used;
          } else {
            channel.rooms.pop_front();
          }
          channel.words.push_back(stage.now + stage.depth + 1);
        }
        break;
      }
    }
  }
  return stage.next > before;
}

// Plays all stages as far as is known. A beat is brought when none goes on without: then nobody can
// ask for one that would come before it.
inline void play_all(Trace& all) {
  do {
    for (bool goes_on = true; goes_on;) {
      goes_on = false;
      for (Stage& stage : all.stages) goes_on |= play(stage, all);
    }
  } while (bring_beat(all));
  for (Stage& stage : all.stages) {
    stage.events.erase(stage.events.begin(), stage.events.begin() + stage.next);
    stage.next = 0;
  }
}

inline void print(const char* name, const Ended& ended) {
  const Spent& spent = ended.spent;
  std::printf("SCHEDULE %s %ld %ld %ld %ld %ld %ld\n", name, ended.now, spent.looping,
              spent.filling, spent.memory, spent.empty, spent.full);
}

// Whether all stages end, however long anything takes: FIFOs decide that by their depths alone.
// Those that lead from a layer to the next are left out: their reader waits for no other stage.
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
        if (event.value < static_cast<int>(all.back)) continue;
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
  for (std::size_t at = all.back; at < all.channels.size(); ++at) {
    const char* const name = all.channels[at].name;
    if (at > all.back && name == all.channels[at - 1].name) continue;
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

// A layer in a dataflow region: it is played when all is known that happens in it. A stage may wait
// for what happens in the next one.
class Region {
 public:
  Region() {
    Trace& all = trace();
    if (all.stages.empty()) all.back = all.declared;
    all.declared = all.back;
  }
  ~Region() {
    Trace& all = trace();
#if defined(HOTNAS_DEPTHS)
    print_depths(all);
    for (Stage& stage : all.stages) stage.events.clear();
#endif
    const Event end = {kEnd, 0, 0};
    for (Stage& stage : all.stages) stage.events.push_back(end);
    play_all(all);
  }
};

// A word is read behind the write that C simulation has before it, and before the next one.
inline void check(const Word& word) {
  for (const Word::Look& look : word.looks) {
    const bool late =
        look.version < word.written.size() && word.written[look.version] <= look.cycle;
    if (look.version > 0 && look.cycle > word.written[look.version - 1] && !late) continue;
    std::printf("MISMATCH a word on chip is read in cycle %ld, %s\n", look.cycle,
                late ? "when another one has taken its place" : "before it is written");
    std::exit(1);
  }
}

// All layers.
class Run {
 public:
  Run() {
    Trace& all = trace();
    all.stages.clear();
    all.channels.clear();
    all.back = all.declared = 0;
    for (std::size_t at = 0; at < all.masters.size(); ++at) {
      all.masters[at] = Master();
      all.masters[at].bus = kSharedBus ? 0 : at;
    }
    all.buses.assign(all.masters.size(), 0);
    for (Word& word : all.words) word = Word();
  }
  ~Run() {
    const Trace& all = trace();
    bool waits = false;
    for (const Stage& stage : all.stages) {
      if (stage.events.empty()) continue;
      waits = true;
      if (stage.events.front().kind == kStart) continue;  // for one of these:
      const Channel& fifo = all.channels[stage.events.front().value];
      std::printf("DEADLOCK %s waits at FIFO %s in layer %zu: %zu of %d words\n", stage.name,
                  fifo.name, stage.ended.size(), fifo.words.size(), fifo.depth);
    }
    if (waits) std::exit(1);
    for (const Word& word : all.words) check(word);
    long before = 0;
    for (std::size_t layer = 0; layer < all.stages.front().ended.size(); ++layer) {
      long end = before;
      for (const Stage& stage : all.stages) {
        print(stage.name, stage.ended[layer]);
        end = std::max(end, stage.ended[layer].now);
      }
      std::printf("SCHEDULE layer %ld\n", end - before);
      before = end;
    }
  }
};

}  // namespace schedule

#endif  // HOTNAS_SCHEDULE_PLAY_H_
